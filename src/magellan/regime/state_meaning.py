"""State meaning: what the states of a Markov model say on each axis.

A state's volatility is its scale over the typical one, the mean of the states' logarithms by how long each takes. Its
trend is its mean over its scale, over the bars that it lasts: the drift of one stay in units of its own uncertainty. A
state with a trend is trending. A single state says nothing of trend and structure; its volatility is its level.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log

import numpy as np

from magellan.regime.axes import CLASSES, Axis, class_probabilities
from magellan.regime.config import Limits
from magellan.regime.markov_model import MarkovModel
from magellan.trading.bar import Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StateMeaning:
    """Shares of each class in each state; all zero on an axis that the model says nothing of."""

    volatility: Floats  # (K, 3)
    trend: Floats  # (K, 5)
    structure: Floats  # (K, 3)
    relative_scale: Floats  # (K,): over the typical one
    trend_t: Floats  # (K,): drift of one stay over its uncertainty

    def of(self, axis: Axis) -> Floats:
        """Shape (K, classes)."""
        shares: Floats = getattr(self, axis.value)
        return shares

    def says(self, axis: Axis) -> bool:
        """Whether the model says anything on that axis."""
        return bool(self.of(axis).any())


def meaning_of(model: MarkovModel, limits: Limits) -> StateMeaning:
    """What each state says."""
    typical = exp(float(model.usual_share @ np.log(model.scale)))
    ratio = model.scale / typical
    if model.states == 1:
        return StateMeaning(
            volatility=np.zeros((1, len(CLASSES[Axis.VOLATILITY]))),
            trend=np.zeros((1, len(CLASSES[Axis.TREND]))),
            structure=np.zeros((1, len(CLASSES[Axis.STRUCTURE]))),
            relative_scale=ratio,
            trend_t=np.zeros(1),
        )
    t = model.mean / model.scale * np.sqrt(np.minimum(model.expected_stay_bars, 1e6))
    strong = limits.strong_above
    strength = np.sign(t) * np.interp(
        np.abs(t),
        (0.0, limits.trend_above, strong, 2.0 * strong - limits.trend_above),
        (0.0, 0.25, 0.75, 1.25),
    )
    decided = np.interp(np.abs(t), (0.0, limits.trend_above, strong), (-1.0, 0.0, 1.0))
    return StateMeaning(
        volatility=class_probabilities(Axis.VOLATILITY, volatility_score(np.log(ratio), limits)),
        trend=class_probabilities(Axis.TREND, strength),
        structure=class_probabilities(Axis.STRUCTURE, decided),
        relative_scale=ratio,
        trend_t=t,
    )


def volatility_score(log_ratio: Floats, limits: Limits) -> Floats:
    """Score of volatility over the typical one: -0.5 and 0.5 at the limits, straight in the logarithm."""
    below, above = log(limits.low_volatility_below), log(limits.high_volatility_above)
    score: Floats = np.where(log_ratio < 0.0, -0.5 * log_ratio / below, 0.5 * log_ratio / above)
    return score
