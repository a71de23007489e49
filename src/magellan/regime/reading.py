"""Reading: what is known about one symbol's regime when a bar has closed, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from magellan.errors import FixInput
from magellan.regime.axes import CLASSES, UNKNOWN, Axis
from magellan.regime.decision import UNKNOWN_LABEL
from magellan.regime.rule_score import AXES, Evidence
from magellan.trading.bar import instant

if TYPE_CHECKING:
    from magellan.regime.regime_columns import RegimeColumns


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisReading:
    """One axis at one bar."""

    axis: Axis
    label: str  # "unknown" where nothing is known or confidence is too low
    likeliest: str  # class; the label may be another one for as long as a switch would not earn its price
    probabilities: dict[str, float | None]  # by class; None where unknown
    confidence: float | None  # in the label; lowered while the alarm rings
    age_bars: int  # for which the label has held
    filter_weight: float  # share of the Markov filter in the probabilities; the rest is the rule score's


@dataclass(frozen=True, slots=True, kw_only=True)
class StateReading:
    """The Markov filter at one bar."""

    state: int  # 0: the quietest; -1 before the first fit
    states: int
    probabilities: tuple[float, ...]
    age_bars: int
    hazard: float | None  # probability that the state is left with the next bar
    expected_stay_bars: float | None
    evidence_for_regimes: float | None  # in BIC, against volatility that merely clusters
    model_id: str
    fitted_bars: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeReading:
    """Everything that is known about one symbol when a bar has closed."""

    symbol: str
    timeframe: str
    bar_opened_at: datetime  # aware, UTC
    known_at: datetime  # the bar's close; of a daily bar the end of its date
    regime: str  # the name in the view, or "unknown"
    view: str
    axes: tuple[AxisReading, ...]
    state: StateReading
    alarm: float | None  # probability that the filter stopped fitting in the last bars
    no_regimes_here: bool  # the filter has looked, and volatility that clusters explains the bars as well
    evidence: tuple[Evidence, ...]
    config_sha256: str


def reading_of(model: RegimeColumns, row: int) -> RegimeReading:
    """Everything about one of the bars that a model keeps. Raises FixInput when there is none."""
    if len(model) == 0:
        raise FixInput(f"{model.symbol}: there is no bar to say anything about")
    row = range(len(model))[row]
    opened_at = instant(int(model.opened_at_ns[row]))
    state = _state_reading(model, row)
    alarm = float(model.alarm[row])
    return RegimeReading(
        symbol=model.symbol,
        timeframe=str(model.timeframe),
        bar_opened_at=opened_at,
        known_at=opened_at + timedelta(microseconds=model.timeframe.span_ns // 1000),
        regime=model.view.name_of(*(int(model.labels(axis)[row]) for axis in AXES)),
        view=model.view.name,
        axes=tuple(_axis_reading(model, axis, row) for axis in AXES),
        state=state,
        alarm=None if alarm != alarm else alarm,
        no_regimes_here=state.states == 1,
        evidence=model.evidence(row),
        config_sha256=model.config.sha256,
    )


def _axis_reading(model: RegimeColumns, axis: Axis, row: int) -> AxisReading:
    label = int(model.labels(axis)[row])
    shares = model.probabilities(axis)[row]
    confidence = float(model.confidence(axis, slice(row, row + 1))[0])
    return AxisReading(
        axis=axis,
        label=UNKNOWN if label < 0 else CLASSES[axis][label],
        likeliest=UNKNOWN if np.isnan(shares).any() else CLASSES[axis][int(shares.argmax())],
        probabilities={
            name: None if share != share else float(share)
            for name, share in zip(CLASSES[axis], shares, strict=True)
        },
        confidence=None if confidence != confidence else confidence,
        age_bars=int(model.ages(axis)[row]),
        filter_weight=float(model.filter_share[row, AXES.index(axis)]),
    )


def _state_reading(model: RegimeColumns, row: int) -> StateReading:
    at = float(model.fit_of[row])
    if at != at:
        return StateReading(
            state=UNKNOWN_LABEL, states=0, probabilities=(), age_bars=0, hazard=None, expected_stay_bars=None,
            evidence_for_regimes=None, model_id="", fitted_bars=0,
        )  # fmt: skip
    fit = model.models[int(at)]
    state = int(model.states[row])
    stay = float(fit.expected_stay_bars[state]) if state >= 0 else np.nan
    return StateReading(
        state=state,
        states=fit.states,
        probabilities=tuple(model.state_probabilities[row, : fit.states].tolist()),
        age_bars=int(model.state_ages[row]),
        hazard=1.0 - float(fit.stay[state, state]) if state >= 0 else None,
        expected_stay_bars=stay if np.isfinite(stay) else None,
        evidence_for_regimes=fit.evidence_for_regimes if np.isfinite(fit.evidence_for_regimes) else None,
        model_id=fit.model_id,
        fitted_bars=fit.bars,
    )
