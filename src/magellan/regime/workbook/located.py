"""A filled-in workbook as it was found: values with the places that they stand in, not yet judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

Grid = Sequence[Sequence[object]]
"""A sheet's cells, row by row from A1: text, numbers, booleans, times; "" where nothing stands."""


class Located(NamedTuple):
    """A value, and where it stands. A tuple, since a workbook has tens of thousands of them."""

    value: object
    cell: str  # "B4"; in TOML and JSON the key: "rules[3].Allowed"

    @property
    def is_blank(self) -> bool:
        """Whether nothing stands there."""
        return self.value is None or self.value == ""

    @property
    def number(self) -> float | None:
        """The value as a number, also one that stands there as text; None where it is none."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float | str):
            return None
        try:
            return float(self.value)
        except ValueError:
            return None

    @property
    def truth(self) -> bool | None:
        """The value as true or false, also as text; None where it is neither."""
        if isinstance(self.value, bool):
            return self.value
        return {"TRUE": True, "FALSE": False}.get(str(self.value).strip().upper())

    def __str__(self) -> str:
        """The value, as people would write it."""
        value = self.value
        if isinstance(value, str):
            return value.strip()
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        if isinstance(value, float):
            return f"{value:g}" if abs(value) < 1e15 else repr(value)
        return str(value).strip()


NOTHING = Located("", "")

Row = Mapping[str, Located]
"""{column: cell} of one row of a table, also of columns that nobody knows."""


class Setting(NamedTuple):
    """A row of parameter and value."""

    name: Located
    value: Located
    beside: Row  # what else stands in the row, by its heading: Default, Min, Max, Options, ...


@dataclass(slots=True, kw_only=True)
class FoundTable:
    """A table's rows."""

    name: str
    headings: Row
    rows: list[Row] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class FoundSheet:
    """A sheet's settings and tables."""

    name: str
    settings: dict[str, Setting] = field(default_factory=dict)
    repeated: list[Setting] = field(default_factory=list)  # of names that stood there before
    tables: dict[str, FoundTable] = field(default_factory=dict)
    has_header: bool = True  # above its settings; in TOML and JSON none is needed
    outside: list[Located] = field(default_factory=list)  # first cells of rows that belong to neither

    def value(self, name: str) -> Located:
        """A setting's value; `NOTHING` where it is not there."""
        found = self.settings.get(name)
        return NOTHING if found is None else found.value

    def rows(self, table: str) -> list[Row]:
        """A table's rows; none where it is not there."""
        found = self.tables.get(table)
        return [] if found is None else found.rows


@dataclass(slots=True, kw_only=True)
class FoundWorkbook:
    """All sheets that the schema knows, and the names of those that it does not."""

    file: str
    sheets: dict[str, FoundSheet]
    unknown_sheets: tuple[str, ...] = ()
    grids: Mapping[str, Grid] = field(default_factory=dict)  # empty where it was not a spreadsheet
    formulas: tuple[tuple[str, str], ...] = ()  # (sheet, cell)
    hidden: tuple[
        tuple[str, str], ...
    ] = ()  # (sheet, "4:4" or "B:B"; "" for all of it), where something stands

    def sheet(self, name: str) -> FoundSheet:
        """The sheet of that name; an empty one where it is not there."""
        return self.sheets.get(name) or FoundSheet(name=name)

    @property
    def is_version_4(self) -> bool:
        """Whether it is of the older layout, which has to be imported."""
        return str(self.sheet("TemplateMetadata").value("Template Version")).startswith("4.")

    def settings(self) -> Iterator[tuple[str, Setting]]:
        """Every row of parameter and value, with its sheet's name."""
        for sheet in self.sheets.values():
            yield from ((sheet.name, each) for each in (*sheet.settings.values(), *sheet.repeated))


def cell_name(row: int, column: int) -> str:
    """A cell's name. row, column: counted from 0; (3, 1) is "B4"."""
    return f"{column_letters(column)}{row + 1}"


@lru_cache(maxsize=1_000)
def column_letters(column: int) -> str:
    """A column's name. column: counted from 0; 27 is "AB"."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
