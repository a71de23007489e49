"""Entry orders: where each kind fills, how long it works, and what happens to the other one."""

from datetime import time

import numpy as np
import pytest

from magellan.strategy.trade_plan import (
    EntryOrder,
    Limit,
    Market,
    Price,
    Stop,
    StopLimit,
    Target,
    TimeInForce,
    TradePlan,
    Units,
    at_price,
    entry_price,
    fixed,
    moving,
)
from reference.by_hand import FRIDAY, MONDAY, THURSDAY, days, hours, play, symbol, told

QUIET = (100, 101, 99, 100)


def ten(entry: EntryOrder) -> TradePlan:
    return TradePlan(size=Units(units=10.0), entry=entry)


# Decided at the close of row 0, at 100; the table's bar is row 1. None: no fill on that bar.
BUY = {
    # A limit of 98: no worse price than 98 is paid, a better one is if the bar opens there.
    ("limit", "opens at 97"): (Limit(price=at_price(98.0)), (97, 99, 96, 98), 97.0),
    ("limit", "opens at exactly 98"): (Limit(price=at_price(98.0)), (98, 99, 97, 98), 98.0),
    ("limit", "falls to exactly 98"): (Limit(price=at_price(98.0)), (100, 101, 98, 99), 98.0),
    ("limit", "stays above"): (Limit(price=at_price(98.0)), (100, 101, 98.01, 99), None),
    # A stop of 102: a breakout buys at 102, or at the open when the bar opens beyond it.
    ("stop", "rises through 102"): (Stop(price=at_price(102.0)), (100, 103, 99, 102.5), 102.0),
    ("stop", "rises to exactly 102"): (Stop(price=at_price(102.0)), (100, 102, 99, 101), 102.0),
    ("stop", "opens at 104"): (Stop(price=at_price(102.0)), (104, 105, 103, 104), 104.0),
    ("stop", "stays below"): (Stop(price=at_price(102.0)), (100, 101.99, 99, 101), None),
    # Stop 102, limit 103: a breakout that is not chased beyond 103.
    ("stop-limit", "rises through 102"): (
        StopLimit(stop=at_price(102.0), limit=at_price(103.0)),
        (100, 105, 99, 104),
        102.0,
    ),
    ("stop-limit", "opens at 102.5, between the two"): (
        StopLimit(stop=at_price(102.0), limit=at_price(103.0)),
        (102.5, 104, 102.2, 103),
        102.5,
    ),
    ("stop-limit", "opens at 105, comes back to 103"): (
        StopLimit(stop=at_price(102.0), limit=at_price(103.0)),
        (105, 106, 102.5, 104),
        103.0,
    ),
    ("stop-limit", "opens at 105, stays beyond 103"): (
        StopLimit(stop=at_price(102.0), limit=at_price(103.0)),
        (105, 106, 103.5, 104),
        None,
    ),
    ("stop-limit", "never reaches 102"): (
        StopLimit(stop=at_price(102.0), limit=at_price(103.0)),
        (100, 101, 99, 100),
        None,
    ),
    # The limit lies below the stop: the bar reaches 102 but where it was before that nobody knows.
    ("stop-limit", "limit below the stop"): (
        StopLimit(stop=at_price(102.0), limit=at_price(101.0)),
        (100, 103, 99, 100),
        None,
    ),
}


@pytest.mark.parametrize(("order", "bar"), BUY)
def test_where_a_buy_order_fills(order: str, bar: str) -> None:
    entry, prices, paid = BUY[order, bar]
    fills = told(play(symbol(days(QUIET, prices), ten(entry), long={0})))
    assert fills == ([] if paid is None else [(1, 10.0, paid, "entry")])


