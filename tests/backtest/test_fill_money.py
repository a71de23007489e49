"""Money: what a fill costs, what an entry can afford, what borrowing costs, and when it ends. All sums by hand.

Incident 46: an engine filled at the close of the signal bar although it said next open, never applied its slippage,
did not take commission from cash, and closed at the end of the data with the last bar of any symbol.
"""

import math

import numpy as np
import pytest

from magellan.strategy.trade_plan import (
    CashFraction,
    EquityFraction,
    Limit,
    Notional,
    RiskFraction,
    Size,
    Target,
    TradePlan,
    Units,
    at_price,
    entry_price,
)
from reference.by_hand import FRIDAY, MONDAY, TEN, THURSDAY, days, hours, play, symbol, told

QUIET = (100, 101, 99, 100)


# --- Incident 46 -----------------------------------------------------------------------------------------------


def test_incident_46_a_market_order_fills_at_the_next_open_and_not_at_the_close_that_was_decided_on() -> None:
    bars = days((100, 101, 99, 100), (104, 106, 103, 105))
    assert told(play(symbol(bars, long={0}))) == [(1, 10.0, 104.0, "entry")]


def test_incident_46_slippage_and_half_the_spread_are_paid_on_every_market_and_stop_fill() -> None:
    """30 + 20 = 50 basis points: bought at 100 x 1.005 = 100.5, stopped at 95 x 0.995 = 94.525."""
    plan = TradePlan(size=Units(units=10.0), stop=at_price(95.0))
    outcome = play(
        symbol(days(QUIET, QUIET, (100, 101, 94, 95)), plan, long={0}),
        slippage_bps=30.0,
        half_spread_bps=20.0,
    )
    assert told(outcome) == [(1, 10.0, 100.5, "entry"), (2, -10.0, 94.525, "stop")]
    assert outcome.cash == pytest.approx(10_000 - 1_005 + 945.25)


def test_incident_46_commission_is_taken_from_cash_at_every_fill() -> None:
    """10 basis points of 1,000 are 1; half a cent a share is 0.05; so 1.05 is paid at the entry.

    At the exit at 102: 1.02 + 0.05 = 1.07. Cash: 10,000 - 1,000 - 1.05 + 1,020 - 1.07 = 10,017.88.
    """
    outcome = play(
        symbol(days(QUIET, QUIET, QUIET, (102, 103, 101, 102)), long={0}, leave_long={2}),
        commission_bps=10.0,
        commission_per_unit_usd=0.005,
    )
    assert [fill.commission for fill in outcome.fills] == pytest.approx([1.05, 1.07])
    assert [fill.cash_after for fill in outcome.fills] == pytest.approx([8_998.95, 10_017.88])


def test_incident_46_at_the_end_each_symbol_is_marked_at_its_own_last_bar() -> None:
    """A trades on all three days and ends at 110. B has no third bar; its last close is 55, on the second day.

    10 of each: 10,000 - 1,000 - 500 = 8,500 cash, and 1,100 + 550 in positions.
    """
    a = symbol(days(QUIET, QUIET, (108, 111, 107, 110)), name="A", long={0})
    b = symbol(days((50, 51, 49, 50), (50, 56, 49, 55)), name="B", long={0})
    outcome = play(a, b)
    assert outcome.cash == pytest.approx(8_500)
    assert outcome.equity == pytest.approx(8_500 + 1_100 + 550)


def test_a_commission_has_a_minimum_per_fill() -> None:
    outcome = play(symbol(days(QUIET, QUIET), long={0}), commission_bps=1.0, commission_min_usd=2.5)
    assert outcome.fills[0].commission == 2.5  # 1 basis point of 1,000 would be 0.10


def test_an_instrument_states_its_own_costs_and_its_point_value() -> None:
    """Two contracts at 50 a point: 2 x 100 x 50 = 10,000, and 2.25 a contract."""
    plan = TradePlan(size=Units(units=2.0))
    outcome = play(
        symbol(days(QUIET, QUIET, (101, 102, 100, 101)), plan, long={0}),
        cash=20_000.0,
        commission_bps=5.0,
        instruments={"A": {"point_value": 50.0, "commission_bps": 0.0, "commission_per_unit_usd": 2.25}},
    )
    assert outcome.cash == pytest.approx(20_000 - 10_000 - 4.5)
    assert outcome.equity == pytest.approx(20_000 - 4.5 + 100)  # one point on two contracts


