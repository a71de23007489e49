"""Returns of other symbols stand beside a symbol's own bars; where one of them has no bar, nothing is made up."""

from __future__ import annotations

import numpy as np
import pytest

from magellan.errors import FixInput
from magellan.trading.bar import Bars
from magellan.trading.timeframe import DAY, DAY_NS, HOUR
from magellan.usecases.regime_bars import returns_beside

FIRST_DAY = 20_000


def bars(symbol: str, closes: dict[int, float], timeframe=DAY) -> Bars:  # type: ignore[no-untyped-def]
    """Bars of these days, each at one price."""
    close = np.array(list(closes.values()))
    days = FIRST_DAY + np.array(list(closes), dtype=np.int64)
    return Bars(
        symbol=symbol, timeframe=timeframe, opened_at_ns=days * DAY_NS, open=close, high=close, low=close, close=close,
        volume=np.ones(len(close)),
    )  # fmt: skip


OURS = bars("SPY", {0: 10.0, 1: 11.0, 2: 12.0, 3: 13.0})


def test_a_return_reaches_from_our_bar_before_to_our_bar() -> None:
    found = returns_beside(OURS, [bars("QQQ", {0: 1.0, 1: 2.0, 2: 4.0, 3: 4.0})])
    np.testing.assert_allclose(found[:, 0], [np.nan, np.log(2.0), np.log(2.0), 0.0])


def test_a_bar_that_the_other_lacks_leaves_two_returns_unknown() -> None:
    found = returns_beside(OURS, [bars("QQQ", {0: 1.0, 2: 4.0, 3: 8.0, 9: 1.0})])
    np.testing.assert_allclose(found[:, 0], [np.nan, np.nan, np.nan, np.log(2.0)])


def test_a_symbol_that_never_meets_ours_is_refused_by_name() -> None:
    with pytest.raises(FixInput, match="QQQ has no bar at the time of any of SPY"):
        returns_beside(OURS, [bars("QQQ", {100: 1.0})])
    with pytest.raises(FixInput, match="QQQ has 1Hour bars, SPY 1Day"):
        returns_beside(OURS, [bars("QQQ", {0: 1.0}, HOUR)])
