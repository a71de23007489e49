"""The gates' answer: open only when everything was measured, and met."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.gate.criteria import CRITERIA, TOO_GOOD, Rule
from magellan.gate.evidence import Evidence, Kind, Measured, Unmeasured
from magellan.gate.verdict import Answer, judge
from magellan.workspace.gate_criteria import THRESHOLDS, GateCriteria
from magellan.workspace.threshold import Bound

from .conftest import AT, GOOD, Case

MEASURES = [(kind, name) for kind, measured in GOOD.items() for name in measured]
COUNTS = {"sessions_min", "trades_min"}
DOUBTS = {"generated_sets", "changes_since_accepted"}


def test_evidence_that_meets_every_criterion_opens_the_gates(case: Case) -> None:
    verdict = case.verdict()
    assert verdict.is_open
    assert verdict.not_open == ()
    assert verdict.warnings == ()
    assert len(verdict.judgements) == len(CRITERIA)


@pytest.mark.parametrize("kind", Kind)
def test_a_kind_of_evidence_that_was_not_gathered_is_an_error(case: Case, kind: Kind) -> None:
    answers = case.without(kind).answers()
    assert answers == {each.name: "error" for each in CRITERIA if each.kind is kind}
    assert answers


@pytest.mark.parametrize(("kind", "name"), MEASURES)
def test_a_missing_measure_is_never_replaced_by_a_default_incident_36(
    case: Case, kind: Kind, name: str
) -> None:
    verdict = case.measure(kind, **{name: None}).verdict()
    assert not verdict.is_open
    wanting = [
        each for each in verdict.judgements if each.criterion.measure == name and each.criterion.kind is kind
    ]
    for judgement in wanting:
        expected = Answer.INCONCLUSIVE if judgement.criterion.needs_baseline else Answer.SHUT
        assert (judgement.answer, judgement.measured, judgement.found) == (expected, None, "-")
        assert judgement.how_sure == "nothing was measured"
    assert set(verdict.not_open) == set(wanting)


@pytest.mark.parametrize(("kind", "name"), MEASURES)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_shuts(case: Case, kind: Kind, name: str, value: float) -> None:
    answers = case.measure(kind, **{name: Measured(value=value)}).answers()
    assert answers == {each.name: "shut" for each in CRITERIA if (each.kind, each.measure) == (kind, name)}


def test_why_a_value_is_missing_is_told(case: Case, row) -> None:
    verdict = case.measure(Kind.BACKTEST, profit_factor=Unmeasured("no trade lost")).verdict()
    assert row(verdict, "profit_factor_min").reason == "no trade lost"


@pytest.mark.parametrize("criterion", CRITERIA, ids=lambda criterion: criterion.name)
def test_the_wrong_side_of_a_threshold_is_never_open_and_the_threshold_itself_is(
    case: Case, criterion
) -> None:
    threshold = criterion.fixed
    if threshold is None:
        threshold = case.criteria.threshold(criterion.name, case.subject.kind)
    worse = -1 if criterion.bound is Bound.AT_LEAST else 1

    def answer(value: float) -> str | None:
        found = Measured(value=value, low=value, high=value, level=0.9)
        return case.measure(criterion.kind, **{criterion.measure: found}).answers().get(criterion.name)

    assert answer(threshold) is None
    wrong = answer(threshold + worse * 0.5)
    expected = "inconclusive" if criterion.name in COUNTS | DOUBTS else "shut"
    assert wrong == expected


@pytest.mark.parametrize("measure", ["trades", "sessions"])
def test_none_at_all_shuts_and_too_few_are_inconclusive(case: Case, measure: str) -> None:
    assert case.measure(Kind.BACKTEST, **{measure: Measured(value=0)}).answers() == {f"{measure}_min": "shut"}
    assert case.measure(Kind.BACKTEST, **{measure: Measured(value=3)}).answers() == {
        f"{measure}_min": "inconclusive"
    }


def test_zero_trades_and_zero_tests_shut_whatever_else_is_good_incident_15(case: Case) -> None:
    assert case.measure(Kind.BACKTEST, trades=Measured(value=0)).answers() == {"trades_min": "shut"}
    assert case.measure(Kind.TESTS, tests_passed=Measured(value=0)).answers() == {"tests_min": "shut"}


def test_a_report_of_zeros_passes_nothing_incident_15(case: Case) -> None:
    zeros = case.measure(Kind.BACKTEST, **{name: Measured(value=0) for name in GOOD[Kind.BACKTEST]})
    shut = {name for name, answer in zeros.answers().items() if answer == "shut"}
    assert {"trades_min", "sessions_min", "sharpe_min", "sharpe_lower_min", "profit_factor_min"} <= shut


def test_no_criterion_can_be_tolerated_incident_15() -> None:
    switches = (
        "tolerate",
        "allow",
        "skip",
        "ignore",
        "force",
        "optional",
        "enabled",
        "disabled",
        "warn_only",
    )
    keys = [*GateCriteria.model_fields, *THRESHOLDS, *(criterion.name for criterion in CRITERIA)]
    assert [key for key in keys for switch in switches if switch in key] == []
    assert {each.name for each in CRITERIA if each.fixed is None} == set(THRESHOLDS)


@pytest.mark.parametrize(
    ("low", "high", "answer"),
    [
        (0.0, 1.0, "open"),
        (-0.01, 1.0, "inconclusive"),
        (-0.5, 0.0, "inconclusive"),
        (-0.5, -0.01, "shut"),
        (math.nan, 1.0, "shut"),
        (-math.inf, 1.0, "shut"),
        (1.0, 0.0, "shut"),
        (None, 1.0, "shut"),
        (None, None, "shut"),
    ],
)
def test_an_interval_opens_shuts_or_is_inconclusive(case: Case, row, low, high, answer: str) -> None:
    middle = (low + high) / 2 if low is not None and high is not None and math.isfinite(low + high) else 0.5
    sharpe = Measured(value=middle, low=low, high=high, level=0.9)
    assert str(row(case.measure(Kind.BACKTEST, sharpe=sharpe).verdict(), "sharpe_lower_min").answer) == answer


def test_a_value_outside_its_own_interval_is_not_believed(case: Case) -> None:
    sharpe = Measured(value=5.0, low=0.1, high=2.0, level=0.9)
    assert case.measure(Kind.BACKTEST, sharpe=sharpe).answers() == {"sharpe_lower_min": "shut"}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"error": "ruff is not installed"}, "ruff is not installed"),
        ({"about": "0" * 64}, "another version"),
        ({"gathered_at": AT - timedelta(hours=25)}, "more than a day old"),
        ({"gathered_at": AT + timedelta(minutes=5)}, "from the future"),
        ({"gathered_at": datetime(2026, 1, 21, 21, 30)}, "no zone"),
    ],
)
@pytest.mark.parametrize("kind", Kind)
def test_evidence_that_failed_is_stale_early_or_about_something_else_is_an_error(
    case: Case, kind: Kind, changed: dict, words: str
) -> None:
    verdict = case.with_evidence(replace(case.evidence[kind], **changed)).verdict()
    assert {each.answer for each in verdict.not_open} == {Answer.ERROR}
    assert {each.criterion.kind for each in verdict.not_open} == {kind}
    assert all(words in each.reason for each in verdict.not_open)


def test_evidence_that_is_given_twice_is_an_error(case: Case) -> None:
    twice = (*case.evidence.values(), case.evidence[Kind.TESTS])
    verdict = judge(case.subject, twice, case.criteria, at=AT)
    assert {each.criterion.kind for each in verdict.not_open} == {Kind.TESTS}
    assert {each.answer for each in verdict.not_open} == {Answer.ERROR}


def test_no_evidence_at_all_opens_nothing(case: Case) -> None:
    verdict = judge(case.subject, (), case.criteria, at=AT)
    assert not verdict.is_open
    assert len(verdict.not_open) == len(CRITERIA)


ROTTEN_VALUES = st.sampled_from([math.nan, math.inf, -math.inf])


@st.composite
def spoilt(draw: st.DrawFn) -> Case:
    """Good evidence with one thing or more wrong, each of which must keep the gates shut."""
    case = Case()
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(list(Kind)))
        if kind not in case.evidence:
            continue
        how = draw(
            st.sampled_from(["gone", "failed", "old", "early", "other", "emptied", "no number", "lost"])
        )
        evidence = case.evidence[kind]
        names = sorted(GOOD[kind])
        match how:
            case "gone":
                case = case.without(kind)
            case "failed":
                case = case.with_evidence(replace(evidence, error=draw(st.text(min_size=1))))
            case "old":
                case = case.with_evidence(
                    replace(evidence, gathered_at=AT - timedelta(days=draw(st.integers(2, 900))))
                )
            case "early":
                case = case.with_evidence(
                    replace(evidence, gathered_at=AT + timedelta(hours=draw(st.integers(1, 9))))
                )
            case "other":
                case = case.with_evidence(replace(evidence, about=draw(st.text(max_size=64))))
            case "emptied":
                case = case.with_evidence(replace(evidence, measured={}))
            case "no number":
                name = draw(st.sampled_from(names))
                case = case.measure(kind, **{name: Measured(value=draw(ROTTEN_VALUES))})
            case "lost":
                case = case.measure(kind, **{draw(st.sampled_from(names)): None})
    return case


@given(case=spoilt())
@settings(max_examples=200)
def test_no_spoilt_evidence_opens_the_gates(case: Case) -> None:
    assert not case.verdict().is_open


@given(values=st.dictionaries(st.sampled_from(MEASURES), st.floats(-1e6, 1e6), min_size=1, max_size=5))
@settings(max_examples=200)
def test_the_gates_are_open_exactly_when_every_value_meets_its_threshold(values: dict) -> None:
    case = Case()
    for (kind, name), value in values.items():
        case = case.measure(kind, **{name: Measured(value=value, low=value, high=value, level=0.9)})

    def met(criterion) -> bool:
        found = case.evidence[criterion.kind].measured[criterion.measure]
        threshold = criterion.fixed
        if threshold is None:
            threshold = THRESHOLDS[criterion.name].default("trend")
        judged = found.low if criterion.rule is Rule.INTERVAL else found.value
        return judged >= threshold if criterion.bound is Bound.AT_LEAST else judged <= threshold

    assert case.verdict().is_open is all(met(criterion) for criterion in CRITERIA)


def test_what_is_too_good_to_be_true_warns_and_does_not_shut_incident_19(case: Case) -> None:
    perfect = case.measure(
        Kind.BACKTEST,
        win_rate=Measured(value=1.0),
        sharpe=Measured(value=4.2, low=3.0, high=5.0, level=0.9),
    ).verdict()
    assert perfect.is_open
    assert len(perfect.warnings) == 2
    assert "every trade won" in perfect.warnings[0]
    assert "Sharpe ratio of 4" in perfect.warnings[1]


@pytest.mark.parametrize("rule", TOO_GOOD, ids=lambda rule: rule.measure)
def test_every_rule_of_too_good_warns_at_its_limit_and_not_before(case: Case, rule) -> None:
    before = -1e-6 if rule.bound is Bound.AT_LEAST else 1e-6
    at = Measured(value=rule.limit, low=rule.limit, high=rule.limit, level=0.9)
    almost = replace(at, value=rule.limit + before)
    assert case.measure(rule.kind, **{rule.measure: at}).verdict().warnings == (rule.sentence,)
    assert case.measure(rule.kind, **{rule.measure: almost}).verdict().warnings == ()


def test_a_loosened_threshold_is_judged_as_loosened_and_named_in_every_verdict_incident_19(
    case: Case, row
) -> None:
    case.criteria = GateCriteria.model_validate(
        {
            "sharpe_min": 0.2,
            "loosened": [
                {
                    "criterion": "sharpe_min",
                    "from": 0.5,
                    "to": 0.2,
                    "reason": "hedge, judged by its correlation",
                    "by": "K. Ito",
                    "on": "2026-01-20",
                }
            ],
        }
    )
    poor = case.measure(Kind.BACKTEST, sharpe=Measured(value=0.3, low=0.0, high=0.6, level=0.9)).verdict()
    assert poor.is_open
    assert row(poor, "sharpe_min").loosened.by == "K. Ito"
    assert poor.warnings == (
        "sharpe_min was loosened from 0.5 to 0.2 by K. Ito on 2026-01-20: hedge, judged by its correlation",
    )


def test_what_the_evidence_itself_warns_of_is_passed_on(case: Case) -> None:
    warned = replace(case.evidence[Kind.DATA], warnings=("AMC: 3 halts",))
    assert case.with_evidence(warned).verdict().warnings == ("data: AMC: 3 halts",)


def test_defaults_depend_on_the_kind_of_strategy(case: Case, row) -> None:
    case.subject = replace(case.subject, kind="intraday")
    assert row(case.verdict(), "trades_min").threshold == 100
    assert row(case.verdict(), "sharpe_min").threshold == 1.0


def test_how_sure_we_are_is_told(case: Case, row) -> None:
    verdict = case.verdict()
    sharpe = row(verdict, "sharpe_min")
    assert sharpe.how_sure == "94% sure; 90% between 0.41 and 2.38, 1,004 sessions"
    # 1.42 lies 0.92 above 0.5; half the interval is 0.985, which is 1.645 standard deviations.
    assert sharpe.sureness == pytest.approx(0.9379, abs=1e-3)
    assert row(verdict, "lint_findings").how_sure == "exact, 2 files"
    assert row(verdict, "type_errors").how_sure == "exact"
    assert row(verdict, "drawdown_max").sureness == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "wanted", "found"),
    [
        ("tests_min", "at least 1", "7"),
        ("sessions_min", "at least 500", "1,004"),
        ("sharpe_min", "at least 0.50", "1.42"),
        ("drawdown_max", "at most 30.0%", "11.0%"),
        ("cost_bps_min", "at least 1.0 bps", "3.5 bps"),
    ],
)
def test_thresholds_and_values_are_told_in_their_unit(
    case: Case, row, name: str, wanted: str, found: str
) -> None:
    judgement = row(case.verdict(), name)
    assert (judgement.wanted, judgement.found) == (wanted, found)
    assert judgement.reason.startswith(f"{found}, {wanted}")


def test_every_piece_of_evidence_stays_in_the_verdict(case: Case) -> None:
    assert case.verdict().evidence == tuple(case.evidence.values())
    assert all(isinstance(each, Evidence) and each.source for each in case.verdict().evidence)
    assert case.verdict().judged_at == datetime(2026, 1, 21, 21, 30, tzinfo=UTC)


def test_every_criterion_has_a_name_of_its_own_and_says_what_to_do() -> None:
    names = [criterion.name for criterion in CRITERIA]
    assert len(set(names)) == len(names)
    assert all(criterion.next_step and criterion.title for criterion in CRITERIA)
    assert {criterion.kind for criterion in CRITERIA} == set(Kind)
