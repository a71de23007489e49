"""`magellan regime workbook import`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption
from magellan.surfaces.cli.regime_workbook_options import OverwriteOption, show_findings

if TYPE_CHECKING:
    from magellan.usecases.regime_workbooks import ImportedWorkbook


def regime_workbook_import(
    workbook: Annotated[
        Path,
        typer.Argument(
            metavar="WORKBOOK",
            help="A strategy workbook of version 4.0.0, or the portfolio workbook beside it.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="What to write: .xlsx, .toml or .json.")],
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Turn a workbook of version 4.0.0 into one of ours, and name everything that was dropped.

    What contradicts itself there still does afterwards: the check of the new
    workbook says where. Ends with 1 as long as something refuses it.
    """
    from magellan.surfaces.cli.output import emit
    from magellan.usecases.regime_workbooks import import_workbook
    from magellan.wiring.market import workbook_files

    imported = import_workbook(workbook, out, workbook_files(), overwrite=overwrite)
    emit(
        {
            "read_from": imported.read_from,
            "written_to": imported.written_to,
            "taken": imported.taken,
            "dropped": imported.dropped,
            "to_know": imported.to_know,
            "findings_before": len(imported.before),
            "findings": imported.after,
            "usable": imported.is_usable,
        },
        as_json=as_json,
        human=lambda: _show(imported),
    )
    if not imported.is_usable:
        raise typer.Exit(1)


def _show(imported: ImportedWorkbook) -> None:
    from magellan.surfaces.cli.output import print_table, say

    print_table(
        ("sheet", "cell", "dropped", "why"),
        [(each.sheet, each.cell, each.what, each.why) for each in imported.dropped],
    )
    if imported.to_know:
        print_table(
            ("sheet", "cell", "taken", "to know"),
            [(each.sheet, each.cell, each.what, each.why) for each in imported.to_know],
        )
    if imported.after:
        show_findings(imported.after, every=False)
    say(
        f"{imported.written_to}: {imported.taken} values taken, {len(imported.dropped)} things dropped, "
        f"{len(imported.before)} findings before and {len(imported.after)} now"
    )
