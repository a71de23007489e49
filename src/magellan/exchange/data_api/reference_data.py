"""Reference data, and the endpoints for which these markets have nothing: their answers are empty."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from magellan.exchange.data_api.entitlement import Entitlement
from magellan.exchange.data_api.query import Query
from magellan.exchange.data_api.reply import Refused, Reply, error_reply
from magellan.exchange.market.market import Market

NOTHING: frozenset[str] = frozenset()
CONDITIONS = frozenset({"tape"})
NEWS = frozenset(
    ["start", "end", "sort", "symbols", "limit", "include_content", "exclude_contentless", "page_token"]
)
FOREX_LATEST = frozenset({"currency_pairs"})
FOREX = frozenset(["currency_pairs", "timeframe", "start", "end", "limit", "sort", "page_token"])
BONDS = frozenset({"isins"})
BOND_QUOTES = frozenset({"isins", "trade_size"})
LOGO = frozenset({"placeholder"})


def stock_exchanges(market: Market, query: Query, now_ns: int, entitlement: Entitlement) -> Reply:
    """Codes of the exchanges on which shares trade."""
    return Reply(status=200, body=_codes()["stock exchanges"])


def stock_conditions(
    market: Market, query: Query, now_ns: int, entitlement: Entitlement, ticktype: str
) -> Reply:
    """Codes of the conditions of trades or quotes of shares."""
    if query.required("tape") not in ("A", "B", "C", "N", "O"):
        raise Refused("invalid value", name="tape")
    return _conditions("stock conditions", ticktype)


def option_exchanges(market: Market, query: Query, now_ns: int, entitlement: Entitlement) -> Reply:
    """Codes of the exchanges on which options trade."""
    return Reply(status=200, body=_codes()["option exchanges"])


def option_conditions(
    market: Market, query: Query, now_ns: int, entitlement: Entitlement, ticktype: str
) -> Reply:
    """Codes of the conditions of trades or quotes of options."""
    return _conditions("option conditions", ticktype)


def news(market: Market, query: Query, now_ns: int, entitlement: Entitlement) -> Reply:
    """No news: nothing ever happened to generated companies, and the archive holds bars only."""
    query.limit(default=10, most=50)
    query.descending(default="desc")
    return Reply(status=200, body={"news": [], "next_page_token": None})


def latest_forex_rates(market: Market, query: Query, now_ns: int, entitlement: Entitlement) -> Reply:
    """No rates."""
    query.required("currency_pairs")
    return Reply(status=200, body={"rates": {}})


def forex_rates(market: Market, query: Query, now_ns: int, entitlement: Entitlement) -> Reply:
    """No rates."""
    query.required("currency_pairs")
    return Reply(status=200, body={"rates": {}, "next_page_token": None})


def bond_prices(market: Market, query: Query, now_ns: int, entitlement: Entitlement) -> Reply:
    """No bonds."""
    query.required("isins")
    return Reply(status=200, body={"prices": {}})


def bond_quotes(market: Market, query: Query, now_ns: int, entitlement: Entitlement) -> Reply:
    """No bonds."""
    query.required("isins")
    return Reply(status=200, body={"quotes": {}})


def logo(market: Market, query: Query, now_ns: int, entitlement: Entitlement, symbol: str) -> Reply:
    """No logos."""
    return error_reply("no logo", symbol=symbol)


def _conditions(kind: str, ticktype: str) -> Reply:
    if ticktype not in ("trade", "quote"):
        raise Refused("invalid value", name="ticktype")
    return Reply(status=200, body=_codes()[kind][ticktype])


@cache
def _codes() -> dict[str, Any]:
    text = files(__package__).joinpath("reference_codes.json").read_text(encoding="utf-8")
    codes: dict[str, Any] = json.loads(text)
    return codes
