"""Shares: /v2/stocks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from magellan.exchange.data_api.entitlement import EMPTY_FEEDS, SIP_DELAY_NS, Entitlement, Feed
from magellan.exchange.data_api.page import Row, Series, paged
from magellan.exchange.data_api.query import Query, Window, check_stock
from magellan.exchange.data_api.reply import Reply, error_reply
from magellan.exchange.data_api.series import (
    Venue,
    bar_series,
    day_rows,
    latest_bar_row,
    latest_quote_row,
    latest_trade_row,
    quote_series,
    trade_series,
)
from magellan.exchange.data_api.wire_time import rfc3339
from magellan.exchange.market.asset import AssetClass
from magellan.exchange.market.market import Market
from magellan.trading.bar import instant
from magellan.trading.session import exchange_date

HISTORICAL = frozenset({"start", "end", "limit", "asof", "feed", "currency", "page_token", "sort"})
BARS = HISTORICAL | {"timeframe", "adjustment"}
LATEST = frozenset({"feed", "currency"})
SYMBOLS = frozenset({"symbols"})


def bars(market: Market, query: Query, now_ns: int, entitlement: Entitlement, symbol: str | None) -> Reply:
    """Historical bars, of several symbols or of one."""
    span, adjustment = query.span(), query.adjustment()
    feed, window = _historical(query, now_ns, entitlement)
    series = bar_series(market, span, now_ns, adjustment=adjustment, iex=feed is Feed.IEX)
    return _history(market, query, "bars", symbol, feed, window, series)


def quotes(market: Market, query: Query, now_ns: int, entitlement: Entitlement, symbol: str | None) -> Reply:
    """Historical quotes."""
    feed, window = _historical(query, now_ns, entitlement)
    series = quote_series(market, now_ns, iex=feed is Feed.IEX)
    return _history(market, query, "quotes", symbol, feed, window, series)


def trades(market: Market, query: Query, now_ns: int, entitlement: Entitlement, symbol: str | None) -> Reply:
    """Historical trades."""
    feed, window = _historical(query, now_ns, entitlement)
    series = trade_series(market, now_ns, iex=feed is Feed.IEX)
    return _history(market, query, "trades", symbol, feed, window, series)


def auctions(
    market: Market, query: Query, now_ns: int, entitlement: Entitlement, symbol: str | None
) -> Reply:
    """Opening and closing auctions: the first and the last trade of each session."""
    feed, window = _historical(query, now_ns, entitlement)

    def series(symbol: str, start_ns: int, end_ns: int, descending: bool) -> Iterator[tuple[int, Row]]:
        days = _auction_days(market, symbol, start_ns, end_ns, now_ns)
        return iter(reversed(days) if descending else days)

    return _history(market, query, "auctions", symbol, feed, window, series)


def latest_bars(
    market: Market, query: Query, now_ns: int, entitlement: Entitlement, symbol: str | None
) -> Reply:
    """The newest minute bar of each symbol."""
    return _latest(market, query, now_ns, entitlement, "bar", symbol)


def latest_quotes(
    market: Market, query: Query, now_ns: int, entitlement: Entitlement, symbol: str | None
) -> Reply:
    """The newest quote of each symbol."""
    return _latest(market, query, now_ns, entitlement, "quote", symbol)


def latest_trades(
    market: Market, query: Query, now_ns: int, entitlement: Entitlement, symbol: str | None
) -> Reply:
    """The newest trade of each symbol."""
    return _latest(market, query, now_ns, entitlement, "trade", symbol)


def snapshots(
    market: Market, query: Query, now_ns: int, entitlement: Entitlement, symbol: str | None
) -> Reply:
    """Newest trade, quote and minute, the day so far and the day before. Keyed by symbol at the top level."""
    feed, currency = query.latest_feed(entitlement), query.currency()
    at_ns = _seen_at(feed, now_ns)
    if symbol is not None:
        found = _snapshot(market, _named(market, symbol), at_ns, feed)
        if not found:
            return error_reply("no snapshot", symbol=symbol)
        return Reply(status=200, body={"symbol": symbol, **found} | _currency(currency))
    body = {
        each: _snapshot(market, each, at_ns, feed) for each in query.stock_symbols(partial(is_share, market))
    }
    return Reply(status=200, body={each: found for each, found in body.items() if found})


def is_share(market: Market, symbol: str) -> bool:
    """Whether the market knows the symbol as a share."""
    asset = market.asset(symbol)
    return asset is not None and asset.asset_class is AssetClass.US_EQUITY


def _named(market: Market, symbol: str) -> str:
    """The symbol in a path, if it trades here or is shaped like a share's."""
    return symbol if is_share(market, symbol) else check_stock(symbol)


