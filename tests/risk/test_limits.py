"""Limits on orders: an entry is let in when everything is known and small enough, and an exit always."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.risk.limits import (
    Allow,
    Deny,
    EntryHours,
    Hours,
    RiskView,
    Rule,
    check_order,
    entry_usd,
)
from magellan.trading.order import OrderSide, OrderType
from magellan.trading.purpose import OrderPurpose
from risk.orders import ALL_SET, NOW, WIDE, order, view

LEAVING = [purpose for purpose in OrderPurpose if purpose.reduces]


def rules(answer: Allow | Deny) -> set[Rule]:
    return {breach.rule for breach in answer.breaches} if isinstance(answer, Deny) else set()


def test_an_entry_that_keeps_every_limit_is_let_in() -> None:
    assert check_order(order(), OrderPurpose.ENTRY, view(), ALL_SET) == Allow()


# What each field means for an entry when nobody knows it.
UNKNOWN = {
    "halted": Rule.HALTED,
    "lease_lapsed": Rule.LEASE,
    "breakers_tripped": Rule.BREAKERS,
    "reference_price": Rule.PRICE_COLLAR,
    "last_price": Rule.ORDER_USD,
    "position_units": Rule.POSITION_FRACTION,
    "working_entry_usd": Rule.POSITION_FRACTION,
    "same_intent_pending": Rule.DUPLICATE_INTENT,
    "symbol_halted": Rule.SYMBOL_HALTED,
    "bar_age_s": Rule.BAR_AGE,
    "trading_blocked": Rule.TRADING_BLOCKED,
    "equity_usd": Rule.POSITION_FRACTION,
    "buying_power_usd": Rule.BUYING_POWER,
    "gross_exposure_usd": Rule.GROSS_EXPOSURE,
    "working_entries_usd": Rule.GROSS_EXPOSURE,
    "open_symbols": Rule.OPEN_POSITIONS,
    "trades_today": Rule.TRADES_PER_DAY,
    "entries_last_minute": Rule.ORDERS_PER_MINUTE,
    "entries_last_second": Rule.ORDERS_PER_SECOND,
    "day_start_equity_usd": Rule.LOSS_PER_DAY_FRACTION,
    "realised_today_usd": Rule.LOSS_PER_DAY_USD,
    "hours": Rule.ENTRY_HOURS,
    "account_told_at": Rule.ACCOUNT_AGE,
    "reconciled_at": Rule.RECONCILIATION_AGE,
    "clock_skew_s": Rule.CLOCK_SKEW,
}


@pytest.mark.parametrize(
    "name", [f.name for f in fields(RiskView) if f.name not in ("at", "working_reducing_units")]
)
def test_what_nobody_knows_is_a_no_to_an_entry_incident_40(name: str) -> None:
    answer = check_order(order(), OrderPurpose.ENTRY, view(**{name: None}), ALL_SET)
    assert UNKNOWN[name] in rules(answer)
    assert isinstance(answer, Deny)
    assert "unknown" in answer.reason or "does not say" in answer.reason


@pytest.mark.parametrize(
    "name", [name for name, value in UNKNOWN.items() if name.endswith(("_usd", "_price", "_s"))]
)
def test_a_number_that_is_none_counts_as_unknown(name: str) -> None:
    assert UNKNOWN[name] in rules(
        check_order(order(), OrderPurpose.ENTRY, view(**{name: Decimal("NaN")}), ALL_SET)
    )


@pytest.mark.parametrize("name", ["reference_price", "last_price"])
def test_a_price_of_zero_counts_as_unknown(name: str) -> None:
    answer = check_order(order(), OrderPurpose.ENTRY, view(**{name: Decimal(0)}), ALL_SET)
    assert Rule.PRICE_COLLAR in rules(answer)


def test_a_sum_that_cannot_be_negative_counts_as_unknown() -> None:
    answer = check_order(order(), OrderPurpose.ENTRY, view(gross_exposure_usd=Decimal(-5)), ALL_SET)
    assert rules(answer) == {Rule.GROSS_EXPOSURE}


# --- Leaving ---------------------------------------------------------------------------------------------------

NOTHING_KNOWN = {f.name: None for f in fields(RiskView) if f.name != "at"}
EVERYTHING_WRONG = {
    "halted": True,
    "lease_lapsed": "nobody has renewed it",
    "breakers_tripped": ("daily loss", "drawdown"),
    "trading_blocked": True,
    "symbol_halted": True,
    "same_intent_pending": True,
    "hours": Hours.CLOSED,
    "bar_age_s": Decimal(10**6),
    "account_told_at": NOW - timedelta(days=3),
    "reconciled_at": NOW - timedelta(days=3),
    "clock_skew_s": Decimal(3600),
    "last_price": Decimal("0.01"),
    "equity_usd": Decimal(-1),
    "buying_power_usd": Decimal(0),
    "gross_exposure_usd": Decimal(10**9),
    "trades_today": 10**6,
    "entries_last_minute": 10**6,
    "entries_last_second": 10**6,
    "realised_today_usd": Decimal(-(10**9)),
}


@pytest.mark.parametrize("purpose", LEAVING)
@pytest.mark.parametrize(
    "state", [NOTHING_KNOWN, EVERYTHING_WRONG], ids=["nothing known", "everything wrong"]
)
def test_an_order_that_only_leaves_passes_everything_incident_39(purpose: OrderPurpose, state) -> None:
    held = {"position_units": Decimal(1000), "working_reducing_units": Decimal(0)}
    leave = order(side=OrderSide.SELL, quantity=Decimal(1000))
    assert check_order(leave, purpose, view(**(state | held)), ALL_SET) == Allow()
    held["position_units"] = Decimal(-1000)
    cover = order(side=OrderSide.BUY, quantity=Decimal(1000))
    assert check_order(cover, purpose, view(**(state | held)), ALL_SET) == Allow()


@pytest.mark.parametrize("purpose", LEAVING)
@pytest.mark.parametrize(
    ("held", "working", "side", "units", "rule"),
    [
        (100, 0, OrderSide.SELL, 101, Rule.OVERSELL),
        (100, 60, OrderSide.SELL, 41, Rule.OVERSELL),
        (-100, 60, OrderSide.BUY, 41, Rule.OVERSELL),
        (100, 0, OrderSide.BUY, 1, Rule.NOT_REDUCING),
        (-100, 0, OrderSide.SELL, 1, Rule.NOT_REDUCING),
        (0, 0, OrderSide.SELL, 1, Rule.NOT_REDUCING),
        (0, 0, OrderSide.BUY, 1, Rule.NOT_REDUCING),
        (None, 0, OrderSide.SELL, 1, Rule.OVERSELL),
        (100, None, OrderSide.SELL, 1, Rule.OVERSELL),
    ],
)
def test_no_more_leaves_than_is_held_incident_38(purpose, held, working, side, units, rule) -> None:
    state = view(
        position_units=None if held is None else Decimal(held),
        working_reducing_units=None if working is None else Decimal(working),
    )
    answer = check_order(order(side=side, quantity=Decimal(units)), purpose, state, WIDE)
    assert rules(answer) == {rule}


def test_an_order_for_an_amount_is_none_that_only_leaves() -> None:
    sell = order(side=OrderSide.SELL, quantity=None, notional_usd=Decimal(5))
    assert rules(check_order(sell, OrderPurpose.EXIT, view(position_units=Decimal(100)), WIDE)) == {
        Rule.OVERSELL
    }


@given(
    held=st.integers(-50, 50),
    asked=st.lists(
        st.tuples(st.sampled_from(OrderSide), st.integers(1, 60), st.sampled_from(LEAVING)), max_size=12
    ),
    fills=st.lists(st.integers(0, 60), max_size=12),
)
@settings(max_examples=200)
def test_working_orders_that_leave_never_come_to_more_than_is_held(held, asked, fills) -> None:
    """Orders are asked for in any order and fill in any part: the position never changes its side."""
    position, working = Decimal(held), Decimal(0)
    for (side, units, purpose), filled in zip(asked, [*fills, *([0] * 12)], strict=False):
        state = view(position_units=position, working_reducing_units=working)
        if check_order(order(side=side, quantity=Decimal(units)), purpose, state, WIDE) == Allow():
            working += units
        assert working <= abs(position)
        done = min(Decimal(filled), working)
        position += -done if position > 0 else done
        working -= done
        assert position * held >= 0


# --- Sizes -----------------------------------------------------------------------------------------------------


@given(
    price=st.decimals("0.01", "5000", places=2),
    units=st.integers(1, 5000),
    held=st.integers(-2000, 2000),
    equity=st.integers(1, 10**6),
)
@settings(max_examples=200)
def test_what_is_let_in_keeps_the_caps(price, units, held, equity) -> None:
    state = view(
        reference_price=price,
        last_price=price,
        position_units=Decimal(held),
        equity_usd=Decimal(equity),
        gross_exposure_usd=abs(held) * price,
    )
    answer = check_order(order(quantity=Decimal(units)), OrderPurpose.ENTRY, state, ALL_SET)
    if answer == Allow():
        assert units * price <= 1000
        assert units <= 10
        assert (abs(held) + units) * price <= min(Decimal(1000), Decimal(equity) / 20)
    assert (Rule.POSITION_FRACTION in rules(answer)) == ((abs(held) + units) * price > Decimal(equity) / 20)


def test_an_order_sized_to_the_cap_is_not_refused_because_the_price_moved_a_cent() -> None:
    limits = replace(WIDE, position_fraction_max=Decimal("0.01"), position_usd_max=Decimal(1000))
    assert check_order(order(), OrderPurpose.ENTRY, view(last_price=Decimal("100.01")), limits) == Allow()


def test_a_working_entry_counts_as_if_it_were_filled() -> None:
    limits = replace(WIDE, position_usd_max=Decimal(1500))
    busy = view(working_entry_usd=Decimal(501), working_entries_usd=Decimal(501))
    assert rules(check_order(order(), OrderPurpose.ENTRY, busy, limits)) == {Rule.POSITION_USD}


@pytest.mark.parametrize(
    ("changed", "last", "usd"),
    [
        ({}, 100, 1000),
        ({"type": OrderType.LIMIT, "limit_price": Decimal(90)}, 100, 1000),
        ({"type": OrderType.LIMIT, "limit_price": Decimal(110)}, 100, 1100),
        ({"type": OrderType.STOP, "stop_price": Decimal(110)}, 100, 1100),
        ({"type": OrderType.LIMIT, "limit_price": Decimal(90)}, None, 900),
        ({"type": OrderType.STOP, "stop_price": Decimal(110)}, None, None),
        ({}, None, None),
        ({"quantity": None, "notional_usd": Decimal(250)}, None, 250),
    ],
)
def test_an_entry_comes_to_its_units_at_the_dearest_price_it_may_pay(changed, last, usd) -> None:
    assert entry_usd(order(**changed), None if last is None else Decimal(last)) == usd


def test_equity_that_is_gone_lets_nothing_in() -> None:
    for equity in (Decimal(0), Decimal(-1)):
        answer = check_order(order(), OrderPurpose.ENTRY, view(equity_usd=equity), WIDE)
        assert {Rule.POSITION_FRACTION, Rule.GROSS_EXPOSURE} <= rules(answer)


# --- Prices ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "price", "let_in"),
    [
        (OrderSide.BUY, 105, True),
        (OrderSide.BUY, 106, False),
        (OrderSide.BUY, 10, True),  # it would only be cheap
        (OrderSide.SELL, 95, True),
        (OrderSide.SELL, 94, False),
        (OrderSide.SELL, 1000, True),
    ],
)
@pytest.mark.parametrize("kind", ["limit", "stop"])
def test_an_orders_own_price_may_be_off_only_where_that_costs_nothing(side, price, let_in, kind) -> None:
    limits = replace(WIDE, price_collar_fraction_max=Decimal("0.05"))
    asked = order(side=side, type=OrderType(kind), **{f"{kind}_price": Decimal(price)})
    answer = check_order(asked, OrderPurpose.ENTRY, view(), limits)
    assert (answer == Allow()) is let_in
    assert rules(answer) <= {Rule.PRICE_COLLAR}


@pytest.mark.parametrize(("last", "let_in"), [(95, True), (105, True), (94, False), (106, False)])
def test_a_price_that_has_moved_far_since_the_decision_lets_nothing_in(last, let_in) -> None:
    limits = replace(WIDE, price_collar_fraction_max=Decimal("0.05"))
    assert (
        check_order(order(), OrderPurpose.ENTRY, view(last_price=Decimal(last)), limits) == Allow()
    ) is let_in


# --- Hours, ages and counts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allowed", "hours", "extended", "let_in"),
    [
        (EntryHours.OPEN, Hours.REGULAR, False, True),
        (EntryHours.OPEN, Hours.EXTENDED, False, False),
        (EntryHours.OPEN, Hours.CLOSED, False, False),
        (EntryHours.OPEN, Hours.REGULAR, True, False),
        (EntryHours.REGULAR, Hours.REGULAR, False, True),
        (EntryHours.REGULAR, Hours.EXTENDED, False, True),  # it waits for the opening
        (EntryHours.REGULAR, Hours.CLOSED, False, True),
        (EntryHours.REGULAR, None, False, True),
        (EntryHours.REGULAR, Hours.EXTENDED, True, False),
        (EntryHours.REGULAR, Hours.REGULAR, True, False),
        (EntryHours.EXTENDED, Hours.EXTENDED, True, True),
        (EntryHours.EXTENDED, Hours.CLOSED, True, True),
    ],
)
def test_entries_keep_to_their_hours(allowed, hours, extended, let_in) -> None:
    limits = replace(WIDE, entry_hours=allowed)
    asked = order(type=OrderType.LIMIT, limit_price=Decimal(100), extended_hours=extended)
    answer = check_order(asked, OrderPurpose.ENTRY, view(hours=hours), limits)
    assert (answer == Allow()) is let_in


def test_what_is_told_from_the_future_is_as_bad_as_what_is_old() -> None:
    later = NOW + timedelta(seconds=1)
    for name, rule in (("account_told_at", Rule.ACCOUNT_AGE), ("reconciled_at", Rule.RECONCILIATION_AGE)):
        assert rules(check_order(order(), OrderPurpose.ENTRY, view(**{name: later}), ALL_SET)) == {rule}


def test_a_second_order_in_a_symbol_that_is_held_opens_no_further_position() -> None:
    limits = replace(WIDE, open_positions_max=1)
    assert check_order(order(), OrderPurpose.ENTRY, view(open_symbols=frozenset({"AMC"})), limits) == Allow()
    other = check_order(order(), OrderPurpose.ENTRY, view(open_symbols=frozenset({"GME"})), limits)
    assert rules(other) == {Rule.OPEN_POSITIONS}


@given(profit=st.decimals("0", "1e12", places=2))
def test_a_profit_of_any_size_is_no_loss_incident_45(profit: Decimal) -> None:
    assert check_order(order(), OrderPurpose.ENTRY, view(realised_today_usd=profit), ALL_SET) == Allow()


def test_a_days_loss_is_told_as_a_part_of_the_equity_that_it_began_with() -> None:
    answer = check_order(order(), OrderPurpose.ENTRY, view(realised_today_usd=Decimal(-3100)), ALL_SET)
    assert isinstance(answer, Deny)
    assert "today has lost 3.10 %; entries end at 3.00 %" in answer.reason


def test_a_refusal_tells_every_reason() -> None:
    answer = check_order(
        order(), OrderPurpose.ENTRY, view(halted=True, breakers_tripped=("drawdown",)), ALL_SET
    )
    assert isinstance(answer, Deny)
    assert answer.rule is Rule.HALTED
    assert answer.reason == "trading is halted; tripped: drawdown"
