"""Frozen filter: one model over a stretch of returns, and labels at a position of the dial."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from magellan.regime.config import DecisionConfig
from magellan.regime.decision import Decider, expected_right
from magellan.regime.hidden_markov import emissions, forward
from magellan.regime.markov_model import MarkovModel
from magellan.regime.observed import Observed
from magellan.regime.wick_density import wick_terms
from magellan.trading.bar import Floats


def state_probabilities(model: MarkovModel, observed: Observed) -> tuple[Floats, Floats]:
    """Probabilities of each state given each row and those before, (n, K); and log densities of returns given the rows
    before, (n,).

    observed: from the first bar that the model was fitted on.
    """
    n, states = len(observed), model.states
    centre, by_wick = wick_terms(model.wicks, model.scale)
    beliefs, evidence = np.empty((n, states)), np.empty(n)
    forward(
        observed.returns, observed.wicks, model.mean, *emissions(model.scale, model.m), model.m, centre, by_wick,
        model.stay, model.level.gain, model.level.pull, np.full(states, 1.0 / states),
        np.array([model.level_at_start]), beliefs, np.empty((n, states)), np.empty(n), evidence, np.empty(n),
    )  # fmt: skip
    return beliefs, np.log(evidence)


def state_labels(model: MarkovModel, beliefs: Floats, stability: float) -> NDArray[np.int64]:
    """The decision layer's states at that stability, without other limits; shape (n,)."""
    nothing = np.zeros(len(beliefs))
    decider = Decider(DecisionConfig(stability=stability), likelier_than=0.5)
    labels = decider.labels(beliefs, expected_right(model.stay), nothing.astype(bool), nothing)
    return labels[:, 0].astype(np.int64)
