"""Gate criteria: tightening is free, loosening is on record (incident 19)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from magellan.workspace.gate_criteria import THRESHOLDS, GateCriteria
from magellan.workspace.threshold import Bound

KINDS = ("intraday", "swing", "trend")


def record(criterion: str, before: float, after: float, **changed: Any) -> dict[str, Any]:
    return {
        "criterion": criterion,
        "from": before,
        "to": after,
        "reason": "judged by its correlation",
        "by": "K. Ito",
        "on": "2026-01-20",
        **changed,
    }


def criteria(**keys: Any) -> GateCriteria:
    return GateCriteria.model_validate(keys)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_config_does_not_state_is_the_default_of_its_kind(kind) -> None:
    for name, threshold in THRESHOLDS.items():
        assert criteria().threshold(name, kind) == threshold.default(kind)
    assert criteria().unrecorded_loosening(kind) == ()


def test_every_threshold_is_a_key_of_the_config_with_its_meaning() -> None:
    keys = set(GateCriteria.model_fields) - {"version", "loosened"}
    assert keys == set(THRESHOLDS)
    for name in keys:
        assert GateCriteria.model_fields[name].description == THRESHOLDS[name].meaning


@given(
    name=st.sampled_from(sorted(THRESHOLDS)),
    kind=st.sampled_from(KINDS),
    factor=st.floats(0.3, 0.95),
    tighter=st.booleans(),
)
def test_a_threshold_may_be_tightened_freely_and_loosened_only_on_record_incident_19(
    name: str, kind, factor: float, tighter: bool
) -> None:
    threshold = THRESHOLDS[name]
    default = threshold.default(kind)
    upwards = (threshold.bound is Bound.AT_LEAST) is tighter
    value: float = default + (abs(default) + 0.1) * (1 - factor) * (1 if upwards else -1)
    if name in ("tests_min", "trades_min", "sessions_min"):
        value = round(value) if round(value) != default else default + (1 if upwards else -1)
    try:
        stated = criteria(**{name: value})
    except ValidationError:
        return  # outside what the key may be at all
    problems = stated.unrecorded_loosening(kind)
    if tighter:
        assert problems == ()
        return
    assert len(problems) == 1
    assert problems[0].startswith(f"gates.{name}: ")
    on_record = criteria(**{name: value}, loosened=[record(name, default, value)])
    assert on_record.unrecorded_loosening(kind) == ()
    assert on_record.threshold(name, kind) == value


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (
            {"sharpe_min": 0.2},
            'add to gates.loosened who loosened it and why: {"criterion": "sharpe_min", "from": 0.5',
        ),
        (
            {"sharpe_min": 0.1, "loosened": [record("sharpe_min", 0.5, 0.2)]},
            "'sharpe_min' is on record as 0.5 to 0.2, but the config goes from 0.5 to 0.1",
        ),
        (
            {"sharpe_min": 0.2, "loosened": [record("sharpe_min", 0.7, 0.2)]},
            "'sharpe_min' is on record as 0.7 to 0.2, but the config goes from 0.5 to 0.2",
        ),
        (
            {"loosened": [record("sharpe_min", 0.5, 0.2)]},
            "'sharpe_min' is on record, but 0.5 is not looser than 0.5",
        ),
        ({"loosened": [record("sharp_min", 0.5, 0.2)]}, "'sharp_min' is no threshold of `gates`"),
        (
            {"sharpe_min": 0.2, "loosened": [record("sharpe_min", 0.5, 0.2), record("sharpe_min", 0.5, 0.2)]},
            "'sharpe_min' is recorded twice",
        ),
    ],
)
def test_a_record_that_does_not_fit_the_config_is_a_problem_incident_19(keys, told: str) -> None:
    problems = criteria(**keys).unrecorded_loosening("trend")
    assert any(told in problem for problem in problems), problems


@pytest.mark.parametrize("field", ["reason", "by"])
@pytest.mark.parametrize("blank", ["", "  "])
def test_a_record_says_who_and_why(field: str, blank: str) -> None:
    with pytest.raises(ValidationError):
        criteria(sharpe_min=0.2, loosened=[record("sharpe_min", 0.5, 0.2, **{field: blank})])


@pytest.mark.parametrize("key", ["tests_min", "trades_min", "sessions_min"])
def test_no_config_can_ask_for_nothing_at_all_incident_15(key: str) -> None:
    with pytest.raises(ValidationError):
        criteria(**{key: 0})


def test_a_later_version_of_the_defaults_is_not_guessed() -> None:
    with pytest.raises(ValidationError):
        criteria(version=2)


def test_a_day_trader_is_asked_for_more_trades_and_allowed_less_drawdown_than_a_trend_follower() -> None:
    assert THRESHOLDS["trades_min"].default("intraday") > THRESHOLDS["trades_min"].default("trend")
    assert THRESHOLDS["drawdown_max"].default("intraday") < THRESHOLDS["drawdown_max"].default("trend")
