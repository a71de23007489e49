"""Splits and dividends while something is held or ordered. Bars are raw: they show the new basis from the day on."""

from datetime import time
from decimal import Decimal

import numpy as np
import pytest

from magellan.backtest.market import Market as Block
from magellan.backtest.replay import Terms, replay_columns
from magellan.strategy.trade_plan import (
    Limit,
    Market,
    Target,
    TimeInForce,
    TradePlan,
    Trailing,
    Units,
    at_price,
    entry_price,
    fixed,
    moving,
)
from magellan.trading.corporate_action import CashDividend, Split
from magellan.trading.session import day_date, exchange_midnight
from reference import compiled
from reference.by_hand import FRIDAY, NS, days, hours, play, symbol, told
from reference.plain_market import Action

QUIET = (100, 101, 99, 100)
TENTH = (10, 10.1, 9.9, 10)  # the same market after ten for one
TEN_FOR_ONE = Action(row=2, new_shares=10, old_shares=1)
ONE_FOR_TWENTY = Action(row=2, new_shares=1, old_shares=20)


def test_a_split_changes_the_units_and_not_the_money() -> None:
    """10 at 100 become 100 at 10. Left at 11 for a gain of 100."""
    bars = days(QUIET, QUIET, TENTH, (11, 11.1, 10.9, 11))
    outcome = play(symbol(bars, long={0}, leave_long={2}, actions=[TEN_FOR_ONE]))
    assert told(outcome) == [(1, 10.0, 100.0, "entry"), (3, -100.0, 11.0, "exit rule")]
    assert outcome.cash == pytest.approx(10_100)


def test_a_reverse_split_pays_the_fraction_in_cash_at_the_open() -> None:
    """50 shares at 2 become 2 and a half, one for twenty. The half is paid out at the open of 41: 20.50, without
    commission. The two that are left were bought at 40.

    Cash: 10,000 - 100 - 1 (commission) + 20.50 = 9,919.50; two shares at a close of 42 are 84.
    """
    plan = TradePlan(size=Units(units=50.0))
    bars = days((2, 2.1, 1.9, 2), (2, 2.1, 1.9, 2), (41, 43, 40, 42))
    outcome = play(symbol(bars, plan, long={0}, actions=[ONE_FOR_TWENTY]), commission_min_usd=1.0)
    assert told(outcome) == [(1, 50.0, 2.0, "entry"), (2, -0.5, 41.0, "cash in lieu of a fraction")]
    assert outcome.cash == pytest.approx(9_919.5)
    assert outcome.equity == pytest.approx(9_919.5 + 84)


def test_a_short_buys_its_fraction_back() -> None:
    plan = TradePlan(size=Units(units=50.0))
    bars = days((2, 2.1, 1.9, 2), (2, 2.1, 1.9, 2), (41, 43, 40, 42))
    outcome = play(symbol(bars, plan, short={0}, actions=[ONE_FOR_TWENTY]), margin=True)
    assert told(outcome)[1] == (2, 0.5, 41.0, "cash in lieu of a fraction")
    assert outcome.open_units == {"A": -2.0}


def test_fewer_shares_than_a_whole_one_end_the_trade() -> None:
    bars = days((2, 2.1, 1.9, 2), (2, 2.1, 1.9, 2), (41, 43, 40, 42))
    outcome = play(symbol(bars, long={0}, actions=[ONE_FOR_TWENTY]))
    assert told(outcome)[1] == (2, -0.5, 41.0, "cash in lieu of a fraction")
    assert outcome.open_units == {}


LEVELS = {  # each on raw columns and amounts of the old basis; after ten for one it lies a tenth as high
    "a fixed stop": TradePlan(size=Units(units=10.0), stop=fixed(np.full(4, 95.0))),
    "a stated stop": TradePlan(size=Units(units=10.0), stop=at_price(95.0)),
    "a stop 5 below the entry": TradePlan(size=Units(units=10.0), stop=entry_price().plus(usd=-5.0)),
    "a stop on the bar before": TradePlan(
        size=Units(units=10.0), stop=moving(np.array([95.0, 95.0, 9.5, 9.5]))
    ),
    "a trailing stop of 5": TradePlan(size=Units(units=10.0), trailing=Trailing(usd=5.0)),
    "a trailing stop of one ATR": TradePlan(
        size=Units(units=10.0), trailing=Trailing(column=np.array([5.0, 5.0, 0.5, 0.5]))
    ),
}


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_of_a_plan_follows_a_split(level: str) -> None:
    """The day of the split opens at 10 and falls to 9.6: no stop at 95 is reached. The day after falls to 9.4."""
    flat = (100, 100, 99, 100)
    bars = days(flat, flat, (10, 10, 9.6, 10), (10, 10, 9.4, 9.5))
    outcome = play(symbol(bars, LEVELS[level], long={0}, actions=[TEN_FOR_ONE]))
    assert [(fill.row, fill.units, round(fill.price, 9)) for fill in outcome.fills] == [
        (1, 10.0, 100.0),
        (3, -100.0, 9.5),
    ]


