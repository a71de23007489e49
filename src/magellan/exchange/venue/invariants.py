"""What must always be true of the book, whatever clients send. Tests ask after every step; nothing else needs to."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from magellan.exchange.venue.account import Account
from magellan.exchange.venue.book import Book
from magellan.exchange.venue.held_shares import held_for_orders
from magellan.exchange.venue.order_states import State
from magellan.exchange.venue.wire_format import ZERO

_WITHOUT_ORDER = ("SPLIT", "OPEXC", "OPASN", "OPEXP")  # change what is held without an order


def broken(book: Book) -> list[str]:
    """Every invariant that does not hold, in words; empty when the book is sound."""
    return [fault for account in book.accounts.values() for fault in _faults(book, account)]


def _faults(book: Book, account: Account) -> Iterator[str]:
    cost = sum((position.cost_usd for position in account.positions.values()), ZERO)
    came = account.deposits_usd + account.realised_usd + account.income_usd - account.fees_usd
    if account.cash_usd + cost != came:
        yield f"cash {account.cash_usd} and positions at cost {cost} are not {came}, what came in and was earned"
    bought: dict[str, Decimal] = {}
    for order in account.orders.values():
        if order.asset is not None:
            bought[order.symbol] = bought.get(order.symbol, ZERO) + order.sign * order.filled_qty
        if order.filled_qty < 0 or (order.qty is not None and order.filled_qty > order.qty):
            yield f"order {order.id} has filled {order.filled_qty} of {order.qty}"
        if order.ended == (order.id in account.live) or order.ended == (
            order.id in book.working.get(order.symbol, {})
        ):
            yield f"order {order.id} is {order.state} and among the wrong orders"
        if order.state is State.PENDING_REPLACE and not (order.replaced_by and order.replaced_by.on_its_way):
            yield f"order {order.id} waits for a replacement that is not on its way"
        if order.state is State.FILLED and order.filled_qty and order.notional is None and order.left != 0:
            yield f"order {order.id} is filled with {order.left} left"
    for symbol, position in account.positions.items():
        if position.qty == 0:
            yield f"{symbol}: a position of nothing"
        held = held_for_orders(account, symbol, book.working.get(symbol, {}))
        if held > abs(position.qty):
            yield f"{symbol}: open orders hold {held} of {position.qty}"
    reserved = sum((order.reserved_usd for order in account.live.values()), ZERO)
    if account.reserved_usd != reserved or reserved < 0:
        yield f"open orders reserve {reserved}, and the account says {account.reserved_usd}"
    if any(activity.kind in _WITHOUT_ORDER for activity in account.activities):
        return
    for symbol in bought.keys() | account.positions.keys():
        if bought.get(symbol, ZERO) != account.held(symbol):
            yield f"{symbol}: orders have filled {bought.get(symbol, ZERO)}, and {account.held(symbol)} is held"
