"""`magellan audit list`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magellan.surfaces.cli.audit_options import opened_ledger
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from magellan.usecases.ledger_queries import AccountLine


def audit_list(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show the accounts of the ledger: entries, who writes now, what our book holds.

    Positions are those of our own book, by its newest entry; they are as old
    as that entry.
    """
    from magellan.surfaces.cli.output import emit
    from magellan.usecases.ledger_queries import account_lines

    with opened_ledger(workspace) as ledger:
        lines = account_lines(ledger)
    emit(lines, as_json=as_json, human=lambda: _show(lines))


def _show(lines: tuple[AccountLine, ...]) -> None:
    from magellan.surfaces.cli.output import print_table, say

    if not lines:
        say("the ledger is empty; it fills when a strategy runs")
        return
    print_table(
        (
            "account",
            "entries",
            "newest",
            "written by",
            "positions",
            "open orders",
            "unresolved",
            "stopped by",
        ),
        [
            (
                line.account,
                f"{line.head.number:,}",
                None if line.last_at is None else f"{line.last_at:%Y-%m-%d %H:%M:%S}Z",
                line.holder and f"{line.holder.host}, process {line.holder.pid}",
                ", ".join(f"{symbol} {quantity:f}" for symbol, quantity in line.positions.items()) or "flat",
                line.open_orders,
                line.unresolved_intents,
                ", ".join((*line.tripped_breakers, *(["halt"] if line.is_halted else []))) or None,
            )
            for line in lines
        ],
        numbers=("entries", "open orders", "unresolved"),
    )
