"""Matching: when a price fills an order. The time inside one bar, and the order of work, equal to the backtester's.

OPEN is at a bar's start, RANGE at half of its span, CLOSE one millisecond before its end; marketable orders in between
fill at the path price. Prices come from `backtest/fill_model.py`; docs/assumptions.md, "One bar, step by step", has the
order of work, and tests/exchange/venue/test_agreement.py holds this file to it.
"""

from __future__ import annotations

import math
from decimal import Decimal

from magellan.exchange.market.live_bar import LiveBar
from magellan.exchange.market.tape import CLOSE_BEFORE_END_NS
from magellan.exchange.venue.book import Book, Task
from magellan.exchange.venue.booked_price import limit_price_of, marked, stop_price_of
from magellan.exchange.venue.filling import fill_from
from magellan.exchange.venue.groups import route_stop
from magellan.exchange.venue.multi_leg import match_mleg, working_mlegs
from magellan.exchange.venue.order import Order
from magellan.exchange.venue.order_end import end
from magellan.exchange.venue.order_states import Happening, State
from magellan.exchange.venue.ticks import marketable, plan_tick
from magellan.exchange.venue.trading_times import is_halted, may_fill, next_trading_ns
from magellan.exchange.venue.wire_format import CENT

_MARKET, _STOP, _LIMIT = 0, 1, 2


def arrive(book: Book, order: Order) -> None:
    """Take up a new order. What follows from that is told by `tell_arrivals`."""
    book.add(order)
    if order.type == "trailing_stop":
        price = book.price(order.symbol)
        assert price is not None, "checked on entry"
        order.hwm = price
        _follow(order, price)
    book.at(order.expires_ns, Task.EXPIRE, order)
    book.arrived.append(order)


def tell_arrivals(book: Book) -> None:
    """Log the events of new orders, and plan the next tick at which each is looked at.

    Apart from their arrival, since the client waits for its answer meanwhile; but before anything else happens, and at
    the instant of the arrival.
    """
    while book.arrived:
        _tell_arrival(book, book.arrived.popleft())


def _tell_arrival(book: Book, order: Order) -> None:
    if order.state is State.ACCEPTED:
        if book.era.accepted_event:
            book.tell(order, "accepted")
        book.at(next_trading_ns(book, order), Task.ROUTE, order)
        return
    book.tell(order, "pending_new")
    route(book, order)


def route(book: Book, order: Order) -> None:
    """The exchange has the order."""
    if order.state not in (State.PENDING_NEW, State.ACCEPTED):
        return
    was_queued = order.state is State.ACCEPTED
    book.move(order, Happening.ROUTE)
    for leg in order.legs:
        if order.order_class == "mleg" and leg.state in (State.PENDING_NEW, State.ACCEPTED):
            book.move(leg, Happening.ROUTE, silent=True)
    if not was_queued:
        plan_tick(book, order)


def tick(book: Book, order: Order, due_ns: int) -> None:
    """Look at an order that was marketable when it arrived."""
    if order.due_ns != due_ns:
        return
    order.due_ns = None
    gets_open, order.gets_open = order.gets_open, False
    if not order.matchable:
        return
    if order.order_class == "mleg":
        match_mleg(book, order)
    else:
        bar = book.bar(order.symbol)
        if bar is not None and may_fill(order, bar) and not is_halted(book, order.symbol):
            if gets_open:
                _at_one_price(book, order, bar, bar.open, at_open=True)
            elif due_ns >= bar.end_ns - CLOSE_BEFORE_END_NS:
                _at_one_price(book, order, bar, bar.close, at_open=False)
            else:
                price = book.path_price(order.symbol)
                if price is not None:
                    _at_path(book, order, bar, price)
    if order.tif in ("ioc", "fok") and not order.ended and order.due_ns is None:
        book.move(order, Happening.CANCEL)


# The instants of a bar


