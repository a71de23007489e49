"""What a promotion asks, and how it answers."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from deploy.promotion.cases import AT, DATES, EVIDENCE, SOAK, SUBJECT, Case, session
from magellan.deploy.promotion.criteria import PROMOTION
from magellan.deploy.promotion.evidence import About, Mishap, Ungathered
from magellan.deploy.promotion.judgement import Answer
from magellan.errors import FixInput
from magellan.workspace.config_file import parse_config
from magellan.workspace.promotion_criteria import PROMOTION_THRESHOLDS, PromotionCriteria
from magellan.workspace.workspace import Stage


def reason(case: Case, name: str) -> str:
    (found,) = (each for each in case.verdict().judgements if each.criterion.name == name)
    return found.reason


def test_a_soak_that_is_too_short_is_inconclusive_and_says_how_much_is_missing() -> None:
    short = Case().but("soak", sessions=SOAK.sessions[:5])
    answers = short.answers()
    assert answers["soak_hours_min"] == "inconclusive"
    assert reason(short, "soak_hours_min").startswith("32.50 so far; at least 48.00 is needed")
    assert short.verdict().answer is Answer.ERROR  # trades of days that it did not watch


def test_more_evidence_of_the_same_kind_still_passes() -> None:
    """Not every change is a fault: a ninth day, and a session of another release beside it."""
    later = DATES[-1] + timedelta(days=1)
    at = AT + timedelta(days=1)
    longer = Case(at=at).but(
        "soak",
        sessions=(*SOAK.sessions, session(later)),
        lengths={**SOAK.lengths, later: 6.5},
        seen_at=at,
        others=3,
    )
    band = replace(EVIDENCE.backtest.entries, sessions=9.0)  # type: ignore[union-attr, type-var]
    longer = longer.but("backtest", entries=band)
    longer = replace(longer, evidence=replace(longer.evidence, gathered_at=at))
    assert longer.answers() == {}
    assert "3 sessions on alpaca-paper-PA1 were of other releases" in longer.verdict().warnings[0]


def test_a_half_day_that_was_watched_whole_counts_as_a_session() -> None:
    half = replace(session(DATES[4]), watched={DATES[4]: 3.4})
    sessions = (*SOAK.sessions[:4], half, *SOAK.sessions[5:])
    short = Case().but("soak", sessions=sessions, lengths={**SOAK.lengths, DATES[4]: 3.5})
    assert "soak_sessions_min" not in short.answers()


@pytest.mark.parametrize("kind", ["breaker", "failure", "critical", "disagreement"])
def test_one_mishap_fails_the_soak_and_is_named(kind: str) -> None:
    mishap = Mishap(kind=kind, at=AT - timedelta(days=1), text="daily_loss: lost 3.1 %")
    wrong = Case().but("soak", mishaps=(mishap,))
    assert list(wrong.answers().values()) == ["fail"]
    (name,) = wrong.answers()
    assert "2026-01-13 21:05Z: daily_loss: lost 3.1 %" in reason(wrong, name)


def test_the_win_rate_is_told_with_its_number_of_trades_and_its_band() -> None:
    told = reason(Case(), "win_rate_band")
    assert "5 of 10 trades won; 2 to 8 are likely where 50.0% win, as 160 of 320 did in run 3f2a" in told
    assert "95%" in told


def test_how_easily_a_strategy_without_an_edge_would_pass_is_always_told() -> None:
    told = reason(Case(), "no_edge_pass_max")
    assert told.startswith("94.6%")
    assert "it breaks even at 39.0% won; " in told and "trades make it 5 %" in told


def test_a_config_can_make_the_soak_a_test_of_the_edge() -> None:
    strict = Case(criteria=PromotionCriteria(no_edge_pass_max=0.05))
    assert strict.answers() == {"no_edge_pass_max": "inconclusive"}


def test_a_plain_floor_of_the_win_rate_is_there_for_who_wants_one() -> None:
    assert Case(criteria=PromotionCriteria(win_rate_min=0.5)).answers() == {}
    assert Case(criteria=PromotionCriteria(win_rate_min=0.55)).answers() == {"win_rate_min": "fail"}


def test_slippage_is_weighed_by_what_was_traded() -> None:
    small = replace(SOAK.trades[0], slippage_usd=Decimal(9), value_usd=Decimal(100))
    assert Case().but("soak", trades=(small, *SOAK.trades[1:])).answers() == {}
    dear = tuple(replace(each, slippage_usd=Decimal(3)) for each in SOAK.trades)
    assert Case().but("soak", trades=dear).answers() == {"slippage_bps_max": "fail"}


def test_changed_parameters_are_not_what_was_approved_incident_7() -> None:
    """Incident 8 too: a threshold moved after the run was accepted is another config, and another digest."""
    answers = Case().but("accepted", config_sha256="0" * 64).answers()
    assert answers == {"changes_since_accepted": "fail"}


def test_evidence_of_another_release_is_worth_nothing() -> None:
    other = replace(SUBJECT, release_id="b" * 64)
    answers = Case(subject=other).answers()
    assert {answers[name] for name in ("release_problems", "gates_not_open", "soak_hours_min")} == {"error"}


def test_a_promotion_to_test_asks_for_gates_and_not_for_a_soak() -> None:
    to_test = replace(SUBJECT, from_stage=Stage.DEV, to_stage=Stage.TEST)
    case = Case(subject=to_test).without(About.SOAK, "soak").without(About.BACKTEST, "backtest")
    assert case.verdict().passes
    asked = [each.criterion.name for each in case.verdict().judgements]
    assert asked == ["release_problems", "gates_not_open", "gates_age_days_max", "changes_since_accepted"]


def test_a_rehearsal_does_with_generated_bars_and_a_local_exchange_and_says_so() -> None:
    local = Case(
        subject=replace(SUBJECT, is_rehearsal=True, to_account="alpaca-local-1"),
    )
    local = local.but("soak", sessions=tuple(replace(each, mode="local exchange") for each in SOAK.sessions))
    local = local.but("gates", answer="shut", not_open=("generated_sets", "changes_since_accepted"))
    local = local.but("backtest", generated=True)
    evidence = replace(local.evidence, accepted=Ungathered(About.ACCEPTED, "no run was accepted"))
    local = replace(local, evidence=evidence)
    assert local.answers() == {}
    assert "a rehearsal" in local.verdict().warnings[0]
    assert local.but("gates", answer="shut", not_open=("sharpe_min",)).answers() == {"gates_not_open": "fail"}


def test_the_same_evidence_gets_the_same_verdict_and_any_change_another_digest() -> None:
    assert Case().verdict().sha256 == Case().verdict().sha256
    assert Case().but("soak", others=1).verdict().sha256 != Case().verdict().sha256


@pytest.mark.parametrize("kind", ["intraday", "swing", "trend"])
def test_every_kind_needs_two_days_of_market_time_at_the_least(kind: str) -> None:
    assert PROMOTION_THRESHOLDS["soak_hours_min"].default(kind) >= 24  # type: ignore[arg-type]
    assert PROMOTION_THRESHOLDS["soak_trades_min"].default(kind) >= 1  # type: ignore[arg-type]


def test_every_threshold_is_a_criterion_or_the_width_of_the_bands() -> None:
    of_config = {each.name for each in PROMOTION if each.fixed is None}
    assert of_config == set(PROMOTION_THRESHOLDS) - {"band_level_max"}
    assert set(PROMOTION_THRESHOLDS) == set(PromotionCriteria.model_fields) - {"version", "loosened"}


def test_a_loosened_threshold_needs_a_record_of_who_and_why_incident_19() -> None:
    config = (
        '{"strategy": {"name": "a", "version": "1.0.0", "kind": "swing"}, "symbols": ["A"], "promotion": %s}'
    )
    with pytest.raises(
        FixInput, match=r"promotion\.soak_hours_min: 24 is looser than 48, the default of kind 'swing'"
    ):
        parse_config(config % '{"soak_hours_min": 24}', name="config.json")
    parse_config(config % '{"soak_hours_min": 72}', name="config.json")
    record = (
        '{"soak_hours_min": 24, "loosened": [{"criterion": "soak_hours_min", "from": 48, "to": 24, '
        '"reason": "it trades every minute", "by": "K. Ito", "on": "2026-01-20"}]}'
    )
    loosened = parse_config(config % record, name="config.json").promotion
    assert "loosened from 48 to 24 by K. Ito" in Case(criteria=loosened).verdict().warnings[0]
