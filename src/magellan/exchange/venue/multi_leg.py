"""Orders of several legs: they fill together, at their prices now, or not at all."""

from __future__ import annotations

from decimal import Decimal

from magellan.exchange.venue.book import Book
from magellan.exchange.venue.booked_price import booked
from magellan.exchange.venue.order import Order
from magellan.exchange.venue.order_states import Happening
from magellan.exchange.venue.trading_times import is_halted, is_trading
from magellan.exchange.venue.wire_format import ONE, ZERO


def working_mlegs(book: Book) -> list[Order]:
    """Orders of several legs that may fill now."""
    return [
        order
        for order in list(book.working.get("", {}).values())
        if order.matchable and order.due_ns is None and is_trading(book, order)
    ]


def legs_price(book: Book, order: Order) -> Decimal | None:
    """What one unit of an mleg order costs now: above zero a debit, below it a credit. None without a price."""
    total = ZERO
    for leg in order.legs:
        price = book.price(leg.symbol)
        if price is None:
            return None
        total += leg.sign * (leg.ratio_qty or ONE) * price
    return total


def match_mleg(book: Book, order: Order) -> None:
    """Fill all legs at their prices now when their sum is within the order's limit."""
    if any(book.bar(leg.symbol) is None or is_halted(book, leg.symbol) for leg in order.legs):
        return
    net = legs_price(book, order)
    if net is None or (order.limit_price is not None and net > order.limit_price):
        return
    for leg in order.legs:
        price = book.price(leg.symbol)
        assert price is not None and leg.asset is not None
        book.fill(leg, leg.left, booked(leg.asset, leg.sign, float(price)))
    assert order.qty is not None
    order.filled_qty = order.qty
    order.filled_usd = order.qty * net
    book.move(order, Happening.FILL, price=str(net), qty=str(order.qty))
