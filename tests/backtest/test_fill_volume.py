"""Volume: how much of a bar an order may take, what its size costs, and what becomes of the rest."""

import pytest

from magellan.strategy.trade_plan import (
    CashFraction,
    Limit,
    Market,
    Stop,
    Target,
    TimeInForce,
    TradePlan,
    Units,
    at_price,
)
from reference.by_hand import FRIDAY, THURSDAY, days, hours, play, symbol, told

QUIET = (100, 101, 99, 100, 1_000)  # a tenth of it is 100 units


def hundreds(units: float, **plan: object) -> TradePlan:
    return TradePlan(size=Units(units=units), **plan)  # type: ignore[arg-type]


def test_an_entry_fills_over_several_bars_while_its_session_lasts() -> None:
    """A tenth of each bar: 100 on row 1, 20 of row 2's 200, 50 of row 3's 500; then the day ends, and the rest of
    250 is given up. The average price: (100 x 100 + 20 x 103 + 50 x 106) / 170 = 102.117647.
    """
    rows = hours(QUIET, QUIET, (103, 104, 102, 103, 200), (106, 107, 105, 106, 500), on=THURSDAY)
    rows += hours(QUIET, QUIET, on=FRIDAY)
    plan = hundreds(250.0, targets=(Target(price=at_price(107.5), fraction=0.5),))
    outcome = play(symbol(rows, plan, long={0}), cash=100_000.0, volume_share_max=0.1)
    assert told(outcome) == [
        (1, 100.0, 100.0, "entry"),
        (2, 20.0, 103.0, "entry"),
        (3, 50.0, 106.0, "entry"),
    ]
    assert {fill.trade for fill in outcome.fills} == {0}
    assert not outcome.blocked  # it was filled in part, so it did not expire unfilled


def test_an_exit_that_volume_cuts_short_goes_on_at_the_next_opens() -> None:
    """250 to sell at the stop of 95: 100 on row 3 at 95, 100 at the open of row 4, 50 at that of row 5. What the
    price does in between does not matter any more: the order is a market order now.
    """
    plan = hundreds(250.0, stop=at_price(95.0))
    bars = days(
        QUIET,
        (100, 101, 99, 100, 10_000),
        QUIET,
        (100, 101, 94, 96, 1_000),
        (97, 99, 96, 98, 1_000),
        (98, 99, 90, 98, 1_000),
    )
    outcome = play(symbol(bars, plan, long={0}), cash=100_000.0, volume_share_max=0.1)
    assert told(outcome)[1:] == [
        (3, -100.0, 95.0, "stop"),
        (4, -100.0, 97.0, "stop"),
        (5, -50.0, 98.0, "stop"),
    ]


def test_a_target_that_volume_cuts_short_waits_for_its_price_again() -> None:
    """Half of 200 at 105: 60 on row 2, nothing on row 3, which stays below, and the other 40 on row 4."""
    plan = hundreds(200.0, targets=(Target(price=at_price(105.0), fraction=0.5),))
    bars = days(
        QUIET,
        (100, 101, 99, 100, 10_000),
        (100, 106, 99, 104, 600),
        (104, 104.5, 103, 104),
        (104, 106, 103, 105),
    )
    outcome = play(symbol(bars, plan, long={0}), cash=100_000.0, volume_share_max=0.1)
    assert told(outcome)[1:] == [(2, -60.0, 105.0, "target 1"), (4, -40.0, 105.0, "target 1")]


def test_all_fills_of_a_bar_share_its_volume() -> None:
    """Row 2 offers 100: the entry's rest takes 50 of them, so the stop that the same bar reaches sells 50, and the
    other 100 go at the next open. A trade that leaves does not go on entering.
    """
    plan = hundreds(150.0, stop=at_price(95.0))
    bars = hours(QUIET, (100, 101, 99, 100, 1_000), (100, 101, 94, 95, 1_000), (96, 97, 95, 96, 10_000))
    outcome = play(symbol(bars, plan, long={0}), cash=100_000.0, volume_share_max=0.1)
    assert told(outcome) == [
        (1, 100.0, 100.0, "entry"),
        (2, 50.0, 100.0, "entry"),
        (2, -50.0, 95.0, "stop"),
        (3, -100.0, 96.0, "stop"),
    ]


def test_what_is_left_of_an_entry_is_withdrawn_when_its_trade_begins_to_leave() -> None:
    """100 of 300 are in when the stop is reached on row 2: nothing more is bought, then or later."""
    plan = hundreds(
        300.0, entry=Limit(price=at_price(99.5), time_in_force=TimeInForce.GTC), stop=at_price(95.0)
    )
    bars = days(QUIET, QUIET, (98, 99, 94, 95, 0), QUIET, QUIET)
    outcome = play(symbol(bars, plan, long={0}), cash=100_000.0, volume_share_max=0.1)
    assert [(fill.row, fill.units) for fill in outcome.fills] == [(1, 100.0), (3, -100.0)]


