"""State fit: parameters of a model with several states, by expectation and maximisation on bars of the past.

The level of a fit is smoothed from both sides; the likelihood that it is judged by is the filter's, whose level knows
only what came before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from magellan.compiled import kernel, over_arrays
from magellan.regime.config import FilterConfig
from magellan.regime.hidden_markov import MOMENTS, emissions, forward, height_at_one
from magellan.regime.likelier_step import SMALLEST_WIDTH, likelier
from magellan.regime.markov_model import STILL, TAILS, Level, MarkovModel
from magellan.regime.observed import Observed
from magellan.regime.wick_density import WickDensity, density_of, wick_terms
from magellan.trading.bar import Floats

_M: Final = tuple(TAILS)
_REFINED_STEPS: Final = 12  # that an earlier fit needs at most on newer bars
_REFINED_ROWS: Final = 1_200_000  # that the steps of a refinement pass over, all together
_TAIL_STEPS: Final = (4, 10, 20, 40)  # before which other tails are tried
_STEP_MIN: Final = 1e-4  # in log-likelihood and root of a bar, that a step has to gain
_SMALLEST_SCALE: Final = 0.02  # of the returns' own deviation: bars without a trade must not become a state


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StateFit:
    """Parameters on the way to a model."""

    mean: Floats
    scale: Floats
    m: int
    stay: Floats
    wicks: WickDensity | None
    level: Level
    level_at_start: float
    log_likelihood: float
    bars: int

    @property
    def bic(self) -> float:
        """Bayesian information criterion; smaller is better. Source: G. Schwarz, 1978."""
        states = len(self.mean)
        # Mean, scale and stay of each state, and the tails. Where a state is left for is seen a few times only and
        # held by the prior; counted in full, it would hide real states in a few years of daily bars.
        free = 3 * states + 1 + (self.level.gain > 0.0)
        return -2.0 * self.log_likelihood + free * math.log(self.bars)

    @property
    def log_likelihood_to_beat(self) -> float:
        """What a model with one state more must reach for a smaller criterion."""
        return self.log_likelihood + 1.5 * math.log(self.bars)

    def model(self, evidence: float) -> MarkovModel:
        return MarkovModel(
            mean=self.mean,
            scale=self.scale,
            m=self.m,
            stay=self.stay,
            wicks=self.wicks,
            level=self.level,
            level_at_start=self.level_at_start,
            log_likelihood=self.log_likelihood,
            bars=self.bars,
            evidence_for_regimes=evidence,
        )


class StateFitting:
    """Fits to the same bars, which share arrays."""

    def __init__(self, observed: Observed, config: FilterConfig) -> None:
        n, most = len(observed), config.states_max
        self._observed = observed
        self._config = config
        self._filtered = np.empty((n, most))
        self._density = np.empty((n, most))
        self._joint = np.empty(n)
        self._evidence = np.empty(n)
        self._levels = np.empty(n)
        self._scores = np.empty(n)
        self.smallest_scale = _SMALLEST_SCALE * float(observed.returns.std()) + 1e-12

    def refined(self, like: MarkovModel) -> StateFit:
        """The model that an earlier one becomes on these bars."""
        start = StateFit(
            mean=like.mean,
            scale=like.scale,
            m=like.m,
            stay=like.stay,
            wicks=like.wicks,
            level=like.level,
            level_at_start=0.0,
            log_likelihood=-math.inf,
            bars=len(self._observed),
        )
        # An earlier fit is near: few steps, and of many bars fewer still.
        steps = min(self._config.fit_steps, _REFINED_STEPS, max(3, _REFINED_ROWS // len(self._observed)))
        if like.level.gain == 0.0:
            return self.steps(start, steps)
        return self.steps(start, steps, half_life=like.level.half_life_bars)

    def looking_at_wicks(self, found: StateFit) -> StateFit:
        """The same, about to look at wicks too. Some bars must have them."""
        wicks = self._observed.wicks[np.isfinite(self._observed.wicks)]
        usual = np.linalg.matrix_power(found.stay, 1 << 16)[0]
        offset = float(wicks.mean() - usual @ np.log(found.scale))
        density = WickDensity(offset=offset, width=float(wicks.std()) + SMALLEST_WIDTH, slope=0.0)
        return replace(found, wicks=density)

    def foretold(self, found: StateFit, known: int) -> float:
        """Log-likelihood of the returns after the first `known` bars, on which the model was fitted."""
        self._filter(self._observed, _parameters(found), found.level.gain, found.level_at_start)
        return float(np.log(self._evidence[known:]).sum())

    def steps(
        self, start: StateFit, most: int, half_life: float = math.inf, beat: float = -math.inf
    ) -> StateFit:
        """Expectation and maximisation from a start until nothing is gained, `most` times at most.

        beat: a log-likelihood that counts. Steps gain less and less: where even the last gain in all steps to come
              would not reach it, they are not done.
        """
        observed, n = self._observed, len(self._observed)
        at, states = _parameters(start), len(start.mean)
        levels, deflated, reached = np.zeros(n), observed.copy(), np.empty(1)
        inverse, height, belief, ahead, weighed = (np.empty(states) for _ in range(5))
        improve = over_arrays(
            likelier, at.m, 0.0, 0.0, 0.0, deflated.returns, deflated.wicks, at.mean, at.scale, at.centre, at.by_wick,
            at.stay, inverse, height, belief, np.zeros(1), self._filtered, self._density, self._joint, self._evidence,
            self._levels, np.empty((states, MOMENTS)), np.empty((states, states)), ahead, weighed, self._scores,
            reached,
        )  # fmt: skip
        before = -math.inf
        for step in range(most):
            if step in _TAIL_STEPS:
                self._try_tails(deflated, at)
            improve(at.m, height_at_one(at.m), self._config.sticky_bars, self.smallest_scale)
            now = float(reached[0]) - float(levels.sum())
            if math.isfinite(half_life):
                levels += two_sided_mean(self._scores, half_life)
                levels -= levels.mean()
                np.multiply(observed.returns, np.exp(-levels), out=deflated.returns)
                np.subtract(observed.wicks, levels, out=deflated.wicks)
            gained, before = now - before, now
            if step > _TAIL_STEPS[0] and abs(gained) < _STEP_MIN * math.sqrt(n):
                break
            if now + gained * (most - step) < beat:
                break
        level = Level(half_life_bars=half_life) if math.isfinite(half_life) else STILL
        first = float(levels[0])
        log_likelihood = self._filter(observed, at, level.gain, first)
        return StateFit(
            mean=at.mean,
            scale=at.scale,
            m=at.m,
            stay=at.stay,
            wicks=density_of(at.scale, at.centre, at.by_wick),
            level=level,
            level_at_start=first,
            log_likelihood=log_likelihood,
            bars=n,
        )

    def _filter(self, observed: Observed, at: _Parameters, gain: float = 0.0, first: float = 0.0) -> float:
        states = len(at.mean)
        log_likelihood: float = forward(
            observed.returns, observed.wicks, at.mean, *emissions(at.scale, at.m), at.m, at.centre, at.by_wick, at.stay,
            gain, 1.0, np.full(states, 1.0 / states), np.array([first]), self._filtered, self._density, self._joint,
            self._evidence, self._levels,
        )  # fmt: skip
        return log_likelihood

    def _try_tails(self, observed: Observed, at: _Parameters) -> None:
        """Take the tails that fit best among these and their neighbours, and the scales that go with them."""
        place = _M.index(at.m)
        tried = [
            replace(at, m=m, scale=at.scale * (TAILS[at.m] / TAILS[m]))
            for m in _M[max(0, place - 1) : place + 2]
        ]
        best = max(tried, key=lambda each: self._filter(observed, each))
        at.m, at.scale[:] = best.m, best.scale


@dataclass(slots=True, kw_only=True, eq=False)
class _Parameters:
    """What steps move, in arrays that compiled code is told of once."""

    mean: Floats
    scale: Floats
    m: int
    centre: Floats  # of wicks
    by_wick: NDArray[Any]  # WICKS, shape (1,)
    stay: Floats


def _parameters(start: StateFit) -> _Parameters:
    """A copy of the start's."""
    centre, by_wick = wick_terms(start.wicks, start.scale)
    return _Parameters(
        mean=start.mean.copy(),
        scale=start.scale.copy(),
        m=start.m,
        centre=centre,
        by_wick=by_wick,
        stay=start.stay.copy(),
    )


def two_sided_mean(values: Floats, half_life: float) -> Floats:
    """The mean around each row, weights halving every `half_life` rows in both directions; shape of `values`.

    Looks ahead: only for fits, whose rows are all past.
    """
    out = np.empty(len(values))
    _two_sided_mean(values, 0.5 ** (1.0 / half_life), np.empty(len(values)), out)
    return out


@kernel
def _two_sided_mean(values: Any, keep: float, weights: Any, out: Any) -> None:
    total = 0.0
    weight = 0.0
    for row in range(len(values)):
        total = keep * total + values[row]
        weight = keep * weight + 1.0
        out[row] = total
        weights[row] = weight
    total = 0.0
    weight = 0.0
    for row in range(len(values) - 1, -1, -1):
        out[row] = (out[row] + total) / (weights[row] + weight)
        total = keep * (total + values[row])
        weight = keep * (weight + 1.0)
