"""Fitting: parameters of the hidden Markov filter from bars of the past, and whether there are regimes at all.

The number of states is chosen by BIC among 1 to `states_max`. What stands against regimes is not one state of
constant volatility, which no market has, but one whose volatility clusters: a single state with a level that moves
fast. Only what beats it in BIC is a regime.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from magellan.compiled import kernel
from magellan.regime.config import FilterConfig
from magellan.regime.hidden_markov import backward, forward, one_state
from magellan.regime.markov_model import STILL, Level, MarkovModel
from magellan.trading.bar import Floats

# Half of the degrees of freedom plus a half, and the median of |t| of each: two fits of unlike tails are compared at
# the same typical size of a return.
_TAILS: Final = {2: 0.765, 3: 0.727, 4: 0.711, 6: 0.697, 8: 0.691, 16: 0.6825, 32: 0.678}
_M: Final = tuple(_TAILS)
_TRIED_STEPS: Final = 12  # of a start, before the best one goes on
_CLUSTERING_HALF_LIVES: Final = (2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 40.0, 80.0)
_CLUSTERING_PULLS: Final = (0.8, 0.9, 0.95, 0.97, 0.985, 0.995, 1.0)
_SEARCHED_BARS: Final = 6_000
_REFINED_ROWS: Final = 1_200_000  # that the steps of a refinement pass over, all together
_KNOWN_SHARE: Final = 0.5  # of the bars, when levels are asked to foretell the rest
_GAIN_MIN: Final = 1.0  # in log-likelihood, that a level has to foretell better by
_EVIDENCE_MIN: Final = (
    6.0  # in BIC; "strong" in A. Raftery, 1995, and see docs/guides/regime.md for what it costs
)
_SMALLEST_SCALE: Final = 0.02  # of the returns' own deviation: bars without a trade must not become a state


def fit(returns: Floats, config: FilterConfig, *, like: MarkovModel | None = None) -> MarkovModel:
    """The model of these bars.

    returns: shape (n,), log returns over the day profile, oldest first.
    like:    an earlier fit to go on from: the number of its states, its kind of level and the evidence for them are
             taken from it, and some steps take the place of a search.
    """
    if like is not None:
        if like.states == 1:
            return _clustering(returns, like).model(like.evidence_for_regimes)
        return _Work(returns, config).refined(like).model(like.evidence_for_regimes)
    # How many states there are shows in some thousand bars; more would take long and say the same.
    newest = np.ascontiguousarray(returns[-_SEARCHED_BARS:])
    rival = _clustering(newest, None)
    found = _Work(newest, config).searched()
    evidence = -math.inf if found is None else rival.bic - found.bic
    if found is None or evidence < _EVIDENCE_MIN:
        return rival.model(evidence)
    if len(newest) < len(returns):
        found = _Work(returns, config).refined(found.model(evidence))
    return found.model(evidence)


def fit_states(returns: Floats, config: FilterConfig, states: int) -> MarkovModel:
    """The model with that number of states, two or more, whatever the evidence; its level is chosen as by `fit`."""
    found = _Work(returns, config).with_states(states)
    return found.model(_clustering(returns, None).bic - found.bic)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fit:
    """Parameters on the way to a model."""

    mean: Floats
    scale: Floats
    m: int
    stay: Floats
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

    def model(self, evidence: float) -> MarkovModel:
        return MarkovModel(
            mean=self.mean,
            scale=self.scale,
            m=self.m,
            stay=self.stay,
            level=self.level,
            level_at_start=self.level_at_start,
            log_likelihood=self.log_likelihood,
            bars=self.bars,
            evidence_for_regimes=evidence,
        )


class _Work:
    """Arrays that the steps of one fit share."""

    def __init__(self, returns: Floats, config: FilterConfig) -> None:
        n, most = len(returns), config.states_max
        self._returns = returns
        self._config = config
        self._filtered = np.empty((n, most))
        self._density = np.empty((n, most))
        self._evidence = np.empty(n)
        self._levels = np.empty(n)
        self._scores = np.empty(n)
        self._smallest = _SMALLEST_SCALE * float(returns.std()) + 1e-12

    def searched(self) -> _Fit | None:
        """The best model of two or more states by BIC; None where one state is all that is allowed."""
        still: dict[int, _Fit] = {}
        for states in range(2, self._config.states_max + 1):
            still[states] = self._still(states)
            if states > 2 and still[states].bic >= still[states - 1].bic:
                break  # one more state did not pay; two more do not either
        if not still:
            return None
        best = min(still.values(), key=lambda each: each.bic)
        half_life = self._foretelling(best)
        if half_life is None:
            return best
        moving = [self._steps(each, self._config.fit_steps, half_life=half_life) for each in still.values()]
        return min(moving, key=lambda each: each.bic)

    def with_states(self, states: int) -> _Fit:
        """The best model of that many states; with a level where that foretells better."""
        still = self._still(states)
        half_life = self._foretelling(still)
        if half_life is None:
            return still
        return self._steps(still, self._config.fit_steps, half_life=half_life)

    def _still(self, states: int) -> _Fit:
        """The best model of that many states without a level, from several starts."""
        tried = [self._steps(start, _TRIED_STEPS) for start in self._starts(states)]
        best = max(tried, key=lambda each: each.log_likelihood)
        return self._steps(best, self._config.fit_steps)

    def refined(self, like: MarkovModel) -> _Fit:
        """The model that an earlier one becomes on these bars."""
        start = _Fit(
            mean=like.mean,
            scale=like.scale,
            m=like.m,
            stay=like.stay,
            level=like.level,
            level_at_start=0.0,
            log_likelihood=-math.inf,
            bars=len(self._returns),
        )
        # An earlier fit is near: few steps, and of many bars fewer still.
        steps = min(self._config.fit_steps, _TRIED_STEPS, max(3, _REFINED_ROWS // len(self._returns)))
        if like.level.gain == 0.0:
            return self._steps(start, steps)
        return self._steps(start, steps, half_life=like.level.half_life_bars)

    def _foretelling(self, still: _Fit) -> float | None:
        """Half-life of the level that foretells the newer bars best, fitted on the older; None where none does.

        How well a level fits says little: whether volatility drifts shows where the past is asked about later bars.
        """
        n = len(self._returns)
        known = int(_KNOWN_SHARE * n)
        past = _Work(self._returns[:known], self._config)
        best: tuple[float, float | None] = (
            self._foretold(past._steps(still, _TRIED_STEPS), known) + _GAIN_MIN,
            None,
        )
        for half_life in self._config.level_half_lives:
            if 2 * half_life <= known:
                found = past._steps(still, _TRIED_STEPS, half_life=float(half_life))
                best = max(best, (self._foretold(found, known), float(half_life)), key=lambda each: each[0])
        return best[1]

    def _foretold(self, found: _Fit, known: int) -> float:
        """Log-likelihood of the bars after the first `known`, on which the model was fitted."""
        self._filter(
            self._returns,
            found.mean,
            found.scale,
            found.m,
            found.stay,
            found.level.gain,
            found.level_at_start,
        )
        return float(np.log(self._evidence[known:]).sum())

    def _steps(self, start: _Fit, steps: int, half_life: float = math.inf) -> _Fit:
        """Expectation and maximisation from a start until nothing is gained, `steps` times at most.

        The level of a fit is smoothed from both sides; the likelihood that it is judged by is the filter's, whose
        level knows only what came before.
        """
        returns, n = self._returns, len(self._returns)
        mean, scale, m, stay = start.mean, start.scale, start.m, start.stay
        states = len(mean)
        moments, moves = np.empty((states, 4)), np.empty((states, states))
        levels = np.zeros(n)
        deflated = returns
        before = -math.inf
        for step in range(steps):
            reached = self._filter(deflated, mean, scale, m, stay) - float(levels.sum())
            backward(
                deflated, mean, scale, m, stay, self._filtered, self._density, self._evidence, moments, moves,
                self._scores, np.empty(states), np.empty(states),
            )  # fmt: skip
            moves += np.eye(states) * self._config.sticky_bars + 1e-3
            stay = moves / moves.sum(axis=1, keepdims=True)
            mean = moments[:, 2] / moments[:, 1]
            spread = moments[:, 3] - 2.0 * mean * moments[:, 2] + mean**2 * moments[:, 1]
            scale = np.maximum(np.sqrt(np.maximum(spread / moments[:, 0], 0.0)), self._smallest)
            if math.isfinite(half_life):
                freedom = 2.0 * m - 1.0
                levels = levels + two_sided_mean(self._scores, half_life) * (freedom + 3.0) / (2.0 * freedom)
                levels -= levels.mean()
                deflated = returns * np.exp(-levels)
            if step % 3 == 2:
                m, scale, changed = self._other_tails(deflated, mean, scale, m, stay)
                if changed:
                    before = -math.inf
                    continue
            if abs(reached - before) < 1e-5 * math.sqrt(n):
                break
            before = reached
        level = Level(half_life_bars=half_life) if math.isfinite(half_life) else STILL
        first = float(levels[0])
        log_likelihood = self._filter(returns, mean, scale, m, stay, gain=level.gain, first=first)
        return _Fit(
            mean=mean,
            scale=scale,
            m=m,
            stay=stay,
            level=level,
            level_at_start=first,
            log_likelihood=log_likelihood,
            bars=n,
        )

    def _filter(
        self,
        returns: Floats,
        mean: Floats,
        scale: Floats,
        m: int,
        stay: Floats,
        gain: float = 0.0,
        first: float = 0.0,
    ) -> float:
        states = len(mean)
        log_likelihood: float = forward(
            returns, 0, len(returns), mean, scale, m, stay, gain, 1.0, np.full(states, 1.0 / states),
            np.array([first]), self._filtered, self._density, self._evidence, self._levels,
        )  # fmt: skip
        return log_likelihood

    def _other_tails(
        self, returns: Floats, mean: Floats, scale: Floats, m: int, stay: Floats
    ) -> tuple[int, Floats, bool]:
        """The tails that fit best among these and their neighbours."""
        at = _M.index(m)
        tried = {
            other: self._filter(returns, mean, scale * (_TAILS[m] / _TAILS[other]), other, stay)
            for other in _M[max(0, at - 1) : at + 2]
        }
        best = max(tried, key=lambda other: tried[other])
        return best, scale * (_TAILS[m] / _TAILS[best]), best != m

    def _starts(self, states: int) -> list[_Fit]:
        """Ways to cut the past into states: by volatility, by direction, and by both."""
        returns = self._returns
        window = np.ones(21) / 21.0  # seen from both sides: all of it is past
        size = np.log(np.convolve(np.abs(returns), window, "same") + self._smallest)
        drift = np.convolve(returns, window, "same") / np.exp(size)
        cuts = [_cut(size, states), _cut(drift, states)]
        if states >= 3:
            wild = size > np.quantile(size, 1.0 - 1.0 / states)
            by_both = np.full(len(returns), states - 1)
            by_both[~wild] = _cut(drift[~wild], states - 1)
            cuts.append(by_both)
        if states >= 4:
            quiet = size < np.quantile(size, 1.0 / states)
            between = ~wild & ~quiet
            by_both = np.where(wild, states - 1, states - 2)
            by_both[between] = _cut(drift[between], states - 2)
            cuts.append(by_both)
        return [self._start(cut, states) for cut in cuts]

    def _start(self, cut: Floats, states: int) -> _Fit:
        parts = [self._returns[cut == k] for k in range(states)]
        stay = np.full((states, states), 0.05 / (states - 1))
        np.fill_diagonal(stay, 0.95)
        return _Fit(
            mean=np.array([part.mean() if len(part) else 0.0 for part in parts]),
            scale=np.array([max(0.8 * part.std() if len(part) else 0.0, self._smallest) for part in parts]),
            m=4,
            stay=stay,
            level=STILL,
            level_at_start=0.0,
            log_likelihood=-math.inf,
            bars=len(self._returns),
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


def _cut(values: Floats, parts: int) -> Floats:
    edges = np.quantile(values, np.arange(1, parts) / parts)
    return np.searchsorted(edges, values).astype(np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clustering:
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
            level=self.level,
            level_at_start=0.0,
            log_likelihood=self.log_likelihood,
            bars=self.bars,
            evidence_for_regimes=evidence,
        )


def _clustering(returns: Floats, like: MarkovModel | None) -> _Clustering:
    """The best single state with a moving level: uphill over a grid of speed, pull and tails."""
    mean, deviation = float(np.median(returns)), float(returns.std()) + 1e-12
    levels = np.empty(len(returns))
    seen: dict[tuple[int, int, int], _Clustering] = {}

    def at(speed: int, pull: int, tail: int) -> _Clustering:
        place = (speed, pull, tail)
        if place in seen:
            return seen[place]
        m = _M[tail]
        freedom = 2.0 * m - 1.0
        scale = deviation * math.sqrt((freedom - 2.0) / freedom)
        level = Level(half_life_bars=_CLUSTERING_HALF_LIVES[speed], pull=_CLUSTERING_PULLS[pull])
        reached = -math.inf
        for _ in range(4):
            reached, score = one_state(returns, mean, scale, m, level.gain, level.pull, levels)
            if level.pull == 1.0 or abs(score) < 1e-4:
                break  # a level without a pull finds the scale by itself
            scale *= math.exp(score * (freedom + 3.0) / freedom)
        seen[place] = _Clustering(
            mean=mean, scale=scale, m=m, level=level, log_likelihood=reached, bars=len(returns)
        )
        return seen[place]

    place = (2, 3, 2)
    if like is not None:
        place = (
            _CLUSTERING_HALF_LIVES.index(like.level.half_life_bars),
            _CLUSTERING_PULLS.index(like.level.pull),
            _M.index(like.m),
        )
    while True:
        speed, pull, tail = place
        near = [
            (speed + a, pull + b, tail + c)
            for a, b, c in ((-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1))
            if 0 <= speed + a < len(_CLUSTERING_HALF_LIVES)
            and 0 <= pull + b < len(_CLUSTERING_PULLS)
            and 0 <= tail + c < len(_M)
        ]
        best = max(near, key=lambda each: at(*each).log_likelihood)
        if at(*best).log_likelihood <= at(*place).log_likelihood:
            return at(*place)
        place = best
