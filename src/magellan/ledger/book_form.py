"""A book as text, and back: what stands now in the first line, then a line for each order, execution and closed trade.

What is read back gives the same answers to everything, and goes on in the same way. Orders that are over, executions
and closed trades stay lines until somebody asks for one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final

import orjson

from magellan.ledger.book import AccountMark, Book, DayResult, Halt, RunningSession, TrippedBreaker
from magellan.ledger.entries import AccountMarked, Reconciliation, TradeClosed, TradeOpened
from magellan.ledger.json_form import json_bytes, payload_from, value_from
from magellan.ledger.order_record import OrderRecord
from magellan.ledger.position import Position
from magellan.ledger.shelf import Row, Shelf, lines_of
from magellan.ledger.trade import Trade
from magellan.ledger.trade_record import TradeRecord
from magellan.trading.order import Execution

# What is kept as it stands, by the type that it is read back as.
_PLAIN: Final[Mapping[str, Any]] = {
    "account": str,
    "positions": dict[str, Position],
    "client_order_ids": dict[str, str],
    "early_fills": dict[str, Decimal],
    "contradictions": dict[str, str],
    "open_trades": dict[str, Trade],
    "realised_usd": dict[str, Decimal],
    "cash_flow_usd": dict[str, Decimal],
    "commission_usd": Decimal,
    "cash_moved_usd": Decimal,
    "breakers": dict[str, TrippedBreaker],
    "halt": Halt | None,
    "last_session": RunningSession | None,
    "last_mark": AccountMark | None,
    "equity_peak_usd": Decimal | None,
    "last_reconciliation": Reconciliation | None,
    "last_at": datetime | None,
}
_BY_DAY: Final[Mapping[str, Any]] = {"by_day": DayResult, "marks_by_day": AccountMarked}


def book_lines(book: Book) -> Iterator[bytes]:
    """The book as lines, none of which holds a line break."""
    yield json_bytes(
        {
            **{name: getattr(book, name) for name in _PLAIN},
            **{name: [[on, value] for on, value in getattr(book, name).items()] for name in _BY_DAY},
            "counted_once": sorted(book.counted_once),
            "work_done": sorted([name, on] for name, on in book.work_done),
            "unrecorded": [[payload.kind, payload.version, payload] for payload in book.unrecorded.values()],
            "orders": list(book.orders),
            "not_over": [order.client_order_id for order in (*book.open_orders, *book.unresolved_intents)],
            "executions": list(book.executions),
            "closed_trades": len(book.closed_trades),
        }
    )
    yield from lines_of(book.orders, json_bytes)
    yield from lines_of(book.executions, json_bytes)
    yield from lines_of(book.closed_trades, json_bytes)


def book_from(lines: Iterator[bytes]) -> Book:
    """The book that `book_lines` wrote; takes no more lines than it wrote. Raises UnreadableRecord."""
    told = orjson.loads(next(lines))
    orders: Shelf[OrderRecord] = Shelf(
        [(name, next(lines)) for name in told["orders"]], partial(_read, OrderRecord)
    )
    executions: Shelf[Execution] = Shelf(
        [(name, next(lines)) for name in told["executions"]], partial(_read, Execution)
    )
    for name in told["not_over"]:
        orders[name]  # read: what is open is found among those at hand
    unrecorded: dict[tuple[str, str], TradeOpened | TradeClosed] = {}
    for kind, version, stored in told["unrecorded"]:
        payload = payload_from(kind, version, stored)
        assert isinstance(payload, TradeOpened | TradeClosed), f"a {kind} is no record of a trade"
        unrecorded[payload.record.trade_id, kind] = payload
    plain: dict[str, Any] = {name: value_from(hint, told[name]) for name, hint in _PLAIN.items()}
    by_day: dict[str, Any] = {
        name: {date.fromisoformat(on): value_from(hint, value) for on, value in told[name]}
        for name, hint in _BY_DAY.items()
    }
    return Book(
        **plain,
        **by_day,
        counted_once=set(told["counted_once"]),
        work_done={(name, date.fromisoformat(on)) for name, on in told["work_done"]},
        unrecorded=unrecorded,
        orders=orders,
        executions=executions,
        closed_trades=Row([next(lines) for _ in range(told["closed_trades"])], partial(_read, TradeRecord)),
    )


def _read(cls: type, line: bytes) -> Any:
    return value_from(cls, orjson.loads(line))