TARGETS = {
    "a fixed target": fixed(np.full(4, 105.0)),
    "a stated target": at_price(105.0),
    "a target 5 above the entry": entry_price().plus(usd=5.0),
    "a target of one risk": entry_price().plus(risk=1.0),
    "a target on the bar before": moving(np.array([105.0, 105.0, 10.5, 10.5])),
}


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_follows_a_split(target: str) -> None:
    plan = TradePlan(
        size=Units(units=10.0), stop=at_price(95.0), targets=(Target(price=TARGETS[target], fraction=0.5),)
    )
    bars = days(QUIET, QUIET, TENTH, (10, 10.6, 9.9, 10.5))
    outcome = play(symbol(bars, plan, long={0}, actions=[TEN_FOR_ONE]))
    assert told(outcome)[1:] == [(3, -50.0, 10.5, "target 1")]


def test_a_working_order_follows_a_split() -> None:
    """10 at a limit of 98 become 100 at 9.80."""
    plan = TradePlan(size=Units(units=10.0), entry=Limit(price=at_price(98.0), time_in_force=TimeInForce.GTC))
    bars = days(QUIET, QUIET, TENTH, (10, 10.1, 9.7, 10))
    outcome = play(symbol(bars, plan, long={0}, actions=[TEN_FOR_ONE]))
    assert told(outcome) == [(3, 100.0, 9.8, "entry")]


def test_a_market_order_across_a_split_still_costs_what_it_was_meant_to_cost() -> None:
    bars = days(QUIET, QUIET, TENTH)
    outcome = play(symbol(bars, long={1}, actions=[TEN_FOR_ONE]))
    assert told(outcome) == [(2, 100.0, 10.0, "entry")]


def test_an_order_of_less_than_a_share_after_a_split_is_withdrawn() -> None:
    bars = days((2, 2.1, 1.9, 2), (2, 2.1, 1.9, 2), (41, 43, 40, 42))
    outcome = play(symbol(bars, long={1}, actions=[ONE_FOR_TWENTY]))
    assert told(outcome) == []
    assert outcome.blocked == {"the money buys less than one unit": 1}


def test_an_order_that_is_sized_at_its_fill_is_sized_on_the_new_basis() -> None:
    bars = days(QUIET, QUIET, TENTH)
    outcome = play(symbol(bars, long={1}, actions=[TEN_FOR_ONE]), size_at="fill")
    assert told(outcome) == [(2, 10.0, 10.0, "entry")]  # ten units were asked for, whatever they cost


def test_what_is_left_of_a_target_follows_a_split_and_may_vanish() -> None:
    """Half of 4 are 2; one fills on row 1's volume, one is left. One for two makes that half a share: none."""
    plan = TradePlan(size=Units(units=4.0), targets=(Target(price=at_price(101.0), fraction=0.5),))
    bars = days(
        QUIET,
        (100, 101, 99, 100, 5_000),  # 5 units: 4 bought, 1 of 2 sold
        (200, 203, 199, 200, 1e6),
        (200, 203, 199, 200, 1e6),
    )
    split = Action(row=2, new_shares=1, old_shares=2)
    outcome = play(symbol(bars, plan, long={0}, actions=[split]), volume_share_max=0.001)
    assert told(outcome) == [
        (1, 4.0, 100.0, "entry"),
        (1, -1.0, 101.0, "target 1"),
        (2, -0.5, 200.0, "cash in lieu of a fraction"),
    ]


# --- Dividends -------------------------------------------------------------------------------------------------


def test_a_dividend_is_paid_to_who_held_the_share_before_the_day() -> None:
    """10 shares, 0.50 each. Decided at the close before the ex-date and bought at its open: nothing."""
    bars = days(QUIET, QUIET, (99.5, 100, 99, 99.5))
    dividend = Action(row=2, dividend_usd=0.5)
    held = play(symbol(bars, long={0}, actions=[dividend]))
    assert held.dividends == pytest.approx(5.0)
    assert told(held)[1] == (2, 0.0, 0.0, "dividend")
    late = play(symbol(bars, long={1}, actions=[dividend]))
    assert late.dividends == 0.0


