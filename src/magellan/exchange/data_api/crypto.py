"""Crypto pairs: /v1beta3/crypto/{loc}."""

from __future__ import annotations

from magellan.exchange.data_api.entitlement import Entitlement
from magellan.exchange.data_api.page import Row, Series, paged
from magellan.exchange.data_api.query import Query
from magellan.exchange.data_api.reply import Refused, Reply
from magellan.exchange.data_api.series import (
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
from magellan.exchange.market.quote import Quote

LOCATIONS = frozenset({"us", "us-1", "us-2", "eu-1", "bs-1"})
SYMBOLS = frozenset({"symbols"})
HISTORICAL = SYMBOLS | {"start", "end", "limit", "page_token", "sort"}
BARS = HISTORICAL | {"timeframe"}
_LEVELS = 10  # of an order book, on each side


def bars(market: Market, query: Query, now_ns: int, entitlement: Entitlement, location: str) -> Reply:
    """Historical bars."""
    return _history(market, query, now_ns, location, "bars", bar_series(market, query.span(), now_ns))


def quotes(market: Market, query: Query, now_ns: int, entitlement: Entitlement, location: str) -> Reply:
    """Historical quotes."""
    return _history(market, query, now_ns, location, "quotes", quote_series(market, now_ns))


def trades(market: Market, query: Query, now_ns: int, entitlement: Entitlement, location: str) -> Reply:
    """Historical trades."""
    return _history(market, query, now_ns, location, "trades", trade_series(market, now_ns))


def latest_bars(market: Market, query: Query, now_ns: int, entitlement: Entitlement, location: str) -> Reply:
    """The newest minute bar of each pair."""
    rows = {each: latest_bar_row(market, each, now_ns) for each in _pairs(market, query, location)}
    return _present("bars", rows)


def latest_quotes(
    market: Market, query: Query, now_ns: int, entitlement: Entitlement, location: str
) -> Reply:
    """The newest quote of each pair."""
    rows = {each: latest_quote_row(market, each, now_ns) for each in _pairs(market, query, location)}
    return _present("quotes", rows)


def latest_trades(
    market: Market, query: Query, now_ns: int, entitlement: Entitlement, location: str
) -> Reply:
    """The newest trade of each pair."""
    rows = {each: latest_trade_row(market, each, now_ns) for each in _pairs(market, query, location)}
    return _present("trades", rows)


def latest_orderbooks(
    market: Market, query: Query, now_ns: int, entitlement: Entitlement, location: str
) -> Reply:
    """The order book of each pair: ten levels on either side of the quote."""
    books = {}
    for pair in _pairs(market, query, location):
        quote = market.quote(pair, now_ns)
        books[pair] = None if quote is None else order_book(quote)
    return _present("orderbooks", books)


def snapshots(market: Market, query: Query, now_ns: int, entitlement: Entitlement, location: str) -> Reply:
    """Newest trade, quote and minute, the day so far and the day before."""
    found = {}
    for pair in _pairs(market, query, location):
        days = day_rows(market, pair, now_ns)
        parts = {
            "latestTrade": latest_trade_row(market, pair, now_ns),
            "latestQuote": latest_quote_row(market, pair, now_ns),
            "minuteBar": latest_bar_row(market, pair, now_ns),
            "dailyBar": days[-1] if days else None,
            "prevDailyBar": days[-2] if len(days) > 1 else None,
        }
        found[pair] = {name: part for name, part in parts.items() if part is not None} or None
    return _present("snapshots", found)


def order_book(quote: Quote) -> Row:
    """A book around a quote: each level one spread further away and half as large again."""
    step = quote.ask - quote.bid
    levels = range(_LEVELS)
    return {
        "t": rfc3339(quote.at_ns),
        "b": [_level(quote.bid - step * away, quote.bid_size * (1 + away / 2)) for away in levels],
        "a": [_level(quote.ask + step * away, quote.ask_size * (1 + away / 2)) for away in levels],
    }


def is_pair(market: Market, symbol: str) -> bool:
    """Whether the market knows the symbol as a crypto pair."""
    asset = market.asset(symbol)
    return asset is not None and asset.asset_class is AssetClass.CRYPTO


def _level(price: float, size: float) -> Row:
    return {"p": round(price, 9), "s": round(size, 9)}


def _pairs(market: Market, query: Query, location: str) -> list[str]:
    if location not in LOCATIONS:
        raise Refused("invalid location", location=location)
    return [symbol for symbol in query.crypto_symbols() if is_pair(market, symbol)]


def _history(market: Market, query: Query, now_ns: int, location: str, what: str, series: Series) -> Reply:
    window = query.window(now_ns, utc=True)
    rows, token = paged(_pairs(market, query, location), window, series)
    return Reply(status=200, body={what: rows, "next_page_token": token})


def _present(what: str, rows: dict[str, Row | None]) -> Reply:
    return Reply(status=200, body={what: {each: row for each, row in rows.items() if row is not None}})
