"""Limits on every order: what may be entered, and never what may be left.

`check_order` answers for one order, from a view of the account at that instant. Its rules live here:

- unknown means no: an entry whose size, price, age or account value is not known is refused, and the reason says what
  is missing;
- an order that only reduces a position (an exit, a protective order, a flatten) passes every limit, whatever is
  unknown, stale, halted or tripped. One thing stops it: working orders and this one together would sell more than is
  held (or buy back more than is short);
- an order is allowed whole or refused whole, never trimmed.

Every rule bears the name of the key that sets it: docs/guides/risk.md lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from magellan.trading.order import OrderRequest, OrderSide, OrderType
from magellan.trading.purpose import OrderPurpose


class Hours(StrEnum):
    """Which part of the trading day it is."""

    REGULAR = "regular"
    EXTENDED = "extended"  # premarket or after hours
    CLOSED = "closed"


class EntryHours(StrEnum):
    """In which hours entries may be sent and filled."""

    OPEN = "open"  # sent and filled while the regular session is open
    REGULAR = "regular"  # filled in the regular session; what is sent before it waits for its opening
    EXTENDED = "extended"  # premarket and after hours too


class Rule(StrEnum):
    """Why an order is refused. A rule that a key sets bears the key's name."""

    HALTED = "halted"
    LEASE = "lease"
    BREAKERS = "breakers"
    TRADING_BLOCKED = "trading_blocked"
    SYMBOL_HALTED = "symbol_halted"
    DUPLICATE_INTENT = "duplicate_intent"
    ENTRY_HOURS = "entry_hours"
    BAR_AGE = "bar_age_s_max"
    ACCOUNT_AGE = "account_age_s_max"
    RECONCILIATION_AGE = "reconciliation_age_s_max"
    CLOCK_SKEW = "clock_skew_s_max"
    PRICE_COLLAR = "price_collar_fraction_max"
    ORDER_USD = "order_usd_max"
    ORDER_UNITS = "order_units_max"
    POSITION_USD = "position_usd_max"
    POSITION_FRACTION = "position_fraction_max"
    SYMBOL_EXPOSURE = "symbol_exposure_usd_max"
    GROSS_EXPOSURE = "gross_exposure_fraction_max"
    OPEN_POSITIONS = "open_positions_max"
    BUYING_POWER = "buying_power"
    TRADES_PER_DAY = "trades_per_day_max"
    ORDERS_PER_MINUTE = "orders_per_minute_max"
    ORDERS_PER_SECOND = "orders_per_second_max"
    LOSS_PER_DAY_FRACTION = "loss_per_day_fraction_max"
    LOSS_PER_DAY_USD = "loss_per_day_usd_max"
    NOT_REDUCING = "not_reducing"
    OVERSELL = "oversell"


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskLimits:
    """What every entry is held to. None: that limit is not set. Fractions are of equity where nothing else is said."""

    order_usd_max: Decimal | None = None  # units x price of one order
    order_units_max: Decimal | None = None
    # How far a price may be from the one that was decided on, as a fraction of it.
    price_collar_fraction_max: Decimal = Decimal("0.05")
    # Units held, being entered and asked for in one symbol, at the price decided on: an order that was sized to the cap
    # is not refused because the price has moved by a cent. The collar bounds that move.
    position_usd_max: Decimal | None = None
    position_fraction_max: Decimal = Decimal("0.05")
    symbol_exposure_usd_max: Decimal | None = (
        None  # the same units, at the dearest of the order's price and the last
    )
    gross_exposure_fraction_max: Decimal = Decimal(1)  # of all symbols, longs and shorts added
    open_positions_max: int | None = None  # symbols held or being entered
    trades_per_day_max: int | None = None
    orders_per_minute_max: int = 60  # entries sent within any minute
    orders_per_second_max: int = 5  # entries sent within any second
    loss_per_day_fraction_max: Decimal | None = None  # realised; of the equity at the day's start
    loss_per_day_usd_max: Decimal | None = None
    bar_age_s_max: Decimal = Decimal(120)  # since the newest bar's close; hours without trading do not count
    account_age_s_max: Decimal = Decimal(120)  # since the broker last told the account
    reconciliation_age_s_max: Decimal = Decimal(300)  # since book and broker were last found equal
    clock_skew_s_max: Decimal = Decimal(2)  # our clock against the broker's, either way
    entry_hours: EntryHours = EntryHours.REGULAR


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskView:
    """What is known of the account and of one symbol when an order is checked. None: nobody knows.

    Counts and sums are those before the order at hand. `working_reducing_units` counts a pair of orders of which one
    cancels the other once, and leaves out an order that this one replaces. A number that is none, and a negative one
    where none can be, counts as unknown.
    """

    at: datetime  # aware, UTC
    # The switch and the breakers.
    halted: bool | None  # by the kill switch
    lease_lapsed: str | None  # why the host's lease does not hold; "": it does, or none is asked for
    breakers_tripped: tuple[str, ...] | None
    # The symbol.
    reference_price: Decimal | None  # what the decision was made at
    last_price: Decimal | None  # newest known
    position_units: Decimal | None  # from executions; signed: long > 0, short < 0
    working_entry_usd: Decimal | None  # >= 0: units x price not yet filled, of entries into this symbol
    working_reducing_units: Decimal | None  # >= 0: not yet filled, of orders that leave this symbol
    same_intent_pending: bool | None  # an entry of this symbol and side is working or its fate is unknown
    symbol_halted: bool | None
    bar_age_s: Decimal | None  # since the newest bar of the symbol closed; hours without trading do not count
    # The account.
    trading_blocked: bool | None  # by the broker
    equity_usd: Decimal | None
    buying_power_usd: Decimal | None  # as the broker told it, less the entries sent since
    gross_exposure_usd: Decimal | None  # >= 0: all positions at their last prices, longs and shorts added
    working_entries_usd: Decimal | None  # >= 0: units x price of all working entries of all symbols
    open_symbols: frozenset[str] | None  # held or being entered
    trades_today: int | None  # entered since the day's start, and what works in other symbols
    entries_last_minute: int | None
    entries_last_second: int | None
    day_start_equity_usd: Decimal | None
    realised_today_usd: Decimal | None  # signed, after commissions
    # The clock and the channels.
    hours: Hours | None
    account_told_at: datetime | None
    reconciled_at: datetime | None
    clock_skew_s: Decimal | None  # ours minus the broker's

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if isinstance(value, Decimal) and (
                not value.is_finite() or (value < 0 and name in _NEVER_NEGATIVE)
            ):
                object.__setattr__(self, name, None)


