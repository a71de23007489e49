"""Jumps that nothing explains."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magellan.archive.discontinuity import discontinuities
from magellan.errors import FixInput
from magellan.trading.bar import Bars, nanoseconds
from magellan.trading.corporate_action import CashDividend, ConfirmedMove, CorporateAction, Split
from magellan.trading.timeframe import MINUTE

START = datetime(2024, 6, 17, 13, 30, tzinfo=UTC)


def bars_of(closes: list[float], opens: list[float] | None = None) -> Bars:
    close, open_ = np.array(closes, dtype=float), np.array(opens or closes, dtype=float)
    return Bars(
        symbol="SPCE",
        timeframe=MINUTE,
        opened_at_ns=nanoseconds(START) + np.arange(len(closes), dtype=np.int64) * MINUTE.span_ns,
        open=open_,
        high=np.maximum(open_, close),
        low=np.minimum(open_, close),
        close=close,
        volume=np.ones(len(closes)),
    )


def minute(count: int) -> datetime:
    return START + timedelta(minutes=count)


def split(new: int, old: int, at: datetime = START + timedelta(minutes=1)) -> Split:
    return Split(symbol="SPCE", effective_at=at, new_shares=new, old_shares=old)


def dividend(amount: str) -> CashDividend:
    return CashDividend(symbol="SPCE", ex_at=minute(1), amount_usd=Decimal(amount))


CONFIRMED = ConfirmedMove(symbol="SPCE", at=minute(1), reason="trial failed", confirmed_by="jane")
OTHER = Split(symbol="AMD", effective_at=minute(1), new_shares=1, old_shares=20)


@pytest.mark.parametrize(
    ("before", "after", "actions", "explained"),
    [
        pytest.param(100, 149, [], True, id="half up is looked at only beyond the factor"),
        pytest.param(100, 151, [], False, id="incident 10: more than half up"),
        pytest.param(100, 66, [], False, id="incident 10: a third down"),
        pytest.param(
            0.6956, 10.0, [split(1, 20)], True, id="a reverse split that misses its ratio by a quarter"
        ),
        pytest.param(0.0325, 2.7, [split(1, 100)], True, id="1 for 100 seen as x83"),
        pytest.param(1207.75, 120.8, [split(10, 1)], True, id="10 for 1"),
        pytest.param(1207.75, 120.8, [split(1, 10)], False, id="the split written the wrong way round"),
        pytest.param(1207.75, 120.8, [OTHER], False, id="another symbol's split"),
        pytest.param(120.7, 120.8, [split(10, 1)], False, id="a split that the prices do not show"),
        pytest.param(120.7, 120.8, [split(5, 4)], False, id="a small split that the prices do not show"),
        pytest.param(120.7, 96.6, [split(5, 4)], True, id="a small split that the prices show"),
        pytest.param(25.04, 5.0, [], False, id="news"),
        pytest.param(25.04, 5.0, [CONFIRMED], True, id="news that a person has confirmed"),
        pytest.param(10.0, 4.1, [dividend("6")], True, id="a special dividend"),
        pytest.param(10.0, 4.1, [dividend("0.1")], False, id="a dividend too small for the move"),
        pytest.param(10.0, 9.9, [dividend("12")], False, id="a dividend above the price"),
        pytest.param(17.73, -14.0, [], False, id="through zero"),
        pytest.param(17.73, -14.0, [CONFIRMED], True, id="through zero, confirmed"),
        pytest.param(-14.0, -13.0, [], False, id="below zero there is no factor"),
        pytest.param(0.0, 1.0, [], False, id="from nothing"),
    ],
)
def test_a_jump_is_told_apart_by_the_table(
    before: float, after: float, actions: list[CorporateAction], explained: bool
) -> None:
    found = discontinuities(bars_of([before, after]), actions)
    assert bool(found) is not explained


def test_a_jump_says_where_it_is_and_what_was_expected() -> None:
    (jump,) = discontinuities(bars_of([10.0, 10.0, 1.0]), [])
    assert (jump.before_at, jump.at, jump.row) == (minute(1), minute(2), 2)
    assert (jump.close_before, jump.open_after, jump.factor, jump.expected_factor) == (10.0, 1.0, 0.1, 1.0)
    assert jump.explanation == "the price goes from 10 to 1 (x0.1) and no corporate action says why"

    (jump,) = discontinuities(bars_of([10.0, 10.0]), [split(2, 1)])
    assert jump.explanation == "the corporate actions say x0.5, but the price goes from 10 to 10 (x1)"


def test_only_the_step_between_bars_counts_not_the_way_inside_one() -> None:
    assert discontinuities(bars_of(closes=[10.0, 30.0], opens=[10.0, 10.0]), []) == ()


@pytest.mark.parametrize("threshold", [1.0, 0.5, float("nan")])
def test_a_threshold_that_every_price_breaks_is_refused(threshold: float) -> None:
    with pytest.raises(FixInput, match="is not above 1"):
        discontinuities(bars_of([1.0]), [], threshold)


@pytest.mark.parametrize("closes", [[], [1.0]])
def test_there_is_no_jump_without_two_bars(closes: list[float]) -> None:
    assert discontinuities(bars_of(closes), [split(2, 1)]) == ()


@given(
    steps=st.lists(st.floats(0.7, 1.45), min_size=2, max_size=40),
    at=st.integers(1, 39),
    ratio=st.tuples(st.integers(1, 20), st.integers(1, 20)).filter(lambda two: two[0] != two[1]),
)
def test_a_calm_market_with_a_declared_split_has_no_discontinuity(
    steps: list[float], at: int, ratio: tuple[int, int]
) -> None:
    closes = 100 * np.cumprod(steps)
    declared = split(*ratio, at=minute(at))
    if at < len(closes):
        # The law holds where the market moves less than the split does, as it does for any split worth one.
        move = abs(np.log(closes[at] / closes[at - 1]))
        if move * 2 >= abs(np.log(declared.price_factor)):
            return
        closes[at:] *= declared.price_factor
    assert discontinuities(bars_of([float(close) for close in closes]), [declared]) == ()
