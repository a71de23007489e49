"""Four bars that show how honest an engine's fills are: buy 10 at the open of bar 2, stop 95, target 105.

Rows count from 0, so bar 2 of the probes is row 1: the entry is decided at the close of row 0.
"""

import numpy as np
import pytest

from magellan.strategy.trade_plan import StopLimit, Target, TradePlan, Trailing, Units, at_price
from reference.by_hand import days, play, symbol, told

QUIET = (100, 101, 99, 100)
BRACKET = TradePlan(size=Units(units=10.0), stop=at_price(95.0), targets=(Target(price=at_price(105.0)),))

PROBES = {
    # The bar after the entry opens below the stop: the stop sells at that open, not at 95.
    "A, a gap through the stop": ([QUIET, QUIET, (90, 92, 88, 91)], (2, -10.0, 90.0, "stop")),
    # The entry's own bar falls to 94: a stop works from the moment of the entry.
    "B, the entry bar reaches the stop": ([QUIET, (100, 101, 94, 97)], (1, -10.0, 95.0, "stop")),
    # One bar reaches both: nobody knows which came first, so the worse one did.
    "C, one bar reaches both": ([QUIET, QUIET, (100, 106, 94, 100)], (2, -10.0, 95.0, "stop")),
    # A bar opens above the target: a resting limit order sells at the better price.
    "D, a gap through the target": ([QUIET, QUIET, (110, 111, 108, 109)], (2, -10.0, 110.0, "target 1")),
}


@pytest.mark.parametrize("probe", PROBES)
def test_the_four_probes_come_out_honest(probe: str) -> None:
    bars, expected = PROBES[probe]
    assert told(play(symbol(days(*bars), BRACKET, long={0}))) == [(1, 10.0, 100.0, "entry"), expected]


MIRRORED = {
    "A": ([QUIET, QUIET, (110, 112, 108, 109)], (2, 10.0, 110.0, "stop")),
    "B": ([QUIET, (100, 106, 99, 103)], (1, 10.0, 105.0, "stop")),
    "C": ([QUIET, QUIET, (100, 106, 94, 100)], (2, 10.0, 105.0, "stop")),
    "D": ([QUIET, QUIET, (90, 92, 89, 91)], (2, 10.0, 90.0, "target 1")),
}


@pytest.mark.parametrize("probe", MIRRORED)
def test_the_four_probes_come_out_honest_for_a_short(probe: str) -> None:
    bars, expected = MIRRORED[probe]
    plan = TradePlan(size=Units(units=10.0), stop=at_price(105.0), targets=(Target(price=at_price(95.0)),))
    assert told(play(symbol(days(*bars), plan, short={0}), margin=True)) == [
        (1, -10.0, 100.0, "entry"),
        expected,
    ]


def test_the_settings_that_flatter_do_what_they_say() -> None:
    """Old research filled at the level whatever the open was: 95 instead of 90, and 105 instead of 110."""
    gap_down = symbol(days(*PROBES["A, a gap through the stop"][0]), BRACKET, long={0})
    gap_up = symbol(days(*PROBES["D, a gap through the target"][0]), BRACKET, long={0})
    assert told(play(gap_down, stop_fill="at-level"))[1] == (2, -10.0, 95.0, "stop")
    assert told(play(gap_up, limit_fill="at-level"))[1] == (2, -10.0, 105.0, "target 1")


LEVELS = {  # stop 95, target 105; what exact ties do
    "low touches the stop": ((100, 101, 95, 100), (2, -10.0, 95.0, "stop")),
    "low stays a cent above the stop": ((100, 101, 95.01, 100), None),
    "open is exactly the stop": ((95, 96, 95, 96), (2, -10.0, 95.0, "stop")),
    "high touches the target": ((100, 105, 99, 100), (2, -10.0, 105.0, "target 1")),
    "high stays a cent below the target": ((100, 104.99, 99, 100), None),
    "open is exactly the target": ((105, 105, 104, 104), (2, -10.0, 105.0, "target 1")),
    "the bar opens above the target and falls through the stop": (
        (110, 111, 90, 91),
        (2, -10.0, 110.0, "target 1"),
    ),
}