@pytest.mark.parametrize(("order", "bar"), BUY)
def test_a_short_sale_is_the_mirror_image(order: str, bar: str) -> None:
    """Every price is reflected at 100: 98 becomes 102, a high becomes a low."""
    entry, (opened, high, low, close), paid = BUY[order, bar]

    def reflected(price: Price) -> Price:
        assert price.usd is not None
        return at_price(200.0 - price.usd)

    if isinstance(entry, StopLimit):
        mirror: EntryOrder = StopLimit(stop=reflected(entry.stop), limit=reflected(entry.limit))
    else:
        assert isinstance(entry, Limit | Stop)
        mirror = type(entry)(price=reflected(entry.price))
    bars = days(QUIET, (200 - opened, 200 - low, 200 - high, 200 - close))
    fills = told(play(symbol(bars, ten(mirror), short={0}), margin=True))
    assert fills == ([] if paid is None else [(1, -10.0, 200 - paid, "entry")])


def test_a_stop_limit_that_was_triggered_works_on_as_a_limit() -> None:
    """Row 1 opens at 105, beyond the limit of 103, and stays there. Row 2 opens at 104 and falls to 102: bought at
    the limit. A stop order would not have been triggered by row 2 at all had it not been triggered before."""
    entry = StopLimit(stop=at_price(106.0), limit=at_price(103.0), time_in_force=TimeInForce.GTC)
    bars = days(QUIET, (107, 108, 105, 105), (104, 105, 102, 103))
    assert told(play(symbol(bars, ten(entry), long={0}))) == [(2, 10.0, 103.0, "entry")]


def test_slippage_never_carries_a_stop_limit_beyond_its_limit() -> None:
    """1 % on a stop of 102 would be 103.02; the limit is 102.5. On a plain stop it is 103.02."""
    bars = days(QUIET, (100, 104, 99, 103))
    limited = ten(StopLimit(stop=at_price(102.0), limit=at_price(102.5)))
    assert told(play(symbol(bars, limited, long={0}), slippage_bps=100.0)) == [(1, 10.0, 102.5, "entry")]
    plain = ten(Stop(price=at_price(102.0)))
    assert told(play(symbol(bars, plain, long={0}), slippage_bps=100.0)) == [(1, 10.0, 103.02, "entry")]


def test_a_limit_order_pays_no_slippage() -> None:
    bars = days(QUIET, (100, 101, 97, 98))
    fills = told(play(symbol(bars, ten(Limit(price=at_price(98.0))), long={0}), slippage_bps=100.0))
    assert fills == [(1, 10.0, 98.0, "entry")]


# --- What the entry's own bar may still do ---------------------------------------------------------------------


def test_after_an_entry_by_limit_only_the_close_proves_a_target_of_the_same_bar() -> None:
    """Bought at 98 on the way down. The bar's high of 106 may have come before that; its close came after.
    Closing at 101: the target of 105 waits. Closing at 105: it is filled."""
    plan = TradePlan(
        size=Units(units=10.0),
        entry=Limit(price=at_price(98.0)),
        targets=(Target(price=at_price(105.0)),),
    )
    assert told(play(symbol(days(QUIET, (100, 106, 97, 101)), plan, long={0}))) == [(1, 10.0, 98.0, "entry")]
    assert told(play(symbol(days(QUIET, (100, 106, 97, 105)), plan, long={0}))) == [
        (1, 10.0, 98.0, "entry"),
        (1, -10.0, 105.0, "target 1"),
    ]


def test_after_a_breakout_the_stop_of_the_same_bar_counts_and_then_the_target() -> None:
    """Bought at 102. A low of 98 may have come before the breakout; the stop at 99 is taken to have been hit, as
    that is the worse of the two. Without such a low the high of 106 fills the target of 105."""
    plan = TradePlan(
        size=Units(units=10.0),
        entry=Stop(price=at_price(102.0)),
        stop=at_price(99.0),
        targets=(Target(price=at_price(105.0)),),
    )
    assert told(play(symbol(days(QUIET, (100, 106, 98, 104)), plan, long={0})))[1:] == [
        (1, -10.0, 99.0, "stop")
    ]
    assert told(play(symbol(days(QUIET, (100, 106, 99.5, 104)), plan, long={0})))[1:] == [
        (1, -10.0, 105.0, "target 1")
    ]


