"""Options: /v1beta1/options. Contracts and prices are generated around the shares of the market."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal, InvalidOperation

from magellan.exchange.data_api.entitlement import Entitlement
from magellan.exchange.data_api.page import Row, Series, paged
from magellan.exchange.data_api.query import Query, Window
from magellan.exchange.data_api.reply import Refused, Reply
from magellan.exchange.data_api.series import (
    bar_series,
    day_rows,
    latest_bar_row,
    latest_quote_row,
    latest_trade_row,
    trade_series,
)
from magellan.exchange.data_api.wire_time import rfc3339
from magellan.exchange.market.market import Market
from magellan.exchange.market.option_contract import OptionContract
from magellan.exchange.market.trading_hours import day_of

SYMBOLS = frozenset({"symbols"})
HISTORICAL = SYMBOLS | {"start", "end", "limit", "page_token", "sort"}
BARS = HISTORICAL | {"timeframe"}
LATEST = SYMBOLS | {"feed"}
SNAPSHOTS = LATEST | {"updated_since", "limit", "page_token"}
CHAIN = frozenset(
    {
        "feed",
        "limit",
        "updated_since",
        "page_token",
        "type",
        "strike_price_gte",
        "strike_price_lte",
        "expiration_date",
        "expiration_date_gte",
        "expiration_date_lte",
        "root_symbol",
    }
)


def bars(market: Market, query: Query, now_ns: int, entitlement: Entitlement) -> Reply:
    """Historical bars."""
    return _history(market, query, now_ns, "bars", bar_series(market, query.span(), now_ns))


def trades(market: Market, query: Query, now_ns: int, entitlement: Entitlement) -> Reply:
    """Historical trades."""
    return _history(market, query, now_ns, "trades", trade_series(market, now_ns))


def latest_quotes(market: Market, query: Query, now_ns: int, entitlement: Entitlement) -> Reply:
    """The newest quote of each contract."""
    query.option_delay_ns(entitlement)
    rows = {each: latest_quote_row(market, each, now_ns) for each in _contracts(market, query, now_ns)}
    return Reply(status=200, body={"quotes": {each: row for each, row in rows.items() if row is not None}})


def latest_trades(market: Market, query: Query, now_ns: int, entitlement: Entitlement) -> Reply:
    """The newest trade of each contract, as late as the feed is."""
    at_ns = now_ns - query.option_delay_ns(entitlement)
    rows = {each: latest_trade_row(market, each, at_ns) for each in _contracts(market, query, now_ns)}
    return Reply(status=200, body={"trades": {each: row for each, row in rows.items() if row is not None}})


def snapshots(market: Market, query: Query, now_ns: int, entitlement: Entitlement) -> Reply:
    """Quote, trade, bars, implied volatility and greeks of contracts by symbol."""
    return _snapshots(market, query, now_ns, entitlement, _contracts(market, query, now_ns))


def chain(market: Market, query: Query, now_ns: int, entitlement: Entitlement, underlying: str) -> Reply:
    """The same for every listed contract of one share, filtered by right, strike and expiry."""
    price = market.price(underlying, now_ns) if market.asset(underlying) else None
    listed = () if price is None else market.options.chain(underlying, price, day_of(now_ns))
    kept = _Filter(query)
    symbols = sorted(contract.symbol for contract in listed if kept.admits(contract))
    return _snapshots(market, query, now_ns, entitlement, symbols)


class _Filter:
    """Which contracts of a chain are asked for."""

    def __init__(self, query: Query) -> None:
        self.right = query.text("type")
        if self.right not in (None, "call", "put"):
            raise Refused("invalid value", name="type")
        self.lowest, self.highest = (_strike(query, f"strike_price_{side}") for side in ("gte", "lte"))
        self.on = query.date("expiration_date")
        self.first, self.last = (query.date(f"expiration_date_{side}") for side in ("gte", "lte"))
        self.root = query.text("root_symbol")

    def admits(self, contract: OptionContract) -> bool:
        return (
            self.right in (None, contract.right)
            and self.on in (None, contract.expires_on)
            and self.root in (None, contract.underlying)
            and (self.lowest is None or contract.strike >= self.lowest)
            and (self.highest is None or contract.strike <= self.highest)
            and (self.first is None or contract.expires_on >= self.first)
            and (self.last is None or contract.expires_on <= self.last)
        )


def _strike(query: Query, name: str) -> Decimal | None:
    text = query.text(name)
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        raise Refused("invalid value", name=name) from None


def _contracts(market: Market, query: Query, now_ns: int) -> list[str]:
    today = day_of(now_ns)
    found = []
    for symbol in query.option_symbols():
        contract = market.options.contract(symbol)
        if contract is not None and market.options.was_listed(contract, today):
            found.append(symbol)
    return found


def _history(market: Market, query: Query, now_ns: int, what: str, series: Series) -> Reply:
    window = query.window(now_ns, utc=False)
    rows, token = paged(_contracts(market, query, now_ns), window, series)
    return Reply(status=200, body={what: rows, "next_page_token": token})


def _snapshots(
    market: Market, query: Query, now_ns: int, entitlement: Entitlement, symbols: list[str]
) -> Reply:
    delay_ns = query.option_delay_ns(entitlement)
    since_ns = query.instant("updated_since", utc=False)
    window = Window(
        start_ns=0,
        end_ns=0,
        limit=query.limit(default=100, most=1000),
        descending=False,
        page_token=query.text("page_token"),
    )

    def series(symbol: str, start_ns: int, end_ns: int, descending: bool) -> Iterator[tuple[int, Row]]:
        row = _snapshot(market, symbol, now_ns, delay_ns)
        if row and (since_ns is None or _updated(row, since_ns)):
            yield 0, row

    rows, token = paged(symbols, window, series)
    body = {symbol: found[0] for symbol, found in rows.items()}
    return Reply(status=200, body={"snapshots": body, "next_page_token": token})


def _snapshot(market: Market, symbol: str, now_ns: int, delay_ns: int) -> Row:
    days = day_rows(market, symbol, now_ns - delay_ns)
    state = market.option_state(symbol, now_ns)
    parts = {
        "latestQuote": latest_quote_row(market, symbol, now_ns),
        "latestTrade": latest_trade_row(market, symbol, now_ns - delay_ns),
        "minuteBar": latest_bar_row(market, symbol, now_ns - delay_ns),
        "dailyBar": days[-1] if days else None,
        "prevDailyBar": days[-2] if len(days) > 1 else None,
        "impliedVolatility": None if state is None else state.implied_volatility,
        "greeks": None if state is None else asdict(state.greeks),
    }
    return {name: part for name, part in parts.items() if part is not None}


def _updated(row: Row, since_ns: int) -> bool:
    since = rfc3339(since_ns)
    return any(row[part]["t"] >= since for part in ("latestQuote", "latestTrade") if part in row)
