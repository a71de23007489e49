"""Screener: /v1beta1/screener. The busiest shares of the day, and those that moved most."""

from __future__ import annotations

from magellan.exchange.data_api.crypto import is_pair
from magellan.exchange.data_api.entitlement import Entitlement
from magellan.exchange.data_api.page import Row
from magellan.exchange.data_api.query import Query
from magellan.exchange.data_api.reply import Refused, Reply
from magellan.exchange.data_api.stocks import is_share
from magellan.exchange.data_api.wire_time import rfc3339
from magellan.exchange.market.market import Market
from magellan.trading.timeframe import MINUTE_NS

MOST_ACTIVES = frozenset({"by", "top"})
MOVERS = frozenset({"top"})


def most_actives(market: Market, query: Query, now_ns: int, entitlement: Entitlement) -> Reply:
    """The shares with the most volume or trades of their newest day."""
    by = query.text("by") or "volume"
    if by not in ("volume", "trades"):
        raise Refused("invalid value", name="by")
    top = query.limit(default=10, most=100, name="top")
    rows: list[Row] = []
    for symbol in market.symbols:
        if not is_share(market, symbol):
            continue
        for today in market.newest_days(symbol, now_ns, 1):
            row = {"symbol": symbol, "volume": int(today.volume), "trade_count": today.trades}
            rows.append(row)
    rows.sort(key=lambda row: (-row["volume" if by == "volume" else "trade_count"], row["symbol"]))
    return Reply(status=200, body={"most_actives": rows[:top], "last_updated": _updated(now_ns)})


def movers(market: Market, query: Query, now_ns: int, entitlement: Entitlement, market_type: str) -> Reply:
    """Gainers and losers since the close before."""
    if market_type not in ("stocks", "crypto"):
        raise Refused("invalid value", name="market_type")
    top = query.limit(default=10, most=50, name="top")
    belongs = is_share if market_type == "stocks" else is_pair
    rows: list[Row] = []
    for symbol in market.symbols:
        price = market.price(symbol, now_ns) if belongs(market, symbol) else None
        before = None if price is None else market.previous_close(symbol, now_ns)
        if price is not None and before is not None:
            change = price - before
            percent = round(100.0 * change / before, 2)
            rows.append(
                {"symbol": symbol, "percent_change": percent, "change": round(change, 4), "price": price}
            )
    rows.sort(key=lambda row: (-row["percent_change"], row["symbol"]))
    gainers = [row for row in rows if row["percent_change"] > 0][:top]
    losers = [row for row in reversed(rows) if row["percent_change"] < 0][:top]
    body = {
        "gainers": gainers,
        "losers": losers,
        "market_type": market_type,
        "last_updated": _updated(now_ns),
    }
    return Reply(status=200, body=body)


def _updated(now_ns: int) -> str:
    return rfc3339(now_ns - now_ns % MINUTE_NS)