# --- Two orders, one trade -------------------------------------------------------------------------------------


BRACKETING = ten(Stop(price=at_price(102.0), time_in_force=TimeInForce.GTC))
BRACKETING_BELOW = ten(Stop(price=at_price(98.0), time_in_force=TimeInForce.GTC))


@pytest.mark.parametrize(
    ("bars", "expected"),
    [
        # Up first: bought at 102; that row 3 falls to 97 sells nothing short.
        ([(100, 103, 99, 102), (102, 103, 97, 98)], (1, 10.0, 102.0, "entry")),
        # Down first: sold short at 98; that row 3 rises to 103 buys nothing.
        ([(100, 101, 97, 98), (98, 103, 97, 102)], (1, -10.0, 98.0, "entry")),
        # Neither, then both in one bar: nobody knows which came first; the long order is looked at first.
        ([(100, 101, 99, 100), (100, 103, 97, 100)], (2, 10.0, 102.0, "entry")),
    ],
)
def test_the_first_of_two_entry_orders_to_fill_cancels_the_other(
    bars: list[tuple[float, ...]], expected: tuple[int, float, float, str]
) -> None:
    one = symbol(days(QUIET, *bars), BRACKETING, short_plan=BRACKETING_BELOW, long={0}, short={0})
    outcome = play(one, margin=True)
    assert told(outcome) == [expected]
    assert outcome.open_units == {"A": expected[1]}


def test_both_orders_of_a_pair_are_one_position_and_one_trade_to_every_limit() -> None:
    """With room for a single position, and a single trade a day, both orders of one symbol may wait."""
    one = symbol(
        days(QUIET, QUIET, (100, 101, 97, 98)), BRACKETING, short_plan=BRACKETING_BELOW, long={0}, short={0}
    )
    outcome = play(one, margin=True, limits={"open_positions_max": 1, "trades_per_day_max": 1})
    assert told(outcome) == [(2, -10.0, 98.0, "entry")]
    assert not outcome.blocked


def test_while_an_order_works_a_new_signal_places_no_second_one() -> None:
    entry = Limit(price=fixed(np.array([98.0, 99.0, 99.0])), time_in_force=TimeInForce.GTC)
    bars = days(QUIET, (100, 101, 99, 100), (100, 101, 97.5, 100))
    assert told(play(symbol(bars, ten(entry), long={0, 1}))) == [(2, 10.0, 98.0, "entry")]


# --- Time in force ---------------------------------------------------------------------------------------------

FAR = (100, 101, 99, 100)  # does not reach a limit of 98
NEAR = (100, 101, 97, 100)  # does

# Three hours of Thursday, two of Friday. Decided at the close of Thursday's first bar (row 0).
SESSIONS = {
    TimeInForce.DAY: {"rows 1 and 2 far, row 3 near": (None, 1), "row 2 near": (2, 0)},
    TimeInForce.GTC: {"rows 1 and 2 far, row 3 near": (3, 0), "row 2 near": (2, 0)},
    TimeInForce.IOC: {"row 1 near": (1, 0), "row 2 near": (None, 1)},
    TimeInForce.FOK: {"row 1 near": (1, 0), "row 2 near": (None, 1)},
}
NEAR_ROW = {
    "rows 1 and 2 far, row 3 near": 3,
    "row 1 near": 1,
    "row 2 near": 2,
}


@pytest.mark.parametrize(
    ("tif", "case"), [(tif, case) for tif, cases in SESSIONS.items() for case in cases], ids=str
)
def test_how_long_a_limit_order_works(tif: TimeInForce, case: str) -> None:
    bars = [NEAR if row == NEAR_ROW[case] else FAR for row in range(5)]
    rows = hours(*bars[:3], on=THURSDAY) + hours(*bars[3:], on=FRIDAY)
    outcome = play(symbol(rows, ten(Limit(price=at_price(98.0), time_in_force=tif)), long={0}))
    filled_row, expired = SESSIONS[tif][case]
    assert told(outcome) == ([] if filled_row is None else [(filled_row, 10.0, 98.0, "entry")])
    assert outcome.blocked == ({"entry order expired unfilled": expired} if expired else {})