def test_a_triggered_stop_order_goes_on_as_a_market_order() -> None:
    """The breakout over 102 buys 100 on row 1. Row 2 opens at 101, below the stop: the rest is bought there."""
    plan = hundreds(150.0, entry=Stop(price=at_price(102.0)))
    rows = hours(QUIET, (100, 103, 99, 101, 1_000), (101, 101.5, 100, 101, 1_000))
    outcome = play(symbol(rows, plan, long={0}), cash=100_000.0, volume_share_max=0.1)
    assert told(outcome) == [(1, 100.0, 102.0, "entry"), (2, 50.0, 101.0, "entry")]


@pytest.mark.parametrize(
    ("tif", "expected", "expired"),
    [
        (TimeInForce.IOC, [(1, 100.0, 100.0, "entry")], 0),  # what the first bar gives
        (TimeInForce.FOK, [], 1),  # all of it or nothing
        (TimeInForce.DAY, [(1, 100.0, 100.0, "entry"), (2, 50.0, 100.0, "entry")], 0),
    ],
)
def test_what_a_time_in_force_makes_of_a_bar_with_too_little_volume(
    tif: TimeInForce, expected: list[tuple[int, float, float, str]], expired: int
) -> None:
    plan = hundreds(150.0, entry=Market(time_in_force=tif))
    outcome = play(symbol(hours(*[QUIET] * 4), plan, long={0}), cash=100_000.0, volume_share_max=0.1)
    assert told(outcome) == expected
    assert outcome.blocked.get("entry order expired unfilled", 0) == expired


def test_a_bar_without_volume_fills_nothing() -> None:
    bars = hours(QUIET, (100, 101, 99, 100, 0), QUIET)
    outcome = play(symbol(bars, hundreds(50.0), long={0}), volume_share_max=0.1)
    assert told(outcome) == [(2, 50.0, 100.0, "entry")]


def test_an_entry_at_the_close_goes_on_at_the_next_open_of_its_session() -> None:
    """Filled at the close of row 0 as far as that bar's volume goes; the rest at the open of row 1."""
    rows = hours(QUIET, (103, 104, 102, 103, 1_000))
    outcome = play(
        symbol(rows, hundreds(150.0), long={0}), cash=100_000.0, volume_share_max=0.1, fill="close"
    )
    assert told(outcome) == [(0, 100.0, 100.0, "entry"), (1, 50.0, 103.0, "entry")]


def test_money_reduces_an_order_for_good_and_volume_does_not() -> None:
    """5,000 buys 50 of the 300 that were ordered. 40 fill on row 1, 10 on row 2, and then the order is done."""
    rows = hours(QUIET, (100, 101, 99, 100, 400), QUIET, QUIET)
    outcome = play(symbol(rows, hundreds(300.0), long={0}), cash=5_000.0, volume_share_max=0.1)
    assert told(outcome) == [(1, 40.0, 100.0, "entry"), (2, 10.0, 100.0, "entry")]
    assert not outcome.blocked


# --- Impact ----------------------------------------------------------------------------------------------------


def test_impact_grows_with_the_square_of_the_share_of_the_bar_that_we_take() -> None:
    """Taking a whole bar would cost 10 %. Taking a fifth of it costs 10 % x 0.04 = 0.4 %: bought at 100.40."""
    outcome = play(symbol(days(QUIET, QUIET), hundreds(200.0), long={0}), cash=100_000.0, impact=0.1)
    assert told(outcome) == [(1, 200.0, 100.4, "entry")]


def test_the_last_of_several_fills_in_a_bar_pays_for_all_of_them() -> None:
    """Bought 100 of 1,000 at the open: 0.1 x 0.01 = 0.1 %, 100.1. Stopped out of them in the same bar: by then 200
    have been taken, a fifth: 0.4 %. Sold at 95 x 0.996 = 94.62.
    """
    plan = hundreds(100.0, stop=at_price(95.0))
    bars = days(QUIET, (100, 101, 94, 95, 1_000))
    outcome = play(symbol(bars, plan, long={0}), cash=100_000.0, impact=0.1)
    assert told(outcome) == [(1, 100.0, 100.1, "entry"), (1, -100.0, 94.62, "stop")]


def test_more_than_a_bars_volume_costs_what_all_of_it_costs() -> None:
    """5,000 out of 1,000, or out of none: 10 %, and never a price below zero."""
    for volume in (1_000, 0):
        bars = days(QUIET, (100, 101, 99, 100, volume))
        outcome = play(symbol(bars, hundreds(5_000.0), long={0}), cash=1e6, impact=0.1)
        assert told(outcome) == [(1, 5_000.0, 110.0, "entry")]


def test_an_entry_with_all_of_the_cash_leaves_room_for_its_own_impact() -> None:
    """The account never goes below zero because the order moved its own price."""
    plan = TradePlan(size=CashFraction(fraction=1.0))
    bars = days(QUIET, (100, 101, 99, 100, 100))
    assert play(symbol(bars, plan, long={0}), impact=0.1, size_at="fill").cash >= 0
