"""What is wrong with a workbook of the older layout, version 4.0.0, beyond what both layouts can get wrong.

That layout repeats ranges and options beside each value, says many things in two places, and declares its own counts.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Final

from magellan.regime.workbook.finding import Finding, finding
from magellan.regime.workbook.located import FoundWorkbook, Located, Setting, cell_name
from magellan.regime.workbook.sheets import SHEETS

_GREEKS: Final = ("delta", "gamma", "vega", "theta")


def defects(found: FoundWorkbook) -> tuple[Finding, ...]:
    """Every such finding, the most serious kinds first."""
    layout = finding(
        "older-layout", file=found.file, sheet="TemplateMetadata",
        cell=found.sheet("TemplateMetadata").value("Template Version").cell,
        found=f"version {found.sheet('TemplateMetadata').value('Template Version')}", expected="workbook_schema 1",
    )  # fmt: skip
    return (layout, *(each for rule in _RULES for each in rule(found)))


def _minimum_durations(found: FoundWorkbook) -> Iterator[Finding]:
    elsewhere = {
        str(row["RegimeName"]): row["MinDuration"]
        for row in found.sheet("RegimeParameters").rows("expectations")
        if "MinDuration" in row
    }
    for row in found.sheet("RegimeClassification").rows("regimes"):
        here, there = row.get("MinDuration"), elsewhere.get(str(row["RegimeName"]))
        if here is not None and there is not None and here.number != there.number:
            yield finding(
                "durations-differ", file=found.file, sheet="RegimeClassification", cell=here.cell,
                found=f"{row['RegimeName']}: {here}", expected=f"{there}, as in RegimeParameters!{there.cell}",
            )  # fmt: skip


def _values_among_options(found: FoundWorkbook) -> Iterator[Finding]:
    for sheet, setting in found.settings():
        options = [each.strip() for each in str(setting.beside.get("Options", "")).split(",")]
        if len(options) > 1 and str(setting.value) not in options:
            yield finding(
                "value-not-an-option", file=found.file, sheet=sheet, cell=setting.value.cell,
                found=f"{setting.name} {setting.value}", expected=" or ".join(options),
            )  # fmt: skip


def _said_twice(found: FoundWorkbook) -> Iterator[Finding]:
    places: dict[str, list[tuple[str, Setting]]] = defaultdict(list)
    for sheet, setting in found.settings():
        places[str(setting.name)].append((sheet, setting))
    for name, said in places.items():
        if len({(type(each.value.value).__name__, str(each.value)) for _, each in said}) > 1:
            sheet, setting = said[0]
            others = ", ".join(f"{_quoted(each.value)} in {at}!{each.value.cell}" for at, each in said[1:])
            yield finding(
                "said-twice", file=found.file, sheet=sheet, cell=setting.value.cell,
                found=f"{name} {_quoted(setting.value)}; {others}", expected="one value, in one place",
            )  # fmt: skip


def _greek_weights(found: FoundWorkbook) -> Iterator[Finding]:
    weights = {
        greek: found.sheet("GreekSentimentConfig").value(f"{greek}_weight").number for greek in _GREEKS
    }
    for row in found.sheet("IndicatorConfiguration").rows("components"):
        cell = row.get("Parameters")
        said = {} if cell is None else dict(re.findall(r"(\w+)_weight=([\d.]+)", str(cell)))
        if cell is not None and set(said) & set(_GREEKS):
            differing = [
                greek for greek in _GREEKS if Located(said.get(greek, 0), "").number != weights[greek]
            ]
            if differing:
                yield finding(
                    "greek-weights-differ", file=found.file, sheet="IndicatorConfiguration", cell=cell.cell, found=cell,
                    expected=", ".join(f"{greek} {weight}" for greek, weight in weights.items()),
                )  # fmt: skip


def _timeframe_counts(found: FoundWorkbook) -> Iterator[Finding]:
    here = found.sheet("StabilityConfiguration").value("min_agreeing_timeframes")
    there = found.sheet("MultiTimeframeConfig").value("min_timeframes_required")
    if here.number is not None and there.number is not None and here.number != there.number:
        yield finding(
            "timeframe-counts-differ", file=found.file, sheet="StabilityConfiguration", cell=here.cell, found=here,
            expected=f"{there}, as in MultiTimeframeConfig!{there.cell}",
        )  # fmt: skip


def _trends_overlap(found: FoundWorkbook) -> Iterator[Finding]:
    rows = _loose_table(found, "RegimeClassification", ("Class", "MinSlope", "MaxSlope"))
    if rows:
        first = rows[0][1]
        yield finding(
            "slope-without-unit", file=found.file, sheet="RegimeClassification",
            cell=cell_name(int(re.sub(r"\D", "", first.cell)) - 2, 1), found="MinSlope and MaxSlope",
            expected="a unit, and the window that the slope is taken over",
        )  # fmt: skip
    spans = [(str(row[0]), row[1].number, row[2].number, row[1]) for row in rows]
    for at, (name, low, high, cell) in enumerate(spans):
        if low is None or high is None:
            continue
        met = [
            f"{other} {other_low:g} to {other_high:g}"
            for other, other_low, other_high, _ in spans[:at] + spans[at + 1 :]
            if other_low is not None and other_high is not None and low < other_high and other_low < high
        ]
        if len(met) > 1:  # the one that lies across others; each of those meets it alone
            yield finding(
                "trends-overlap", file=found.file, sheet="RegimeClassification", cell=cell.cell,
                found=f"{name} {low:g} to {high:g} meets {', '.join(met)}", expected="spans that share no slope",
            )  # fmt: skip


def _forced_switches(found: FoundWorkbook) -> Iterator[Finding]:
    lock = found.sheet("MasterConfiguration").value("regime_lock_prevention")
    least = found.sheet("StabilityConfiguration").value("min_transitions_per_day")
    if lock.truth:
        yield finding(
            "forced-switch", file=found.file, sheet="MasterConfiguration", cell=lock.cell,
            found="regime_lock_prevention TRUE", expected="FALSE",
        )  # fmt: skip
    if (least.number or 0.0) > 0:
        yield finding(
            "forced-switch", file=found.file, sheet="StabilityConfiguration", cell=least.cell,
            found=f"min_transitions_per_day {least}", expected="0",
        )  # fmt: skip


def _ranges_of_truth(found: FoundWorkbook) -> Iterator[Finding]:
    for sheet, setting in found.settings():
        low, high = setting.beside.get("Min"), setting.beside.get("Max")
        if low is None or high is None or setting.value.truth is None:
            continue
        if low.truth is not None and high.truth is not None:
            yield finding(
                "boolean-with-range", file=found.file, sheet=sheet, cell=f"{low.cell}:{high.cell}",
                found=f"{setting.name}: {low} to {high}", expected="TRUE or FALSE",
            )  # fmt: skip


def _options_in_ranges(found: FoundWorkbook) -> Iterator[Finding]:
    for sheet, setting in found.settings():
        cells = [setting.beside.get(heading) for heading in ("Default", "Min", "Max")]
        options = [each for each in cells if each is not None and not each.is_blank]
        if len(options) == 3 and all(each.number is None and each.truth is None for each in options):
            yield finding(
                "options-in-range", file=found.file, sheet=sheet, cell=f"{options[0].cell}:{options[2].cell}",
                found=f"{setting.name}: {', '.join(str(each) for each in options)}", expected="a list of options",
            )  # fmt: skip


def _numbers_as_text(found: FoundWorkbook) -> Iterator[Finding]:
    for sheet, setting in found.settings():
        if isinstance(setting.value.value, str) and setting.value.number is not None:
            yield finding(
                "number-as-text", file=found.file, sheet=sheet, cell=setting.value.cell,
                found=f'{setting.name} "{setting.value}"', expected="a number",
            )  # fmt: skip


def _truth_as_text(found: FoundWorkbook) -> Iterator[Finding]:
    for sheet, grid in found.grids.items():
        for at, cells in enumerate(grid):
            for column, value in enumerate(cells):
                if value in ("TRUE", "FALSE"):
                    yield finding(
                        "boolean-as-text", file=found.file, sheet=sheet, cell=cell_name(at, column), found=f'"{value}"',
                        expected=f"{value} as such",
                    )  # fmt: skip


def _counts(found: FoundWorkbook) -> Iterator[Finding]:
    metadata = found.sheet("TemplateMetadata")
    counted = {
        "Total Sheets": len(found.sheets) + len(found.unknown_sheets),
        "Total Parameters": sum(1 for _ in found.settings()),
    }
    for name, count in counted.items():
        cell = metadata.value(name)
        if cell.number is not None and cell.number != count:
            yield finding(
                "count-contradicts", file=found.file, sheet="TemplateMetadata", cell=cell.cell, found=f"{name} {cell}",
                expected=f"{count}, as found",
            )  # fmt: skip


def _sheets(found: FoundWorkbook) -> Iterator[Finding]:
    for name in found.unknown_sheets:
        yield finding(
            "unknown-sheet", file=found.file, sheet=name, cell="", found=name, expected="one of the 31 sheets"
        )
    for sheet in SHEETS:
        if sheet.name not in found.sheets:
            yield finding(
                "missing-sheet",
                file=found.file,
                sheet=sheet.name,
                cell="",
                found="nothing",
                expected=sheet.about,
            )


_RULES: Final[tuple[Callable[[FoundWorkbook], Iterator[Finding]], ...]] = (
    _sheets,
    _minimum_durations,
    _values_among_options,
    _said_twice,
    _greek_weights,
    _timeframe_counts,
    _trends_overlap,
    _forced_switches,
    _counts,
    _ranges_of_truth,
    _options_in_ranges,
    _numbers_as_text,
    _truth_as_text,
)


def _loose_table(found: FoundWorkbook, sheet: str, headings: tuple[str, ...]) -> list[list[Located]]:
    """The rows below a header that begins so; such a table has no successor, and is found in the cells themselves."""
    rows: list[list[Located]] = []
    is_inside = False
    for at, cells in enumerate(found.grids.get(sheet, ())):
        texts = [str(each).strip() for each in cells[: len(headings)]]
        if tuple(texts) == headings:
            is_inside = True
        elif is_inside and not any(texts):
            break
        elif is_inside:
            rows.append([Located(value, cell_name(at, column)) for column, value in enumerate(cells)])
    return rows


def _quoted(cell: Located) -> str:
    return f'"{cell}"' if isinstance(cell.value, str) else str(cell)
