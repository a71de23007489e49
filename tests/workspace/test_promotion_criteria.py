"""Promotion criteria in a config: tightening is free, loosening is on record, and saying nothing changes nothing."""

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from magellan.errors import FixInput
from magellan.workspace.config import StrategyConfig
from magellan.workspace.config_file import config_sha256, parse_config
from magellan.workspace.promotion_criteria import PROMOTION_THRESHOLDS, PromotionCriteria
from magellan.workspace.threshold import Bound, Kind

KINDS: tuple[Kind, ...] = get_args(Kind)
WHOLE = ("soak_sessions_min", "soak_trades_min", "unclean_ends_max")


def config(**promotion: Any) -> StrategyConfig:
    document = {
        "strategy": {"name": "moods", "version": "1.0.0", "kind": "intraday"},
        "symbols": ["AMC"],
        "data": {"timeframe": "1Min"},
    }
    return parse_config(
        json.dumps({**document, **({"promotion": promotion} if promotion else {})}), name="config.json"
    )


def test_a_config_that_says_nothing_about_it_means_what_it_meant_before() -> None:
    """Its digest is in records of accepted runs; a new section must not make them void."""
    assert "promotion" not in config().model_dump(mode="json", by_alias=True)
    assert config_sha256(config()) == config_sha256(config(version=1))
    stricter = config(soak_hours_min=72.0)
    assert config_sha256(stricter) != config_sha256(config())
    assert StrategyConfig.model_validate_json(stricter.model_dump_json(by_alias=True)) == stricter


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_config_does_not_state_is_the_default_of_its_kind(kind: Kind) -> None:
    for name, threshold in PROMOTION_THRESHOLDS.items():
        assert PromotionCriteria().threshold(name, kind) == threshold.default(kind)
    assert PromotionCriteria().unrecorded_loosening(kind) == ()


@given(
    name=st.sampled_from(sorted(PROMOTION_THRESHOLDS)), kind=st.sampled_from(KINDS), step=st.floats(0.02, 0.3)
)
def test_a_threshold_may_be_tightened_freely_and_loosened_only_on_record_incident_19(
    name: str, kind: Kind, step: float
) -> None:
    threshold = PROMOTION_THRESHOLDS[name]
    default = threshold.default(kind)
    for tighter in (True, False):
        upwards = (threshold.bound is Bound.AT_LEAST) is tighter
        wanted: float = default + (abs(default) + 0.1) * step * (1 if upwards else -1)
        if name in WHOLE:
            wanted = int(default) + (1 if upwards else -1)
        try:
            criteria = PromotionCriteria.model_validate({name: wanted})
        except ValidationError:
            continue  # nobody can go there, on record or not
        problems = criteria.unrecorded_loosening(kind)
        assert (problems == ()) is tighter
        assert tighter or problems[0].startswith(f"promotion.{name}: ")


@pytest.mark.parametrize(
    "wrong",
    [
        {"soak_trades_min": 0},
        {"soak_sessions_min": 0},
        {"soak_hours_min": 0},
        {"band_level_max": 1.0},
        {"win_rate_min": 1.5},
        {"soak_hours": 48},
        {"loosened": [{"criterion": "soak_hours_min"}]},
    ],
)
def test_what_makes_no_sense_is_refused_by_its_key(wrong: dict[str, Any]) -> None:
    with pytest.raises(FixInput, match="promotion"):
        config(**wrong)
