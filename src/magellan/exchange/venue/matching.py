"""Matching: when a price fills an order. The time inside one bar, and the order of work, equal to the backtester's.

OPEN is at a bar's start, RANGE at half of its span, CLOSE one millisecond before its end; marketable orders in between
fill at the path price. Prices come from `backtest/fill_model.py`; docs/assumptions.md, "One bar, step by step", has the
order of work, and tests/exchange/venue/test_agreement.py holds this file to it.
"""

from __future__ import annotations

import math
from decimal import ROUND_FLOOR, Decimal

from magellan.exchange.market.live_bar import LiveBar
from magellan.exchange.venue.book import Book, Task
from magellan.exchange.venue.booked_price import booked, limit_price_of, marked, stop_price_of, worsened
from magellan.exchange.venue.groups import after_end, after_fill, route_stop
from magellan.exchange.venue.order import Order, Woken
from magellan.exchange.venue.order_states import Happening, State
from magellan.exchange.venue.trading_times import is_trading, may_fill, next_trading_ns
from magellan.exchange.venue.wire_format import CENT, NANO, ONE, ZERO

CLOSE_BEFORE_END_NS = 1_000_000
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


def plan_tick(book: Book, order: Order) -> None:
    """Decide when an order that has just reached the exchange is first looked at.

    In the first part of a bar it still gets the open, as its decision was taken at the close before; shortly before
    the end it waits for the close; in between it meets the path price after the latency.
    """
    at_once = order.tif in ("ioc", "fok")
    if order.order_class == "mleg":
        _tick_at(book, order)
        return
    bar = book.bar(order.symbol)
    if bar is None or order.tif in ("opg", "cls") or not may_fill(order, bar):
        if at_once:
            _tick_at(book, order)
        return
    into_ns = book.now_ns - bar.start_ns
    in_time = into_ns < book.terms.open_grace * (bar.end_ns - bar.start_ns)
    if in_time and _marketable(order, bar.open, bar.open, bar.open):
        order.gets_open = True
        _tick_at(book, order)
        return
    if bar.end_ns - book.now_ns <= book.terms.close_grace_ns:
        if at_once:
            _tick_at(book, order, bar.end_ns - CLOSE_BEFORE_END_NS)
        return
    quote = book.quote(order.symbol)
    price = book.path_price(order.symbol)
    if quote is None or price is None:
        return
    if at_once or _marketable(order, price, quote.bid, quote.ask):
        _tick_at(book, order)


def _tick_at(book: Book, order: Order, at_ns: int | None = None) -> None:
    if at_ns is None:
        latency_ns = book.terms.latency_ns
        if book.terms.latency_jitter_ns:
            latency_ns += book.chance.randrange(book.terms.latency_jitter_ns + 1)
        at_ns = book.now_ns + latency_ns
    at_ns = max(at_ns, book.now_ns)
    order.due_ns = at_ns
    book.at(at_ns, Task.TICK, order)


def _marketable(order: Order, price: float, bid: float, ask: float) -> bool:
    """Whether the order can trade now: a market order, a limit at or through the quote, a stop that has been passed."""
    if order.is_stop and not order.triggered:
        stop = float(order.stop_price or 0)
        return price >= stop if order.sign > 0 else price <= stop
    if order.type in ("market", "stop", "trailing_stop"):
        return True
    limit = float(order.limit_price or 0)
    return limit >= ask if order.sign > 0 else limit <= bid


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
        if bar is not None and may_fill(order, bar) and not _halted(book, order.symbol):
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
    for order in _mlegs(book):
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
        if bar is not None and not _halted(book, symbol):
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


def _halted(book: Book, symbol: str) -> bool:
    return book.market.halted(symbol, book.now_ns) is not None


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
    if not _marketable(order, price, price, price):
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
    if quote is None or not _marketable(order, price, min(quote.bid, price), max(quote.ask, price)):
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


# Fills


def fill_from(
    book: Book,
    order: Order,
    bar: LiveBar,
    price: float,
    *,
    slips: bool,
    came_in: float | None,
    by_limit: bool,
) -> None:
    """Fill an order, or as much of it as volume allows, from a price that it has met.

    slips: spread, slippage and impact are paid. came_in: the open, for a fill at it.
    """
    assert order.asset is not None
    taken = book.volume_taken(order, bar.start_ns)
    room = _room(book, order, bar, taken)
    wanted = _wanted(order, price)
    if order.position_intent in ("buy_to_close", "sell_to_close"):
        # What it was to close may have gone without it: by an assignment, a split, or the broker's hand.
        held = max(ZERO, -order.sign * book.accounts[order.account_id].held(order.symbol))
        if held == 0:
            end(book, order, Happening.CANCEL)
            return
        wanted = min(wanted, held)
    if room is not None and (room <= 0 or (order.tif == "fok" and room < wanted)):
        return
    qty = wanted if room is None else min(wanted, room)
    if qty <= 0:
        return
    paid = price
    if slips:
        share = 0.0
        if book.terms.costs.impact:
            share = min(1.0, float(taken + qty) / bar.volume) if bar.volume > 0 else 1.0
        paid = worsened(order.asset, book.terms.costs, order.sign, price, share)
    at = booked(order.asset, order.sign, paid)
    if order.limit_price is not None and order.type in ("limit", "stop_limit"):
        at = min(at, order.limit_price) if order.sign > 0 else max(at, order.limit_price)
    if order.notional is not None:
        qty = (order.notional / at).quantize(NANO, ROUND_FLOOR)
    qty = _split(book, order, qty)
    woken = Woken(
        bar_start_ns=bar.start_ns,
        price=came_in if came_in is not None else float(at),
        at_open=came_in is not None,
        by_limit=by_limit,
    )
    book.fill(order, qty, at, bar.start_ns)
    after_fill(book, order, woken)


def _wanted(order: Order, price: float) -> Decimal:
    if order.notional is not None:
        return (order.notional / marked(price)).quantize(NANO, ROUND_FLOOR)
    return order.left


def _room(book: Book, order: Order, bar: LiveBar, taken: Decimal) -> Decimal | None:
    """Units of the bar's volume that the account may still take; None without a bound."""
    share = book.terms.costs.volume_share_max
    if share is None:
        return None
    whole = math.floor(share * bar.volume + 1e-9)
    return Decimal(whole) - taken


def _split(book: Book, order: Order, qty: Decimal) -> Decimal:
    """Sometimes only a part fills now, and the rest at the next tick: the seeded model of partial fills."""
    chance = book.terms.partial_fill_probability
    if not chance or order.notional is not None or qty < 2 or order.tif == "fok":
        return qty
    if book.chance.random() >= chance:
        return qty
    part = Decimal(book.chance.randint(1, int(qty) - 1))
    _tick_at(book, order)
    return part


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


# Orders of several legs


def _mlegs(book: Book) -> list[Order]:
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
    if any(book.bar(leg.symbol) is None or _halted(book, leg.symbol) for leg in order.legs):
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
