"""Ticks: when an order that has reached the exchange is looked at, between the instants of its bar."""

from __future__ import annotations

from magellan.exchange.market.tape import CLOSE_BEFORE_END_NS
from magellan.exchange.venue.book import Book, Task
from magellan.exchange.venue.order import Order
from magellan.exchange.venue.trading_times import may_fill


def plan_tick(book: Book, order: Order) -> None:
    """Decide when an order that has just reached the exchange is first looked at.

    In the first part of a bar it still gets the open, as its decision was taken at the close before; shortly before
    the end it waits for the close; in between it meets the path price after the latency.
    """
    at_once = order.tif in ("ioc", "fok")
    if order.order_class == "mleg":
        tick_at(book, order)
        return
    bar = book.bar(order.symbol)
    if bar is None or order.tif in ("opg", "cls") or not may_fill(order, bar):
        if at_once:
            tick_at(book, order)
        return
    into_ns = book.now_ns - bar.start_ns
    in_time = into_ns < book.terms.open_grace * (bar.end_ns - bar.start_ns)
    if in_time and marketable(order, bar.open, bar.open, bar.open):
        order.gets_open = True
        tick_at(book, order)
        return
    if bar.end_ns - book.now_ns <= book.terms.close_grace_ns:
        if at_once:
            tick_at(book, order, bar.end_ns - CLOSE_BEFORE_END_NS)
        return
    quote = book.quote(order.symbol)
    price = book.path_price(order.symbol)
    if quote is None or price is None:
        return
    if at_once or marketable(order, price, quote.bid, quote.ask):
        tick_at(book, order)


def tick_at(book: Book, order: Order, at_ns: int | None = None) -> None:
    """Look at an order at that instant; None: after the latency that the exchange was given."""
    if at_ns is None:
        latency_ns = book.terms.latency_ns
        if book.terms.latency_jitter_ns:
            latency_ns += book.chance.randrange(book.terms.latency_jitter_ns + 1)
        at_ns = book.now_ns + latency_ns
    at_ns = max(at_ns, book.now_ns)
    order.due_ns = at_ns
    book.at(at_ns, Task.TICK, order)


def marketable(order: Order, price: float, bid: float, ask: float) -> bool:
    """Whether the order can trade now: a market order, a limit at or through the quote, a stop that has been passed."""
    if order.is_stop and not order.triggered:
        stop = float(order.stop_price or 0)
        return price >= stop if order.sign > 0 else price <= stop
    if order.type in ("market", "stop", "trailing_stop"):
        return True
    limit = float(order.limit_price or 0)
    return limit >= ask if order.sign > 0 else limit <= bid
