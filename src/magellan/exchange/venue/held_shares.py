"""Held shares: what open orders have laid claim to, and what is still free to be sold or covered."""

from __future__ import annotations

from decimal import Decimal

from magellan.exchange.venue.account import Account
from magellan.exchange.venue.order import Order
from magellan.exchange.venue.order_states import State
from magellan.exchange.venue.wire_format import ZERO


def reducing_orders(account: Account, symbol: str, orders: dict[str, Order]) -> list[Order]:
    """The open orders that would make the position smaller, those of unarmed brackets left out."""
    held = account.held(symbol)
    if not held:
        return []
    return [
        order
        for order in orders.values()
        if order.account_id == account.id
        and order.sign * held < 0
        and (order.group is None or order.group.entry is order or order.group.armed)
    ]


def held_for_orders(
    account: Account, symbol: str, orders: dict[str, Order], *, without: Order | None = None
) -> Decimal:
    """Units that open orders hold, as a positive number.

    Exits of one group hold the larger of their quantities, as only one of them can fill; so do an order and the
    replacement that is on its way.
    """
    total = ZERO
    by_group: dict[str, Decimal] = {}
    for order in reducing_orders(account, symbol, orders):
        if order is without or (without is not None and without.group and order.group is without.group):
            continue
        left = order.left
        if order.replaces is not None and order.state in (State.PENDING_NEW, State.ACCEPTED):
            if order.replaces is without:
                continue
            # While a replacement is on its way, the pair holds the larger quantity.
            left = max(ZERO, left - order.replaces.left) if not order.replaces.ended else left
        if order.group is not None:
            by_group[order.group.id] = max(by_group.get(order.group.id, ZERO), left)
        else:
            total += left
    return total + sum(by_group.values(), ZERO)


def available(account: Account, symbol: str, orders: dict[str, Order]) -> Decimal:
    """Units that may still be sold or covered, signed like the position."""
    held = account.held(symbol)
    free = abs(held) - held_for_orders(account, symbol, orders)
    return free if held > 0 else -free
