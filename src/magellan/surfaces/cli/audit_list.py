"""`magellan audit list`."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.audit_options import opened_records
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from magellan.usecases.audit import ChangeRow
    from magellan.usecases.ledger_queries import AccountLine


def audit_list(
    last: Annotated[int, typer.Option("--last", min=0, help="So many of the newest changes.")] = 10,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the accounts of the ledger, and the newest changes: deployments, roll-backs, rotations, restores.

    Positions are those of our own book, by its newest entry; they are as old
    as that entry.
    """
    from magellan.surfaces.cli.output import emit
    from magellan.usecases.audit import change_rows
    from magellan.usecases.ledger_queries import account_lines

    with opened_records(workspace) as records:
        accounts = account_lines(records.ledger)
        changes = tuple(deque(change_rows(records.changes), maxlen=last))
    emit(
        {"accounts": accounts, "changes": changes},
        as_json=as_json,
        human=lambda: _show(accounts, changes),
    )


def _show(accounts: Sequence[AccountLine], changes: Sequence[ChangeRow]) -> None:
    from magellan.surfaces.cli.output import print_table, say

    if not accounts:
        say("the ledger is empty; it fills when a strategy runs")
    else:
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
                    ", ".join(f"{symbol} {quantity:f}" for symbol, quantity in line.positions.items())
                    or "flat",
                    line.open_orders,
                    line.unresolved_intents,
                    ", ".join((*line.tripped_breakers, *(["halt"] if line.is_halted else []))) or None,
                )
                for line in accounts
            ],
            numbers=("entries", "open orders", "unresolved"),
        )
    if changes:
        show_changes(changes)


def show_changes(changes: Sequence[ChangeRow]) -> None:
    """A table of changes."""
    from magellan.surfaces.cli.output import print_table

    print_table(
        ("change", "at", "who", "what", "of", "where", "result", "release", "why"),
        [
            (
                f"{each.number:,}",
                f"{each.at:%Y-%m-%d %H:%M:%S}Z",
                each.person,
                each.action,
                each.subject,
                each.where,
                f"{each.result}: {each.note}" if each.note else each.result,
                None if each.release is None else each.release[:12],
                each.why,
            )
            for each in changes
        ],
        numbers=("change",),
    )
