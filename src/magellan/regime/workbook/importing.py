"""Import a workbook of version 4.0.0: what has a place here is taken, and everything else is named as dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from magellan.regime.workbook.located import FoundSheet, FoundTable, FoundWorkbook, Located, Row
from magellan.regime.workbook.reading import WorkbookValues, template_values
from magellan.regime.workbook.schema import Field, Sheet, Table, Value
from magellan.regime.workbook.sheets import SHEET_OF, SHEETS
from magellan.regime.workbook.sheets.indicators import COMPONENT_OF_INDICATOR
from magellan.regime.workbook.values import Refused, read_value, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """Something that has no place here, or was not taken as it stood."""

    sheet: str
    cell: str
    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of a workbook of version 4.0.0."""

    values: WorkbookValues
    taken: int  # values that were
    dropped: tuple[Dropped, ...]
    to_know: tuple[Dropped, ...]  # values that were taken, and mean something else where they come from


def import_version_4(found: FoundWorkbook) -> Imported:
    """Take over what has a place; parameters that were not there keep the template's values."""
    importer = _Importer(found)
    return importer.imported()


class _Importer:
    def __init__(self, found: FoundWorkbook) -> None:
        self._found = found
        template = template_values()
        self._settings = {sheet: dict(values) for sheet, values in template.settings.items()}
        self._tables = {sheet: dict(tables) for sheet, tables in template.tables.items()}
        self._taken = 0
        self._dropped: list[Dropped] = []
        self._to_know: list[Dropped] = []

    def imported(self) -> Imported:
        for name in self._found.unknown_sheets:
            self._drop(name, Located(name, ""), "the sheet", "nothing reads a sheet of that name")
        for sheet in SHEETS:
            there = self._found.sheets.get(sheet.name)
            if there is None:
                continue
            self._take_settings(sheet, there)
            for table in sheet.tables:
                if table.name in there.tables:
                    self._take_rows(sheet, table, there.tables[table.name])
            for text in there.outside:
                self._drop(
                    sheet.name,
                    text,
                    f'the text "{str(text)[:60]}"',
                    "it stands outside of settings and tables",
                )
        return Imported(
            values=WorkbookValues(settings=self._settings, tables=self._tables),
            taken=self._taken,
            dropped=tuple(self._dropped),
            to_know=tuple(self._to_know),
        )

    def _take_settings(self, sheet: Sheet, there: FoundSheet) -> None:
        fields = {field.name: field for field in sheet.parameters}
        moved = {each.name: each.to for each in sheet.moved}
        withdrawn = {each.name: each.why for each in sheet.withdrawn}
        for name, setting in there.settings.items():
            if name in moved:
                self._move(sheet, name, setting.value, moved[name])
            elif name in withdrawn:
                self._drop(sheet.name, setting.name, f"{name} {setting.value}", withdrawn[name])
            elif name in fields:
                self._take(sheet, fields[name], setting.value)
            else:
                self._drop(sheet.name, setting.name, f"{name} {setting.value}", "nothing reads it")

    def _move(self, sheet: Sheet, name: str, value: Located, to: str) -> None:
        at, _, parameter = to.partition(".")
        target = self._found.sheet(at).value(parameter)
        if not target.is_blank:
            same = str(target) == str(value)
            why = "it is said there as well" if same else f"it is said there, and otherwise: {target}"
            self._drop(sheet.name, value, f"{name} {value}", f"{to} says it; {why}")
            return
        field = next(each for each in SHEET_OF[at].parameters if each.name == parameter)
        self._take(SHEET_OF[at], field, value, origin=sheet.name)

    def _take(self, sheet: Sheet, field: Field, cell: Located, *, origin: str = "") -> None:
        value = read_value(field, cell)
        at = origin or sheet.name
        if isinstance(value, Refused):
            kept = shown(field.default)
            self._drop(
                at, cell, f"{field.name} {cell}", f"not allowed here ({field.allowed}); {kept} holds instead"
            )
            return
        self._settings[sheet.name][field.name] = value
        self._taken += 1
        if field.on_import:
            self._to_know.append(
                Dropped(sheet=at, cell=cell.cell, what=f"{field.name} {cell}", why=field.on_import)
            )

    def _take_rows(self, sheet: Sheet, table: Table, there: FoundTable) -> None:
        for name in table.dropped_columns:
            if name in there.headings:
                self._drop(
                    sheet.name,
                    there.headings[name],
                    f"the column {name}",
                    "nothing reads it, or another sheet says it",
                )
        convert = _CONVERSIONS.get((sheet.name, table.name), _as_it_is)
        rows: list[Mapping[str, Value]] = []
        for row in there.rows:
            cell = row[table.key]
            converted = convert(row)
            if isinstance(converted, str):
                self._drop(sheet.name, cell, f"the row {cell}", converted)
                continue
            read = {
                field.name: read_value(field, converted[field.name])
                for field in table.columns
                if field.name in converted
            }
            wrong = [name for name, value in read.items() if isinstance(value, Refused)]
            missing = [field.name for field in table.columns if field.name not in read]
            if wrong or missing:
                self._drop(
                    sheet.name,
                    cell,
                    f"the row {cell}",
                    f"it does not say {', '.join(wrong + missing)} as is allowed here",
                )
                continue
            rows.append({name: value for name, value in read.items() if not isinstance(value, Refused)})
            self._taken += len(read)
        if (sheet.name, table.name) == ("IndicatorConfiguration", "components"):
            rows = list(_with_the_others(rows, table, self._tables[sheet.name][table.name]))
        if rows:
            self._tables[sheet.name][table.name] = tuple(rows)

    def _drop(self, sheet: str, cell: Located, what: str, why: str) -> None:
        self._dropped.append(Dropped(sheet=sheet, cell=cell.cell, what=what, why=why))


