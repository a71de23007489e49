"""Markov filter over bars as they come: fits on a calendar, each on bars that were past by then.

The first fit needs `first_fit_bars`. Later ones begin with a session: when `refit_every_sessions` have passed, and when
there are twice as many bars, which is also when the number of states is asked about anew. A fit changes nothing
that was said before it. So what is said about a bar depends on that bar and those before it, in whatever portions they
come.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from magellan.regime.config import FilterConfig
from magellan.regime.fitting import fit
from magellan.regime.hidden_markov import ALTERNATIVES, emissions, forward
from magellan.regime.markov_model import MarkovModel, aligned
from magellan.regime.observed import NOTHING_OBSERVED, Observed
from magellan.regime.wick_density import wick_terms
from magellan.trading.bar import Mask

GROWN: Final = 2.0  # times the bars of the last search, and the states are asked about again


class MarkovFilter:
    """The fits of one symbol, and what the one in force believes after the newest row."""

    def __init__(self, config: FilterConfig) -> None:
        self._config = config
        self.models: list[MarkovModel] = []
        self._searched_at = 0  # bars seen by the newest fit that asked for the number of states
        self._sessions_since = 0  # the newest fit
        self._older = NOTHING_OBSERVED  # before the first row that is kept, as much as a fit may ask for
        # Memory of the compiled step, by the states of the newest fit.
        self.belief = np.zeros(1)
        self.alarm_belief = np.zeros(1)
        self.level = np.zeros(1)
        self.odds = np.zeros(ALTERNATIVES)

    def spans(
        self, observed: Observed, begins: Mask, start: int, end: int, offset: int
    ) -> Iterator[tuple[int, int]]:
        """Rows from `start` to `end` in spans that one fit judges, or none before the first; fits between them.

        observed: columns; rows of a span are written when the next one is asked for.
        begins:   the rows that begin a session.
        offset:   rows that came before the first one kept.
        """
        at = start
        for row in (start + np.flatnonzero(begins[start:end])).tolist():
            self._sessions_since += 1
            if self._is_due(row + offset):
                if row > at:
                    yield at, row
                    at = row
                self._fit(observed.rows(slice(row)), row + offset)
        yield at, end

    def forget(self, observed: Observed) -> None:
        """Rows that the columns are about to forget. A fit looks back farther than all else: it keeps theirs itself."""
        self._older = self._older.followed_by(observed).rows(slice(-self._config.fit_window_bars, None))

    def _is_due(self, seen: int) -> bool:
        if not self.models:
            return seen >= self._config.first_fit_bars
        return self._sessions_since >= self._config.refit_every_sessions or seen >= GROWN * self._searched_at

    def _fit(self, past: Observed, seen: int) -> None:
        reach = self._config.fit_window_bars
        missing = max(0, reach - len(past))
        older = self._older.rows(slice(len(self._older) - min(missing, len(self._older)), None))
        window = older.followed_by(past.rows(slice(-reach, None)))
        before = self.models[-1] if self.models else None
        like = None if seen >= GROWN * self._searched_at else before
        model = aligned(fit(window, self._config, like=like), before)
        if like is None:
            self._searched_at = seen
        self._sessions_since = 0
        self.models.append(model)
        self._start_from(model, window)

    def _start_from(self, model: MarkovModel, window: Observed) -> None:
        """What the new fit believes after the bars that it was fitted on."""
        n, states = len(window), model.states
        self.belief = np.full(states, 1.0 / states)
        self.level = np.array([model.level_at_start])
        centre, by_wick = wick_terms(model.wicks, model.scale)
        filtered, density = np.empty((n, states)), np.empty((n, states))
        joint, evidence, levels = np.empty(n), np.empty(n), np.empty(n)
        forward(
            window.returns, window.wicks, model.mean, *emissions(model.scale, model.m), model.m, centre, by_wick,
            model.stay, model.level.gain, model.level.pull, self.belief, self.level, filtered, density, joint, evidence,
            levels,
        )  # fmt: skip
        self.alarm_belief = self.belief.copy()
        self.odds = np.zeros(ALTERNATIVES)
