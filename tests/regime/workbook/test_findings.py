"""Every mistake is found, where it stands. Each row spoils a fresh template in one way."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from magellan.regime.workbook.finding_kinds import KINDS, Severity
from magellan.regime.workbook.report import Checked


def rows(workbook: Any, sheet: str, table: str) -> Any:
    """The rows of a table."""
    return workbook[sheet][table]


def swap(workbook: Any, sheet: str, one: str, other: str) -> None:
    """Let two parameters change places."""
    said = workbook[sheet]
    said[one], said[other] = said[other], said[one]


MISTAKES: dict[str, tuple[str, str, Callable[[Any], object]]] = {
    # what is wrong: (kind, place, how it came about)
    "a sheet is left out": ("sheet-not-said", "Summary", lambda w: w.pop("Summary")),
    "a sheet is misspelt": (
        "unknown-sheet",
        "StabilityConfig",
        lambda w: w.update(StabilityConfig=w.pop("StabilityConfiguration")),
    ),
    "a parameter is misspelt": (
        "unknown-parameter",
        "StabilityConfiguration!stabilty",
        lambda w: w["StabilityConfiguration"].update(stabilty=0.5),
    ),
    "a parameter is not said": (
        "missing-parameter",
        "StabilityConfiguration",
        lambda w: w["StabilityConfiguration"].pop("stability"),
    ),
    "a parameter is said where it was in version 4": (
        "unknown-parameter",
        "StabilityConfiguration!min_agreeing_timeframes",
        lambda w: w["StabilityConfiguration"].update(min_agreeing_timeframes=2),
    ),
    "a parameter forces a switch": (
        "unknown-parameter",
        "MasterConfiguration!regime_lock_prevention",
        lambda w: w["MasterConfiguration"].update(regime_lock_prevention=True),
    ),
    "a table is left out": ("missing-table", "TransitionRules", lambda w: w["TransitionRules"].pop("rules")),
    "a column is misspelt": (
        "unknown-column",
        "TransitionRules!rules",
        lambda w: rows(w, "TransitionRules", "rules")[0].update(Alowed=True),
    ),
    "a row comes twice": (
        "repeated-row",
        "PerformanceMetrics!metrics[5].Metric",
        lambda w: rows(w, "PerformanceMetrics", "metrics").append(
            {**w["PerformanceMetrics"]["metrics"][0], "Weight": 0}
        ),
    ),
    "a word where a number is meant": (
        "wrong-type",
        "StabilityConfiguration!stability",
        lambda w: w["StabilityConfiguration"].update(stability="high"),
    ),
    "a part of a whole number": (
        "wrong-type",
        "StabilityConfiguration!transition_cooldown",
        lambda w: w["StabilityConfiguration"].update(transition_cooldown=2.5),
    ),
    "a number where truth is meant": (
        "wrong-type",
        "AdaptiveLearning!drift_detection",
        lambda w: w["AdaptiveLearning"].update(drift_detection=3),
    ),
    "a list where a number is meant": (
        "wrong-type",
        "StabilityConfiguration!stability",
        lambda w: w["StabilityConfiguration"].update(stability=[1]),
    ),
    "a time that is none": (
        "wrong-type",
        "MasterConfiguration!market_open_time",
        lambda w: w["MasterConfiguration"].update(market_open_time="25:00"),
    ),
    "a value out of its range": (
        "out-of-range",
        "StabilityConfiguration!stability",
        lambda w: w["StabilityConfiguration"].update(stability=1.01),
    ),
    "one of several numbers out of their range": (
        "out-of-range",
        "IndicatorConfiguration!ema_spans",
        lambda w: w["IndicatorConfiguration"].update(ema_spans=[20, 0]),
    ),
    "a word that is no option": (
        "value-not-an-option",
        "MasterConfiguration!trading_mode",
        lambda w: w["MasterConfiguration"].update(trading_mode="YEARLY"),
    ),
    "a class that no axis has": (
        "value-not-an-option",
        "RegimeClassification!regimes[0].TrendClass",
        lambda w: rows(w, "RegimeClassification", "regimes")[0].update(TrendClass=["sidewards"]),
    ),
    "nothing where a value is needed": (
        "blank",
        "StabilityConfiguration!stability",
        lambda w: w["StabilityConfiguration"].update(stability=""),
    ),
    "a number that is text": (
        "number-as-text",
        "StabilityConfiguration!stability",
        lambda w: w["StabilityConfiguration"].update(stability="0.6"),
    ),
    "truth that is text": (
        "boolean-as-text",
        "AdaptiveLearning!drift_detection",
        lambda w: w["AdaptiveLearning"].update(drift_detection="FALSE"),
    ),
    "a regime that no rule forms": (
        "regime-without-rule",
        "RegimeClassification!regimes[0].RegimeName",
        lambda w: rows(w, "RegimeFormationConfig", "rules").pop(0),
    ),
    "a rule about a regime that is not there": (
        "unknown-regime",
        "TransitionRules!rules[0].FromRegime",
        lambda w: rows(w, "TransitionRules", "rules")[0].update(FromRegime="Bulish_*"),
    ),
    "classes that no regime covers": (
        "classes-without-regime",
        "RegimeClassification!regimes[0].RegimeName",
        lambda w: rows(w, "RegimeClassification", "regimes")[3].update(TrendClass=["strong_up"]),
    ),
    "classes that two regimes cover": (
        "classes-of-two-regimes",
        "RegimeClassification!regimes[3].RegimeName",
        lambda w: rows(w, "RegimeClassification", "regimes")[3].update(TrendClass=["up", "strong_up"]),
    ),
    "durations out of order": (
        "durations-out-of-order",
        "RegimeParameters!expectations[0].MinDuration",
        lambda w: rows(w, "RegimeParameters", "expectations")[0].update(MinDuration=500),
    ),
    "a threshold to leave above the one to enter": (
        "durations-out-of-order",
        "RegimeParameters!expectations[0].ExitThreshold",
        lambda w: rows(w, "RegimeParameters", "expectations")[0].update(ExitThreshold=0.9),
    ),
    "weights of a score": (
        "weights-do-not-sum",
        "PerformanceMetrics!metrics[0].Weight:metrics[4].Weight",
        lambda w: rows(w, "PerformanceMetrics", "metrics")[0].update(Weight=0.5),
    ),
    "a reversal that is off and allowed": (
        "reversal-allowed",
        "TransitionRules!rules[3].FromRegime",
        lambda w: w["TransitionManagement"].update(allow_direct_reversals=False),
    ),
    "confidence that is never reached": (
        "confidences-cannot-hold",
        "StabilityConfiguration!confidence_threshold",
        lambda w: (
            w["StabilityConfiguration"].update(confidence_threshold=0.45),
            w["ConfidenceCalibration"].update(confidence_floor=0.6),
        ),
    ),
    "a switch that no rule covers": (
        "switch-without-rule",
        "RegimeClassification!regimes[0].RegimeName",
        lambda w: rows(w, "TransitionRules", "rules").pop(0),
    ),
    "a switch that two rules cover": (
        "switch-with-several-rules",
        "TransitionRules!rules[0].FromRegime",
        lambda w: rows(w, "TransitionRules", "rules").append(
            {**w["TransitionRules"]["rules"][0], "RuleID": 99, "MinConfidence": 0.9}
        ),
    ),
    "limits out of order": (
        "limits-out-of-order",
        "GreekSentimentConfig!bullish_threshold",
        lambda w: swap(w, "GreekSentimentConfig", "bullish_threshold", "extreme_sentiment"),
    ),
    "a hole in the session": (
        "times-out-of-order",
        "IntradaySettings!slots[1].StartTime",
        lambda w: rows(w, "IntradaySettings", "slots")[1].update(StartTime="10:30"),
    ),
    "more regimes than there are classes": (
        "too-many",
        "RegimeClassification!regimes[60].RegimeName",
        lambda w: rows(w, "RegimeClassification", "regimes").extend(
            {**rows(w, "RegimeClassification", "regimes")[0], "RegimeID": at, "RegimeName": f"R{at}"}
            for at in range(100, 400)
        ),
    ),
    "more parameters than a sheet has": (
        "too-many",
        "RiskControls!parameter_493",
        lambda w: w["RiskControls"].update({f"parameter_{at}": at for at in range(1000)}),
    ),
    "more columns than a table has": (
        "too-many",
        "PerformanceMetrics!metrics",
        lambda w: rows(w, "PerformanceMetrics", "metrics")[0].update(
            {f"column_{at}": at for at in range(300)}
        ),
    ),
    "more sheets than a workbook has": (
        "too-many",
        "sheet_200",
        lambda w: w.update({f"sheet_{at}": {} for at in range(300)}),
    ),
    "a name that is too long": (
        "too-long",
        "RegimeClassification!regimes[0].RegimeName",
        lambda w: rows(w, "RegimeClassification", "regimes")[0].update(RegimeName="B" * 61),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found_where_it_stands(
    mistake: str, spoilt: Callable[[Callable[[Any], object]], Checked]
) -> None:
    kind, place, spoil = MISTAKES[mistake]
    findings = [each for each in spoilt(spoil).findings if each.kind == kind]
    assert place in [each.place for each in findings]
    (found,) = [each for each in findings if each.place == place][:1]
    assert found.found and found.expected and found.why and found.fix
    assert found.file == "regime.json"


@pytest.mark.parametrize("patterns", ["R{at}*", "*R{at}", "*{at}*"])
def test_rows_that_are_compared_with_rows_are_soon_compared(
    patterns: str, spoilt: Callable[[Callable[[Any], object]], Checked]
) -> None:
    """Every regime with every rule, and thousands of both: a request would keep a server busy for minutes."""

    def spoil(workbook: Any) -> None:
        regimes, rules = (
            rows(workbook, "RegimeClassification", "regimes"),
            rows(workbook, "TransitionRules", "rules"),
        )
        regimes[:] = [{**regimes[0], "RegimeID": at, "RegimeName": f"R{at}"} for at in range(3000)]
        rules[:] = [
            {**rules[0], "RuleID": at, "FromRegime": patterns.format(at=at), "ToRegime": "*"}
            for at in range(3000)
        ]

    began_s = time.process_time()
    found = spoilt(spoil)
    assert time.process_time() - began_s < 5.0, "a second on a quiet machine"
    assert not found.is_usable and len(found.findings) < 10_000


def test_a_misspelt_name_is_answered_with_the_one_that_is_meant(
    spoilt: Callable[[Callable[[Any], object]], Checked],
) -> None:
    (found,) = [
        each
        for each in spoilt(lambda w: w["StabilityConfiguration"].update(stabilty=0.5)).findings
        if each.kind == "unknown-parameter"
    ]
    assert found.fix == "is stability meant?"


def test_what_refuses_stands_before_what_warns(spoilt: Callable[[Callable[[Any], object]], Checked]) -> None:
    def spoil(workbook: Any) -> None:
        workbook["AdaptiveLearning"].update(drift_detection="FALSE")
        workbook["RiskControls"].update(false_positive_penalty=99)

    checked = spoilt(spoil)
    assert [each.severity for each in checked.findings] == [Severity.REFUSE, Severity.WARN]
    assert not checked.is_usable


def test_a_workbook_with_warnings_alone_can_be_used(
    spoilt: Callable[[Callable[[Any], object]], Checked],
) -> None:
    checked = spoilt(lambda w: w["AdaptiveLearning"].update(drift_detection="FALSE"))
    assert checked.is_usable
    assert (
        checked.values is not None and checked.values.settings["AdaptiveLearning"]["drift_detection"] is False
    )


# In spreadsheets alone: test_version_4.py and tests/adapters/excel.
OF_SPREADSHEETS = {
    "missing-sheet", "missing-header", "missing-column", "repeated-parameter", "formula", "hidden",
    "edited-default", "text-outside", "older-layout",
    "missing-workbook", "durations-differ", "said-twice", "greek-weights-differ", "timeframe-counts-differ",
    "trends-overlap", "slope-without-unit", "boolean-with-range", "options-in-range", "count-contradicts",
    "forced-switch",
}  # fmt: skip


def test_every_kind_of_finding_is_tried() -> None:
    assert {kind for kind, _, _ in MISTAKES.values()} | OF_SPREADSHEETS == set(KINDS)
