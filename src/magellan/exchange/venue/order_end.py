"""The end of an order that has not filled."""

from __future__ import annotations

from magellan.exchange.venue.book import Book
from magellan.exchange.venue.groups import after_end
from magellan.exchange.venue.order import Order
from magellan.exchange.venue.order_states import Happening


def expire(book: Book, order: Order) -> None:
    """The order's time is over. Of a group the others end with it."""
    if order.ended or book.now_ns < order.expires_ns:
        return
    happening = Happening.CANCEL if order.tif in ("opg", "cls", "ioc", "fok") else Happening.EXPIRE
    end(book, order, happening)


def end(book: Book, order: Order, happening: Happening) -> None:
    """End an order that has not filled, and its group with it; legs of an mleg order end with their parent."""
    order.due_ns = None
    book.move(order, happening)
    if order.order_class == "mleg":
        for leg in order.legs:
            if not leg.ended:
                book.move(leg, happening, silent=True)
    after_end(book, order)
