"""Clustering: a market without regimes, whose volatility clusters: one state with a level that moves fast.

The level is moved by returns, or by returns and wicks (P. Hansen, Z. Huang and H. Shek, 2012).

It is what states have to beat. No market has one state of constant volatility.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from magellan.regime.hidden_markov import MOMENTS, emissions
from magellan.regime.likelier_step import SMALLEST_WIDTH, likelier_wicks
from magellan.regime.markov_model import TAILS, Level, MarkovModel
from magellan.regime.observed import Observed
from magellan.regime.one_state import one_state
from magellan.regime.wick_density import WickDensity, density_of, wick_terms

_M: Final = tuple(TAILS)
_HALF_LIVES: Final = (2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 40.0, 80.0)
_ROUNDS: Final = 5  # in which a scale settles, as far as it does
_SETTLED: Final = 1e-4  # in its logarithm
_PULLS: Final = (0.8, 0.9, 0.95, 0.97, 0.985, 0.995, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clustering:
    """One state whose level moves fast."""

    mean: float
    scale: float
    m: int
    wicks: WickDensity | None
    level: Level
    log_likelihood: float  # of the returns
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
            wicks=self.wicks,
            level=self.level,
            level_at_start=0.0,
            log_likelihood=self.log_likelihood,
            bars=self.bars,
            evidence_for_regimes=evidence,
        )


def clustering(observed: Observed, like: MarkovModel | None = None) -> Clustering:
    """The best single state with a moving level: uphill over a grid of speed, pull and tails.

    like: an earlier fit to go on from, which says where to begin and whether wicks are looked at; None: by returns
          alone.
    """
    if like is None:
        return _Climb(observed, None).from_place((2, 3, 2))
    place = (_HALF_LIVES.index(like.level.half_life_bars), _PULLS.index(like.level.pull), _M.index(like.m))
    return _Climb(observed, like.wicks).from_place(place)


def clustering_with_wicks(observed: Observed, found: Clustering) -> Clustering:
    """The best single state whose level is moved by wicks, too. found: the best that is moved by returns alone."""
    known = np.isfinite(observed.wicks)
    offset = float(observed.wicks[known].mean()) - math.log(found.scale)
    width = float(observed.wicks[known].std()) + SMALLEST_WIDTH
    climb = _Climb(observed, WickDensity(offset=offset, width=width, slope=0.0))
    return climb.from_place(
        (_HALF_LIVES.index(found.level.half_life_bars), _PULLS.index(found.level.pull), _M.index(found.m))
    )


def clustering_foretells(found: Clustering, observed: Observed, first: int) -> float:
    """Log-likelihood of the returns from that row on."""
    scale = np.array([found.scale])
    (inverse,), (height,) = emissions(scale, found.m)
    (centre,), by_wick = wick_terms(found.wicks, scale)
    reached, _ = one_state(
        first, observed.returns, observed.wicks, found.mean, float(inverse), float(height), found.m, float(centre),
        by_wick, found.level.gain, found.level.pull, np.empty(len(observed)), np.empty((1, MOMENTS)),
    )  # fmt: skip
    return float(reached)


class _Climb:
    """Fits to the same bars, each at a place of the grid, kept as they are made."""

    def __init__(self, observed: Observed, wicks: WickDensity | None) -> None:
        """wicks: where the fit of wicks begins; None: they are not looked at."""
        self._observed = observed
        self._wicks = wicks
        self._mean = float(np.median(observed.returns))
        self._deviation = float(observed.returns.std()) + 1e-12
        self._levels = np.empty(len(observed))
        self._moments = np.empty((1, MOMENTS))
        self._seen: dict[tuple[int, int, int], Clustering] = {}

    def from_place(self, place: tuple[int, int, int]) -> Clustering:
        """The best fit that is reached uphill from there."""
        while True:
            speed, pull, tail = place
            near = [
                (speed + a, pull + b, tail + c)
                for a, b, c in ((-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1))
                if 0 <= speed + a < len(_HALF_LIVES)
                and 0 <= pull + b < len(_PULLS)
                and 0 <= tail + c < len(_M)
            ]
            best = max(near, key=lambda each: self._at(*each).log_likelihood)
            if self._at(*best).log_likelihood <= self._at(*place).log_likelihood:
                return self._at(*place)
            place = best

    def _at(self, speed: int, pull: int, tail: int) -> Clustering:
        place = (speed, pull, tail)
        if place not in self._seen:
            self._seen[place] = self._fitted(
                Level(half_life_bars=_HALF_LIVES[speed], pull=_PULLS[pull]), _M[tail]
            )
        return self._seen[place]

    def _fitted(self, level: Level, m: int) -> Clustering:
        observed, freedom = self._observed, 2.0 * m - 1.0
        says = 2.0 * freedom / (freedom + 3.0)
        scale = np.array([self._deviation * math.sqrt((freedom - 2.0) / freedom)])
        centre, by_wick = wick_terms(self._wicks, scale)
        reached = -math.inf
        for _ in range(_ROUNDS):
            (inverse,), (height,) = emissions(scale, m)
            reached, score = one_state(
                0, observed.returns, observed.wicks, self._mean, float(inverse), float(height), m, float(centre[0]),
                by_wick, level.gain, level.pull, self._levels, self._moments,
            )  # fmt: skip
            if self._wicks is not None:
                likelier_wicks(self._moments, says, 0.0, scale, centre, by_wick)
            # A level that is pulled back takes back half of what the scale gains. One that is not takes all of it, and
            # keeps a mean that belongs to the scale. So does one that wicks hold where it is, which takes nothing.
            if self._wicks is not None:
                moved = score / says + float(self._levels.mean())
            elif level.pull == 1.0:
                moved = float(self._levels.mean())
            else:
                moved = 2.0 * score / says
            if abs(moved) < _SETTLED:
                break
            scale *= math.exp(moved)
            centre += moved
        return Clustering(
            mean=self._mean,
            scale=float(scale[0]),
            m=m,
            wicks=density_of(scale, centre, by_wick),
            level=level,
            log_likelihood=float(reached),
            bars=len(observed),
        )
