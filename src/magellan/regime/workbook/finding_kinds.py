"""The kinds of findings: what each is called, whether it refuses a workbook, why it matters, how it is mended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Severity(Enum):
    """What a finding means for the workbook."""

    REFUSE = "refuse"  # it cannot be used as it is
    WARN = "warn"  # it can, and it may not mean what somebody thinks


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What all findings of a kind have in common."""

    severity: Severity
    title: str
    why: str
    fix: str


_R, _W = Severity.REFUSE, Severity.WARN


def _kind(severity: Severity, title: str, why: str, fix: str) -> Kind:
    return Kind(severity=severity, title=title, why=why, fix=fix)


KINDS: Final[dict[str, Kind]] = {
    # What cannot be read
    "missing-sheet": _kind(
        _R, "a sheet is missing", "what it would say is not known", "add the sheet from a fresh template"
    ),
    "unknown-sheet": _kind(
        _R, "a sheet that nobody reads", "somebody would think that it counts", "rename or remove it"
    ),
    "sheet-not-said": _kind(
        _W, "a sheet is left out", "its defaults hold", "say it, or leave it to the defaults"
    ),
    "unknown-parameter": _kind(
        _R, "a parameter that nobody reads", "somebody would think that it counts", "rename or remove it"
    ),
    "repeated-parameter": _kind(
        _R, "a parameter stands there twice", "only one of the two can count", "remove one"
    ),
    "missing-parameter": _kind(
        _W, "a parameter is not said", "its default holds", "add the row, or leave it to the default"
    ),
    "unknown-column": _kind(
        _R, "a column that nobody reads", "somebody would think that it counts", "rename or remove it"
    ),
    "missing-column": _kind(
        _R,
        "a column is missing",
        "the rows do not say what they must",
        "add the column from a fresh template",
    ),
    "missing-table": _kind(
        _R, "a table is missing", "what it would say is not known", "add it from a fresh template"
    ),
    "repeated-row": _kind(_R, "two rows of the same name", "only one of the two can count", "remove one"),
    "wrong-type": _kind(
        _R, "a value of another type", "it cannot be read without a guess", "write what is expected"
    ),
    "out-of-range": _kind(
        _R, "a value out of its range", "the model was never tried with it", "choose a value within the range"
    ),
    "value-not-an-option": _kind(
        _R,
        "a value that is not among its options",
        "nothing knows what it means",
        "choose one of the options",
    ),
    "blank": _kind(_R, "nothing stands there", "a value is needed", "write what is expected"),
    "missing-header": _kind(
        _R,
        "settings without a header",
        "none of them was read",
        "write Parameter and Value into the first two cells of the row above them",
    ),
    "edited-default": _kind(
        _W, "a default that was changed", "nobody reads that column", "write it into the column Value"
    ),
    "hidden": _kind(
        _W, "hidden cells", "what they say counts, and nobody sees it", "show them, or take out what they say"
    ),
    "formula": _kind(
        _W, "a formula", "only its last result is read, and that may be old", "write the value itself"
    ),
    "text-outside": _kind(
        _W, "text outside of settings and tables", "nobody reads it", "move it to Summary.notes, or remove it"
    ),
    "number-as-text": _kind(
        _W,
        "a number that is stored as text",
        "spreadsheets neither sum nor sort it, and readers differ on it",
        "store it as a number",
    ),
    "boolean-as-text": _kind(
        _W,
        "true or false that is stored as text",
        "a reader that asks for truth takes the word FALSE for true",
        "store it as TRUE or FALSE",
    ),
    # What contradicts itself
    "regime-without-rule": _kind(
        _R, "a regime without a rule of formation", "it can never occur", "add a rule that forms it"
    ),
    "unknown-regime": _kind(
        _R,
        "a regime or pattern that no regime bears",
        "the row never applies",
        "write a name of RegimeClassification",
    ),
    "durations-differ": _kind(
        _R,
        "two minimum durations for one regime",
        "nobody can tell which one holds",
        "say it in RegimeParameters alone",
    ),
    "durations-out-of-order": _kind(
        _R, "durations or thresholds out of order", "they cannot all hold", "put them in order"
    ),
    "weights-do-not-sum": _kind(
        _R,
        "weights that do not sum to 1",
        "a score of them has another scale than its limits",
        "scale them to 1",
    ),
    "said-twice": _kind(
        _R, "said twice, and differently", "nobody can tell which one holds", "say it in one place"
    ),
    "greek-weights-differ": _kind(
        _R,
        "two sets of weights for the greeks",
        "nobody can tell which one holds",
        "say them in GreekSentimentConfig alone",
    ),
    "timeframe-counts-differ": _kind(
        _R,
        "two numbers of timeframes that must agree",
        "nobody can tell which one holds",
        "say it in MultiTimeframeConfig alone",
    ),
    "reversal-allowed": _kind(
        _R,
        "a rule allows a reversal that is off",
        "one of the two is not meant",
        "set Allowed to FALSE, or allow_direct_reversals to TRUE",
    ),
    "confidences-cannot-hold": _kind(
        _R,
        "thresholds of confidence that cannot hold together",
        "the lower ones are never reached",
        "bring them below the floors, or the floors below them",
    ),
    "trends-overlap": _kind(
        _R,
        "two trends for one slope",
        "which one is named depends on the order of rows",
        "let each slope belong to one",
    ),
    "slope-without-unit": _kind(
        _R,
        "a slope without unit and window",
        "no number can be compared with it",
        "use RegimeClassification.trend_above, in uncertainties of the drift",
    ),
    "switch-without-rule": _kind(
        _W,
        "a change of regime that no rule covers",
        "what then happens is nowhere said",
        "add a rule, with Allowed FALSE where it must not happen",
    ),
    "switch-with-several-rules": _kind(
        _W,
        "a change of regime that several rules cover",
        "which one counts is nowhere said",
        "let each change match one rule",
    ),
    "boolean-with-range": _kind(
        _W, "a range for true or false", "from TRUE to FALSE is no range", "leave Min and Max out"
    ),
    "options-in-range": _kind(
        _W,
        "options that are spread over Default, Min and Max",
        "three words are not a range",
        "name the options in one place",
    ),
    "count-contradicts": _kind(
        _W,
        "a count that does not hold",
        "whoever believes it looks for what is not there",
        "leave the count out",
    ),
    "forced-switch": _kind(
        _R,
        "a change of regime that is forced",
        "it is an instruction to be wrong",
        "leave it out: limits block, and force nothing",
    ),
    "classes-without-regime": _kind(
        _R,
        "classes of the axes that no regime covers",
        "the market would have no name there",
        "add them to a row of RegimeClassification",
    ),
    "classes-of-two-regimes": _kind(
        _R,
        "classes of the axes that two regimes cover",
        "which one is named depends on the order of rows",
        "let each combination belong to one row",
    ),
    "limits-out-of-order": _kind(
        _R, "limits out of order", "a class between them is empty", "put them in order"
    ),
    "times-out-of-order": _kind(
        _R,
        "times of day out of order",
        "a part of the session belongs to none or to two",
        "let each part begin where the last ended",
    ),
    "too-long": _kind(_R, "a text that is too long", "nothing has room to show it", "choose a shorter one"),
    "too-many": _kind(
        _R,
        "more than a workbook may say",
        "what is beyond was not looked at",
        "remove what no model needs; a pattern says many names in one row",
    ),
    "missing-workbook": _kind(
        _R,
        "a workbook that is pointed at is not there",
        "what it says is not known",
        "put it beside this file, or correct the name",
    ),
    "older-layout": _kind(
        _R,
        "a workbook of version 4.0.0",
        "it says things twice, and most of it is read by nothing",
        "import it: magellan regime workbook import",
    ),
}