def test_a_day_order_decided_at_the_last_close_works_through_the_next_session() -> None:
    rows = hours(QUIET, QUIET, on=THURSDAY) + hours(FAR, FAR, NEAR, on=FRIDAY) + hours(NEAR, on=MONDAY)
    entry = Limit(price=at_price(98.0))
    assert told(play(symbol(rows, ten(entry), long={1}))) == [(4, 10.0, 98.0, "entry")]


def test_a_daily_limit_order_may_be_placed_anew_every_day() -> None:
    """A day order ends with its day. On daily bars that is every close: the next day gets its own order."""
    entry = Limit(price=fixed(np.array([95.0, 98.0, 98.0])))
    outcome = play(symbol(days(FAR, FAR, NEAR), ten(entry), long={0, 1}))
    assert told(outcome) == [(2, 10.0, 98.0, "entry")]
    assert outcome.blocked == {"entry order expired unfilled": 1}


def test_an_order_for_the_opening_waits_for_the_next_sessions_first_bar() -> None:
    """Decided on Thursday morning: the rest of Thursday is passed over, and Friday's second bar comes too late."""
    rows = hours(QUIET, QUIET, QUIET, on=THURSDAY) + hours((103, 104, 102, 103), QUIET, on=FRIDAY)
    at_open = Market(time_in_force=TimeInForce.OPG)
    assert told(play(symbol(rows, ten(at_open), long={0}))) == [(3, 10.0, 103.0, "entry")]
    limited = Limit(price=at_price(98.0), time_in_force=TimeInForce.OPG)
    rows = hours(QUIET, NEAR, NEAR, on=THURSDAY) + hours((100, 101, 97, 98), NEAR, on=FRIDAY)
    outcome = play(symbol(rows, ten(limited), long={0}))
    assert (
        told(outcome) == []
    )  # Friday opens at 100, above the limit; that it falls to 97 later is no opening
    assert outcome.blocked == {"entry order expired unfilled": 1}


def test_an_order_for_the_close_fills_at_the_sessions_last_price() -> None:
    rows = hours(QUIET, NEAR, (100, 104, 99, 103), on=THURSDAY) + hours(QUIET, on=FRIDAY)
    at_close = Market(time_in_force=TimeInForce.CLS)
    outcome = play(symbol(rows, ten(at_close), long={0}))
    assert told(outcome) == [(2, 10.0, 103.0, "entry")]
    assert outcome.fills[0].at_close


def test_a_limit_on_close_fills_only_when_the_close_is_within_its_limit() -> None:
    entry = Limit(price=at_price(98.0), time_in_force=TimeInForce.CLS)
    below = hours(QUIET, (100, 101, 96, 97.5), on=THURSDAY) + hours(QUIET, on=FRIDAY)
    assert told(play(symbol(below, ten(entry), long={0}))) == [(1, 10.0, 97.5, "entry")]
    above = hours(QUIET, (100, 101, 96, 99), on=THURSDAY) + hours((97, 98, 96, 97), on=FRIDAY)
    outcome = play(symbol(above, ten(entry), long={0}))
    assert told(outcome) == []
    assert outcome.blocked == {"entry order expired unfilled": 1}


def test_an_order_for_the_close_that_is_decided_at_a_close_waits_for_the_next_one() -> None:
    """At 16:00 it is too late to send an order for 16:00."""
    rows = (
        hours(QUIET, QUIET, on=THURSDAY)
        + hours(QUIET, (100, 106, 99, 105), on=FRIDAY)
        + hours(QUIET, on=MONDAY)
    )
    at_close = Market(time_in_force=TimeInForce.CLS)
    assert told(play(symbol(rows, ten(at_close), long={1}))) == [(3, 10.0, 105.0, "entry")]


