"""Exits: portions, stops that move, holding times, the end of the session, and what comes after an exit."""

from datetime import time

import numpy as np
import pytest

from magellan.strategy.trade_plan import (
    RiskFraction,
    SessionExit,
    Stop,
    Target,
    TradePlan,
    Units,
    at_price,
    entry_price,
    fixed,
    moving,
)
from reference.by_hand import FRIDAY, THURSDAY, Prices, days, hours, play, symbol, told

QUIET = (100, 101, 99, 100)


def test_targets_sell_portions_of_what_was_entered_and_the_stop_the_rest() -> None:
    """10 bought at 100. 40 % of 10 at 104 are 4; 30 % of 10 at 106 are 3; the stop at 95 gets the last 3.

    Cash: 10,000 - 1,000 + 416 + 318 + 285 = 10,019.
    """
    plan = TradePlan(
        size=Units(units=10.0),
        stop=at_price(95.0),
        targets=(
            Target(price=at_price(104.0), fraction=0.4),
            Target(price=at_price(106.0), fraction=0.3),
        ),
    )
    bars = days(QUIET, QUIET, (100, 105, 99, 104), (104, 107, 103, 106), (100, 101, 94, 95))
    outcome = play(symbol(bars, plan, long={0}))
    assert told(outcome) == [
        (1, 10.0, 100.0, "entry"),
        (2, -4.0, 104.0, "target 1"),
        (3, -3.0, 106.0, "target 2"),
        (4, -3.0, 95.0, "stop"),
    ]
    assert outcome.cash == pytest.approx(10_019.0)


def test_one_bar_may_fill_several_targets_in_the_plans_order() -> None:
    plan = TradePlan(
        size=Units(units=10.0),
        targets=(Target(price=at_price(104.0), fraction=0.5), Target(price=at_price(106.0))),
    )
    fills = told(play(symbol(days(QUIET, QUIET, (100, 107, 99, 106)), plan, long={0})))
    assert fills[1:] == [(2, -5.0, 104.0, "target 1"), (2, -5.0, 106.0, "target 2")]


def test_a_target_can_wait_for_the_bar_after_another_targets() -> None:
    plan = TradePlan(
        size=Units(units=10.0),
        targets=(
            Target(price=at_price(104.0), fraction=0.5),
            Target(price=at_price(106.0), later_bar=True),
        ),
    )
    fills = told(
        play(symbol(days(QUIET, QUIET, (100, 107, 99, 106), (106.5, 107, 106, 106)), plan, long={0}))
    )
    assert fills[1:] == [(2, -5.0, 104.0, "target 1"), (3, -5.0, 106.5, "target 2")]


def test_portions_are_rounded_down_to_what_can_be_traded() -> None:
    """A third of 10 shares are 3; half of one share is none, and the target is done with that."""
    third = TradePlan(size=Units(units=10.0), targets=(Target(price=at_price(104.0), fraction=1 / 3),))
    assert told(play(symbol(days(QUIET, QUIET, (100, 105, 99, 104)), third, long={0})))[1:] == [
        (2, -3.0, 104.0, "target 1")
    ]
    single = TradePlan(size=Units(units=1.0), targets=(Target(price=at_price(104.0), fraction=0.5),))
    assert told(play(symbol(days(QUIET, QUIET, (100, 105, 99, 104)), single, long={0})))[1:] == []


def test_a_filled_target_moves_the_stop_from_the_next_bar_on() -> None:
    """The target of 104 moves the stop from 95 to the entry at 100. Row 2 itself falls to 96, which is above the
    stop that was in force on it; row 3 falls to 99, and the rest is sold at 100."""
    plan = TradePlan(
        size=Units(units=10.0),
        stop=at_price(95.0),
        targets=(Target(price=at_price(104.0), fraction=0.5, then_stop=entry_price()),),
    )
    bars = days(QUIET, QUIET, (104.5, 105, 96, 102), (102, 103, 99, 101))
    assert told(play(symbol(bars, plan, long={0})))[1:] == [
        (2, -5.0, 104.5, "target 1"),
        (3, -5.0, 100.0, "stop"),
    ]


def test_a_stop_that_a_target_put_on_a_moving_column_goes_on_moving() -> None:
    """After the target of row 2 the stop is the column as of the bar before: on row 3 that is 101, on row 4 103."""
    column = np.array([90.0, 90.0, 101.0, 103.0, 103.0])
    plan = TradePlan(
        size=Units(units=10.0),
        stop=at_price(95.0),
        targets=(Target(price=at_price(104.0), fraction=0.5, then_stop=moving(column)),),
    )
    bars = days(QUIET, QUIET, (100, 105, 99, 104), (104, 105, 102, 104), (104, 105, 102, 104))
    assert told(play(symbol(bars, plan, long={0})))[1:] == [
        (2, -5.0, 104.0, "target 1"),
        (4, -5.0, 103.0, "stop"),
    ]


