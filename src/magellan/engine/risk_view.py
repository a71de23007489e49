"""Risk view: what is known of the account and of one symbol when an order is checked. Unknown stays unknown."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from magellan.engine.our_order import OurOrder, Role
from magellan.engine.state import ZERO
from magellan.risk.limits import Hours, RiskView
from magellan.trading.order import OrderSide
from magellan.trading.session import exchange_date

if TYPE_CHECKING:
    from magellan.engine.desk import Desk  # which checks its orders by this view

_MINUTE = timedelta(minutes=1)
_SENT_WITHIN = timedelta(
    minutes=5
)  # more than a minute: a clock that was set back puts orders out of their order
_SECOND = timedelta(seconds=1)


def risk_view(
    desk: Desk,
    symbol: str,
    side: OrderSide,
    reference: Decimal | None = None,
    *,
    unresolved: bool | None = None,
    trades_today: int | None = None,
    without: OurOrder | None = None,
) -> RiskView:
    """The view for an order of that symbol. What only entries are asked about may be left out for any other order.

    reference:  the price that was decided on.
    unresolved: an order of the symbol is neither known nor denied by the broker.
    without:    the order at hand, where it was meant before and is to be sent again: it does not stand in its own way.
    """
    state, book, account = desk.state, desk.state.book, desk.account
    entries = [
        order
        for each in state.active
        for plan in state.under_way(each)
        for order in state.live(plan)
        if order.role is Role.ENTRY and order is not without
    ]
    here = [order for order in entries if order.symbol == symbol]
    pending: bool | None = unresolved
    if unresolved is not None:
        plan_at_hand = None if without is None else without.plan_id
        pending = unresolved or any(each.side is side and each.plan_id != plan_at_hand for each in here)
    sent = _sent_lately(desk, without)
    history = desk.histories.get(symbol)
    newest = None if history is None else history.newest_ns
    today = book.by_day.get(exchange_date(desk.now))
    return RiskView(
        at=desk.now,
        halted=desk.safety.switch.refuses_entries,
        lease_lapsed=desk.lease_lapsed,
        breakers_tripped=desk.safety.tripped,
        reference_price=reference,
        last_price=desk.last_price(symbol),
        position_units=book.quantity(symbol),
        working_entry_usd=_usd(desk, here),
        working_reducing_units=_reducing(desk, symbol, without),
        same_intent_pending=pending,
        symbol_halted=symbol in desk.halted_symbols,
        bar_age_s=(
            None
            if newest is None
            else Decimal(str(desk.schedule.trading_s(desk.schedule.ends_ns(newest), desk.now_ns)))
        ),
        trading_blocked=None if account is None else account.trading_blocked,
        equity_usd=None if account is None else account.equity_usd,
        buying_power_usd=_buying_power(desk, entries),
        gross_exposure_usd=_gross(desk),
        working_entries_usd=_usd(desk, entries),
        open_symbols=frozenset({*book.positions, *(order.symbol for order in entries)}),
        trades_today=trades_today,
        entries_last_minute=sum(desk.now - at < _MINUTE for at in sent),
        entries_last_second=sum(desk.now - at < _SECOND for at in sent),
        day_start_equity_usd=desk.safety.breakers.day_start_equity_usd,
        realised_today_usd=ZERO if today is None else today.net_usd,
        hours=Hours.REGULAR if desk.schedule.session_at(desk.now_ns) is not None else Hours.CLOSED,
        account_told_at=None if account is None else account.as_of,
        reconciled_at=desk.reconciled_at,
        clock_skew_s=None if desk.clock_skew_s is None else Decimal(str(desk.clock_skew_s)),
    )


def _sent_lately(desk: Desk, without: OurOrder | None) -> list[datetime]:
    """When entries were sent, back to a minute ago and somewhat longer."""
    found = []
    for order in reversed(desk.state.entries_sent):
        if desk.now - order.asked_at > _SENT_WITHIN:
            break
        if order is not without:
            found.append(order.asked_at)
    return found


def _reducing(desk: Desk, symbol: str, without: OurOrder | None) -> Decimal:
    """Units that working orders may still take from what is held; of a pair, one cancels the other."""
    state = desk.state
    leaves = OrderSide.SELL if state.book.quantity(symbol) > 0 else OrderSide.BUY
    total = ZERO
    for plan in state.under_way(symbol):
        for group in state.groups(plan):
            if any(order.side is leaves and order is not without for order in group.orders):
                total += state.open_units(plan, group)
        for order in state.working(plan, Role.LEAVE):
            if order.side is leaves and order is not without:
                total += _left(desk, order)
    return total


def _left(desk: Desk, order: OurOrder) -> Decimal:
    return max(order.quantity - desk.state.record(order).filled_quantity, ZERO)


def _usd(desk: Desk, orders: list[OurOrder]) -> Decimal | None:
    total = ZERO
    for order in orders:
        price = order.limit or order.stop or desk.last_price(order.symbol)
        if price is None:
            return None
        total += _left(desk, order) * price
    return total


def _buying_power(desk: Desk, entries: list[OurOrder]) -> Decimal | None:
    """As the broker told it, less the entries sent since."""
    account = desk.account
    if account is None or account.buying_power_usd is None:
        return None
    since = _usd(desk, [order for order in entries if order.asked_at >= account.as_of])
    return None if since is None else account.buying_power_usd - since


def _gross(desk: Desk) -> Decimal | None:
    total = ZERO
    for symbol, position in desk.state.book.positions.items():
        price = desk.last_price(symbol)
        if price is None:
            return None
        total += abs(position.quantity) * price
    return total