def at_open(book: Book) -> None:
    """The first price of a bar: position-reducing orders first, then the others; symbol after symbol."""
    busy = [(symbol, bar) for symbol, bar in _busy(book) if bar.start_ns == book.now_ns]
    for reducing in (True, False):
        for symbol, bar in busy:
            for order in _in_turn(book, symbol, bar, reducing=reducing):
                if order.matchable and _reduces(book, order) == reducing:
                    _open_of(book, order, bar)
    for symbol, _ in busy:
        _auction_missed(book, symbol)


def in_range(book: Book) -> None:
    """The whole range of a bar: orders that open positions first, then exits, stops before targets."""
    busy = [(symbol, bar) for symbol, bar in _busy(book) if _half_way_ns(bar) == book.now_ns]
    for reducing in (False, True):
        for symbol, bar in busy:
            for order in _in_turn(book, symbol, bar, reducing=reducing, limits_first=not reducing):
                if order.matchable and _reduces(book, order) == reducing:
                    _inside(book, order, bar)
    for order in working_mlegs(book):
        match_mleg(book, order)


def at_close(book: Book) -> None:
    """The last price of a bar: orders that came just before it, those for the session's close, trailing stops."""
    for symbol, bar in _busy(book):
        if bar.end_ns - CLOSE_BEFORE_END_NS != book.now_ns:
            continue
        session = book.hours.session_at(bar.start_ns)
        ends_session = session is not None and bar.end_ns == session.closes_at_ns
        for reducing in (True, False):
            for order in _in_turn(book, symbol, bar, reducing=reducing, auctions=True):
                if not order.matchable or _reduces(book, order) != reducing:
                    continue
                late = order.submitted_ns >= bar.end_ns - book.terms.close_grace_ns and order.woken is None
                if (order.tif == "cls" if ends_session else False) or (
                    late and order.tif not in ("cls", "opg")
                ):
                    _at_one_price(book, order, bar, bar.close, at_open=False)
        if bar.in_regular_session:
            _trail(book, symbol, bar)


def _busy(book: Book) -> list[tuple[str, LiveBar]]:
    """Symbols with orders and a bar now, in the market's order; options after shares."""
    found = []
    for symbol in sorted(book.working, key=lambda each: (book.places.get(each, len(book.places)), each)):
        bar = book.bar(symbol) if symbol else None
        if bar is not None and not is_halted(book, symbol):
            found.append((symbol, bar))
    return found


def _half_way_ns(bar: LiveBar) -> int:
    return bar.start_ns + (bar.end_ns - bar.start_ns) // 2


def _in_turn(
    book: Book,
    symbol: str,
    bar: LiveBar,
    *,
    reducing: bool,
    limits_first: bool = False,
    auctions: bool = False,
) -> list[Order]:
    """The symbol's orders that may trade on the bar, in the order of work: by kind, then by arrival."""
    found = [
        order
        for order in book.working.get(symbol, {}).values()
        if order.matchable
        and order.due_ns is None
        and order.order_class != "mleg"  # legs fill with their parent
        and may_fill(order, bar)
        and (auctions or order.tif != "cls")
    ]
    if len(found) < 2:
        return found
    if limits_first:
        rank = {_MARKET: 0, _LIMIT: 1, _STOP: 2}
    elif reducing:
        rank = {_MARKET: 0, _STOP: 1, _LIMIT: 2}
    else:
        rank = {_MARKET: 0, _LIMIT: 1, _STOP: 2}
    found.sort(key=lambda order: (rank[_kind(order)], order.type == "stop_limit", order.number))
    return found


def _kind(order: Order) -> int:
    if order.type == "market" or (order.triggered and order.type != "stop_limit"):
        return _MARKET
    if order.type == "limit" or order.triggered:
        return _LIMIT
    return _STOP


def _reduces(book: Book, order: Order) -> bool:
    return book.accounts[order.account_id].held(order.symbol) * order.sign < 0


def _open_of(book: Book, order: Order, bar: LiveBar) -> None:
    """Try an order at a bar's first price."""
    if order.tif == "opg":
        session = book.hours.session_at(bar.start_ns)
        if session is None or session.opens_at_ns != bar.start_ns:
            return
    _at_one_price(book, order, bar, bar.open, at_open=True)


