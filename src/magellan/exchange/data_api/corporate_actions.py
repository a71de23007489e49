"""Corporate actions: /v1/corporate-actions. Splits and cash dividends that have taken effect by now."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import NAMESPACE_URL, uuid5

from magellan.archive.adjust import action_at
from magellan.exchange.data_api.entitlement import Entitlement
from magellan.exchange.data_api.page import Row, paged
from magellan.exchange.data_api.query import Query, Window
from magellan.exchange.data_api.reply import Refused, Reply
from magellan.exchange.market.market import Market
from magellan.exchange.market.trading_hours import day_of
from magellan.trading.bar import nanoseconds
from magellan.trading.corporate_action import CashDividend, CorporateAction, Split
from magellan.trading.session import day_number, exchange_date
from magellan.trading.timeframe import DAY_NS

_FILTERS = ("symbols", "cusips", "types", "start", "end", "region", "data_quality")
PARAMETERS = frozenset({*_FILTERS, "ids", "limit", "page_token", "sort"})
TYPES = frozenset(
    {
        "reverse_split",
        "forward_split",
        "unit_split",
        "cash_dividend",
        "stock_dividend",
        "spin_off",
        "cash_merger",
        "stock_merger",
        "stock_and_cash_merger",
        "redemption",
        "name_change",
        "worthless_removal",
        "rights_distribution",
        "partial_call",
        "reorganization",
        "capital_gains_distribution",
    }
)
# A CUSIP is licensed and bars carry none: the field is there, and empty.
_NO_CUSIP = ""


def corporate_actions(market: Market, query: Query, now_ns: int, entitlement: Entitlement) -> Reply:
    """Actions by kind, sorted by the date on which they are processed: their first day of trading.

    What has been announced but has not happened is not shown: a replay must not know its future.
    """
    ids = _words(query, "ids")
    if ids is not None and any(query.text(name) is not None for name in _FILTERS):
        raise Refused("exclusive ids")
    types, symbols = _words(query, "types"), _words(query, "symbols")
    if types is not None and not types <= TYPES:
        raise Refused("invalid value", name="types")
    for name, allowed in (("region", ("us", "non_us", "all")), ("data_quality", ("complete", "all"))):
        if query.text(name) not in (None, *allowed):
            raise Refused("invalid value", name=name)
    today = day_of(now_ns)
    end = query.date("end") or today
    start = query.date("start") or min(today, end)
    if end < start:
        raise Refused("end before start")
    if ids is not None:
        start, end = day_of(market.first_ns), today
    foreign_only = query.text("region") == "non_us" or query.text("cusips") is not None

    rows: dict[int, tuple[str, Row]] = {}
    for symbol in market.symbols if not foreign_only else ():
        if symbols is not None and symbol not in symbols:
            continue
        for action in market.actions(symbol, 0, now_ns):
            shown = as_row(action)
            if shown is None:
                continue
            kind, row = shown
            on = exchange_date(action_at(action))
            wanted_type = types is None or kind.removesuffix("s") in types
            if start <= on <= end and wanted_type and (ids is None or row["id"] in ids):
                # Sorted by date, then by symbol and kind as they come: a nanosecond apart, so that pages can cut.
                place = day_number(on) * DAY_NS
                while place in rows:
                    place += 1
                rows[place] = (kind, row)

    def series(name: str, start_ns: int, end_ns: int, descending: bool) -> Iterator[tuple[int, Row]]:
        for place in sorted(rows, reverse=descending):
            if start_ns <= place <= end_ns:
                kind, row = rows[place]
                yield place, {"kind": kind, "row": row}

    window = Window(
        start_ns=0,
        end_ns=(day_number(today) + 1) * DAY_NS,
        limit=query.limit(default=100, most=1000),
        descending=query.descending(),
        page_token=query.text("page_token"),
    )
    page, token = paged(("corporate_actions",), window, series)
    grouped: dict[str, list[Row]] = {}
    for found in page.get("corporate_actions", []):
        grouped.setdefault(found["kind"], []).append(found["row"])
    return Reply(status=200, body={"corporate_actions": grouped, "next_page_token": token})


def as_row(action: CorporateAction) -> tuple[str, Row] | None:
    """The group of an action in Alpaca's answer, and its row; None for what is no corporate action to Alpaca."""
    on = exchange_date(action_at(action)).isoformat()
    name = (
        f"magellan/corporate action/{action.symbol}/{type(action).__name__}/{nanoseconds(action_at(action))}"
    )
    row: Row = {"id": str(uuid5(NAMESPACE_URL, name)), "symbol": action.symbol}
    dates = {"process_date": on, "ex_date": on, "record_date": on, "payable_date": on}
    match action:
        case Split() if action.new_shares > action.old_shares:
            rates = {"new_rate": float(action.new_shares), "old_rate": float(action.old_shares)}
            return "forward_splits", row | {"cusip": _NO_CUSIP} | rates | dates
        case Split():
            rates = {"new_rate": float(action.new_shares), "old_rate": float(action.old_shares)}
            return "reverse_splits", row | {"old_cusip": _NO_CUSIP, "new_cusip": _NO_CUSIP} | rates | dates
        case CashDividend():
            rate = {"rate": float(action.amount_usd), "special": False, "foreign": False}
            return "cash_dividends", row | {"cusip": _NO_CUSIP} | rate | dates
    return None


def _words(query: Query, name: str) -> frozenset[str] | None:
    text = query.text(name)
    return None if text is None else frozenset(word.strip() for word in text.split(","))
