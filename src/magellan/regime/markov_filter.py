"""Markov filter over bars as they come: fits on a calendar, each on bars that were past by then.

The first fit needs `first_fit_bars`. Later ones begin with a session: when `refit_every_sessions` have passed, and when
there are half as many bars again, which is also when the number of states is asked about anew. A fit changes nothing
that was said before it. So what is said about a bar depends on that bar and those before it, in whatever portions they
come.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from magellan.regime.config import AlarmConfig, FilterConfig
from magellan.regime.fitting import fit
from magellan.regime.hidden_markov import ALTERNATIVES, change_odds, forward
from magellan.regime.markov_model import MarkovModel, aligned
from magellan.regime.rows import Rows
from magellan.trading.bar import Floats, Mask

GROWN: Final = 1.5  # times the bars of the last search, and the states are asked about again


class MarkovFilter:
    """The filter of one symbol. `extend` takes rows in; the rest are its columns, NaN before the first fit."""

    def __init__(self, config: FilterConfig, alarm: AlarmConfig, rows: Rows) -> None:
        self._config = config
        self._alarm_config = alarm
        most = config.states_max
        self._filtered = rows.column("state probabilities", most)
        self._density = rows.column("state densities", most)
        self._evidence = rows.column("evidence")
        self._levels = rows.column("level")
        self._alarm = rows.column("alarm")
        self._fit_of = rows.column("fit")
        self.models: list[MarkovModel] = []
        self._searched_at = 0  # bars seen by the newest fit that asked for the number of states
        self._sessions_since = 0  # the newest fit
        self._belief = np.empty(0)
        self._alarm_belief = np.empty(0)
        self._level = np.zeros(1)
        self._odds = np.zeros(ALTERNATIVES)

    @property
    def model(self) -> MarkovModel | None:
        """The fit in force; None before the first."""
        return self.models[-1] if self.models else None

    @property
    def probabilities(self) -> Floats:
        """Shape (rows, states_max): of each state of the fit in force; 0 for states it does not have."""
        return self._filtered.values

    @property
    def alarm(self) -> Floats:
        """Shape (rows,): probability that the model stopped fitting in the last bars."""
        return self._alarm.values[:, 0]

    @property
    def level(self) -> Floats:
        """Shape (rows,): logarithm of the common level that each bar was judged with."""
        return self._levels.values[:, 0]

    @property
    def fit_of(self) -> Floats:
        """Shape (rows,): which of `models` judged each bar; NaN before the first fit."""
        return self._fit_of.values[:, 0]

    @property
    def log_evidence(self) -> Floats:
        """Shape (rows,): logarithm of each bar's density, given those before it."""
        with np.errstate(invalid="ignore"):
            out: Floats = np.log(self._evidence.values[:, 0])
        return out

    def extend(self, returns: Floats, begins: Mask, start: int, offset: int) -> list[tuple[int, int]]:
        """Take in rows from `start` on.

        returns: log returns over the day profile, of every row that is kept.
        begins:  the rows that begin a session.
        offset:  rows that came before the first one kept.
        Returns: spans of rows that one fit judged, in order.
        """
        end = len(returns)
        spans = []
        at = start
        for row in (start + np.flatnonzero(begins[start:])).tolist():
            self._sessions_since += 1
            if self._is_due(row + offset):
                if row > at:
                    spans.append((at, row))
                    self._judge(returns, at, row)
                    at = row
                self._fit(returns[:row], row + offset)
        spans.append((at, end))
        self._judge(returns, at, end)
        return spans

    def _is_due(self, seen: int) -> bool:
        if not self.models:
            return seen >= self._config.first_fit_bars
        return self._sessions_since >= self._config.refit_every_sessions or seen >= GROWN * self._searched_at

    def _fit(self, past: Floats, seen: int) -> None:
        window = np.ascontiguousarray(past[-self._config.fit_window_bars :])
        before = self.model
        like = None if seen >= GROWN * self._searched_at else before
        model = aligned(fit(window, self._config, like=like), before)
        if like is None:
            self._searched_at = seen
        self._sessions_since = 0
        self.models.append(model)
        self._start_from(model, window)

    def _start_from(self, model: MarkovModel, window: Floats) -> None:
        """What the new fit believes after the bars that it was fitted on."""
        n, states = len(window), model.states
        self._belief = np.full(states, 1.0 / states)
        self._level = np.array([model.level_at_start])
        forward(
            window, 0, n, model.mean, model.scale, model.m, model.stay, model.level.gain, model.level.pull,
            self._belief, self._level, np.empty((n, states)), np.empty((n, states)), np.empty(n), np.empty(n),
        )  # fmt: skip
        self._alarm_belief = self._belief.copy()
        self._odds = np.zeros(ALTERNATIVES)

    def _judge(self, returns: Floats, start: int, end: int) -> None:
        model = self.model
        if model is None:
            self._filtered.values[start:end] = np.nan
            for column in (self._evidence, self._levels, self._alarm, self._fit_of):
                column.values[start:end] = np.nan
            return
        filtered, evidence, levels = (
            self._filtered.values,
            self._evidence.values[:, 0],
            self._levels.values[:, 0],
        )
        filtered[start:end] = 0.0
        forward(
            returns, start, end, model.mean, model.scale, model.m, model.stay, model.level.gain, model.level.pull,
            self._belief, self._level, filtered, self._density.values, evidence, levels,
        )  # fmt: skip
        self._fit_of.values[start:end] = len(self.models) - 1
        if not self._alarm_config.enabled:
            self.alarm[start:end] = 0.0
            return
        change_odds(
            returns, start, end, model.mean, model.scale, model.m, model.stay, self._alarm_belief, filtered,
            levels, evidence, 1.0 / self._alarm_config.run_bars, 1.0 - 1.0 / self._alarm_config.recent_bars,
            self._odds, self.alarm,
        )  # fmt: skip