def test_a_market_fill_is_rounded_to_the_tick_against_us() -> None:
    """100 x 1.001 = 100.1, on ticks of 0.25: bought at 100.25. Sold: 99.9, at 99.75."""
    bars = days(QUIET, QUIET, QUIET, QUIET)
    outcome = play(
        symbol(bars, long={0}, leave_long={2}), slippage_bps=10.0, instruments={"A": {"tick_size": 0.25}}
    )
    assert told(outcome) == [(1, 10.0, 100.25, "entry"), (3, -10.0, 99.75, "exit rule")]


# --- Sizes -----------------------------------------------------------------------------------------------------

SIZES: dict[
    str, tuple[Size, float]
] = {  # with 10,000 of cash, decided at a close of 80, filled at an open of 100
    "a number of shares": (Units(units=7.0), 7),
    "an amount: 2,000 at 80": (Notional(usd=2_000.0), 25),
    "half of the cash: 5,000 at 80": (CashFraction(fraction=0.5), 62),
    "all of the cash: 125 at 80, of which 10,000 buys 100 at the open": (CashFraction(fraction=1.0), 100),
    "a quarter of equity: 2,500 at 80": (EquityFraction(fraction=0.25), 31),
    "a fraction per bar": (EquityFraction(fraction=np.array([0.1, 0.9])), 12),
    "1 % at risk, stop at 76: 100 over 4": (RiskFraction(fraction=0.01), 25),
    "1 % at risk, at most 1,000: 12 at 80": (RiskFraction(fraction=0.01, notional_max_usd=1_000.0), 12),
}


@pytest.mark.parametrize("case", SIZES)
def test_a_size_is_computed_from_the_close_that_was_decided_on(case: str) -> None:
    size, units = SIZES[case]
    plan = TradePlan(size=size, stop=at_price(76.0) if isinstance(size, RiskFraction) else None)
    assert told(play(symbol(days((80, 81, 79, 80), QUIET), plan, long={0}))) == [(1, units, 100.0, "entry")]


def test_a_size_may_be_computed_from_the_price_of_the_fill() -> None:
    """Half of 10,000 at the open of 100 instead of the close of 80: 50 instead of 62."""
    plan = TradePlan(size=CashFraction(fraction=0.5))
    one = symbol(days((80, 81, 79, 80), QUIET), plan, long={0})
    assert told(play(one, size_at="fill")) == [(1, 50.0, 100.0, "entry")]


def test_a_resting_order_is_sized_by_its_own_price() -> None:
    """2,000 at a limit of 50 are 40 shares, whatever the close is."""
    plan = TradePlan(size=Notional(usd=2_000.0), entry=Limit(price=at_price(50.0)))
    assert told(play(symbol(days(QUIET, (60, 61, 49, 55)), plan, long={0}))) == [(1, 40.0, 50.0, "entry")]


def test_a_size_that_is_not_known_is_no_size() -> None:
    """A column that has no value yet must not be read as "everything"."""
    plan = TradePlan(size=EquityFraction(fraction=np.array([math.nan, 0.5, 0.5])))
    outcome = play(symbol(days(QUIET, QUIET, QUIET), plan, long={0}))
    assert told(outcome) == []
    assert outcome.blocked == {"the money buys less than one unit": 1}


def test_all_of_the_cash_includes_the_commission() -> None:
    """10,000 at 100 and 1 % commission: 99 shares cost 9,900 + 99 = 9,999; a hundredth would be too many."""
    plan = TradePlan(size=CashFraction(fraction=1.0))
    outcome = play(symbol(days(QUIET, QUIET), plan, long={0}), commission_bps=100.0)
    assert told(outcome) == [(1, 99.0, 100.0, "entry")]
    assert outcome.cash == pytest.approx(1.0)


def test_an_order_is_reduced_to_what_the_cash_affords_at_the_fill() -> None:
    """100 shares were affordable at 100; the bar opens at 125: 80 are bought, and the rest is not tried again."""
    plan = TradePlan(size=CashFraction(fraction=1.0))
    outcome = play(symbol(days(QUIET, (125, 126, 90, 90), (90, 91, 89, 90)), plan, long={0}))
    assert told(outcome) == [(1, 80.0, 125.0, "entry")]
    assert not outcome.blocked


