"""Fitting: parameters of the hidden Markov filter from bars of the past, and whether there are regimes at all.

The number of states is chosen by BIC among 1 to `states_max`. What stands against regimes is not one state of
constant volatility, which no market has, but one whose volatility clusters: a single state with a level that moves
fast. Only what beats it in BIC is a regime.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from magellan.regime.clustering import Clustering, clustering, clustering_foretells, clustering_with_wicks
from magellan.regime.config import FilterConfig
from magellan.regime.fit_starts import starts
from magellan.regime.markov_model import MarkovModel
from magellan.regime.observed import Observed, have_wicks
from magellan.regime.state_fit import StateFit, StateFitting
from magellan.trading.bar import Floats

_TRIED_STEPS: Final = 8  # of a start, before the best one goes on
_ASKED_STEPS: Final = 12  # of a model that is asked to foretell
_LEVEL_STEPS: Final = 6  # of the same once its level moves
_MOVING_STEPS: Final = 30  # of one that is kept: smoothed anew in each step, it never quite rests
_SEARCHED_BARS: Final = 6_000
_NEAR_BIC: Final = 100.0  # of the best number of states, to be asked again with a level
_KNOWN_SHARE: Final = 0.5  # of the bars, when the rest is to be foretold
_GAIN_MIN: Final = 1.0  # in log-likelihood, that a level has to foretell better by
_EVIDENCE_MIN: Final = (
    6.0  # in BIC; "strong" in A. Raftery, 1995, and see docs/guides/regime.md for what it costs
)


def fit(observed: Observed, config: FilterConfig, *, like: MarkovModel | None = None) -> MarkovModel:
    """The model of these bars.

    like: an earlier fit to go on from: the number of its states, its kind of level, whether it looks at wicks and the
          evidence for regimes are taken from it, and some steps take the place of a search.
    """
    if like is not None:
        if like.states == 1:
            return clustering(observed, like).model(like.evidence_for_regimes)
        return StateFitting(observed, config).refined(like).model(like.evidence_for_regimes)
    # How many states there are shows in some thousand bars; more would take long and say the same.
    newest = observed.rows(slice(-_SEARCHED_BARS, None))
    rival = clustering(newest)
    found = _searched(newest, config)
    evidence = -math.inf if found is None else rival.bic - found.bic
    if found is None or evidence < _EVIDENCE_MIN:
        return _moved_by_wicks(rival, newest).model(evidence)
    found = _with_wicks(found, newest, config)
    if len(newest) < len(observed):
        found = StateFitting(observed, config).refined(found.model(evidence))
    return found.model(evidence)


def fit_states(observed: Observed, config: FilterConfig, states: int) -> MarkovModel:
    """The model with that number of states, two or more, whatever the evidence; its level is chosen as by `fit`."""
    work = StateFitting(observed, config)
    found = _still(work, observed.returns, states, config)
    half_life = _Foretelling(work, observed, config).best(found).half_life
    if math.isfinite(half_life):
        found = _gone_on(work, found, half_life, config)
    evidence = clustering(observed).bic - found.bic
    return _with_wicks(found, observed, config).model(evidence)


def _searched(observed: Observed, config: FilterConfig) -> StateFit | None:
    """The best model of two or more states by BIC; None where one state is all that is allowed."""
    work = StateFitting(observed, config)
    still: list[StateFit] = []
    for states in range(2, config.states_max + 1):
        beat = still[-1].log_likelihood_to_beat if still else -math.inf
        still.append(_still(work, observed.returns, states, config, beat))
        if len(still) > 1 and still[-1].bic >= still[-2].bic:
            break  # one more state did not pay; two more do not either
    if not still:
        return None
    best = min(still, key=lambda each: each.bic)
    half_life = _Foretelling(work, observed, config).best(best).half_life
    if math.isinf(half_life):
        return best
    near = [each for each in still if each.bic < best.bic + _NEAR_BIC]
    moving = [_gone_on(work, each, half_life, config) for each in near]
    return min(moving, key=lambda each: each.bic)


def _still(
    work: StateFitting, returns: Floats, states: int, config: FilterConfig, beat: float = -math.inf
) -> StateFit:
    """The best model of that many states without a level, from several starts. beat: as of `StateFitting.steps`."""
    tried = [work.steps(start, _TRIED_STEPS) for start in starts(returns, states, work.smallest_scale)]
    best = max(tried, key=lambda each: each.log_likelihood)
    return work.steps(best, config.fit_steps, beat=beat)


def _with_wicks(found: StateFit, observed: Observed, config: FilterConfig) -> StateFit:
    """The model that looks at wicks too, where that foretells returns better; else the one that is given.

    Wicks say much of volatility in most markets, and little where prices move by a tick in most bars.
    """
    if not _wicks_may_be_asked(observed):
        return found
    work = StateFitting(observed, config)
    start = work.looking_at_wicks(found)
    foretelling = _Foretelling(work, observed, config)
    plain = foretelling.asked(found, found.level.half_life_bars)
    asked = foretelling.best(start)
    return _gone_on(work, start, asked.half_life, config) if asked.reached > plain.reached else found


def _moved_by_wicks(found: Clustering, observed: Observed) -> Clustering:
    """The single state whose level is moved by wicks, too, on the same terms."""
    if not _wicks_may_be_asked(observed):
        return found
    known = int(_KNOWN_SHARE * len(observed))
    past = observed.rows(slice(known))
    plain = clustering(past)
    told = clustering_foretells(plain, observed, known)
    told_by_wicks = clustering_foretells(clustering_with_wicks(past, plain), observed, known)
    return clustering_with_wicks(observed, found) if told_by_wicks > told else found


def _wicks_may_be_asked(observed: Observed) -> bool:
    """Whether enough bars have them, of all and of the older ones, on which what wicks foretell by is fitted."""
    return have_wicks(observed) and have_wicks(observed.rows(slice(int(_KNOWN_SHARE * len(observed)))))


def _gone_on(work: StateFitting, start: StateFit, half_life: float, config: FilterConfig) -> StateFit:
    """The model that a start becomes with such a level."""
    return work.steps(start, min(config.fit_steps, _MOVING_STEPS), half_life=half_life)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A model that was asked to foretell."""

    reached: float  # log-likelihood of the newer returns
    half_life: float  # of its level; inf: it does not move
    older: StateFit  # fitted on the older bars


class _Foretelling:
    """How well models that are fitted on the older bars foretell the returns of the newer.

    How well something fits says little: whether volatility drifts, and whether wicks matter, shows where the past is
    asked about later bars.
    """

    def __init__(self, work: StateFitting, observed: Observed, config: FilterConfig) -> None:
        """work: on all of the bars."""
        self._known = int(_KNOWN_SHARE * len(observed))
        self._work = work
        self._past = StateFitting(observed.rows(slice(self._known)), config)
        self._half_lives = [float(each) for each in config.level_half_lives if 2 * each <= self._known]

    def asked(self, start: StateFit, half_life: float, steps: int = _ASKED_STEPS) -> _Asked:
        """A model from that start, with such a level."""
        older = self._past.steps(start, steps, half_life=half_life)
        return _Asked(self._work.foretold(older, self._known), half_life, older)

    def best(self, start: StateFit) -> _Asked:
        """The same with the level that foretells best: none, unless another does by enough."""
        still = self.asked(start, math.inf)
        moving = [self.asked(still.older, each, _LEVEL_STEPS) for each in self._half_lives]
        best = max([still, *moving], key=lambda each: each.reached)
        return best if best.reached > still.reached + _GAIN_MIN else still
