"""`magellan regime workbook diff`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption

if TYPE_CHECKING:
    from magellan.usecases.regime_workbooks import ComparedWorkbooks


def regime_workbook_diff(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="A file: .xlsx, .toml or .json.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="Another, in the same form or not.")],
    as_json: JsonOption = False,
) -> None:
    """Show what differs between two regime workbooks, by what they mean."""
    from magellan.surfaces.cli.output import emit
    from magellan.usecases.regime_workbooks import compare_workbooks
    from magellan.wiring.market import workbook_files

    compared = compare_workbooks(before, after, workbook_files())
    emit(
        {"before": before, "after": after, "differences": compared.differences},
        as_json=as_json,
        human=lambda: _show(compared, before.name, after.name),
    )


def _show(compared: ComparedWorkbooks, before: str, after: str) -> None:
    from magellan.surfaces.cli.output import print_table, say

    if not compared.differences:
        say(f"{before} and {after} say the same")
        return
    print_table(
        ("sheet", "what", before, after, "read by the model"),
        [
            (each.sheet, each.what, each.before, each.after, "yes" if each.is_used else "no")
            for each in compared.differences
        ],
    )