def test_cash_that_another_symbol_will_free_is_not_there_yet() -> None:
    """All is in A. At the close of row 1 A is to be left and B entered: the broker sees no money when B's order
    arrives. One bar later it does."""
    everything = TradePlan(size=CashFraction(fraction=1.0))
    a = symbol(days(*[QUIET] * 5), everything, name="A", long={0}, leave_long={1})
    b = symbol(days(*[QUIET] * 5), TEN, name="B", long={1, 2})
    outcome = play(a, b)
    assert outcome.blocked == {"the money buys less than one unit": 1}
    assert [(fill.symbol, fill.row) for fill in outcome.fills] == [("A", 1), ("A", 2), ("B", 3)]


def test_symbols_share_one_purse_in_their_order() -> None:
    """Both want 60 % of the equity: the first gets 60 shares, the second what 4,000 buys."""
    plan = TradePlan(size=EquityFraction(fraction=0.6))
    a = symbol(days(QUIET, QUIET), plan, name="A", long={0})
    b = symbol(days(QUIET, QUIET), plan, name="B", long={0})
    assert [(fill.symbol, fill.units) for fill in play(a, b).fills] == [("A", 60.0), ("B", 40.0)]


@pytest.mark.parametrize(
    ("step", "units"), [(1.0, 33.0), (100.0, None), (10.0, 30.0), (0.25, 33.25), (0.0, 10_000 / 300)]
)
def test_units_are_rounded_down_to_the_quantity_step(step: float, units: float | None) -> None:
    plan = TradePlan(size=CashFraction(fraction=1.0))
    one = symbol(days((300, 301, 299, 300), (300, 301, 299, 300)), plan, long={0})
    outcome = play(one, instruments={"A": {"quantity_step": step}})
    if units is None:  # 33 shares are no lot of a hundred
        assert outcome.blocked == {"the money buys less than one unit": 1}
    else:
        assert outcome.fills[0].units == pytest.approx(units)


def test_a_position_limit_holds_at_the_price_of_the_entry() -> None:
    """At most 1,000 in one position: 10 at the close of 100, and 8 when the bar opens at 125."""
    plan = TradePlan(size=Units(units=50.0))
    one = symbol(days(QUIET, (125, 126, 124, 125)), plan, long={0})
    assert told(play(one, limits={"position_usd_max": 1_000.0})) == [(1, 8.0, 125.0, "entry")]


# --- Margin ----------------------------------------------------------------------------------------------------


def test_leverage_buys_more_than_the_cash() -> None:
    """Twice 10,000: 200 shares at 100, and 10,000 of debt."""
    plan = TradePlan(size=EquityFraction(fraction=2.0))
    outcome = play(symbol(days(QUIET, QUIET), plan, long={0}), margin=True, leverage=2.0)
    assert told(outcome) == [(1, 200.0, 100.0, "entry")]
    assert outcome.cash == pytest.approx(-10_000)


def test_buying_power_is_reckoned_at_prices_that_are_known() -> None:
    """A holds 100 shares at 100. On row 2 both bars open at 100, and A closes at 200: at the open nobody knows that.

    Equity 10,000, leverage 2: 20,000 less the 10,000 in A leave 10,000 for B: 100 shares, not more.
    """
    a = symbol(
        days(QUIET, QUIET, (100, 200, 99, 200)), TradePlan(size=Units(units=100.0)), name="A", long={0}
    )
    b = symbol(days(QUIET, QUIET, QUIET), TradePlan(size=Units(units=500.0)), name="B", long={1})
    outcome = play(a, b, margin=True, leverage=2.0, size_at="fill")
    assert [(fill.symbol, fill.units) for fill in outcome.fills] == [("A", 100.0), ("B", 100.0)]


