"""Find settings and tables in a sheet, wherever they stand: under a banner, below each other, with other columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from magellan.regime.workbook.located import (
    FoundSheet,
    FoundTable,
    FoundWorkbook,
    Grid,
    Located,
    Row,
    Setting,
    column_letters,
)
from magellan.regime.workbook.schema import Sheet, Table
from magellan.regime.workbook.sheets import SHEET_OF, SHEETS

_NAME_HEADINGS = frozenset({"Parameter", "Property", "Option"})
_VALUE_HEADING = "Value"
_BESIDE = frozenset({"Default", "Min", "Max", "Options"})  # what version 4.0.0 says beside a value


def lay_out(
    grids: Mapping[str, Grid],
    *,
    file: str,
    formulas: Sequence[tuple[str, str]] = (),
    hidden: Sequence[tuple[str, str]] = (),
) -> FoundWorkbook:
    """What stands in the sheets of a spreadsheet. grids: {sheet: cells}; formulas, hidden: see `FoundWorkbook`."""
    return FoundWorkbook(
        file=file,
        sheets={sheet.name: _found(sheet, grids[sheet.name]) for sheet in SHEETS if sheet.name in grids},
        unknown_sheets=tuple(name for name in grids if name not in SHEET_OF),
        grids=grids,
        formulas=tuple(formulas),
        hidden=tuple(hidden),
    )


def _found(sheet: Sheet, grid: Grid) -> FoundSheet:
    """grid: every row as long as the longest."""
    found = FoundSheet(name=sheet.name, has_header=False)
    headings: dict[int, str] | None = None  # {column: heading} of what is being read; None between tables
    table: FoundTable | None = None  # None while settings are read
    known = [(each, _names(each)) for each in sheet.tables]
    keys = {table.key for table in sheet.tables} | _NAME_HEADINGS
    letters = [column_letters(column) for column in range(max(map(len, grid), default=0))]
    for at, cells in enumerate(grid):
        number = str(at + 1)
        blanks = cells.count("")
        if blanks == len(cells):
            # A blank row ends settings and tables only where a title or a header follows, which both end them anyway:
            # somebody may leave a row empty for the eye.
            continue
        if not keys.isdisjoint(cells):
            texts = {column: str(value).strip() for column, value in enumerate(cells) if value != ""}
            if texts.get(0) in _NAME_HEADINGS and texts.get(1) == _VALUE_HEADING:
                headings, table = {at: text for at, text in texts.items() if text in _BESIDE}, None
                found.has_header = True
                continue
            header = _header(texts, known)
            if header is not None:
                headings = texts
                table = FoundTable(
                    name=header.name,
                    headings={
                        text: Located(text, letters[column] + number) for column, text in texts.items()
                    },
                )
                found.tables[header.name] = table
                continue
        if blanks == len(cells) - 1 and cells[0] != "":  # a banner, a title, a line of text: it has no value
            headings, table = None, None
        if headings is None:
            first = next(column for column, value in enumerate(cells) if value != "")
            found.outside.append(Located(str(cells[first]).strip(), letters[first] + number))
            continue
        row: Row = {
            heading: Located(cells[column], letters[column] + number) for column, heading in headings.items()
        }
        if table is not None:
            table.rows.append(row)
        else:
            name = cells[0].strip() if isinstance(cells[0], str) else str(Located(cells[0], ""))
            setting = Setting(Located(name, "A" + number), Located(cells[1], "B" + number), row)
            if name in found.settings:
                found.repeated.append(setting)
            else:
                found.settings[name] = setting
    return found


def _header(texts: dict[int, str], known: list[tuple[Table, frozenset[str]]]) -> Table | None:
    """The table whose header this row is: it has the table's key, and at least half of it is known."""
    there = set(texts.values())
    for table, names in known:
        if table.key in there and 2 * len(there & names) >= len(there) and len(there) > 1:
            return table
    return None


def _names(table: Table) -> frozenset[str]:
    return frozenset({each.name for each in table.columns} | set(table.dropped_columns))
