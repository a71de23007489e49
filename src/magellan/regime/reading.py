"""Reading: what is known about one symbol's regime when a bar has closed, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from magellan.regime.axes import Axis
from magellan.regime.rule_score import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisReading:
    """One axis at one bar."""

    axis: Axis
    label: str  # "unknown" where nothing is known or confidence is too low
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
