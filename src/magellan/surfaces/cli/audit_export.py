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
    opened_ledger,
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


class Format(StrEnum):
    """How it is written."""

    CSV = "csv"
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
    """Write trades, orders, executions or decisions to a file: CSV, JSON Lines or Parquet.

    Numbers keep every digit. `entries` writes the ledger's own lines, always
    whole and as JSON Lines: each line's SHA-256 stands in the next one, so that
    the copy can be checked anywhere.
    """
    from magellan.surfaces.cli.output import emit, note
    from magellan.usecases.ledger_export import exported
    from magellan.usecases.ledger_queries import the_account
    from magellan.wiring import row_form, write_file

    chosen = _format(what, to, format)
    if what is What.ENTRIES and (first_on, last_on, symbol, strategy, outcome) != (None,) * 5:
        raise typer.BadParameter("entries are exported whole: a part of a chain cannot be checked")
    wanted = wanted_rows(first_on, last_on, symbol, strategy, outcome)
    if to is None and (as_json or (chosen is Format.PARQUET and sys.stdout.isatty())):
        raise typer.BadParameter("name a file with --out")
    with opened_ledger(workspace) as ledger:
        content, rows = exported(ledger, the_account(ledger, account), what, row_form(chosen), wanted)
    if to is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        return
    write_file(to, content, kept="the ledger, as it is")
    emit(
        {"file": to, "format": chosen, "rows": rows, "bytes": len(content)},
        as_json=as_json,
        human=lambda: note(f"{rows:,} {what} in {to}"),
    )


def _format(what: What, to: Path | None, given: Format | None) -> Format:
    if what is What.ENTRIES:
        if given not in (None, Format.JSONL):
            raise typer.BadParameter("entries are exported as jsonl, the very lines that were hashed")
        return Format.JSONL
    if given is not None:
        return given
    if to is None:
        return Format.CSV
    ending = to.suffix.removeprefix(".")
    if ending not in set(Format):
        raise typer.BadParameter(f"the name {to} ends with none of {', '.join(Format)}: say --format")
    return Format(ending)
