"""Groups: what one order of a bracket, OCO or OTO does to the others when it fills or ends."""

from __future__ import annotations

from magellan.exchange.venue.book import Book
from magellan.exchange.venue.held_shares import held_for_orders
from magellan.exchange.venue.order import Order, Woken
from magellan.exchange.venue.order_states import Happening, State
from magellan.exchange.venue.wire_format import ZERO


def after_fill(book: Book, order: Order, woken: Woken | None) -> None:
    """Carry a fill over to the group: a filled entry wakes its exits, a filled exit shrinks or ends the other."""
    group = order.group
    if group is None:
        return
    if group.entry is order:
        if order.state is State.FILLED:
            _wake(book, order, woken)
        return
    others = [exit_ for exit_ in group.exits if exit_ is not order and not exit_.ended]
    for other in others:
        if order.state is State.FILLED or order.role == "stop_loss":
            book.move(other, Happening.CANCEL)
        elif other.qty is not None:
            # A target that was filled in part leaves its stop what is still held.
            other.qty = max(ZERO, order.left) + other.filled_qty
            book.move(other, Happening.RESTATE)


def after_end(book: Book, order: Order) -> None:
    """Carry a cancel, an expiry or a rejection over to the group: nothing of it goes on alone."""
    group = order.group
    if group is None or order.state is State.REPLACED:
        return
    happening = Happening.EXPIRE if order.state is State.EXPIRED else Happening.CANCEL
    for other in (group.entry, *group.exits):
        if other is None or other is order or other.ended:
            continue
        book.move(other, happening)


def route_stop(book: Book, order: Order) -> None:
    """A held stop whose price has traded goes to the exchange."""
    if order.state is State.HELD:
        book.move(order, Happening.ROUTE)


def _wake(book: Book, entry: Order, woken: Woken | None) -> None:
    group = entry.group
    assert group is not None
    exits = [exit_ for exit_ in group.exits if not exit_.ended]
    account = book.accounts[entry.account_id]
    others = {key: order for key, order in book.working[entry.symbol].items() if order.group is not group}
    free = max(ZERO, abs(account.held(entry.symbol)) - held_for_orders(account, entry.symbol, others))
    for exit_ in exits:
        if exit_.qty is not None and exit_.qty > free:
            # Some of what was entered has been closed, or promised to others, while the entry still worked.
            if free == 0:
                book.move(exit_, Happening.CANCEL)
                continue
            exit_.qty = free
            book.move(exit_, Happening.RESTATE)
        exit_.woken = woken
        # Of two exits the target goes to the exchange, and the stop stays held: the shares can be sold only once.
        if exit_.role == "take_profit" or len(exits) == 1:
            book.move(exit_, Happening.ROUTE)