def test_a_short_owes_the_dividend() -> None:
    bars = days(QUIET, QUIET, (99.5, 100, 99, 99.5))
    outcome = play(symbol(bars, short={0}, actions=[Action(row=2, dividend_usd=0.5)]), margin=True)
    assert outcome.dividends == pytest.approx(-5.0)
    assert outcome.cash == pytest.approx(10_000 + 1_000 - 5)


def test_who_leaves_at_the_open_of_the_ex_date_still_gets_the_dividend() -> None:
    bars = days(QUIET, QUIET, (99.5, 100, 99, 99.5))
    outcome = play(symbol(bars, long={0}, leave_long={1}, actions=[Action(row=2, dividend_usd=0.5)]))
    assert outcome.cash == pytest.approx(10_000 - 1_000 + 5 + 995)


def test_a_borrow_fee_on_the_day_of_a_split_is_reckoned_on_the_old_basis() -> None:
    """100 short at 100, ten for one on the next day: the night cost 100 x 100 x 36.5 % / 365 = 10, and not ten times
    or a tenth of that."""
    plan = TradePlan(size=Units(units=100.0))
    bars = days(QUIET, QUIET, TENTH)
    outcome = play(
        symbol(bars, plan, short={0}, actions=[Action(row=2, new_shares=10, old_shares=1)]),
        margin=True,
        borrow_rate=0.365,
    )
    # Friday (row 1) to Monday (row 2) are three days.
    assert outcome.financing == pytest.approx(30.0)


def test_a_split_while_an_order_waits_for_its_hour_is_not_missed() -> None:
    plan = TradePlan(size=Units(units=10.0), entry=Market(at=time(12, 0)))
    rows = hours(QUIET, QUIET, QUIET, QUIET) + hours(TENTH, TENTH, TENTH, TENTH, on=FRIDAY)
    split = Action(row=4, new_shares=10, old_shares=1)
    outcome = play(symbol(rows, plan, long={3}, actions=[split]))
    assert told(outcome) == [(7, 100.0, 10.0, "entry")]


def test_a_run_is_refused_before_a_position_is_held_into_an_unexplained_jump() -> None:
    """The reverse split that no table knew once made a million out of nothing. Flat, the jump does not matter."""
    bars = days(QUIET, QUIET, (2_000, 2_100, 1_900, 2_000))
    held = play(symbol(bars, long={0}, jumps={2}))
    assert held.refused is not None
    assert (held.refused.symbol, held.refused.row) == ("A", 2)
    leaving = play(symbol(bars, long={0}, leave_long={1}, jumps={2}))
    assert leaving.refused is not None  # the open of row 2 is already on the other side of the jump
    assert play(symbol(bars, long={2}, jumps={2})).refused is None
    assert play(symbol(bars, long={0}, jumps={2}), unexplained_jumps="hold").refused is None


@pytest.mark.parametrize(
    ("order", "dividends"),
    [
        # 10 shares become 100, and each of them gets 0.05.
        ([TEN_FOR_ONE, Action(row=2, dividend_usd=0.05)], 5.0),
        # 0.50 for each of the 10, which then become 100.
        ([Action(row=2, dividend_usd=0.5), TEN_FOR_ONE], 5.0),
    ],
)
def test_a_split_and_a_dividend_on_one_bar_apply_in_the_order_of_their_instants(
    order: list[Action], dividends: float
) -> None:
    outcome = play(symbol(days(QUIET, QUIET, TENTH), long={0}, actions=order))
    assert outcome.dividends == pytest.approx(dividends)
    assert outcome.open_units == {"A": 100.0}


def test_of_a_split_and_a_dividend_at_the_same_instant_the_split_comes_first() -> None:
    """A dividend's amount is per share of the basis in force at its ex-date, and that is the new one: 100 x 0.05."""
    one = symbol(days(QUIET, QUIET, TENTH), long={0})
    at = exchange_midnight(day_date(one.rows[2].day))
    replayed = replay_columns(
        Block.of([compiled.bars_of(one, 86_400 * NS)]),
        [compiled.decisions_of(one)],
        Terms(),
        actions=[
            CashDividend(symbol="A", ex_at=at, amount_usd=Decimal("0.05")),
            Split(symbol="A", effective_at=at, new_shares=10, old_shares=1),
        ],
    )
    assert replayed.dividends_usd == pytest.approx(5.0)
