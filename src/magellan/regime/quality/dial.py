"""Dial: what stability costs and saves for a user's own fit, measured on bars generated from that fit.

On real bars nobody knows the truth. Bars that the fitted model itself makes have one; on them the filter is the best
there can be, and what is lost beside it is the dial's price alone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from magellan.regime.frozen_filter import state_labels, state_probabilities
from magellan.regime.markov_model import STILL, MarkovModel
from magellan.regime.observed import Observed
from magellan.regime.quality.path_score import path_score
from magellan.trading.bar import Floats

POSITIONS: Final = (0.0, 0.2, 0.4, 0.6, 0.8)
_BARS: Final = 20_000
_SEED: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class DialPrice:
    """One position of the dial, for one fit."""

    stability: float
    share_of_best: float  # of the accuracy at 0
    delay_median_bars: float
    wrong_switches: float  # per 1,000 bars
    switches: float  # per 1,000 bars


def dial_prices(model: MarkovModel, positions: Sequence[float] = POSITIONS) -> tuple[DialPrice, ...]:
    """Prices for a fit, the cheapest first; empty for a single state, which has nothing to switch."""
    if model.states == 1:
        return ()
    rng = np.random.default_rng(_SEED)
    truth = _path(model.stay, rng.random(_BARS))
    noise = rng.standard_t(model.freedom, _BARS)
    scale = model.scale[truth]
    wicks = (
        np.full(_BARS, np.nan) if model.wicks is None else model.wicks.drawn(rng, scale, noise, model.freedom)
    )
    still = replace(model, level=STILL, level_at_start=0.0)
    beliefs, _ = state_probabilities(still, Observed(model.mean[truth] + scale * noise, wicks))
    scores = [path_score(state_labels(still, beliefs, each), truth) for each in sorted({0.0, *positions})]
    return tuple(
        DialPrice(
            stability=position,
            share_of_best=score.accuracy / scores[0].accuracy,
            delay_median_bars=score.delay_median_bars,
            wrong_switches=score.wrong_switches,
            switches=score.switches,
        )
        for position, score in zip(sorted({0.0, *positions}), scores, strict=True)
    )


def _path(stay: Floats, chance: Floats) -> NDArray[np.int64]:
    """States that follow each other by these moves. In plain lists: NumPy asked for one number at a time is slow."""
    cumulated = [[*row[:-1], 1.0] for row in stay.cumsum(axis=1).tolist()]
    state, path = 0, [0]
    for value in chance.tolist()[1:]:
        state = bisect_left(cumulated[state], value)
        path.append(state)
    return np.array(path, dtype=np.int64)
