"""Fitting: parameters of the hidden Markov filter from bars of the past, and whether there are regimes at all.

The number of states is chosen by BIC among 1 to `states_max`. What stands against regimes is not one state of
constant volatility, which no market has, but one whose volatility clusters: a single state with a level that moves
fast. Only what beats it in BIC is a regime.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from magellan.regime.clustering import clustering
from magellan.regime.config import FilterConfig
from magellan.regime.fit_starts import starts
from magellan.regime.markov_model import MarkovModel
from magellan.regime.state_fit import StateFit, StateFitting
from magellan.trading.bar import Floats

_TRIED_STEPS: Final = 8  # of a start, before the best one goes on
_ASKED_STEPS: Final = 12  # of a level that is asked to foretell
_MOVING_STEPS: Final = 30  # of one that is kept: smoothed anew in each step, it never quite rests
_SEARCHED_BARS: Final = 6_000
_NEAR_BIC: Final = 100.0  # of the best number of states, to be asked again with a level
_KNOWN_SHARE: Final = 0.5  # of the bars, when levels are asked to foretell the rest
_GAIN_MIN: Final = 1.0  # in log-likelihood, that a level has to foretell better by
_EVIDENCE_MIN: Final = (
    6.0  # in BIC; "strong" in A. Raftery, 1995, and see docs/guides/regime.md for what it costs
)


def fit(returns: Floats, config: FilterConfig, *, like: MarkovModel | None = None) -> MarkovModel:
    """The model of these bars.

    returns: shape (n,), log returns over the day profile, oldest first.
    like:    an earlier fit to go on from: the number of its states, its kind of level and the evidence for them are
             taken from it, and some steps take the place of a search.
    """
    if like is not None:
        if like.states == 1:
            return clustering(returns, like).model(like.evidence_for_regimes)
        return StateFitting(returns, config).refined(like).model(like.evidence_for_regimes)
    # How many states there are shows in some thousand bars; more would take long and say the same.
    newest = np.ascontiguousarray(returns[-_SEARCHED_BARS:])
    rival = clustering(newest, None)
    found = _searched(newest, config)
    evidence = -math.inf if found is None else rival.bic - found.bic
    if found is None or evidence < _EVIDENCE_MIN:
        return rival.model(evidence)
    if len(newest) < len(returns):
        found = StateFitting(returns, config).refined(found.model(evidence))
    return found.model(evidence)


def fit_states(returns: Floats, config: FilterConfig, states: int) -> MarkovModel:
    """The model with that number of states, two or more, whatever the evidence; its level is chosen as by `fit`."""
    work = StateFitting(returns, config)
    found = _still(work, returns, states, config)
    half_life = _foretelling(found, work, returns, config)
    if half_life is not None:
        found = work.steps(found, min(config.fit_steps, _MOVING_STEPS), half_life=half_life)
    return found.model(clustering(returns, None).bic - found.bic)


def _searched(returns: Floats, config: FilterConfig) -> StateFit | None:
    """The best model of two or more states by BIC; None where one state is all that is allowed."""
    work = StateFitting(returns, config)
    still: list[StateFit] = []
    for states in range(2, config.states_max + 1):
        beat = still[-1].log_likelihood_to_beat if still else -math.inf
        still.append(_still(work, returns, states, config, beat))
        if len(still) > 1 and still[-1].bic >= still[-2].bic:
            break  # one more state did not pay; two more do not either
    if not still:
        return None
    best = min(still, key=lambda each: each.bic)
    half_life = _foretelling(best, work, returns, config)
    if half_life is None:
        return best
    steps = min(config.fit_steps, _MOVING_STEPS)
    near = [each for each in still if each.bic < best.bic + _NEAR_BIC]
    moving = [work.steps(each, steps, half_life=half_life) for each in near]
    return min(moving, key=lambda each: each.bic)


def _still(
    work: StateFitting, returns: Floats, states: int, config: FilterConfig, beat: float = -math.inf
) -> StateFit:
    """The best model of that many states without a level, from several starts. beat: as of `StateFitting.steps`."""
    tried = [work.steps(start, _TRIED_STEPS) for start in starts(returns, states, work.smallest_scale)]
    best = max(tried, key=lambda each: each.log_likelihood)
    return work.steps(best, config.fit_steps, beat=beat)


def _foretelling(still: StateFit, work: StateFitting, returns: Floats, config: FilterConfig) -> float | None:
    """Half-life of the level that foretells the newer bars best, fitted on the older; None where none does.

    How well a level fits says little: whether volatility drifts shows where the past is asked about later bars.
    """
    known = int(_KNOWN_SHARE * len(returns))
    past = StateFitting(returns[:known], config)
    best: tuple[float, float | None] = (
        work.foretold(past.steps(still, _ASKED_STEPS), known) + _GAIN_MIN,
        None,
    )
    for half_life in config.level_half_lives:
        if 2 * half_life <= known:
            found = past.steps(still, _ASKED_STEPS, half_life=float(half_life))
            best = max(best, (work.foretold(found, known), float(half_life)), key=lambda each: each[0])
    return best[1]
