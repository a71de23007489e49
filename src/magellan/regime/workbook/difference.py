"""What differs between two workbooks, by what they mean: layout, order and form do not count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from magellan.regime.workbook.reading import WorkbookValues
from magellan.regime.workbook.schema import Table, Value
from magellan.regime.workbook.sheets import SHEETS
from magellan.regime.workbook.values import Unread, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One value that is another one."""

    sheet: str
    what: str  # a parameter, or a row and its column
    before: str  # "" where it was not there
    after: str
    is_used: bool  # whether something reads it


def differences(before: WorkbookValues, after: WorkbookValues) -> tuple[Difference, ...]:
    """Every difference, in the order of the sheets."""
    return tuple(_all(before, after))


def _all(before: WorkbookValues, after: WorkbookValues) -> Iterator[Difference]:
    for sheet in SHEETS:
        for field in sheet.parameters:
            old, new = (each.settings[sheet.name][field.name] for each in (before, after))
            if old != new:
                yield Difference(
                    sheet=sheet.name, what=field.name, before=shown(old), after=shown(new), is_used=bool(field.reads)
                )  # fmt: skip
        for table in sheet.tables:
            old_rows, new_rows = (_by_key(each, sheet.name, table) for each in (before, after))
            for key in dict.fromkeys([*old_rows, *new_rows]):
                yield from _row(sheet.name, table, key, old_rows.get(key), new_rows.get(key))


def _row(
    sheet: str, table: Table, key: str, old: Mapping[str, Value] | None, new: Mapping[str, Value] | None
) -> Iterator[Difference]:
    for field in table.columns:
        # A column that is missing is refused, as a cell is in which nothing stands.
        texts = ["" if row is None else shown(row.get(field.name, Unread())) for row in (old, new)]
        if texts[0] != texts[1]:
            yield Difference(
                sheet=sheet, what=f"{table.name}: {key}, {field.name}", before=texts[0], after=texts[1],
                is_used=bool(field.reads),
            )  # fmt: skip


def _by_key(values: WorkbookValues, sheet: str, table: Table) -> dict[str, Mapping[str, Value]]:
    found: dict[str, Mapping[str, Value]] = {}
    for row in values.tables[sheet][table.name]:
        key = shown(row[table.key])
        while key in found:
            key += " (again)"
        found[key] = row
    return found