def _historical(query: Query, now_ns: int, entitlement: Entitlement) -> tuple[Feed, Window]:
    query.check_asof()
    feed, delayed = query.historical_feed(entitlement)
    return feed, query.window(now_ns, utc=False, delayed=delayed)


def _history(
    market: Market, query: Query, what: str, symbol: str | None, feed: Feed, window: Window, series: Series
) -> Reply:
    currency = query.currency()
    asked = query.stock_symbols(partial(is_share, market)) if symbol is None else (_named(market, symbol),)
    known = tuple(each for each in asked if is_share(market, each) and feed not in EMPTY_FEEDS)
    rows, token = paged(known, window, series)
    body: Row = {"next_page_token": token} | _currency(currency)
    if symbol is None:
        return Reply(status=200, body={what: rows} | body)
    return Reply(status=200, body={what: rows.get(symbol, []), "symbol": symbol} | body)


def _latest(
    market: Market, query: Query, now_ns: int, entitlement: Entitlement, what: str, symbol: str | None
) -> Reply:
    feed, currency = query.latest_feed(entitlement), query.currency()
    at_ns = _seen_at(feed, now_ns)
    if symbol is not None:
        row = _newest(market, _named(market, symbol), at_ns, feed, what)
        if row is None:
            return error_reply(f"no {what}", symbol=symbol)
        return Reply(status=200, body={"symbol": symbol, what: row} | _currency(currency))
    rows = {
        each: _newest(market, each, at_ns, feed, what)
        for each in query.stock_symbols(partial(is_share, market))
    }
    found = {each: row for each, row in rows.items() if row is not None}
    return Reply(status=200, body={f"{what}s": found} | _currency(currency))


def _newest(market: Market, symbol: str, at_ns: int, feed: Feed, what: str) -> Row | None:
    if not is_share(market, symbol) or feed in EMPTY_FEEDS:
        return None
    newest = {"bar": latest_bar_row, "quote": latest_quote_row, "trade": latest_trade_row}[what]
    return newest(market, symbol, at_ns, iex=feed is Feed.IEX)


def _snapshot(market: Market, symbol: str, at_ns: int, feed: Feed) -> Row:
    if not is_share(market, symbol) or feed in EMPTY_FEEDS:
        return {}
    days = day_rows(market, symbol, at_ns, iex=feed is Feed.IEX)
    parts = {
        "latestTrade": _newest(market, symbol, at_ns, feed, "trade"),
        "latestQuote": _newest(market, symbol, at_ns, feed, "quote"),
        "minuteBar": _newest(market, symbol, at_ns, feed, "bar"),
        "dailyBar": days[-1] if days else None,
        "prevDailyBar": days[-2] if len(days) > 1 else None,
    }
    return {name: part for name, part in parts.items() if part is not None}


def _seen_at(feed: Feed, now_ns: int) -> int:
    return now_ns - SIP_DELAY_NS if feed is Feed.DELAYED_SIP else now_ns


def _currency(currency: str | None) -> Row:
    return {} if currency is None else {"currency": currency}


def _auction_days(
    market: Market, symbol: str, start_ns: int, end_ns: int, now_ns: int
) -> list[tuple[int, Row]]:
    asset = market.asset(symbol)
    assert asset is not None, "only symbols of the market are asked for"
    code = Venue.of(asset, iex=False).exchange
    found = []
    for session in market.hours.sessions_between(max(start_ns, market.first_ns), min(end_ns, now_ns)):
        tape = market.ticks(symbol, exchange_date(instant(session.opens_at_ns)))
        low, high = tape.at_ns.searchsorted((session.opens_at_ns, session.closes_at_ns)).tolist()
        if low == high or not start_ns <= session.opens_at_ns <= end_ns or tape.at_ns[low] > now_ns:
            continue
        row: Row = {"d": session.on.isoformat(), "o": [], "c": []}
        for place, side, condition in ((low, "o", "O"), (high - 1, "c", "6")):
            at_ns = int(tape.at_ns[place])
            closed = side == "o" or now_ns >= session.closes_at_ns
            if closed and at_ns <= min(now_ns, end_ns):
                price, size = float(tape.price[place]), int(tape.size[place])
                row[side].append({"t": rfc3339(at_ns), "x": code, "p": price, "s": size, "c": condition})
        found.append((session.opens_at_ns, row))
    return found