@pytest.mark.parametrize("case", LEVELS)
def test_a_level_counts_as_reached_when_it_is_touched(case: str) -> None:
    bar, expected = LEVELS[case]
    fills = told(play(symbol(days(QUIET, QUIET, bar), BRACKET, long={0})))
    assert fills[1:] == ([] if expected is None else [expected])


THROUGH = {
    "high touches the target": ((100, 105, 99, 100), None),
    "high goes a cent through": ((100, 105.01, 99, 100), (2, -10.0, 105.0, "target 1")),
    # An opening price is a trade that others made at our price or better: it fills.
    "open is exactly the target": ((105, 105, 104, 104), (2, -10.0, 105.0, "target 1")),
}


@pytest.mark.parametrize("case", THROUGH)
def test_a_limit_that_must_be_traded_through_is_not_filled_by_a_touch(case: str) -> None:
    bar, expected = THROUGH[case]
    fills = told(play(symbol(days(QUIET, QUIET, bar), BRACKET, long={0}), limit_needs="through"))
    assert fills[1:] == ([] if expected is None else [expected])


def test_a_stop_is_never_filled_better_than_the_entry_on_the_entrys_own_bar() -> None:
    """Decided at 100 with the stop at 95; the next bar opens at 94, below it. Bought at 94, and given up at 94:
    the stop has been reached already. Selling at 95 would be a profit made of nothing."""
    fills = told(play(symbol(days(QUIET, (94, 97, 93, 96)), BRACKET, long={0})))
    assert fills == [(1, 10.0, 94.0, "entry"), (1, -10.0, 94.0, "stop")]


def test_what_an_entry_paid_in_slippage_is_not_given_back_by_its_stop() -> None:
    """Triggered at 102 and bought at 102 x 1.005 = 102.51, with the stop at 102.5: it was reached at once, when the
    market was at 102. Sold at 102 x 0.995 = 101.49, and not at 102.5 x 0.995."""
    plan = TradePlan(
        size=Units(units=10.0),
        entry=StopLimit(stop=at_price(102.0), limit=at_price(103.0)),
        stop=at_price(102.5),
    )
    fills = told(play(symbol(days(QUIET, (100, 104, 99, 103)), plan, long={0}), slippage_bps=50.0))
    assert fills == [(1, 10.0, 102.51, "entry"), (1, -10.0, 101.49, "stop")]


def test_a_trailing_stop_is_in_force_from_the_bar_after_the_one_that_raised_it() -> None:
    """Trail 3. Bought at 100 at the open of row 1: the stop starts at 97. Row 1's high of 110 raises it to 107 from
    row 2 on; its own low of 98 does not meet it. Row 2 opens at 108 and falls to 106: sold at 107."""
    plan = TradePlan(size=Units(units=10.0), trailing=Trailing(usd=3.0))
    fills = told(play(symbol(days(QUIET, (100, 110, 98, 109), (108, 108, 106, 106)), plan, long={0})))
    assert fills == [(1, 10.0, 100.0, "entry"), (2, -10.0, 107.0, "trailing stop")]


def test_a_trailing_stop_never_loosens() -> None:
    """An ATR of 1, then of 9: best price 110, so the stop would fall from 109 to 101. It stays at 109."""
    wide = np.array([5.0, 1.0, 9.0, 9.0])
    plan = TradePlan(size=Units(units=10.0), trailing=Trailing(column=wide))
    bars = days(QUIET, (100, 110, 99, 110), (110, 110, 109.5, 110), (110, 110, 108, 108))
    fills = told(play(symbol(bars, plan, long={0})))
    assert fills == [(1, 10.0, 100.0, "entry"), (3, -10.0, 109.0, "trailing stop")]
