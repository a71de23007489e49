"""Limits of the day and of the account: each is breached here, and each holds back entries and never an exit."""

import pytest

from magellan.strategy.trade_plan import Limit, SessionExit, Target, TimeInForce, TradePlan, Units, at_price
from reference.by_hand import FRIDAY, THURSDAY, days, hours, play, symbol, told
from reference.plain_market import Action

QUIET = (100, 101, 99, 100)


def test_trades_per_day_gate_the_third_entry_and_the_next_day_begins_anew() -> None:
    rows = hours(*[QUIET] * 6, on=THURSDAY) + hours(QUIET, QUIET, on=FRIDAY)
    one = symbol(rows, long={0, 2, 4, 6}, leave_long={1, 3, 5})
    outcome = play(one, limits={"trades_per_day_max": 2})
    assert [(fill.row, fill.reason) for fill in outcome.fills] == [
        (1, "entry"),
        (2, "exit rule"),
        (3, "entry"),
        (4, "exit rule"),
        (7, "entry"),
    ]
    assert outcome.blocked == {"trades per day used up": 1}


def test_symbols_that_signal_at_the_same_close_do_not_overrun_the_trades_of_a_day() -> None:
    """Two signals, one trade allowed: the first order works, and counts before it fills."""
    a = symbol(days(QUIET, QUIET), name="A", long={0})
    b = symbol(days(QUIET, QUIET), name="B", long={0})
    outcome = play(a, b, limits={"trades_per_day_max": 1})
    assert [(fill.symbol, fill.row) for fill in outcome.fills] == [("A", 1)]
    assert outcome.blocked == {"trades per day used up": 1}


@pytest.mark.parametrize(
    "limit",
    [{"loss_per_day_usd_max": 50.0}, {"loss_per_day_fraction_max": 0.005}],  # of 10,000
)
def test_the_loss_of_the_day_gates_entries_and_never_an_exit(limit: dict[str, float]) -> None:
    """A loses 5 a share on 10: 50. After that B is not entered, but C, held since before, is still left."""
    plan = TradePlan(size=Units(units=10.0), stop=at_price(95.0))
    falling = hours(QUIET, QUIET, (100, 101, 94, 96), QUIET, QUIET)
    quiet = hours(*[QUIET] * 5)
    a = symbol(falling, plan, name="A", long={0})
    b = symbol(quiet, name="B", long={2})
    c = symbol(quiet, name="C", long={0}, leave_long={3})
    outcome = play(a, b, c, limits=limit)
    assert outcome.blocked == {"loss of the day reached": 1}
    assert [(fill.symbol, fill.row, fill.reason) for fill in outcome.fills] == [
        ("A", 1, "entry"),
        ("C", 1, "entry"),
        ("A", 2, "stop"),
        ("C", 4, "exit rule"),
    ]


def test_commissions_count_towards_the_loss_of_the_day() -> None:
    """Bought and sold at 100: the two commissions of 30 are the loss."""
    one = symbol(hours(*[QUIET] * 5), long={0, 2}, leave_long={1})
    outcome = play(one, commission_min_usd=30.0, limits={"loss_per_day_usd_max": 60.0})
    assert outcome.blocked == {"loss of the day reached": 1}
    outcome = play(one, commission_min_usd=30.0, limits={"loss_per_day_usd_max": 60.01})
    assert not outcome.blocked


def test_a_gain_never_trips_the_loss_limit() -> None:
    rows = hours(QUIET, QUIET, (120, 121, 119, 120), QUIET, QUIET)
    outcome = play(symbol(rows, long={0, 2}, leave_long={1}), limits={"loss_per_day_usd_max": 1.0})
    assert not outcome.blocked


def test_open_positions_and_orders_that_may_become_one_are_counted_together() -> None:
    """A is held, B has an order waiting, so with two allowed C has to wait; then B's order is filled, and still."""
    waiting = TradePlan(
        size=Units(units=10.0), entry=Limit(price=at_price(90.0), time_in_force=TimeInForce.GTC)
    )
    a = symbol(days(*[QUIET] * 4), name="A", long={0})
    b = symbol(days(*[QUIET] * 4), waiting, name="B", long={0})
    c = symbol(days(*[QUIET] * 4), name="C", long={1})
    outcome = play(a, b, c, limits={"open_positions_max": 2})
    assert outcome.blocked == {"open positions at their limit": 1}
    assert [fill.symbol for fill in outcome.fills] == ["A"]


def test_exits_pass_whatever_limit_is_reached() -> None:
    """Stop, target, rule and session end: every limit is used up, and every one of them leaves."""
    limits = {
        "trades_per_day_max": 1,
        "loss_per_day_usd_max": 0.01,
        "open_positions_max": 1,
        "position_usd_max": 1_000.0,
    }
    stopped = TradePlan(size=Units(units=10.0), stop=at_price(95.0))
    taken = TradePlan(size=Units(units=10.0), targets=(Target(price=at_price(105.0)),))
    ended = TradePlan(size=Units(units=10.0), session_exit=SessionExit())
    rows = hours(QUIET, QUIET, (100, 106, 94, 100), on=THURSDAY) + hours(QUIET, on=FRIDAY)
    terms = {"limits": limits, "commission_min_usd": 1.0}
    assert told(play(symbol(rows, stopped, long={0}), **terms))[1] == (2, -10.0, 95.0, "stop")
    assert told(play(symbol(rows, taken, long={0}), **terms))[1] == (2, -10.0, 105.0, "target 1")
    assert told(play(symbol(rows, ended, long={0}), **terms))[1] == (2, -10.0, 100.0, "session end")
    assert told(play(symbol(rows, long={0}, leave_long={1}), **terms))[1] == (2, -10.0, 100.0, "exit rule")


def test_the_equity_at_the_start_of_a_day_is_that_of_the_closes_before_it() -> None:
    """10,000 of equity on Thursday evening. On Friday one loss of 100 is exactly 1 % of it: no more entries.

    A ten-for-one split on Friday morning does not multiply what the day began with.
    """
    plan = TradePlan(size=Units(units=10.0), stop=at_price(90.0))
    tenth = (10, 10.1, 9.9, 10)
    rows = hours(QUIET, QUIET, on=THURSDAY) + hours(tenth, (10, 10.1, 8.9, 9), tenth, tenth, on=FRIDAY)
    split = Action(row=2, new_shares=10, old_shares=1)
    one = symbol(rows, plan, long={0, 4}, actions=[split])
    outcome = play(one, limits={"loss_per_day_fraction_max": 0.01})
    assert outcome.blocked == {"loss of the day reached": 1}
    assert told(outcome)[1] == (3, -100.0, 9.0, "stop")
