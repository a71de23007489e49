"""Read what was found: every value by its field, with a finding for each that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from magellan.regime.workbook.finding import Finding, finding
from magellan.regime.workbook.located import NOTHING, FoundSheet, FoundTable, FoundWorkbook, Located
from magellan.regime.workbook.schema import Field, Kind, Sheet, Table, Value
from magellan.regime.workbook.sheets import SHEETS
from magellan.regime.workbook.values import Refused, Unread, how_to_write, read_value, shown

HEADINGS = ("Parameter", "Value")
_NEAR_NAMES_MAX = 50  # for which is looked; whoever writes more unknown names is not misspelling


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkbookValues:
    """What a workbook says: every parameter of every sheet, and the rows of every table."""

    settings: Mapping[str, Mapping[str, Value]]  # {sheet: {parameter: value}}
    tables: Mapping[str, Mapping[str, tuple[Mapping[str, Value], ...]]]  # {sheet: {table: rows}}


def template_values() -> WorkbookValues:
    """What a fresh template says."""
    return WorkbookValues(
        settings={
            sheet.name: {each.name: _as_kind(each, each.default) for each in sheet.parameters}
            for sheet in SHEETS
        },
        tables={
            sheet.name: {table.name: _template_rows(table) for table in sheet.tables} for sheet in SHEETS
        },
    )


def _template_rows(table: Table) -> tuple[Mapping[str, Value], ...]:
    return tuple(
        {field.name: _as_kind(field, value) for field, value in zip(table.columns, row, strict=True)}
        for row in table.rows
    )


def _as_kind(field: Field, value: Value) -> Value:
    """The value as reading it would give it: equal values are then written alike, whoever said them."""
    return float(value) if field.kind is Kind.NUMBER and isinstance(value, int) else value


def read(found: FoundWorkbook) -> tuple[WorkbookValues, tuple[Finding, ...]]:
    """The values of a workbook of our layout; where one cannot be read, `Unread` and a finding that refuses."""
    reader = _Reader(found)
    return reader.values(), tuple(reader.findings)


class _Reader:
    def __init__(self, found: FoundWorkbook) -> None:
        self._found = found
        self._near_names_left = _NEAR_NAMES_MAX
        self.findings: list[Finding] = []

    def values(self) -> WorkbookValues:
        # One that is there as well cannot be meant.
        known = [sheet.name for sheet in SHEETS if sheet.name not in self._found.sheets]
        for name in self._found.unknown_sheets:
            self._add(
                "unknown-sheet",
                name,
                Located(name, ""),
                f"one of the {len(SHEETS)} sheets",
                self._meant(name, known),
            )
        for where, cell in self._found.formulas:
            self._add("formula", where, Located("a formula", cell), "a value")
        for where, cells in self._found.hidden:
            self._add("hidden", where, Located("hidden", cells), "what counts can be seen")
        settings: dict[str, dict[str, Value]] = {}
        tables: dict[str, dict[str, tuple[Mapping[str, Value], ...]]] = {}
        for sheet in SHEETS:
            there = self._found.sheets.get(sheet.name)
            if there is None:
                kind = "missing-sheet" if self._found.grids else "sheet-not-said"
                self._add(kind, sheet.name, Located("nothing", ""), sheet.about)
                there = FoundSheet(name=sheet.name)
            settings[sheet.name] = self._settings(sheet, there)
            tables[sheet.name] = {
                table.name: self._rows(sheet, table, there.tables.get(table.name)) for table in sheet.tables
            }
            for text in there.outside:
                if self._has_header(sheet, there) and not _is_title(sheet, text):
                    self._add("text-outside", sheet.name, text, "settings, tables and their titles")
        return WorkbookValues(settings=settings, tables=tables)

    def _settings(self, sheet: Sheet, there: FoundSheet) -> dict[str, Value]:
        if not self._has_header(sheet, there):
            at = next((each for each in there.outside if str(each) in HEADINGS), Located("no header", "A1"))
            self._add("missing-header", sheet.name, at, " and ".join(HEADINGS))
            return {field.name: _as_kind(field, field.default) for field in sheet.parameters}
        names = [each.name for each in sheet.parameters]
        known, moved = frozenset(names), _elsewhere(sheet)
        for name, setting in there.settings.items():
            if name not in known:
                meant = moved.get(name) or self._meant(name, names)
                self._add("unknown-parameter", sheet.name, setting.name, "a parameter of this sheet", meant)
        for setting in there.repeated:
            self._add("repeated-parameter", sheet.name, setting.name, "each parameter once")
        values: dict[str, Value] = {}
        for field in sheet.parameters:
            if field.name in there.settings:
                setting = there.settings[field.name]
                values[field.name] = self._value(sheet, field, setting.value)
                default = setting.beside.get("Default", NOTHING)
                if not default.is_blank and str(default) != shown(field.default) != "blank":
                    self._add("edited-default", sheet.name, default, f"{field.name}: {shown(field.default)}")
            else:
                values[field.name] = _as_kind(field, field.default)
                if self._found.sheets.get(sheet.name) is not None:
                    self._add(
                        "missing-parameter",
                        sheet.name,
                        Located(field.name, ""),
                        f"its row; taken: {shown(field.default)}",
                    )
        return values

    def _rows(self, sheet: Sheet, table: Table, there: FoundTable | None) -> tuple[Mapping[str, Value], ...]:
        if there is None:
            if sheet.name in self._found.sheets:
                self._add("missing-table", sheet.name, Located(table.title, ""), f"a header with {table.key}")
            return _template_rows(table)
        names = [each.name for each in table.columns]
        for heading, cell in there.headings.items():
            if heading not in names:
                self._add(
                    "unknown-column",
                    sheet.name,
                    cell,
                    "one of " + ", ".join(names),
                    self._meant(heading, names),
                )
        missing = [name for name in names if name not in there.headings]
        for name in missing:
            self._add(
                "missing-column",
                sheet.name,
                Located(name, there.headings[table.key].cell),
                f"a column {name}",
            )
        rows: list[Mapping[str, Value]] = []
        seen: set[Value] = set()
        for row in there.rows:
            read_row = {
                field.name: self._value(sheet, field, row[field.name])
                for field in table.columns
                if field.name not in missing
            }
            key = read_row[table.key]
            if key in seen:
                self._add("repeated-row", sheet.name, row[table.key], f"each {table.key} once")
            seen.add(key)
            rows.append(read_row)
        return tuple(rows)

    def _value(self, sheet: Sheet, field: Field, cell: Located) -> Value:
        if isinstance(cell.value, str):
            if field.kind is Kind.BOOLEAN and cell.truth is not None:
                self._add("boolean-as-text", sheet.name, cell, "TRUE or FALSE as such")
            elif field.kind in (Kind.INTEGER, Kind.NUMBER) and cell.number is not None:
                self._add("number-as-text", sheet.name, cell, "a number")
        value = read_value(field, cell)
        if isinstance(value, Refused):
            self._add(
                value.kind, sheet.name, cell, f"{field.name}: {field.allowed}", how_to_write(field, cell)
            )
            return Unread(cell)
        return value

    def _has_header(self, sheet: Sheet, there: FoundSheet) -> bool:
        return there.has_header or not sheet.parameters

    def _meant(self, name: str, known: list[str]) -> str:
        """Which name is meant, in words. Looking takes long, and is given up at some time."""
        if not self._near_names_left:
            return ""
        self._near_names_left -= 1
        from difflib import get_close_matches  # only where something is misspelt

        word = name.strip().lower()
        near = [each for each in known if word and word in each.lower()] or get_close_matches(
            name[:100], known, n=1
        )
        return f"is {near[0]} meant?" if near else ""

    def _add(self, kind: str, sheet: str, cell: Located, expected: str, fix: str = "") -> None:
        self.findings.append(
            finding(
                kind,
                file=self._found.file,
                sheet=sheet,
                cell=cell.cell,
                found=str(cell) or "nothing",
                expected=expected,
                fix=fix,
            )
        )


def _elsewhere(sheet: Sheet) -> dict[str, str]:
    """What to do about a parameter that was here once, by its name."""
    return {each.name: f"remove it: {each.why}" for each in sheet.withdrawn} | {
        each.name: f"it is said in {each.to}" for each in sheet.moved
    }


def _is_title(sheet: Sheet, text: Located) -> bool:
    return str(text) in {*_titles(sheet)}


def _titles(sheet: Sheet) -> Iterator[str]:
    yield sheet.about
    yield settings_title(sheet)
    yield from (table.title for table in sheet.tables)


def settings_title(sheet: Sheet) -> str:
    """What stands above the settings of a sheet that has tables as well."""
    return f"Settings of {sheet.name}"
