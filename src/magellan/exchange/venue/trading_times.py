"""When orders may trade and when they end: sessions, extended hours, auctions' windows, the age of GTC orders."""

from __future__ import annotations

from datetime import timedelta

from magellan.exchange.error_catalogue import Refusal, refusal
from magellan.exchange.market.asset import AssetClass
from magellan.exchange.market.live_bar import LiveBar
from magellan.exchange.market.trading_hours import day_of, day_start_ns
from magellan.exchange.venue.book import Book
from magellan.exchange.venue.order import Order
from magellan.trading.timeframe import HOUR_NS, MINUTE_NS

# Orders for an auction are taken until shortly before it, and again from the evening on for the next one.
OPG_CLOSES_BEFORE_OPEN_NS = 2 * MINUTE_NS
CLS_CLOSES_BEFORE_CLOSE_NS = 10 * MINUTE_NS
AUCTIONS_REOPEN_NS = 19 * HOUR_NS  # after midnight
GTC_ENDS_NS = 16 * HOUR_NS + 15 * MINUTE_NS  # after midnight


def is_trading(book: Book, order: Order) -> bool:
    """Whether the exchange works the order now: in the session, or in extended hours when it asks for them."""
    if order.asset is not None and order.asset.asset_class is AssetClass.CRYPTO:
        return True
    if book.session() is not None:
        return order.tif != "opg"
    return order.extended_hours and book.hours.extended_session_at(book.now_ns) is not None


def may_fill(order: Order, bar: LiveBar) -> bool:
    """Whether a bar's trades may fill the order."""
    if bar.in_regular_session or order.extended_hours:
        return True
    return order.asset is not None and order.asset.asset_class is AssetClass.CRYPTO


def next_trading_ns(book: Book, order: Order) -> int:
    """When the exchange will take up an order that came while it was shut."""
    opens_ns = book.hours.next_open_ns(book.now_ns)
    if not order.extended_hours:
        return opens_ns
    session = book.hours.session(day_of(opens_ns))
    assert session is not None, "what opens is a session"
    return max(session.extended_opens_at_ns, book.now_ns)


def day_order_ends_ns(book: Book, now_ns: int, *, extended: bool) -> int:
    """When a day order given now ends: with the session in which it can first fill."""
    if extended:
        session = book.hours.extended_session_at(now_ns)
        if session is None:
            session = book.hours.session(day_of(book.hours.next_open_ns(now_ns)))
        assert session is not None, "what opens is a session"
        return session.extended_closes_at_ns
    session = book.session()
    return session.closes_at_ns if session is not None else book.hours.next_close_ns(now_ns)


def gtc_ends_ns(book: Book, now_ns: int) -> int:
    """When a GTC order given now ages out."""
    return day_start_ns(day_of(now_ns) + timedelta(days=book.terms.gtc_days)) + GTC_ENDS_NS


def refused_window(book: Book, tif: str) -> Refusal | None:
    """Whether it is too late for the next auction, or too early for the one after."""
    if tif not in ("opg", "cls"):
        return None
    now_ns = book.now_ns
    today = day_of(now_ns)
    midnight_ns = day_start_ns(today)
    session = book.hours.session(today)
    if session is None or now_ns - midnight_ns >= AUCTIONS_REOPEN_NS:
        return None
    last_ns = (
        session.opens_at_ns - OPG_CLOSES_BEFORE_OPEN_NS
        if tif == "opg"
        else session.closes_at_ns - CLS_CLOSES_BEFORE_CLOSE_NS
    )
    return refusal(f"{tif}_window") if now_ns >= last_ns else None


def is_halted(book: Book, symbol: str) -> bool:
    """Whether the exchange has halted a symbol."""
    return book.market.halted(symbol, book.now_ns) is not None