def test_a_margin_call_liquidates_at_the_next_open() -> None:
    """200 shares at 100 on 10,000 of equity. At a close of 66: equity 13,200 - 10,000 = 3,200, over an exposure of
    13,200 that is 24 %, below the 25 % that are asked for. Sold at the next open, 65: 13,000 - 10,000 = 3,000.
    """
    plan = TradePlan(size=EquityFraction(fraction=2.0))
    bars = days(QUIET, QUIET, (100, 100, 66, 66), (65, 66, 64, 65))
    outcome = play(symbol(bars, plan, long={0}), margin=True, leverage=2.0)
    assert told(outcome) == [(1, 200.0, 100.0, "entry"), (3, -200.0, 65.0, "margin call")]
    assert outcome.cash == pytest.approx(3_000)


def test_equity_of_exactly_what_is_asked_for_is_enough() -> None:
    """200 shares on 10,000 of equity fall to 80: 16,000 - 10,000 = 6,000, over 16,000 that is 37.5 %."""
    plan = TradePlan(size=Units(units=200.0))
    bars = days(QUIET, QUIET, (100, 100, 80, 80), QUIET)
    assert len(play(symbol(bars, plan, long={0}), margin=True, leverage=2.0, maintenance=0.375).fills) == 1
    assert len(play(symbol(bars, plan, long={0}), margin=True, leverage=2.0, maintenance=0.376).fills) == 2


def test_only_a_margin_account_sells_short_and_only_what_can_be_borrowed() -> None:
    one = symbol(days(QUIET, QUIET), short={0})
    assert play(one).blocked == {"cannot be borrowed": 1}
    assert play(one, margin=True, instruments={"A": {"shortable": False}}).blocked == {
        "cannot be borrowed": 1
    }
    assert play(one, margin=True, borrow_units_max=0.0).blocked == {"cannot be borrowed": 1}
    assert told(play(one, margin=True, borrow_units_max=6.0)) == [(1, -6.0, 100.0, "entry")]


def test_a_short_pays_the_borrow_fee_for_every_calendar_day_on_the_close_before() -> None:
    """Sold short on Friday; 100 shares, Friday's close 110. Over the weekend three days pass:
    100 x 110 x 7.3 % x 3 / 365 = 6.60. Nothing for the day of the entry.
    """
    plan = TradePlan(size=Units(units=100.0))
    bars = days(QUIET, (100, 111, 99, 110), (105, 106, 104, 105), on=[THURSDAY, FRIDAY, MONDAY])
    outcome = play(symbol(bars, plan, short={0}), cash=20_000.0, margin=True, borrow_rate=0.073)
    assert outcome.financing == pytest.approx(6.6)
    assert outcome.cash == pytest.approx(20_000 + 10_000 - 6.6)
    assert told(outcome)[1] == (2, 0.0, 0.0, "borrow fee")


def test_a_short_that_ends_with_its_session_pays_no_borrow_fee() -> None:
    rows = hours(QUIET, QUIET, QUIET, on=THURSDAY) + hours(QUIET, on=FRIDAY)
    outcome = play(symbol(rows, short={0}, leave_short={1}), margin=True, borrow_rate=0.5)
    assert outcome.financing == 0.0


def test_too_few_units_to_be_sold_again_are_not_bought() -> None:
    """With fractions allowed, all of the cash leaves a rest of 1e-13 behind. It is not spent on 1e-15 shares, which
    no exit could tell from nothing."""
    everything = TradePlan(size=EquityFraction(fraction=1.0))
    a = symbol(days((100, 101, 99, 100), (103.75, 104, 103, 103.75)), everything, name="A", long={0})
    b = symbol(days(QUIET, QUIET), everything, name="B", long={0})
    fractions = {"A": {"quantity_step": 0.0}, "B": {"quantity_step": 0.0}}
    outcome = play(a, b, cash=1_014.9242985901342, instruments=fractions)
    assert [fill.symbol for fill in outcome.fills] == ["A"]


def test_a_level_at_the_entry_price_ties_with_it_to_the_last_bit() -> None:
    """46 units at 53.979525: a price that an average of one fill would lose the last bit of."""
    price = 53.979525
    plan = TradePlan(size=Units(units=46.0), targets=(Target(price=entry_price()),))
    bar = (price, price, price, price)
    assert told(play(symbol(days(bar, bar, bar), plan, long={0}))) == [
        (1, 46.0, price, "entry"),
        (1, -46.0, price, "target 1"),
    ]