_TREND_CLASSES: Final = {
    # as version 4.0.0 calls it: (classes of the trend axis, of the structure axis)
    "Strong_Bullish": ("strong_up", "*"),
    "Bullish": ("up", "*"),
    "Neutral": ("neutral", "trending,breaking"),
    "Sideways": ("neutral", "ranging"),
    "Bearish": ("down", "*"),
    "Strong_Bearish": ("strong_down", "*"),
}

_COMPONENT_OF_WEIGHT: Final = {
    "GreekSentiment": "greeks_sentiment",
    "TrendingOIPA": "open_interest",
    "StraddleAnalysis": "straddle",
    "IVSurface": "iv_surface",
    "ATRIndicators": "atr_percentile",
    "MultiTimeframe": "timeframe_vote",
    "VolumeProfile": "volume_profile",
    "Correlation": "correlation",
}


def _as_it_is(row: Row) -> Row | str:
    return row


def _component(row: Row) -> Row | str:
    name = row["IndicatorName"]
    component = COMPONENT_OF_INDICATOR.get(str(name))
    if component is None:
        return "there is no such component"
    return {**row, "IndicatorName": Located(component, name.cell)}


def _weight(row: Row) -> Row | str:
    name = row["Component"]
    component = _COMPONENT_OF_WEIGHT.get(str(name))
    return (
        "there is no such component"
        if component is None
        else {**row, "Component": Located(component, name.cell)}
    )


def _regime(row: Row) -> Row | str:
    trend, volatility = row.get("TrendClass"), row.get("VolatilityClass")
    if trend is None or volatility is None or str(trend) not in _TREND_CLASSES:
        return "its trend is none of the six that are known"
    classes, structure = _TREND_CLASSES[str(trend)]
    return {
        **row,
        "VolatilityClass": Located(str(volatility).lower(), volatility.cell),
        "TrendClass": Located(classes, trend.cell),
        "Structure": Located(structure, trend.cell),
    }


def _timeframe(row: Row) -> Row | str:
    name = row["Timeframe"]
    minutes = str(name).removesuffix("min")
    return {**row, "Timeframe": Located(minutes, name.cell)}


def _rule(row: Row) -> Row | str:
    return {**row, "Allowed": Located(True, row["RuleID"].cell)}


_CONVERSIONS: Final[dict[tuple[str, str], Callable[[Row], Row | str]]] = {
    ("IndicatorConfiguration", "components"): _component,
    ("RegimeClassification", "regimes"): _regime,
    ("MultiTimeframeConfig", "timeframes"): _timeframe,
    ("DynamicWeightageConfig", "bounds"): _weight,
    ("TransitionRules", "rules"): _rule,
}


def _with_the_others(
    rows: list[Mapping[str, Value]], table: Table, template: tuple[Mapping[str, Value], ...]
) -> Iterator[Mapping[str, Value]]:
    """Every component of the template, as it was imported where it was."""
    imported = {row[table.key]: row for row in rows}
    for row in template:
        yield {**row, **imported.get(row[table.key], {}), "RequiresData": row["RequiresData"]}
