"""`magellan audit show`."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from magellan.surfaces.cli.audit_options import (
    AccountOption,
    FromOption,
    ToOption,
    opened_ledger,
    opened_records,
    wanted_rows,
)
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from magellan.ledger.entries import LedgerEntry
    from magellan.usecases.ledger_queries import Wanted

_CHANGES: Final = "changes"


def audit_show(
    kinds: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KIND]...", help="Only these kinds, for example execution; or changes."),
    ] = None,
    last: Annotated[int, typer.Option("--last", min=1, help="So many of the newest.")] = 20,
    first_on: FromOption = None,
    last_on: ToOption = None,
    account: AccountOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show entries of the ledger as they were written, oldest first; or, with `changes`, the log of changes."""
    from magellan.ledger.entries import PAYLOADS
    from magellan.surfaces.cli.output import emit
    from magellan.usecases.ledger_queries import entries, the_account

    wanted = wanted_rows(first_on, last_on, None, None, None)
    if kinds == [_CHANGES]:
        _show_newest_changes(workspace, wanted, last, as_json=as_json)
        return
    for kind in kinds or ():
        if kind not in PAYLOADS:
            known = ", ".join((_CHANGES, *sorted(PAYLOADS)))
            raise typer.BadParameter(f"there is no kind {kind} to show with others; there are: {known}")
    with opened_ledger(workspace) as ledger:
        found = tuple(
            deque(entries(ledger, the_account(ledger, account), wanted, kinds=kinds or None), maxlen=last)
        )
    emit([_document(entry) for entry in found], as_json=as_json, human=lambda: _show(found))


def _show_newest_changes(given: Path | None, wanted: Wanted, last: int, *, as_json: bool) -> None:
    from magellan.surfaces.cli.audit_list import show_changes
    from magellan.surfaces.cli.output import emit, say
    from magellan.usecases.audit import change_rows

    with opened_records(given) as records:
        found = tuple(deque(change_rows(records.changes, wanted), maxlen=last))
    emit(found, as_json=as_json, human=lambda: show_changes(found) if found else say("no such changes"))


def _document(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "at": entry.at,
        "account": entry.account,
        "session": entry.session,
        "kind": entry.kind,
        "payload": entry.payload,
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }


def _show(found: tuple[LedgerEntry, ...]) -> None:
    from magellan.surfaces.cli.output import jsonable, print_table, say

    if not found:
        say("no such entries")
        return
    print_table(
        ("number", "at", "kind", "what"),
        [
            (
                f"{entry.number:,}",
                f"{entry.at:%Y-%m-%d %H:%M:%S}Z",
                entry.kind,
                _words(jsonable(entry.payload)),
            )
            for entry in found
        ],
        numbers=("number",),
    )


def _words(value: Any) -> str:
    """A payload as one line: names and values, and nothing of what is missing or empty."""
    if isinstance(value, dict):
        told = ((name, _words(each)) for name, each in value.items())
        return ", ".join(f"{name} {words}" for name, words in told if words)
    if isinstance(value, list):
        return "; ".join(_words(each) for each in value)
    return "" if value is None else str(value)
