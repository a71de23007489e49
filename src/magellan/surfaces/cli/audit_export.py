"""`magellan audit export`."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from magellan.surfaces.cli.audit_options import (
    AccountOption,
    FromOption,
    OutcomeOption,
    StrategyOption,
    SymbolOption,
    ToOption,
    opened_records,
    wanted_rows,
)
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption


class What(StrEnum):
    """What can be exported."""

    TRADES = "trades"
    ORDERS = "orders"
    EXECUTIONS = "executions"
    DECISIONS = "decisions"
    ENTRIES = "entries"
    CHANGES = "changes"


class Format(StrEnum):
    """How it is written."""

    CSV = "csv"
    MD = "md"
    JSONL = "jsonl"
    PARQUET = "parquet"


def audit_export(
    what: Annotated[What, typer.Argument(help="Which rows.")],
    to: Annotated[Path | None, typer.Option("--out", help="The file; without it, standard output.")] = None,
    format: Annotated[
        Format | None, typer.Option("--format", help="By default what the file's name ends with, or csv.")
    ] = None,
    first_on: FromOption = None,
    last_on: ToOption = None,
    symbol: SymbolOption = None,
    strategy: StrategyOption = None,
    outcome: OutcomeOption = None,
    account: AccountOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write trades, orders, executions, decisions or changes to a file: CSV, Markdown, JSON Lines or Parquet.

    Numbers keep every digit. `entries` writes the ledger's own lines, and
    `changes` as JSON Lines those of the log of changes, always whole: each
    line's SHA-256 stands in the next one, so that the copy can be checked
    anywhere, with the program that `magellan audit script` writes.
    """
    from magellan.surfaces.cli.output import emit, note
    from magellan.usecases.ledger_export import exported, exported_changes
    from magellan.usecases.ledger_queries import the_account
    from magellan.wiring.research import row_form, write_file

    chosen = _format(what, to, format)
    given = (first_on, last_on, symbol, strategy, outcome)
    if (what is What.ENTRIES or (what is What.CHANGES and chosen is Format.JSONL)) and given != (None,) * 5:
        raise typer.BadParameter(f"{what} are exported whole: a part of a chain cannot be checked")
    if what is What.CHANGES and (account, *given[2:]) != (None,) * 4:
        raise typer.BadParameter("changes are chosen by date alone")
    wanted = wanted_rows(first_on, last_on, symbol, strategy, outcome)
    if to is None and (as_json or (chosen is Format.PARQUET and sys.stdout.isatty())):
        raise typer.BadParameter("name a file with --out")
    with opened_records(workspace) as records:
        if what is What.CHANGES:
            whole = chosen is Format.JSONL
            content, rows = exported_changes(records.changes, None if whole else row_form(chosen), wanted)
        else:
            ledger = records.ledger
            content, rows = exported(ledger, the_account(ledger, account), what, row_form(chosen), wanted)
    if to is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        return
    write_file(to, content, kept="what is recorded, as it is")
    emit(
        {"file": to, "format": chosen, "rows": rows, "bytes": len(content)},
        as_json=as_json,
        human=lambda: note(f"{rows:,} {what} in {to}"),
    )


def _format(what: What, to: Path | None, given: Format | None) -> Format:
    ending = "" if to is None else to.suffix.removeprefix(".")
    if what is What.ENTRIES:
        asked = given or (Format(ending) if ending in set(Format) else Format.JSONL)
        if asked is not Format.JSONL:
            raise typer.BadParameter(
                "entries are exported as jsonl, the very lines that were hashed: name the file so"
            )
        return Format.JSONL
    if given is not None:
        return given
    if to is None:
        return Format.CSV
    if ending not in set(Format):
        raise typer.BadParameter(f"the name {to} ends with none of {', '.join(Format)}: say --format")
    return Format(ending)
