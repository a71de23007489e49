"""Every parameter of the config is used: another value of it changes something that the model says."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from magellan.regime.axes import Axis
from magellan.regime.config import FilterConfig, RegimeConfig
from magellan.regime.generated_chain import generated_chain
from magellan.regime.quality.scenario import scenario
from magellan.regime.regime_model import RegimeModel
from magellan.trading.bar import Bars
from magellan.trading.session import session_columns
from magellan.trading.timeframe import DAY, DAY_NS

RULES_BARS = 390  # five days of five minutes
FILTER_BARS = 560
MINE = {
    "name": "mine",
    "rows": [{"name": "calm", "volatility": ["low"]}, {"name": "wild", "volatility": ["medium", "high"]}],
}
OTHER = {
    "name": "mine",
    "rows": [{"name": "calm", "volatility": ["low", "medium"]}, {"name": "wild", "volatility": ["high"]}],
}

# Other values where doubling or halving is not allowed, or says the same.
OTHERWISE: dict[str, Any] = {
    "view": "12",
    "views": [OTHER],
    "components.central_pivot_range.window_sessions": 2,
    "components.squeeze.expansion_above": 2.0,
    "components.adx.trending_above": 60.0,
    "components.volume_profile.value_area": 0.4,
    "components.timeframe_vote.agreeing_min": 5,
    "components.timeframe_vote.consensus": 0.99,
    "components.timeframe_vote.weights": [0.05, 0.10, 0.20, 0.35, 0.30],
    "components.timeframe_vote.multiples": [1, 2, 3, 4, 6],
    "components.support_resistance.touches": 9,
    "components.straddle.strikes": 7,
    "components.greeks_sentiment.strikes": 1,
    "components.greeks_sentiment.near_expiry_days": 2.0,
    "components.greeks_sentiment.extreme_above": 0.3,
    "components.open_interest.interest_change": 0.01,
    "components.iv_skew.fear_below": -0.2,
    "components.iv_skew.greed_above": 0.2,
    "components.iv_surface.abnormal_sigma": 0.5,
    "filter.states_max": 1,
    "filter.first_fit_bars": 400,
    "filter.fit_window_bars": 500,
    "filter.fit_steps": 1,
    "filter.sticky_bars": 2000.0,
    "filter.level_half_lives": [],
    "filter.refit_every_sessions": 500,
    "limits.high_volatility_above": 3.0,
    "alarm.run_bars": 10.0,
    "alarm.ring_at": 0.01,
    "alarm.recent_bars": 100,
    "decision.stability": 0.9,
    "decision.confidence_min": 0.6,
    "decision.minimum_bars": 20,
    "decision.cooldown_bars": 20,
    "decision.confirmation_bars": 3,
    "decision.switches_per_session_max": 1,
    "decision.direct_reversals": False,
    "decision.noise_sigma": 0.5,
}
"""What each is changed to, where the rule of thumb below does not do."""


def parameters(of: BaseModel, before: str = "") -> Iterator[str]:
    for name in type(of).model_fields:
        value = getattr(of, name)
        if isinstance(value, BaseModel):
            yield from parameters(value, f"{before}{name}.")
        else:
            yield f"{before}{name}"


BASE = RegimeConfig(
    filter=FilterConfig(
        first_fit_bars=200, refit_every_sessions=150, states_max=2, level_half_lives=(50,), weight=1.0
    )
).model_dump(mode="json")
BASE["decision"]["stability"] = 0.0
BASE["alarm"]["ring_at"] = 0.05
BASE["view"], BASE["views"] = "mine", [MINE]
BASE["components"]["greeks_sentiment"] |= {
    "near_expiry_days": 10.0,
    "bullish_above": 0.02,
    "extreme_above": 0.1,
}
BASE["components"]["ema_alignment"]["spans"] = [5, 10, 20, 40]
BASE["components"]["central_pivot_range"]["window_sessions"] = 3
for windowed in ("atr_percentile", "support_resistance", "straddle", "iv_percentile", "iv_surface"):
    BASE["components"][windowed]["window_bars"] = 100
BASE["components"]["timeframe_vote"]["multiples"] = [1, 2, 3, 4, 5]
NAMES = tuple(parameters(RegimeConfig()))


def changed(name: str) -> RegimeConfig:
    """The base with another value of that parameter."""
    document = RegimeConfig.model_validate_json(_json(BASE)).model_dump(mode="json")
    *path, last = name.split(".")
    part = document
    for step in path:
        part = part[step]
    part[last] = OTHERWISE[name] if name in OTHERWISE else _other(part[last])
    return RegimeConfig.model_validate_json(_json(document))


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return max(value // 2, 1) if value > 1 else 2
    if isinstance(value, float):
        return value / 2.0
    return value[:-1]


def _json(document: dict[str, Any]) -> str:
    import json

    return json.dumps(document)


@cache
def two_states() -> Bars:
    """Daily bars that rise calmly or fall wildly, forty days each, and grow fourfold in size from first to last."""
    rng = np.random.default_rng(2)
    wild = np.arange(FILTER_BARS) // 40 % 2 == 1
    size = np.where(wild, 0.02, 0.005) * np.linspace(1.0, 4.0, FILTER_BARS)
    close = 100.0 * np.exp(np.cumsum(size * (rng.standard_normal(FILTER_BARS) + np.where(wild, -0.2, 0.4))))
    open_ = np.append(100.0, close[:-1])
    return Bars(
        symbol="TWO", timeframe=DAY, opened_at_ns=np.arange(FILTER_BARS, dtype=np.int64) * DAY_NS, open=open_,
        high=np.maximum(open_, close) * (1.0 + size), low=np.minimum(open_, close) * (1.0 - size), close=close,
        volume=np.full(FILTER_BARS, 1e6),
    )  # fmt: skip


def said(config: RegimeConfig, *, fits: bool) -> list[np.ndarray | tuple[Any, ...]]:
    """Everything that the model says of a market with sessions, other symbols and options."""
    bars = two_states() if fits else scenario("intra4", 3, bars=RULES_BARS).bars
    if not fits:
        config = config.model_copy(update={"filter": config.filter.model_copy(update={"enabled": False})})
    model = RegimeModel(bars.symbol, config)
    others = 0.01 * np.random.default_rng(4).standard_normal((len(bars), 2))
    model.extend(bars, session_columns(bars), others=others, chain=generated_chain(bars))
    reading = model.reading()
    columns = [model.states, model.regimes, model.alarm, model.state_probabilities]
    for axis in Axis:
        columns += [model.labels(axis), model.probabilities(axis), model.confidence(axis)]
    return [*columns, (reading.view, reading.regime), model.view.names]


@cache
def base_says(*, fits: bool) -> list[np.ndarray | tuple[Any, ...]]:
    return said(RegimeConfig.model_validate_json(_json(BASE)), fits=fits)


def test_every_parameter_is_used(record_property: pytest.RecordProperty) -> None:
    unused = []
    for name in NAMES:
        fits = name.partition(".")[0] in ("filter", "alarm", "limits") or name == "decision.direct_reversals"
        same = all(
            np.array_equal(one, other, equal_nan=True) if isinstance(one, np.ndarray) else one == other
            for one, other in zip(base_says(fits=fits), said(changed(name), fits=fits), strict=True)
        )
        if same:
            unused.append(name)
    record_property("parameters used", len(NAMES) - len(unused))
    record_property("parameters unused", len(unused))
    assert unused == []
