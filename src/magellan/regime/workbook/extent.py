"""How much a workbook may say. Some checks compare rows with rows, so what they are given has to end somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from magellan.regime.workbook.finding import Finding, finding
from magellan.regime.workbook.located import FoundSheet, FoundTable, FoundWorkbook

ROWS_MAX: Final = 500  # of a table; settings of a sheet
UNKNOWN_MAX: Final = 200  # sheets, and columns of a table, whose names nobody knows
_FEWER: Final = {("RegimeClassification", "regimes"): 60}  # the axes have 45 combinations of classes


def cut_to_extent(found: FoundWorkbook) -> tuple[Finding, ...]:
    """Take away what is beyond it, with a finding that refuses for each place."""
    return tuple(_cut(found))


def _cut(found: FoundWorkbook) -> Iterator[Finding]:
    if len(found.unknown_sheets) > UNKNOWN_MAX:
        first = found.unknown_sheets[UNKNOWN_MAX]
        yield _too_many(found, first, "", f"{len(found.unknown_sheets):,} unknown sheets", UNKNOWN_MAX)
        found.unknown_sheets = found.unknown_sheets[:UNKNOWN_MAX]
    for sheet in found.sheets.values():
        if len(sheet.settings) > ROWS_MAX:
            names = list(sheet.settings)
            cell = sheet.settings[names[ROWS_MAX]].name.cell
            yield _too_many(found, sheet.name, cell, f"{len(names):,} parameters", ROWS_MAX)
            sheet.settings = {name: sheet.settings[name] for name in names[:ROWS_MAX]}
        for what in ("repeated", "outside"):
            del getattr(sheet, what)[ROWS_MAX:]
        for table in sheet.tables.values():
            yield from _cut_table(found, sheet, table)


def _cut_table(found: FoundWorkbook, sheet: FoundSheet, table: FoundTable) -> Iterator[Finding]:
    if len(table.headings) > UNKNOWN_MAX:
        cell = list(table.headings.values())[UNKNOWN_MAX].cell
        yield _too_many(found, sheet.name, cell, f"{len(table.headings):,} columns", UNKNOWN_MAX)
        table.headings = dict(list(table.headings.items())[:UNKNOWN_MAX])
    most = _FEWER.get((sheet.name, table.name), ROWS_MAX)
    if len(table.rows) > most:
        cell = next(iter(table.rows[most].values())).cell
        yield _too_many(found, sheet.name, cell, f"{len(table.rows):,} rows", most)
        del table.rows[most:]


def _too_many(found: FoundWorkbook, sheet: str, cell: str, what: str, most: int) -> Finding:
    return finding(
        "too-many", file=found.file, sheet=sheet, cell=cell, found=what, expected=f"{most} at most"
    )