def test_a_gap_in_the_data_does_not_take_a_stop_away() -> None:
    """The stop follows its column: 95 on row 1, 96 on row 2. For row 3 the column has no value: 96 stays."""
    column = np.array([95.0, 96.0, np.nan, np.nan])
    plan = TradePlan(size=Units(units=10.0), stop=moving(column))
    bars = days(QUIET, QUIET, QUIET, (100, 101, 94, 95))
    assert told(play(symbol(bars, plan, long={0})))[1:] == [(3, -10.0, 96.0, "stop")]


def test_a_stop_that_becomes_known_later_protects_from_then_on() -> None:
    """At the decision the column says 95; on the bar after it nothing; on the next 96."""
    column = np.array([95.0, np.nan, 96.0, 96.0])
    plan = TradePlan(size=Units(units=10.0), stop=moving(column))
    bars = days(QUIET, QUIET, QUIET, (100, 101, 94, 95))
    assert told(play(symbol(bars, plan, long={0})))[1:] == [(3, -10.0, 96.0, "stop")]


def test_targets_in_multiples_of_the_risk() -> None:
    """Entry 100, stop 96: the risk is 4, so two risks above the entry lie at 108."""
    plan = TradePlan(
        size=RiskFraction(fraction=0.01),
        stop=at_price(96.0),
        targets=(Target(price=entry_price().plus(risk=2.0)),),
    )
    # 1 % of 10,000 is 100; at 4 a share that is 25 shares.
    assert told(play(symbol(days(QUIET, QUIET, (100, 109, 99, 108)), plan, long={0}))) == [
        (1, 25.0, 100.0, "entry"),
        (2, -25.0, 108.0, "target 1"),
    ]


def test_a_target_half_way_to_a_level() -> None:
    plan = TradePlan(
        size=Units(units=10.0), targets=(Target(price=fixed(np.array([110.0, 0.0, 0.0])).way(0.5)),)
    )
    assert told(play(symbol(days(QUIET, QUIET, (100, 106, 99, 104)), plan, long={0})))[1:] == [
        (2, -10.0, 105.0, "target 1")
    ]
    stated = TradePlan(size=Units(units=10.0), targets=(Target(price=at_price(110.0).way(0.5)),))
    assert told(play(symbol(days(QUIET, QUIET, (100, 106, 99, 104)), stated, long={0})))[1:] == [
        (2, -10.0, 105.0, "target 1")
    ]


def test_a_target_on_the_wrong_side_of_the_entry_sells_at_once_and_at_the_market() -> None:
    """A sell limit of 98 while the market stands at 100 is filled at 100, the open at which the entry was made."""
    plan = TradePlan(size=Units(units=10.0), targets=(Target(price=at_price(98.0)),))
    assert told(play(symbol(days(QUIET, QUIET), plan, long={0}))) == [
        (1, 10.0, 100.0, "entry"),
        (1, -10.0, 100.0, "target 1"),
    ]


# --- Rules at the close ----------------------------------------------------------------------------------------


def test_an_exit_rule_leaves_at_the_next_open() -> None:
    bars = days(QUIET, QUIET, (100, 101, 97, 97), (96, 97, 95, 96))
    fills = told(play(symbol(bars, long={0}, leave_long={2})))
    assert fills == [(1, 10.0, 100.0, "entry"), (3, -10.0, 96.0, "exit rule")]


def test_a_run_that_fills_at_the_close_leaves_at_the_close_that_was_decided_on() -> None:
    bars = days(QUIET, QUIET, (100, 101, 97, 97), (96, 97, 95, 96))
    fills = told(play(symbol(bars, long={0}, leave_long={2}), fill="close"))
    assert fills == [(0, 10.0, 100.0, "entry"), (2, -10.0, 97.0, "exit rule")]


@pytest.mark.parametrize(("minutes", "left_row"), [(60, 1), (61, 2), (120, 2)])
def test_a_holding_time_ends_at_the_close_of_the_first_bar_that_reaches_it(
    minutes: int, left_row: int
) -> None:
    """Entered at the open of row 1, 10:30. Row 1 closes at 11:30, 60 minutes later; row 2 at 12:30."""
    plan = TradePlan(size=Units(units=10.0), hold_minutes=minutes)
    rows = hours(QUIET, (100, 101, 99, 99.5), (100, 101, 99, 99.7), QUIET)
    (_, left) = told(play(symbol(rows, plan, long={0})))
    assert left[0] == left_row
    assert left[3] == "holding time"