_NEVER_NEGATIVE: Final = frozenset(
    {"working_entry_usd", "working_reducing_units", "gross_exposure_usd", "working_entries_usd"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One rule that an order does not keep."""

    rule: Rule
    reason: str  # a sentence with what was found and what is allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """The order may be sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deny:
    """The order must not be sent, and every reason why, in the order of the rules."""

    breaches: tuple[Breach, ...]  # at least one

    @property
    def rule(self) -> Rule:
        """The first rule that is not kept."""
        return self.breaches[0].rule

    @property
    def reason(self) -> str:
        """All reasons in one line."""
        return "; ".join(breach.reason for breach in self.breaches)


def check_order(
    request: OrderRequest, purpose: OrderPurpose, view: RiskView, limits: RiskLimits
) -> Allow | Deny:
    """Whether an order may be sent now. Called for every order, straight before its intent is recorded.

    For a replacement, hand in the order as it would be, and a view that leaves out the one it replaces.
    """
    if purpose.reduces:
        found = tuple(_reducing(request, view))
    else:
        found = tuple(breach for rule in _ENTRY_RULES for breach in rule(request, view, limits))
    return Deny(breaches=found) if found else Allow()


def _reducing(request: OrderRequest, view: RiskView) -> Iterator[Breach]:
    """Why an order is not one that only leaves: it may take no more than is held and not yet being left."""
    units, held, working = request.quantity, view.position_units, view.working_reducing_units
    if units is None:
        yield _unknown(Rule.OVERSELL, f"an order for an amount does not say how many {request.symbol} leave")
        return
    if held is None or working is None:
        yield _unknown(Rule.OVERSELL, f"how many {request.symbol} are held or already leaving is unknown")
        return
    if held == 0 or (held > 0) == (request.side is OrderSide.BUY):
        yield Breach(
            rule=Rule.NOT_REDUCING,
            reason=f"to {request.side} {units} {request.symbol} leaves nothing: {held} are held",
        )
        return
    if working + units > abs(held):
        yield Breach(
            rule=Rule.OVERSELL,
            reason=f"{units} {request.symbol} and {working} already leaving are more than the {abs(held)} held",
        )


_Check = Callable[[OrderRequest, RiskView, RiskLimits], Iterator[Breach]]


def _gates(request: OrderRequest, view: RiskView, limits: RiskLimits) -> Iterator[Breach]:
    """What closes the door to every entry, whatever its size."""
    if view.halted is None:
        yield _unknown(Rule.HALTED, "whether trading is halted is unknown")
    elif view.halted:
        yield Breach(rule=Rule.HALTED, reason="trading is halted")
    if view.lease_lapsed is None:
        yield _unknown(Rule.LEASE, "whether the host's lease holds is unknown")
    elif view.lease_lapsed:
        yield Breach(rule=Rule.LEASE, reason=f"the host's lease has lapsed: {view.lease_lapsed}")
    if view.breakers_tripped is None:
        yield _unknown(Rule.BREAKERS, "the state of the breakers is unknown")
    elif view.breakers_tripped:
        yield Breach(rule=Rule.BREAKERS, reason=f"tripped: {', '.join(view.breakers_tripped)}")
    if view.trading_blocked is None:
        yield _unknown(Rule.TRADING_BLOCKED, "the broker does not say whether the account may trade")
    elif view.trading_blocked:
        yield Breach(rule=Rule.TRADING_BLOCKED, reason="the broker has blocked the account from trading")
    if view.symbol_halted is None:
        yield _unknown(Rule.SYMBOL_HALTED, f"whether {request.symbol} is halted is unknown")
    elif view.symbol_halted:
        yield Breach(rule=Rule.SYMBOL_HALTED, reason=f"{request.symbol} is halted")
    if view.same_intent_pending is None:
        yield _unknown(
            Rule.DUPLICATE_INTENT,
            f"whether an order to {request.side} {request.symbol} is pending is unknown",
        )
    elif view.same_intent_pending:
        yield Breach(
            rule=Rule.DUPLICATE_INTENT,
            reason=f"an order to {request.side} {request.symbol} is pending, or its fate is not known yet",
        )


def _hours(request: OrderRequest, view: RiskView, limits: RiskLimits) -> Iterator[Breach]:
    """An order that is not marked for extended hours is filled in the regular session, whenever it is sent."""
    if request.extended_hours and limits.entry_hours is not EntryHours.EXTENDED:
        yield Breach(
            rule=Rule.ENTRY_HOURS,
            reason="the order may be filled outside of the regular session, and entries may not",
        )
    if limits.entry_hours is not EntryHours.OPEN:
        return
    if view.hours is None:
        yield _unknown(Rule.ENTRY_HOURS, "whether the market is open is unknown")
    elif view.hours is not Hours.REGULAR:
        yield Breach(
            rule=Rule.ENTRY_HOURS,
            reason=f"entries are sent while the regular session is open, and it is {view.hours} hours",
        )


def _ages(request: OrderRequest, view: RiskView, limits: RiskLimits) -> Iterator[Breach]:
    yield from _age(Rule.BAR_AGE, f"the newest bar of {request.symbol}", view.bar_age_s, limits.bar_age_s_max)
    yield from _age(
        Rule.ACCOUNT_AGE,
        "the broker's newest word on the account",
        _seconds(view.account_told_at, view.at),
        limits.account_age_s_max,
    )
    yield from _age(
        Rule.RECONCILIATION_AGE,
        "the newest comparison of book and broker",
        _seconds(view.reconciled_at, view.at),
        limits.reconciliation_age_s_max,
    )
    skew = view.clock_skew_s
    if skew is None:
        yield _unknown(Rule.CLOCK_SKEW, "how far our clock is from the broker's is unknown")
    elif not abs(skew) <= limits.clock_skew_s_max:
        yield Breach(
            rule=Rule.CLOCK_SKEW,
            reason=f"our clock is {skew} s from the broker's; allowed: {limits.clock_skew_s_max} s",
        )


def _prices(request: OrderRequest, view: RiskView, limits: RiskLimits) -> Iterator[Breach]:
    """The last price may be off the reference either way; the order's own price only where it would cost us."""
    reference, last, most = view.reference_price, view.last_price, limits.price_collar_fraction_max
    if reference is None or not reference > 0 or last is None or not last > 0:
        yield _unknown(
            Rule.PRICE_COLLAR,
            f"the price of {request.symbol} that was decided on, or its last one, is unknown",
        )
        return
    moved = abs(last - reference) / reference
    if moved > most:
        yield Breach(
            rule=Rule.PRICE_COLLAR,
            reason=f"{request.symbol} is at {last}, {_percent(moved)} from the {reference} decided on; "
            f"allowed: {_percent(most)}",
        )
    for price in (request.limit_price, request.stop_price):
        if price is None:
            continue
        worse = request.side.sign * (price - reference) / reference
        if worse > most:
            yield Breach(
                rule=Rule.PRICE_COLLAR,
                reason=f"to {request.side} {request.symbol} at {price} is {_percent(worse)} worse than the "
                f"{reference} decided on; allowed: {_percent(most)}",
            )


def _sizes(request: OrderRequest, view: RiskView, limits: RiskLimits) -> Iterator[Breach]:
    """How large the order is, and how large it makes the position, the symbol's share and the whole."""
    order_usd = entry_usd(request, view.last_price)
    if limits.order_usd_max is not None:
        yield from _at_most(
            Rule.ORDER_USD, f"the order for {request.symbol}", order_usd, limits.order_usd_max
        )
    units = request.quantity
    if units is None and order_usd is not None and view.last_price is not None and view.last_price > 0:
        units = order_usd / view.last_price
    if limits.order_units_max is not None:
        if units is None:
            yield _unknown(Rule.ORDER_UNITS, f"how many {request.symbol} the order is for is unknown")
        elif not units <= limits.order_units_max:
            yield Breach(
                rule=Rule.ORDER_UNITS,
                reason=f"{units} {request.symbol} in one order; allowed: {limits.order_units_max}",
            )
    held = None if view.position_units is None else abs(view.position_units)
    decided = _sum(_value(held, view.reference_price), view.working_entry_usd, _decided_usd(request, view))
    what = f"the position in {request.symbol} at the price decided on"
    if limits.position_usd_max is not None:
        yield from _at_most(Rule.POSITION_USD, what, decided, limits.position_usd_max)
    yield from _share(Rule.POSITION_FRACTION, what, decided, view, limits.position_fraction_max)
    if limits.symbol_exposure_usd_max is not None:
        yield from _at_most(
            Rule.SYMBOL_EXPOSURE,
            f"the position in {request.symbol} at its last price",
            _sum(_value(held, view.last_price), view.working_entry_usd, order_usd),
            limits.symbol_exposure_usd_max,
        )
    yield from _share(
        Rule.GROSS_EXPOSURE,
        "all positions together",
        _sum(view.gross_exposure_usd, view.working_entries_usd, order_usd),
        view,
        limits.gross_exposure_fraction_max,
    )
    yield from _at_most(
        Rule.BUYING_POWER,
        f"the order for {request.symbol}",
        order_usd,
        view.buying_power_usd,
        allowed="buying power",
    )


def _counts(request: OrderRequest, view: RiskView, limits: RiskLimits) -> Iterator[Breach]:
    if limits.open_positions_max is not None:
        if view.open_symbols is None:
            yield _unknown(Rule.OPEN_POSITIONS, "how many positions are open is unknown")
        elif len(view.open_symbols | {request.symbol}) > limits.open_positions_max:
            yield Breach(
                rule=Rule.OPEN_POSITIONS,
                reason=f"{len(view.open_symbols)} positions are open or being entered; "
                f"allowed: {limits.open_positions_max}",
            )
    for rule, count, most, what in (
        (Rule.TRADES_PER_DAY, view.trades_today, limits.trades_per_day_max, "trades today"),
        (
            Rule.ORDERS_PER_MINUTE,
            view.entries_last_minute,
            limits.orders_per_minute_max,
            "entries within a minute",
        ),
        (
            Rule.ORDERS_PER_SECOND,
            view.entries_last_second,
            limits.orders_per_second_max,
            "entries within a second",
        ),
    ):
        if most is None:
            continue
        if count is None:
            yield _unknown(rule, f"the number of {what} is unknown")
        elif count + 1 > most:
            yield Breach(rule=rule, reason=f"{count} {what} already; allowed: {most}")


def _losses(request: OrderRequest, view: RiskView, limits: RiskLimits) -> Iterator[Breach]:
    """What today has lost for good, as in a backtest. What is lost on paper too is watched by a breaker."""
    profit, start = view.realised_today_usd, view.day_start_equity_usd
    if limits.loss_per_day_fraction_max is not None:
        if profit is None or start is None or not start > 0:
            yield _unknown(
                Rule.LOSS_PER_DAY_FRACTION, "today's loss, or the equity it is part of, is unknown"
            )
        elif not -profit < limits.loss_per_day_fraction_max * start:
            yield Breach(
                rule=Rule.LOSS_PER_DAY_FRACTION,
                reason=f"today has lost {_percent(-profit / start)}; "
                f"entries end at {_percent(limits.loss_per_day_fraction_max)}",
            )
    if limits.loss_per_day_usd_max is not None:
        if profit is None:
            yield _unknown(Rule.LOSS_PER_DAY_USD, "today's loss is unknown")
        elif not -profit < limits.loss_per_day_usd_max:
            yield Breach(
                rule=Rule.LOSS_PER_DAY_USD,
                reason=f"today has lost {_usd(-profit)}; entries end at {_usd(limits.loss_per_day_usd_max)}",
            )


_ENTRY_RULES: Final[tuple[_Check, ...]] = (_gates, _hours, _ages, _prices, _sizes, _counts, _losses)


def entry_usd(request: OrderRequest, last_price: Decimal | None) -> Decimal | None:
    """What an entry may come to: units x the dearest of its own prices and the last one. None where unknown."""
    if request.notional_usd is not None:
        return request.notional_usd
    assert request.quantity is not None, "an order has a quantity or an amount"
    prices = [price for price in (request.limit_price, request.stop_price, last_price) if price is not None]
    if last_price is None and request.type not in (OrderType.LIMIT, OrderType.STOP_LIMIT):
        return None  # nothing in the order bounds what it pays
    return request.quantity * max(prices)


def _decided_usd(request: OrderRequest, view: RiskView) -> Decimal | None:
    """What the entry comes to at its own price, or at the one that was decided on where it has none."""
    if request.notional_usd is not None:
        return request.notional_usd
    own = request.limit_price if request.limit_price is not None else request.stop_price
    return _value(request.quantity, view.reference_price if own is None else own)


def _value(units: Decimal | None, price: Decimal | None) -> Decimal | None:
    if units == 0:
        return Decimal(0)
    return None if units is None or price is None else units * price


def _unknown(rule: Rule, what: str) -> Breach:
    return Breach(rule=rule, reason=what)


def _age(rule: Rule, what: str, age_s: Decimal | None, most_s: Decimal) -> Iterator[Breach]:
    if age_s is None:
        yield _unknown(rule, f"the age of {what} is unknown")
    elif not age_s >= 0:
        yield Breach(rule=rule, reason=f"{what} is {-age_s:f} s in the future")
    elif not age_s <= most_s:
        yield Breach(rule=rule, reason=f"{what} is {age_s:f} s old; allowed: {most_s:f} s")


def _seconds(then: datetime | None, now: datetime) -> Decimal | None:
    return None if then is None else Decimal(str((now - then).total_seconds()))


def _sum(*parts: Decimal | None) -> Decimal | None:
    total = Decimal(0)
    for part in parts:
        if part is None:
            return None
        total += part
    return total


def _at_most(
    rule: Rule, what: str, usd: Decimal | None, most: Decimal | None, allowed: str = "allowed"
) -> Iterator[Breach]:
    if usd is None:
        yield _unknown(rule, f"what {what} comes to is unknown")
    elif most is None:
        yield _unknown(rule, f"{allowed} is unknown")
    elif not usd <= most:
        yield Breach(rule=rule, reason=f"{what} comes to {_usd(usd)}; {allowed}: {_usd(most)}")


def _share(
    rule: Rule, what: str, usd: Decimal | None, view: RiskView, most_fraction: Decimal
) -> Iterator[Breach]:
    equity = view.equity_usd
    if usd is None or equity is None:
        yield _unknown(rule, f"what {what} comes to, or the equity it is part of, is unknown")
    elif not equity > 0:
        yield Breach(rule=rule, reason=f"equity is {_usd(equity)}, and every entry is too large for it")
    elif not usd <= most_fraction * equity:
        yield Breach(
            rule=rule,
            reason=f"{what} would be {_percent(usd / equity)} of equity; allowed: {_percent(most_fraction)}",
        )


def _percent(fraction: Decimal) -> str:
    return f"{fraction * 100:.2f} %"


def _usd(amount: Decimal) -> str:
    return f"{amount:,.2f} $"
