"""The end of an order that has not filled."""

from __future__ import annotations

from magellan.exchange.venue.book import Book
from magellan.exchange.venue.groups import after_end
from magellan.exchange.venue.order import Order
from magellan.exchange.venue.order_states import Happening, State


def expire(book: Book, order: Order) -> None:
    """The order's time is over. Of a group the others end with it. A replacement on its way is told when it arrives."""
    if order.ended or book.now_ns < order.expires_ns or order.on_its_way:
        return
    happening = Happening.CANCEL if order.tif in ("opg", "cls", "ioc", "fok") else Happening.EXPIRE
    end(book, order, happening)


def end(book: Book, order: Order, happening: Happening) -> None:
    """End an order that has not filled, and its group with it; legs of an mleg order end with their parent.

    A replacement that ends on its way ends alone: what it was to replace goes on as it was.
    """
    order.due_ns = None
    if order.on_its_way:
        assert order.replaces is not None, "only replacements are on their way"
        _go_on(book, order.replaces)
        book.move(order, happening)
        return
    book.move(order, happening)
    if order.order_class == "mleg":
        for leg in order.legs:
            if not leg.ended:
                book.move(leg, happening, silent=True)
    after_end(book, order)


def _go_on(book: Book, old: Order) -> None:
    """The order is not replaced. Where it has filled meanwhile, it is told so."""
    book.refusing_replace.discard(old.id)
    old.replaced_by = None
    if old.state in (State.PENDING_REPLACE, State.FILLED):
        book.move(old, Happening.REFUSE_REPLACE)
