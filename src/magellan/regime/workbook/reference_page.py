"""The page of the reference that lists every sheet, parameter and column."""

from __future__ import annotations

from collections.abc import Iterator

from magellan.regime.workbook.finding_kinds import KINDS
from magellan.regime.workbook.model_values import accounting
from magellan.regime.workbook.schema import Field, Sheet
from magellan.regime.workbook.sheets import SHEETS
from magellan.regime.workbook.values import shown


def reference_page() -> str:
    """Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    fields = accounting()
    yield "# Regime workbook"
    yield ""
    yield (
        f"{len(SHEETS)} sheets. {fields.used} parameters and columns are read by the model, {fields.unused} are "
        "declared unused: they are checked, compared and kept, and change nothing. How to work with it is in "
        "[the guide](../guides/regime-workbook.md)."
    )
    for sheet in SHEETS:
        yield from _sheet(sheet)
    yield ""
    yield "## Findings"
    yield ""
    yield "| finding | severity | what | why it matters | what to do |"
    yield "|---|---|---|---|---|"
    for name, kind in KINDS.items():
        yield f"| `{name}` | {kind.severity.value} | {kind.title} | {kind.why} | {kind.fix} |"


def _sheet(sheet: Sheet) -> Iterator[str]:
    yield ""
    yield f"## {sheet.name}"
    yield ""
    yield sheet.about
    if sheet.unused:
        yield ""
        yield f"What is not read: {sheet.unused}."
    if sheet.parameters:
        yield ""
        yield "| parameter | default | allowed | unit | read as | meaning |"
        yield "|---|---|---|---|---|---|"
        for field in sheet.parameters:
            yield _row(field, shown(field.default))
    for table in sheet.tables:
        yield ""
        yield f"{table.title}: the table `{table.name}`, one row for each `{table.key}`."
        yield ""
        yield "| column | allowed | unit | read as | meaning |"
        yield "|---|---|---|---|---|"
        for field in table.columns:
            yield _row(field, None)


def _row(field: Field, default: str | None) -> str:
    read_as = f"`{field.reads}`" if field.reads else "-"
    cells = [f"`{field.name}`", default, field.allowed, field.unit, read_as, field.meaning]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells if cell is not None) + " |"