def test_the_end_of_the_data_is_not_a_sessions_close() -> None:
    rows = hours(QUIET, QUIET, QUIET, on=THURSDAY)
    at_close = Market(time_in_force=TimeInForce.CLS)
    assert told(play(symbol(rows, ten(at_close), long={0}))) == []


@pytest.mark.parametrize(
    ("decided_row", "filled_row"),
    [
        (0, 2),  # decided at 10:30, waits for the bar of 11:30
        (1, 2),  # decided at 11:30: the very next bar is the one
        (2, 7),  # decided at 12:30: too late for today
    ],
)
def test_a_scheduled_order_waits_for_the_first_bar_at_or_after_its_time(
    decided_row: int, filled_row: int
) -> None:
    rows = hours(*[QUIET] * 5, on=THURSDAY) + hours(*[QUIET] * 5, on=FRIDAY)
    plan = ten(Market(at=time(11, 15)))
    assert told(play(symbol(rows, plan, long={decided_row}))) == [(filled_row, 10.0, 100.0, "entry")]


# --- Prices of orders ------------------------------------------------------------------------------------------


def test_an_orders_price_may_be_stated_from_the_close_at_which_it_was_decided() -> None:
    """An order has no entry price yet, so `entry_price()` is the close that was decided on: 100. 2 % below is 98."""
    entry = Limit(price=entry_price().plus(fraction=-0.02))
    assert told(play(symbol(days(QUIET, NEAR), ten(entry), long={0}))) == [(1, 10.0, 98.0, "entry")]
    both = StopLimit(stop=entry_price().plus(usd=2.0), limit=entry_price().plus(usd=3.0))
    assert told(play(symbol(days(QUIET, (100, 103, 99, 103)), ten(both), long={0}))) == [
        (1, 10.0, 102.0, "entry")
    ]


def test_a_moving_limit_is_placed_anew_from_the_bar_before() -> None:
    """The column says 95, 96, 99. On row 1 the order stands at 95 (as of row 0), on row 2 at 96 (as of row 1)."""
    column = np.array([95.0, 96.0, 99.0])
    bars = days(QUIET, (100, 101, 95.5, 100), (100, 101, 95.5, 100))
    follows = Limit(price=moving(column), time_in_force=TimeInForce.GTC)
    assert told(play(symbol(bars, ten(follows), long={0}))) == [(2, 10.0, 96.0, "entry")]
    stays = Limit(price=fixed(column), time_in_force=TimeInForce.GTC)
    assert told(play(symbol(bars, ten(stays), long={0}))) == []


def test_an_order_whose_price_is_not_known_is_not_placed() -> None:
    entry = Limit(price=fixed(np.array([np.nan, 98.0])))
    outcome = play(symbol(days(QUIET, NEAR), ten(entry), long={0}))
    assert told(outcome) == []
    assert outcome.blocked == {"price not beyond its stop": 1}


def test_a_limit_is_rounded_to_the_tick_so_that_it_is_never_worse_than_meant() -> None:
    """A buy limit of 98.4 on ticks of 0.25 is sent as 98.25: a fill at 98.5 would have cost more than wanted."""
    bars = days(QUIET, (100, 101, 98.25, 99))
    terms = {"A": {"tick_size": 0.25}}
    entry = Limit(price=at_price(98.4))
    assert told(play(symbol(bars, ten(entry), long={0}), instruments=terms)) == [(1, 10.0, 98.25, "entry")]
    untouched = days(QUIET, (100, 101, 98.3, 99))
    assert told(play(symbol(untouched, ten(entry), long={0}), instruments=terms)) == []


def test_an_order_priced_before_an_unexplained_jump_is_withdrawn() -> None:
    entry = Limit(price=at_price(98.0), time_in_force=TimeInForce.GTC)
    outcome = play(symbol(days(QUIET, FAR, (50, 51, 49, 50)), ten(entry), long={0}, jumps={2}))
    assert told(outcome) == []
    assert outcome.blocked == {"order priced before an unexplained jump": 1}