@pytest.mark.parametrize("fill", ["next-open", "close"])
def test_a_holding_time_in_bars_counts_the_bars_after_the_entrys(fill: str) -> None:
    """Two bars after the entry's: entered on row 1 it leaves at the close of row 3; at the close of row 0, on row 2."""
    plan = TradePlan(size=Units(units=10.0), hold_bars=2)
    entered, left = told(play(symbol(days(*[QUIET] * 6), plan, long={0}), fill=fill))
    assert left[0] - entered[0] == 2
    assert left[3] == "holding time"


def test_a_session_exit_leaves_at_the_close_of_the_sessions_last_bar() -> None:
    plan = TradePlan(size=Units(units=10.0), session_exit=SessionExit())
    rows = hours(QUIET, QUIET, (100, 101, 98, 99), on=THURSDAY) + hours(QUIET, on=FRIDAY)
    assert told(play(symbol(rows, plan, long={0}))) == [
        (1, 10.0, 100.0, "entry"),
        (2, -10.0, 99.0, "session end"),
    ]


def test_a_session_exit_by_time_of_day_and_by_the_calendar() -> None:
    """At 12:00: the first bar that opens then or later is row 3, of 12:30. The calendar closes at 16:30: 240 minutes
    before that the bar of 12:30 opens, row 3 as well; 239 minutes before, the next one."""
    rows = hours(*[QUIET] * 6, on=THURSDAY) + hours(QUIET, on=FRIDAY)

    def left_row(rule: SessionExit) -> int:
        plan = TradePlan(size=Units(units=10.0), session_exit=rule)
        return told(play(symbol(rows, plan, long={0})))[1][0]

    assert left_row(SessionExit(at=time(12, 0))) == 3
    assert left_row(SessionExit(before_close_minutes=240)) == 3
    assert left_row(SessionExit(before_close_minutes=239)) == 4


# --- After an exit ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cooldown", "second_entry_row"), [(0, 3), (1, 4), (2, 5)])
def test_a_cooldown_counts_bars_from_the_exits_own(cooldown: int, second_entry_row: int) -> None:
    """Stopped out on row 2. Without a cooldown the close of row 2 may decide again; 1 excludes that bar."""
    plan = TradePlan(size=Units(units=10.0), stop=at_price(95.0), cooldown_bars=cooldown)
    bars: list[Prices] = [QUIET, QUIET, (100, 101, 94, 100), QUIET, QUIET, QUIET]
    outcome = play(symbol(days(*bars), plan, long={0, 2, 3, 4}))
    entries = [fill.row for fill in outcome.fills if fill.reason == "entry"]
    assert entries == [1, second_entry_row]
    assert outcome.blocked.get("cooling down after an exit", 0) == cooldown


def test_a_reversal_leaves_first_and_then_enters_at_the_same_open() -> None:
    bars = days(QUIET, QUIET, QUIET, (103, 104, 102, 103))
    outcome = play(symbol(bars, long={0}, short={2}, leave_long={2}), margin=True)
    assert told(outcome) == [
        (1, 10.0, 100.0, "entry"),
        (3, -10.0, 103.0, "exit rule"),
        (3, -10.0, 103.0, "entry"),
    ]


def test_a_reversal_is_not_a_second_open_position() -> None:
    bars = days(QUIET, QUIET, QUIET, QUIET)
    outcome = play(
        symbol(bars, long={0}, short={2}, leave_long={2}), margin=True, limits={"open_positions_max": 1}
    )
    assert outcome.open_units == {"A": -10.0}


def test_a_breakout_plan_may_keep_its_stop_between_the_close_and_the_breakout() -> None:
    """Decided at 100, to buy at 105 with a stop at 102. The stop is above the close and below the order: the order's
    own price is the one that counts, for the check and for the size: 1 % of 10,000 over a risk of 3 is 33 shares."""
    plan = TradePlan(
        size=RiskFraction(fraction=0.01), entry=Stop(price=at_price(105.0)), stop=at_price(102.0)
    )
    outcome = play(symbol(days(QUIET, (104, 106, 103, 105)), plan, long={0}))
    assert told(outcome) == [(1, 33.0, 105.0, "entry")]
