"""A workbook as cells to be written: every sheet with its settings and tables, and what may stand where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from magellan.regime.workbook.reading import WorkbookValues, settings_title
from magellan.regime.workbook.schema import Field, Scalar, Sheet
from magellan.regime.workbook.sheets import SHEETS
from magellan.regime.workbook.values import shown, written

HEADINGS = ("Parameter", "Value", "Unit", "Allowed", "Default", "Used", "Meaning")
SPARE_ROWS = 100
"""Below a table, in which rows can be added."""


class Look(Enum):
    """How a cell looks, and whether it is there to be changed."""

    TITLE = "title"
    HEADING = "heading"
    LABEL = "label"
    NOTE = "note"
    VALUE = "value"  # the only one that is not protected
    UNUSED_VALUE = "unused value"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenCell:
    """One cell. row, column: counted from 0."""

    row: int
    column: int
    value: Scalar
    look: Look
    field: Field | None = None  # of a value: what may stand there
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenSheet:
    """One sheet."""

    name: str
    cells: tuple[WrittenCell, ...]

    @property
    def spare(self) -> tuple[int, int, int, int] | None:
        """The cells below the last table, in which rows can be added: first row and column, last row and column."""
        if not self.cells or self.cells[-1].look not in (Look.VALUE, Look.UNUSED_VALUE):
            return None
        last = self.cells[-1]
        return last.row + 1, 0, last.row + SPARE_ROWS, last.column


def written_sheets(values: WorkbookValues) -> tuple[WrittenSheet, ...]:
    """The cells of all sheets."""
    return tuple(WrittenSheet(name=sheet.name, cells=tuple(_cells(sheet, values))) for sheet in SHEETS)


def _cells(sheet: Sheet, values: WorkbookValues) -> Iterator[WrittenCell]:
    yield WrittenCell(row=0, column=0, value=sheet.about, look=Look.TITLE)
    at = 2
    if sheet.settings is not None:
        if sheet.tables:
            yield WrittenCell(row=at, column=0, value=settings_title(sheet), look=Look.TITLE)
            at += 1
        yield from _header(at, HEADINGS)
        for field in sheet.parameters:
            at += 1
            yield from _setting(at, sheet, field, written(values.settings[sheet.name][field.name]))
        at += 2
    for table in sheet.tables:
        yield WrittenCell(row=at, column=0, value=table.title, look=Look.TITLE)
        at += 1
        for column, field in enumerate(table.columns):
            yield WrittenCell(
                row=at, column=column, value=field.name, look=Look.HEADING, comment=_comment(sheet, field)
            )
        rows = values.tables[sheet.name][table.name]
        for row in rows:
            at += 1
            for column, field in enumerate(table.columns):
                yield WrittenCell(
                    row=at, column=column, value=written(row[field.name]), look=_look(field), field=field
                )
        at += 3


def _header(at: int, headings: tuple[str, ...]) -> Iterator[WrittenCell]:
    for column, heading in enumerate(headings):
        yield WrittenCell(row=at, column=column, value=heading, look=Look.HEADING)


def _setting(at: int, sheet: Sheet, field: Field, value: Scalar) -> Iterator[WrittenCell]:
    yield WrittenCell(row=at, column=0, value=field.name, look=Look.LABEL)
    yield WrittenCell(
        row=at, column=1, value=value, look=_look(field), field=field, comment=_comment(sheet, field)
    )
    notes = (
        field.unit,
        field.allowed,
        shown(field.default),
        "yes" if field.reads else f"no: {sheet.unused}",
        field.meaning,
    )
    for column, note in enumerate(notes, 2):
        yield WrittenCell(row=at, column=column, value=note, look=Look.NOTE)


def _comment(sheet: Sheet, field: Field) -> str:
    unit = f" In {field.unit}." if field.unit else ""
    used = f"Read as {field.reads}." if field.reads else f"Nothing reads it: {sheet.unused}."
    return f"{field.meaning}{unit} Allowed: {field.allowed}. {used}"


def _look(field: Field) -> Look:
    return Look.VALUE if field.reads else Look.UNUSED_VALUE
