"""`magellan regime workbook check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption
from magellan.surfaces.cli.regime_workbook_options import WorkbookArgument, show_findings, used_and_unused

if TYPE_CHECKING:
    from magellan.regime.workbook.report import Checked


def regime_workbook_check(
    workbook: WorkbookArgument,
    every: Annotated[bool, typer.Option("--every", help="Show every finding in a line of its own.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check a regime workbook: every mistake with its sheet and cell, what was found, and how it is mended.

    Ends with 1 where something refuses it. Warnings leave it usable. A
    workbook of version 4.0.0 is checked as it is, and has to be imported
    before it can be used.
    """
    from magellan.surfaces.cli.output import emit
    from magellan.usecases.regime_workbooks import check_workbook
    from magellan.wiring.market import workbook_files

    checked = check_workbook(workbook, workbook_files())
    document = {
        "file": checked.file,
        "layout": checked.layout,
        "usable": checked.is_usable,
        "used": checked.fields.used,
        "unused": checked.fields.unused,
        "findings": checked.findings,
    }
    emit(document, as_json=as_json, human=lambda: _show(checked, every=every))
    if not checked.is_usable:
        raise typer.Exit(1)


def _show(checked: Checked, *, every: bool) -> None:
    from magellan.surfaces.cli.output import say

    if checked.findings:
        show_findings(checked.findings, every=every)
    verdict = "can be used" if checked.is_usable else "cannot be used"
    say(
        f"{checked.file} {verdict}: {checked.refusing} refuse it, {len(checked.findings) - checked.refusing} warn"
    )
    say(used_and_unused(checked.fields))