def _auction_missed(book: Book, symbol: str) -> None:
    """What did not fill at the opening auction is withdrawn."""
    for order in list(book.working.get(symbol, {}).values()):
        if order.tif == "opg" and order.matchable:
            end(book, order, Happening.CANCEL)


def _at_one_price(book: Book, order: Order, bar: LiveBar, price: float, *, at_open: bool) -> None:
    """Try an order where only one price counts: an open, or a close."""
    if not marketable(order, price, price, price):
        return
    slips = order.type != "limit" and not (order.triggered and order.type == "stop_limit")
    if order.is_stop and not order.triggered:
        order.triggered = True
        route_stop(book, order)
        if order.type == "stop_limit" and not _within_limit(order, price):
            return
    fill_from(book, order, bar, price, slips=slips, came_in=price if at_open else None, by_limit=False)


def _at_path(book: Book, order: Order, bar: LiveBar, price: float) -> None:
    """Fill a marketable order between the instants, at the path price and what it costs to take it."""
    quote = book.quote(order.symbol)
    if quote is None or not marketable(order, price, min(quote.bid, price), max(quote.ask, price)):
        return
    if order.is_stop and not order.triggered:
        order.triggered = True
        route_stop(book, order)
        if order.type == "stop_limit" and not _within_limit(order, price):
            return
    fill_from(book, order, bar, price, slips=True, came_in=None, by_limit=False)


def _inside(book: Book, order: Order, bar: LiveBar) -> None:
    """Offer a bar's range to a resting order."""
    kind = _kind(order)
    if kind == _MARKET:
        return  # what volume left of it goes on at the next open
    side = float(order.sign)
    woken = order.woken if order.woken is not None and order.woken.bar_start_ns == bar.start_ns else None
    if kind == _STOP:
        stop = float(order.stop_price or 0)
        price, _ = stop_price_of(side, stop, bar.open, bar.high, bar.low, True)
        if math.isnan(price):
            return
        if woken is not None:
            # Entered beyond its own stop: it leaves where it came in, not at a better price.
            price = min(price, woken.price) if side < 0 else max(price, woken.price)
        order.triggered = True
        route_stop(book, order)
        if order.type == "stop_limit" and not _within_limit(order, price):
            return  # a limit order from here on, for the bars that follow
        fill_from(book, order, bar, price, slips=True, came_in=None, by_limit=False)
        return
    limit = float(order.limit_price or 0)
    passed = woken is None or not woken.at_open
    price, _ = limit_price_of(
        side, limit, bar.open, bar.high, bar.low, passed, book.terms.costs.limit_needs_through
    )
    if math.isnan(price):
        return
    came_by_limit = woken is not None and woken.by_limit and order.role == "take_profit"
    if came_by_limit and ((side < 0 and bar.close < limit) or (side > 0 and bar.close > limit)):
        return  # the bar's best price may have come before the entry; only its close surely came after
    fill_from(book, order, bar, price, slips=False, came_in=None, by_limit=True)


def _within_limit(order: Order, price: float) -> bool:
    limit = float(order.limit_price or 0)
    return price <= limit if order.sign > 0 else price >= limit


def _trail(book: Book, symbol: str, bar: LiveBar) -> None:
    """Let the symbol's trailing stops follow a bar that is over; what moves counts from the next bar on."""
    for order in book.working.get(symbol, {}).values():
        if order.type == "trailing_stop" and order.state in (State.NEW, State.PARTIALLY_FILLED):
            _follow(order, marked(bar.high if order.sign < 0 else bar.low))


def _follow(order: Order, price: Decimal) -> None:
    """Move a trailing stop behind the best price; never back."""
    hwm = order.hwm
    assert hwm is not None, "a trailing stop has a mark from the beginning"
    order.hwm = max(hwm, price) if order.sign < 0 else min(hwm, price)
    distance = order.trail_price
    if distance is None:
        assert order.trail_percent is not None
        distance = order.hwm * order.trail_percent / 100
    stop = order.hwm - distance if order.sign < 0 else order.hwm + distance
    order.stop_price = stop.quantize(CENT if stop >= 1 else Decimal("0.0001"))
