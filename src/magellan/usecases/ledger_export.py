"""Export: rows of a ledger, or of the log of changes, as the content of a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from magellan.ledger.trade_record import TradeRecord
from magellan.ports.change_log import ChangeLog
from magellan.ports.ledger import Ledger
from magellan.usecases.audit import ChangeRow, change_rows
from magellan.usecases.ledger_queries import (
    DecisionRow,
    ExecutionRow,
    OrderRow,
    Wanted,
    decisions,
    executions,
    orders,
    trades,
)

Form = Callable[[type, Sequence[object]], bytes]

_TABLES: Final[Mapping[str, tuple[type, Callable[[Ledger, str, Wanted], Sequence[object]]]]] = (
    MappingProxyType(
        {
            "trades": (TradeRecord, trades),
            "orders": (OrderRow, orders),
            "executions": (ExecutionRow, executions),
            "decisions": (DecisionRow, decisions),
        }
    )
)


def exported(ledger: Ledger, account: str, what: str, form: Form, wanted: Wanted) -> tuple[bytes, int]:
    """The content of a file, and how many rows it has.

    what: trades, orders, executions, decisions; or entries, which are the ledger's own lines whatever the form.
    """
    if what == "entries":
        lines = list(ledger.lines(account))
        return b"".join(line + b"\n" for line in lines), len(lines)
    row_type, ask = _TABLES[what]
    rows = ask(ledger, account, wanted)
    return form(row_type, rows), len(rows)


def exported_changes(changes: ChangeLog, form: Form | None, wanted: Wanted) -> tuple[bytes, int]:
    """The same for the log of changes. form: None: its own lines, whole."""
    if form is None:
        lines = list(changes.lines())
        return b"".join(line + b"\n" for line in lines), len(lines)
    rows = tuple(change_rows(changes, wanted))
    return form(ChangeRow, rows), len(rows)
