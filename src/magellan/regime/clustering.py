"""Clustering: a market without regimes, whose volatility clusters: one state with a level that moves fast.

It is what states have to beat. No market has one state of constant volatility.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from magellan.regime.hidden_markov import emissions, one_state
from magellan.regime.markov_model import TAILS, Level, MarkovModel
from magellan.trading.bar import Floats

_M: Final = tuple(TAILS)
_HALF_LIVES: Final = (2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 40.0, 80.0)
_PULLS: Final = (0.8, 0.9, 0.95, 0.97, 0.985, 0.995, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustering:
    """One state whose level moves fast."""

    mean: float
    scale: float
    m: int
    level: Level
    log_likelihood: float
    bars: int

    @property
    def bic(self) -> float:
        return -2.0 * self.log_likelihood + 5 * math.log(self.bars)

    def model(self, evidence: float) -> MarkovModel:
        return MarkovModel(
            mean=np.array([self.mean]),
            scale=np.array([self.scale]),
            m=self.m,
            stay=np.ones((1, 1)),
            wicks=None,
            level=self.level,
            level_at_start=0.0,
            log_likelihood=self.log_likelihood,
            bars=self.bars,
            evidence_for_regimes=evidence,
        )


def clustering(returns: Floats, like: MarkovModel | None) -> Clustering:
    """The best single state with a moving level: uphill over a grid of speed, pull and tails."""
    mean, deviation = float(np.median(returns)), float(returns.std()) + 1e-12
    levels = np.empty(len(returns))
    seen: dict[tuple[int, int, int], Clustering] = {}

    def at(speed: int, pull: int, tail: int) -> Clustering:
        place = (speed, pull, tail)
        if place in seen:
            return seen[place]
        m = _M[tail]
        freedom = 2.0 * m - 1.0
        scale = deviation * math.sqrt((freedom - 2.0) / freedom)
        level = Level(half_life_bars=_HALF_LIVES[speed], pull=_PULLS[pull])
        reached = -math.inf
        for _ in range(4):
            inverse, height = emissions(np.array([scale]), m)
            reached, score = one_state(
                returns, mean, float(inverse[0]), float(height[0]), m, level.gain, level.pull, levels
            )
            if level.pull == 1.0 or abs(score) < 1e-4:
                break  # a level without a pull finds the scale by itself
            scale *= math.exp(score * (freedom + 3.0) / freedom)
        seen[place] = Clustering(
            mean=mean, scale=scale, m=m, level=level, log_likelihood=reached, bars=len(returns)
        )
        return seen[place]

    place = (2, 3, 2)
    if like is not None:
        place = (
            _HALF_LIVES.index(like.level.half_life_bars),
            _PULLS.index(like.level.pull),
            _M.index(like.m),
        )
    while True:
        speed, pull, tail = place
        near = [
            (speed + a, pull + b, tail + c)
            for a, b, c in ((-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1))
            if 0 <= speed + a < len(_HALF_LIVES) and 0 <= pull + b < len(_PULLS) and 0 <= tail + c < len(_M)
        ]
        best = max(near, key=lambda each: at(*each).log_likelihood)
        if at(*best).log_likelihood <= at(*place).log_likelihood:
            return at(*place)
        place = best
