"""What a session remembers as text, and back: the body of a bookmark of the account's ledger.

First the book (`ledger/book_form.py`), then one line with the switch, the breakers and what stands now, then a line for
each plan and each of our orders. What is read back goes on as a fold of the whole ledger would. Plans and orders that
are over stay lines until somebody asks for one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import Any, Final, get_type_hints

import orjson

from magellan.engine.our_order import OurOrder
from magellan.engine.plan_state import PlanState
from magellan.engine.safety import Safety
from magellan.engine.state import State
from magellan.ledger.book import Book
from magellan.ledger.book_form import book_from, book_lines
from magellan.ledger.entries import TradePlanned
from magellan.ledger.json_form import json_bytes, value_from
from magellan.ledger.shelf import Shelf, lines_of
from magellan.risk.breakers import Breakers, Trip
from magellan.risk.kill_switch import KillSwitch
from magellan.trading.trade_terms import TradeMarks

# No limit counts the entries sent further back than some minutes; what was sent before that is left out.
_SENT_LATELY: Final = timedelta(days=1)

_COUNTED: Final = {name: hint for name, hint in get_type_hints(Breakers).items() if name != "trips"}
_STANDS: Final[dict[str, Any]] = {
    "active": dict[str, list[str]],
    "decided_ns": dict[str, int],
    "left_ns": dict[str, int],
    "newest_execution_at": datetime | None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """Units of an entry, and what one of them cost."""

    units: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSold:
    """What a target of a plan has sold, and the bar (ns) of its last sale."""

    target: int
    units: Decimal
    bar_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanForm:
    """A `PlanState`, with its entries by name."""

    planned: TradePlanned
    signal_ns: int
    marks: TradeMarks | None
    entered: Decimal
    fills: tuple[Fill, ...]
    first_fill_at: datetime | None
    sold: tuple[TargetSold, ...]
    orders: tuple[str, ...]
    entries: tuple[str, ...]
    closed_at: datetime | None
    dropped: bool
    refusals: int


def session_lines(state: State, safety: Safety) -> Iterator[bytes]:
    """What the session remembers, as lines of which none holds a line break. Plans that are over are retired."""
    for symbol in list(state.active):
        state.retire(symbol)
    newest = state.book.last_at
    yield from book_lines(state.book)
    yield json_bytes(
        {
            "breakers": {name: getattr(safety.breakers, name) for name in _COUNTED},
            "trips": list(safety.breakers.trips.values()),
            "switch": safety.switch,
            **{name: getattr(state, name) for name in _STANDS},
            "unmarked": sorted(state.unmarked),
            "trades_on": list(state.trades_on.items()),
            "day_equity": [[on, repr(equity)] for on, equity in state.day_equity.items()],
            "entries_sent": [
                order.name
                for order in state.entries_sent
                if newest is None or newest - order.asked_at <= _SENT_LATELY
            ],
            "plans": list(state.plans),
            "orders": list(state.orders),
        }
    )
    yield from lines_of(state.plans, _plan_line)
    yield from lines_of(state.orders, json_bytes)


def account_from(lines: Iterator[bytes]) -> tuple[Book, Breakers, KillSwitch]:
    """The account as anybody sees it, from what `session_lines` wrote. Raises as `book_from`."""
    book = book_from(lines)
    told = orjson.loads(next(lines))
    return book, *_safety(told)


def take_up(lines: Iterator[bytes], state: State, safety: Safety) -> None:
    """Put a session that remembers nothing where the one that wrote these lines stood. Raises as `book_from`."""
    state.book = book_from(lines)
    told = orjson.loads(next(lines))
    safety.breakers, safety.switch = _safety(told)
    for name, hint in _STANDS.items():
        setattr(state, name, value_from(hint, told[name]))
    state.unmarked = set(told["unmarked"])
    state.trades_on = dict(told["trades_on"])
    state.day_equity = {date.fromisoformat(on): float(equity) for on, equity in told["day_equity"]}
    plan_lines = [(name, next(lines)) for name in told["plans"]]
    orders: Shelf[OurOrder] = Shelf(
        [(name, next(lines)) for name in told["orders"]], partial(_read, OurOrder)
    )

    def plan(line: bytes) -> PlanState:
        return _plan(_read(PlanForm, line), orders)

    state.orders = orders
    state.plans = Shelf(plan_lines, plan)
    state.entries_sent = [orders[name] for name in told["entries_sent"]]


def _safety(told: dict[str, Any]) -> tuple[Breakers, KillSwitch]:
    trips = value_from(tuple[Trip, ...], told["trips"])
    counted = {name: value_from(hint, told["breakers"][name]) for name, hint in _COUNTED.items()}
    breakers = Breakers(trips=MappingProxyType({trip.kind: trip for trip in trips}), **counted)
    return breakers, value_from(KillSwitch, told["switch"])


def _plan_line(plan: PlanState) -> bytes:
    return json_bytes(
        PlanForm(
            planned=plan.planned,
            signal_ns=plan.signal_ns,
            marks=plan.marks,
            entered=plan.entered,
            fills=tuple(Fill(units=units, price=price) for units, price in plan.fills),
            first_fill_at=plan.first_fill_at,
            sold=tuple(
                TargetSold(target=target, units=plan.sold[target], bar_ns=bar_ns)
                for target, bar_ns in plan.completed.items()
            ),
            orders=tuple(plan.orders),
            entries=tuple(order.name for order in plan.entries),
            closed_at=plan.closed_at,
            dropped=plan.dropped,
            refusals=plan.refusals,
        )
    )


def _plan(form: PlanForm, orders: Shelf[OurOrder]) -> PlanState:
    return PlanState(
        planned=form.planned,
        signal_ns=form.signal_ns,
        marks=form.marks,
        entered=form.entered,
        fills=[(each.units, each.price) for each in form.fills],
        first_fill_at=form.first_fill_at,
        sold={each.target: each.units for each in form.sold},
        completed={each.target: each.bar_ns for each in form.sold},
        orders=list(form.orders),
        entries=[orders[name] for name in form.entries],
        closed_at=form.closed_at,
        dropped=form.dropped,
        refusals=form.refusals,
    )


def _read(cls: type, line: bytes) -> Any:
    return value_from(cls, orjson.loads(line))
