"""What has to hold between values, also of different sheets. Each rule is a function over what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import pairwise, product
from typing import Final

from magellan.regime.workbook.finding import Finding, finding
from magellan.regime.workbook.located import FoundWorkbook, Located, Row

Rule = Callable[[FoundWorkbook], Iterator[Finding]]

AXIS_CLASSES: Final = {
    # column of RegimeClassification: the classes of its axis, as in regime/axes.py
    "VolatilityClass": ("low", "medium", "high"),
    "TrendClass": ("strong_down", "down", "neutral", "up", "strong_up"),
    "Structure": ("trending", "ranging", "breaking"),
}

_BULLISH: Final = ("Strong_Bullish_*", "Bullish_*")
_BEARISH: Final = ("Strong_Bearish_*", "Bearish_*")

_ORDERED: Final = (
    # sheet, parameters that must grow from left to right
    ("IndicatorConfiguration", "slope_trend_t", "slope_strong_t"),
    ("IndicatorConfiguration", "adx_ranging_below", "adx_trending_above"),
    ("IndicatorConfiguration", "cpr_narrow_below", "cpr_wide_above"),
    ("IndicatorConfiguration", "vwap_trend_sigma", "vwap_strong_sigma"),
    ("GreekSentimentConfig", "bullish_threshold", "extreme_sentiment"),
    ("IVSurfaceConfig", "iv_low_percentile", "iv_high_percentile"),
    ("ATRIndicatorsConfig", "low_vol_atr_percentile", "high_vol_atr_percentile"),
    ("RegimeClassification", "trend_above", "strong_above"),
    ("ConfidenceCalibration", "confidence_floor", "confidence_ceiling"),
)


def contradictions(found: FoundWorkbook) -> tuple[Finding, ...]:
    """Everything that contradicts itself, in either layout."""
    return tuple(each for rule in _RULES for each in rule(found))


def _regimes_can_occur(found: FoundWorkbook) -> Iterator[Finding]:
    patterns = [str(row["RegimeType"]) for row in found.sheet("RegimeFormationConfig").rows("rules")]
    for name in regime_cells(found):
        if patterns and not any(_matches(str(name), pattern) for pattern in patterns):
            yield finding(
                "regime-without-rule", file=found.file, sheet="RegimeClassification", cell=name.cell, found=name,
                expected="a row of RegimeFormationConfig whose RegimeType matches it",
            )  # fmt: skip


def _names_are_known(found: FoundWorkbook) -> Iterator[Finding]:
    names = [str(cell) for cell in regime_cells(found)]
    places = [
        *(
            ("RegimeFormationConfig", row.get("RegimeType"))
            for row in found.sheet("RegimeFormationConfig").rows("rules")
        ),
        *(
            ("RegimeParameters", row.get("RegimeName"))
            for row in found.sheet("RegimeParameters").rows("expectations")
        ),
        *(
            ("TransitionRules", row.get(column))
            for row in found.sheet("TransitionRules").rows("rules")
            for column in ("FromRegime", "ToRegime")
        ),
    ]
    for sheet, cell in places:
        if names and cell is not None and not any(_matches(name, str(cell)) for name in names):
            yield finding(
                "unknown-regime", file=found.file, sheet=sheet, cell=cell.cell, found=cell,
                expected="a RegimeName of RegimeClassification, or a pattern that one matches",
            )  # fmt: skip


def _switches_are_covered_once(found: FoundWorkbook) -> Iterator[Finding]:
    rules = found.sheet("TransitionRules").rows("rules")
    names = regime_cells(found)
    if not rules or not names:
        return
    leaving = _matching(names, [str(row.get("FromRegime", "")) for row in rules])
    reaching = _matching(names, [str(row.get("ToRegime", "")) for row in rules])
    for here, left_by in zip(names, leaving, strict=True):
        for there, reached_by in zip(names, reaching, strict=True):
            if here is there:
                continue
            both = left_by & reached_by
            if not both:
                yield finding(
                    "switch-without-rule", file=found.file, sheet="RegimeClassification", cell=here.cell,
                    found=f"{here} to {there}", expected="one row of TransitionRules that matches both",
                )  # fmt: skip
            elif len(both) > 1:
                numbers = ", ".join(str(rules[at].get("RuleID", at + 1)) for at in sorted(both))
                yield finding(
                    "switch-with-several-rules", file=found.file, sheet="TransitionRules",
                    cell=rules[min(both)]["FromRegime"].cell, found=f"{here} to {there}: rules {numbers}",
                    expected="one row of TransitionRules that matches both",
                )  # fmt: skip


def _reversals_agree(found: FoundWorkbook) -> Iterator[Finding]:
    switch = found.sheet("TransitionManagement").value("allow_direct_reversals")
    if switch.truth is not False:
        return
    for row in found.sheet("TransitionRules").rows("rules"):
        allowed = row.get("Allowed")
        sides = [_side(str(row[column])) for column in ("FromRegime", "ToRegime")]
        if sides[0] * sides[1] < 0 and (allowed is None or allowed.truth):
            yield finding(
                "reversal-allowed", file=found.file, sheet="TransitionRules", cell=row["FromRegime"].cell,
                found=f"{row['FromRegime']} to {row['ToRegime']}",
                expected=f"no such rule while TransitionManagement!{switch.cell} is FALSE",
            )  # fmt: skip


def _classes_have_one_name(found: FoundWorkbook) -> Iterator[Finding]:
    """Every combination of classes belongs to one row, where rows name classes of the axes as we do."""
    rows = found.sheet("RegimeClassification").rows("regimes")
    if not rows or any(column not in row for row in rows for column in AXIS_CLASSES):
        return
    names: dict[tuple[str, ...], list[Located]] = {}
    for row in rows:
        for classes in product(*(_classes(column, row[column]) for column in AXIS_CLASSES)):
            names.setdefault(classes, []).append(row["RegimeName"])
    for classes in product(*AXIS_CLASSES.values()):
        said = names.get(classes, [])
        if len(said) != 1:
            yield finding(
                "classes-of-two-regimes" if said else "classes-without-regime", file=found.file,
                sheet="RegimeClassification", cell=said[-1].cell if said else rows[0]["RegimeName"].cell,
                found=f"{', '.join(classes)}: {', '.join(map(str, said)) or 'no name'}", expected="one name",
            )  # fmt: skip


def _weights_sum(found: FoundWorkbook) -> Iterator[Finding]:
    cells = [row["Weight"] for row in found.sheet("PerformanceMetrics").rows("metrics") if "Weight" in row]
    total = sum(cell.number or 0.0 for cell in cells)
    if cells and abs(total - 1.0) > 1e-6:
        yield finding(
            "weights-do-not-sum", file=found.file, sheet="PerformanceMetrics",
            cell=f"{cells[0].cell}:{cells[-1].cell}", found=f"{total:g}", expected="1",
        )  # fmt: skip


def _confidences_hold(found: FoundWorkbook) -> Iterator[Finding]:
    floors = [
        ("EnsembleMethods", found.sheet("EnsembleMethods").value("minimum_ensemble_confidence")),
        ("ConfidenceCalibration", found.sheet("ConfidenceCalibration").value("confidence_floor")),
    ]
    threshold = found.sheet("StabilityConfiguration").value("confidence_threshold")
    number = threshold.number
    above = [
        f"{sheet}!{cell.cell} is {cell}"
        for sheet, cell in floors
        if number is not None and (cell.number or 0.0) > max(number, 0.0)
    ]
    # A threshold of 0 asks for nothing, and contradicts nothing.
    if above and number:
        yield finding(
            "confidences-cannot-hold", file=found.file, sheet="StabilityConfiguration", cell=threshold.cell,
            found=f"{threshold}, while {' and '.join(above)}", expected="a threshold that is at least each floor",
        )  # fmt: skip


def _rows_are_in_order(found: FoundWorkbook) -> Iterator[Finding]:
    for row in found.sheet("RegimeParameters").rows("expectations"):
        for columns in (
            ("MinDuration", "TypicalDuration", "MaxDuration"),
            ("ExitThreshold", "EntryThreshold"),
        ):
            yield from _growing(found, "durations-out-of-order", "RegimeParameters", row, columns)
    for row in found.sheet("DynamicWeightageConfig").rows("bounds"):
        yield from _growing(
            found, "limits-out-of-order", "DynamicWeightageConfig", row, ("MinWeight", "MaxWeight")
        )
    for name, *parameters in _ORDERED:
        there = found.sheet(name)
        yield from _growing(
            found, "limits-out-of-order", name, {each: there.value(each) for each in parameters}, parameters
        )


def _session_is_divided(found: FoundWorkbook) -> Iterator[Finding]:
    last: Located | None = None
    for row in found.sheet("IntradaySettings").rows("slots"):
        starts, ends = row.get("StartTime"), row.get("EndTime")
        if starts is None or ends is None:
            return
        if (last is not None and str(starts) != str(last)) or str(starts) >= str(ends):
            yield finding(
                "times-out-of-order", file=found.file, sheet="IntradaySettings", cell=starts.cell,
                found=f"{starts} to {ends}", expected=f"from {last or starts} to a later time",
            )  # fmt: skip
        last = ends


_RULES: Final[tuple[Rule, ...]] = (
    _classes_have_one_name,
    _regimes_can_occur,
    _names_are_known,
    _switches_are_covered_once,
    _reversals_agree,
    _weights_sum,
    _confidences_hold,
    _rows_are_in_order,
    _session_is_divided,
)


def regime_cells(found: FoundWorkbook) -> list[Located]:
    """The cells of RegimeClassification that name a regime."""
    rows = found.sheet("RegimeClassification").rows("regimes")
    return [row["RegimeName"] for row in rows if "RegimeName" in row and not row["RegimeName"].is_blank]


def _classes(column: str, cell: Located) -> tuple[str, ...]:
    said = cell.value if isinstance(cell.value, list | tuple) else str(cell).split(",")
    named = {str(each).strip() for each in said}
    return tuple(each for each in AXIS_CLASSES[column] if each in named or "*" in named)


def _growing(
    found: FoundWorkbook, kind: str, sheet: str, row: Row, columns: tuple[str, ...] | list[str]
) -> Iterator[Finding]:
    cells = [row[column] for column in columns if column in row and row[column].number is not None]
    numbers = [cell.number or 0.0 for cell in cells]
    if any(before > after for before, after in pairwise(numbers)):
        yield finding(
            kind, file=found.file, sheet=sheet, cell=cells[0].cell,
            found=", ".join(f"{column} {row[column]}" for column in columns if column in row),
            expected=" <= ".join(columns),
        )  # fmt: skip


def _matching(names: list[Located], patterns: list[str]) -> list[set[int]]:
    """Of each name, the rules whose pattern it matches."""
    return [
        {at for at, pattern in enumerate(patterns) if _matches(text, pattern)} for text in map(str, names)
    ]


@lru_cache(maxsize=20_000)
def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern)


def _side(pattern: str) -> int:
    """1 for a bullish regime or pattern, -1 for a bearish one, 0 for others."""
    if any(_matches(pattern, each) for each in _BULLISH):
        return 1
    return -1 if any(_matches(pattern, each) for each in _BEARISH) else 0
