"""What the commands on regime workbooks share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from magellan.regime.workbook.finding import Finding
    from magellan.regime.workbook.model_values import Accounting

WorkbookArgument = Annotated[Path, typer.Argument(metavar="WORKBOOK", help="A file: .xlsx, .toml or .json.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")]
PLACES_SHOWN = 3


def show_findings(findings: Sequence[Finding], *, every: bool) -> None:
    """Findings by kind, those that refuse first. every: each with its own line, not the first places of a kind."""
    from magellan.regime.workbook.finding_kinds import KINDS
    from magellan.surfaces.cli.output import print_table

    if every:
        rows = [
            (each.severity.value, each.place, each.found, each.expected, each.why, each.fix)
            for each in findings
        ]
        print_table(("", "where", "found", "expected", "why", "fix"), rows)
        return
    kinds = list(dict.fromkeys(each.kind for each in findings))
    by_kind = [[each for each in findings if each.kind == kind] for kind in kinds]
    print_table(
        ("", "what", "number", "where", "found", "fix"),
        [
            (of[0].severity.value, KINDS[kind].title, len(of), _places(of), of[0].found, of[0].fix)
            for kind, of in zip(kinds, by_kind, strict=True)
        ],
        numbers=("number",),
    )


def used_and_unused(fields: Accounting) -> str:
    """Both counts, in a sentence."""
    return f"{fields.used} parameters and columns are read by the model, {fields.unused} are declared unused"


def _places(findings: Sequence[Finding]) -> str:
    places = [each.place for each in findings]
    more = f" and {len(places) - PLACES_SHOWN} more" if len(places) > PLACES_SHOWN else ""
    return ", ".join(places[:PLACES_SHOWN]) + more
