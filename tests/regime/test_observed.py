"""What the filter sees of bars: returns, and how far bars went beyond them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from magellan.regime.day_profile import DayProfile
from magellan.regime.observed import Observed, observed_of
from magellan.trading.bar import Bars
from magellan.trading.session import session_columns
from magellan.trading.timeframe import DAY_NS, Timeframe


def seen(*rows: tuple[float, float, float, float], profile: DayProfile | None = None) -> Observed:
    """Of daily bars: open, high, low, close. profile: None for a flat one."""
    open_, high, low, close = np.array(rows, dtype=float).T
    bars = Bars(
        symbol="WICKS", timeframe=Timeframe.parse("1Day"), opened_at_ns=(19_000 + np.arange(len(rows))) * DAY_NS,
        open=open_, high=high, low=low, close=close, volume=np.ones(len(rows)),
    )  # fmt: skip
    return observed_of(bars, session_columns(bars), profile or DayProfile(flat_sessions=1e12))


def test_wicks_are_what_the_true_range_holds_beyond_the_return() -> None:
    of = seen((100, 104, 98, 101), (101, 106, 100, 103))
    np.testing.assert_allclose(of.returns, (math.log(101 / 100), math.log(103 / 101)))
    true_ranges = (math.log(104 / 98), math.log(106 / 100))
    np.testing.assert_allclose(np.exp(of.wicks), true_ranges - abs(of.returns))


def test_returns_and_wicks_are_taken_over_what_is_usual_at_their_time_of_day() -> None:
    twice = DayProfile(flat_sessions=0.0)
    twice.sums[:] = [[0.02], [1.0]]
    twice.whole[:] = 0.01, 1.0
    bar = (100.0, 104.0, 98.0, 101.0)
    of, plain = seen(bar, profile=twice), seen(bar)
    np.testing.assert_allclose(of.returns, plain.returns / 2.0)
    np.testing.assert_allclose(np.exp(of.wicks), np.exp(plain.wicks) / 2.0)


def test_a_gap_belongs_to_the_return_and_is_no_wick() -> None:
    of = seen((100, 100, 100, 100), (110, 112, 109, 111), (90, 95, 88, 91))
    assert math.exp(of.wicks[1]) == pytest.approx(math.log(112 / 111), rel=1e-9)
    assert math.exp(of.wicks[2]) == pytest.approx(math.log(91 / 88), rel=1e-9)


def test_a_bar_that_ends_where_it_went_has_no_wicks() -> None:
    of = seen(
        (100, 101, 100, 101), (101, 101, 99.3, 99.3), (99.3, 99.3, 99.3, 99.3), (99.1, 99.2, 99.0, 99.1)
    )
    assert np.isnan(of.wicks).tolist() == [True, True, True, False]


def test_a_price_of_zero_is_no_wick_without_end() -> None:
    """Oil went through 0. A wick without end would leave no state with any probability, from that bar on."""
    of = seen((100, 101, 99, 100), (100, 101, 0, 100), (100, 101, 99, 100))
    assert np.isnan(of.wicks).tolist() == [False, True, False]
    assert np.isfinite(of.returns).all()
