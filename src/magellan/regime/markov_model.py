"""Markov model: one fit of the hidden Markov filter as a value, and how states of two fits are matched."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from itertools import permutations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from magellan.regime.wick_density import WickDensity
from magellan.trading.bar import Floats

# Half of the degrees of freedom plus a half, and the median of |t| of each: two fits of unlike tails are compared at
# the same typical size of a return.
TAILS: Final = {2: 0.765, 3: 0.727, 4: 0.711, 6: 0.697, 8: 0.691, 16: 0.6825, 32: 0.678}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Level:
    """How the common level of all states' scales moves."""

    half_life_bars: float  # inf: it does not move
    pull: float = 1.0  # towards 0, per bar; 1: none

    @property
    def gain(self) -> float:
        """Weight of the newest bar."""
        return 0.0 if math.isinf(self.half_life_bars) else 1.0 - 0.5 ** (1.0 / self.half_life_bars)


STILL = Level(half_life_bars=math.inf)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MarkovModel:
    """Parameters of the filter, states ordered by scale, quietest first.

    Returns of state k are mean[k] + scale[k] times Student's t with 2m - 1 degrees of freedom, all times exp(level); so
    are wicks, where they are looked at.
    """

    mean: Floats  # (K,), per bar
    scale: Floats  # (K,), > 0
    m: int  # degrees of freedom are 2m - 1
    stay: Floats  # (K, K): probability of a move, row: from; rows sum to 1
    wicks: WickDensity | None  # None: wicks are not looked at
    level: Level
    level_at_start: float  # of the bars that it was fitted on
    log_likelihood: float
    bars: int  # it was fitted on
    # Bayesian information criterion of one state whose volatility clusters, less that of this model. Above 0 the bars
    # speak for regimes; for a model of one state it is that of the best model with more, and not above 0.
    evidence_for_regimes: float

    @property
    def states(self) -> int:
        return len(self.mean)

    @property
    def freedom(self) -> int:
        """Degrees of freedom of Student's t."""
        return 2 * self.m - 1

    @property
    def expected_stay_bars(self) -> Floats:
        """Shape (K,): bars until each state is left, on average; inf for a single state."""
        with np.errstate(divide="ignore"):
            bars: Floats = 1.0 / np.maximum(1.0 - np.diag(self.stay), 0.0)
        return bars

    @property
    def usual_share(self) -> Floats:
        """Shape (K,): share of time that each state takes in the long run."""
        limit: Floats = np.linalg.matrix_power(self.stay, 1 << 16)[0]
        return np.asarray(limit / limit.sum())

    @property
    def model_id(self) -> str:
        """Twelve digits that change with any parameter."""
        digest = hashlib.blake2b(digest_size=6)
        for part in (self.mean, self.scale, self.stay):
            digest.update(np.ascontiguousarray(part).tobytes())
        digest.update(f"{self.m} {self.level.half_life_bars} {self.level.pull}".encode())
        if self.wicks is not None:
            digest.update(f"{self.wicks.offset} {self.wicks.width} {self.wicks.slope}".encode())
        return digest.hexdigest()

    def in_order(self, order: NDArray[np.intp]) -> MarkovModel:
        """The same model with its states in another order."""
        return MarkovModel(
            mean=self.mean[order],
            scale=self.scale[order],
            m=self.m,
            stay=np.ascontiguousarray(self.stay[np.ix_(order, order)]),
            wicks=self.wicks,
            level=self.level,
            level_at_start=self.level_at_start,
            log_likelihood=self.log_likelihood,
            bars=self.bars,
            evidence_for_regimes=self.evidence_for_regimes,
        )


def aligned(model: MarkovModel, before: MarkovModel | None) -> MarkovModel:
    """The model with its states in the order in which they mean what they meant before.

    States are matched by what they emit: the order with the smallest total distance in scale (as a ratio) and in mean
    (in units of scale). Without a model before, or with another number of states, they are ordered by scale.
    """
    if before is None or before.states != model.states:
        return model.in_order(np.argsort(model.scale))

    def distance(order: tuple[int, ...]) -> float:
        at = np.array(order)
        ratio = np.abs(np.log(model.scale[at] / before.scale))
        shift = np.abs(model.mean[at] / model.scale[at] - before.mean / before.scale)
        return float((ratio + shift).sum())

    best = min(permutations(range(model.states)), key=distance)
    return model.in_order(np.array(best))
