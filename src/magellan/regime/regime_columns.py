"""Regime columns: what a model has said of each bar that is kept, and why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from magellan.errors import FixInput
from magellan.regime.axes import CLASSES, Axis
from magellan.regime.config import RegimeConfig
from magellan.regime.markov_filter import MarkovFilter
from magellan.regime.markov_model import MarkovModel
from magellan.regime.observed import Observed
from magellan.regime.reading import RegimeReading, reading_of
from magellan.regime.rows import Rows
from magellan.regime.rule_score import AXES, Evidence, RuleScore
from magellan.regime.views import view_of
from magellan.trading.bar import PRICE_COLUMNS, Floats
from magellan.trading.timeframe import Timeframe

Labels = NDArray[np.int64]


class RegimeColumns:
    """The columns of one symbol, over the bars that are kept. `RegimeModel` writes them."""

    def __init__(self, symbol: str, config: RegimeConfig, rows: Rows) -> None:
        """Raises: FixInput for a view with holes or overlaps."""
        self.symbol = symbol
        self.config = config
        self.view = view_of(config)
        self._timeframe: Timeframe | None = None
        self._rows = rows
        self._price = {name: rows.column(name) for name in (*PRICE_COLUMNS, "volume")}
        self._opened = rows.column("start", dtype=np.int64)
        self._day = rows.column("session date", dtype=np.int32)
        self._minute = rows.column("minute", dtype=np.int16)
        self._begins = rows.column("begins a session", dtype=np.bool_)
        self._measured = {
            name: rows.column(name) for name in ("log_close", "returns", "deflated", "wicks", "size")
        }
        states = config.filter.states_max
        self._states = rows.column("state probabilities", states)
        self._density = rows.column("state densities", states)
        self._judged = {name: rows.column(name) for name in ("evidence", "levels", "alarm", "fit_of")}
        self._rules = RuleScore(config.components, rows)
        self._pooled = {axis: rows.column(f"pooled {axis}", len(CLASSES[axis])) for axis in AXES}
        self._filter_share = rows.column("filter share", len(AXES))
        self._labels = rows.column("labels", 2 * (len(AXES) + 1))
        self._filter = MarkovFilter(config.filter)

    def __len__(self) -> int:
        return self._rows.kept

    @property
    def offset(self) -> int:
        """Bars that were taken in and are not kept any more."""
        return self._rows.offset

    @property
    def timeframe(self) -> Timeframe:
        """Of the bars. Raises FixInput before the first."""
        if self._timeframe is None:
            raise FixInput(f"{self.symbol}: there is no bar to say anything about")
        return self._timeframe

    @property
    def models(self) -> Sequence[MarkovModel]:
        """Every fit so far, oldest first."""
        return self._filter.models

    @property
    def opened_at_ns(self) -> NDArray[np.int64]:
        """Shape (n,): start of each bar that is kept."""
        return self._opened.values[:, 0]

    def probabilities(self, axis: Axis) -> Floats:
        """Shape (n, classes); rows sum to 1, or are NaN where nothing is known."""
        return self._pooled[axis].values

    def labels(self, axis: Axis, rows: slice = slice(None)) -> Labels:
        """Of the kept bars or some of them: place of the label among the axis' classes, -1 where it is unknown."""
        return self._labels.values[rows, AXES.index(axis)].astype(np.int64)

    def ages(self, axis: Axis) -> Labels:
        """Shape (n,): bars for which the label has held, this one included."""
        return self._labels.values[:, len(AXES) + 1 + AXES.index(axis)].astype(np.int64)

    @property
    def filter_share(self) -> Floats:
        """Shape (n, axes): share of the filter in the probabilities; the rest is the rule score's."""
        return self._filter_share.values

    @property
    def states(self) -> Labels:
        """Shape (n,): the filter's state as decided, of the fit in force at each bar; -1 before the first."""
        return self._labels.values[:, len(AXES)].astype(np.int64)

    @property
    def state_ages(self) -> Labels:
        """Shape (n,): bars for which the state has held, this one included."""
        return self._labels.values[:, -1].astype(np.int64)

    @property
    def state_probabilities(self) -> Floats:
        """Shape (n, states_max): of each state of the fit in force; NaN before the first fit."""
        return self._states.values

    @property
    def fit_of(self) -> Floats:
        """Shape (n,): which of `models` judged each bar; NaN before the first."""
        return self._judged["fit_of"].values[:, 0]

    @property
    def alarm(self) -> Floats:
        """Shape (n,): probability that the filter stopped fitting in the last bars; NaN before the first fit."""
        return self._judged["alarm"].values[:, 0]

    @property
    def log_evidence(self) -> Floats:
        """Shape (n,): logarithm of the density of each return over the day profile, given the bars before it."""
        with np.errstate(invalid="ignore"):
            out: Floats = np.log(self._judged["evidence"].values[:, 0])
        return out

    @property
    def observed(self) -> Observed:
        """What the filter sees: returns and wicks over the day profile, n of each."""
        return Observed(self._measured["deflated"].values[:, 0], self._measured["wicks"].values[:, 0])

    @property
    def regimes(self) -> Labels:
        """Shape (n,): place of the regime among `view.names`, -1 where it is unknown."""
        return self.view.places(*(self.labels(axis) for axis in AXES))

    def confidence(self, axis: Axis, rows: slice = slice(None)) -> Floats:
        """Of the kept bars or some of them: probability of the label, lowered while the alarm rings; NaN where the
        label is unknown.
        """
        labels = self.labels(axis, rows)
        shares = self.probabilities(axis)[rows]
        chosen = shares[np.arange(len(labels)), np.maximum(labels, 0)]
        alarm = self.config.alarm
        rings = (self.alarm[rows] >= alarm.ring_at) & alarm.enabled  # unknown does not ring
        out: Floats = np.where(labels >= 0, np.where(rings, alarm.confidence_factor * chosen, chosen), np.nan)
        return out

    def evidence(self, row: int) -> tuple[Evidence, ...]:
        """What every component says about one of the bars that are kept."""
        return self._rules.evidence(row)

    def reading(self, row: int = -1) -> RegimeReading:
        """Everything about one of the bars that are kept. Raises FixInput when there is none."""
        return reading_of(self, row)
