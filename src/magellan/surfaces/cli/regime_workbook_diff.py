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
    """Show what differs between two regime workbooks, by what they mean.

    Also where findings refuse one of them: a value that cannot be read is
    shown as it stands there, marked `(refused)`; one that is not said, or
    under a name that nobody knows, counts as its default.
    """
    from magellan.surfaces.cli.output import emit
    from magellan.usecases.regime_workbooks import compare_workbooks
    from magellan.wiring.market import workbook_files

    compared = compare_workbooks(before, after, workbook_files())
    emit(
        {
            "before": before,
            "after": after,
            "differences": compared.differences,
            "before_refused_by": compared.before.refusing,
            "after_refused_by": compared.after.refusing,
        },
        as_json=as_json,
        human=lambda: _show(compared, before, after),
    )


def _show(compared: ComparedWorkbooks, before: Path, after: Path) -> None:
    from magellan.surfaces.cli.output import print_table, say

    if compared.differences:
        print_table(
            ("sheet", "what", before.name, after.name, "read by the model"),
            [
                (each.sheet, each.what, each.before, each.after, "yes" if each.is_used else "no")
                for each in compared.differences
            ],
        )
    else:
        say(f"{before.name} and {after.name} say the same")
    for path, checked in ((before, compared.before), (after, compared.after)):
        if not checked.is_usable:
            say(f"{path} cannot be used: {checked.refusing} refuse it; magellan regime workbook check {path}")
