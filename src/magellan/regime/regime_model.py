"""Regime model: one symbol's bars in, probabilities, labels and reasons out; in one call or one bar at a time.

Each axis pools two causal estimators: the rule score, which explains itself, and the Markov filter, which knows how
often states change. One decision layer turns what they say into labels. Nothing about a bar changes when later bars
come.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from magellan.errors import FixInput
from magellan.regime.axes import CLASSES, Axis
from magellan.regime.bars_needed import bars_needed
from magellan.regime.config import RegimeConfig
from magellan.regime.day_profile import DayProfile
from magellan.regime.decision import Decider, even_stay, expected_right
from magellan.regime.fit_terms import fit_terms
from magellan.regime.markov_filter import MarkovFilter
from magellan.regime.markov_model import MarkovModel
from magellan.regime.option_chain import ChainColumns
from magellan.regime.places import Places
from magellan.regime.reading import RegimeReading, reading_of
from magellan.regime.rows import Rows
from magellan.regime.rule_score import AXES, Evidence, RuleScore
from magellan.regime.step import TERMS, advance
from magellan.regime.views import view_of
from magellan.trading.bar import PRICE_COLUMNS, Bars, Floats, instant
from magellan.trading.session import SessionColumns
from magellan.trading.timeframe import Timeframe

_AXIS_STAY_BARS: Final = 50.0  # that a class is expected to last, where no filter says otherwise
# Of the dial's price. Five classes share what three share elsewhere, so that leads are smaller there.
_AXIS_PRICE: Final = {Axis.VOLATILITY: 1.0, Axis.TREND: 0.6, Axis.STRUCTURE: 1.0}
# Times that, where no states stand behind the probabilities: of volatility a level that always moves, of the rest the
# rules alone, which see trends and breaks in chance too. With it labels rest on data without regimes (decision 0091).
_ALONE_PRICE: Final = {Axis.VOLATILITY: 3.2, Axis.TREND: 2.5, Axis.STRUCTURE: 1.6}
_REVERSAL: Final = ((0, 1), (3, 4))  # of the trend axis: down, and up
Labels = NDArray[np.int64]


class RegimeModel:
    """The model of one symbol. `extend` takes bars in; properties are columns over the bars that are kept."""

    def __init__(self, symbol: str, config: RegimeConfig, *, keep_bars: int | None = None) -> None:
        """keep_bars: how many bars to keep when more have come, at least; None keeps all.

        Raises: FixInput for a view with holes or overlaps; for keep_bars below what the config's windows need.
        """
        self.symbol = symbol
        self.config = config
        self.view = view_of(config)
        needed = bars_needed(config)
        if keep_bars is not None and keep_bars < needed:
            raise FixInput(
                f"{keep_bars} bars are too few to go on with: the config's windows reach over {needed}",
                next_step=f"keep at least {needed}",
            )
        self._keep = keep_bars
        self._timeframe: Timeframe | None = None
        rows = self._rows = Rows()
        self._price = {name: rows.column(name) for name in (*PRICE_COLUMNS, "volume")}
        self._opened = rows.column("start", dtype=np.int64)
        self._day = rows.column("session date", dtype=np.int32)
        self._minute = rows.column("minute", dtype=np.int16)
        self._begins = rows.column("begins a session", dtype=np.bool_)
        self._measured = {name: rows.column(name) for name in ("log_close", "returns", "deflated", "size")}
        states = config.filter.states_max
        self._states = rows.column("state probabilities", states)
        self._density = rows.column("state densities", states)
        self._judged = {name: rows.column(name) for name in ("evidence", "levels", "alarm", "fit_of")}
        self._rules = RuleScore(config.components, rows)
        self._pooled = {axis: rows.column(f"pooled {axis}", len(CLASSES[axis])) for axis in AXES}
        self._filter_share = rows.column("filter share", len(AXES))
        self._labels = rows.column("labels", 2 * (len(AXES) + 1))
        self._filter = MarkovFilter(config.filter)
        self._deciders = {
            axis: Decider(
                config.decision,
                price_factor=_AXIS_PRICE[axis],
                alone_factor=_ALONE_PRICE[axis],
                reversal=_REVERSAL if axis is Axis.TREND else None,
            )
            for axis in AXES
        }
        self._state_decider = Decider(config.decision, likelier_than=0.5)
        self._right = {axis: expected_right(even_stay(len(CLASSES[axis]), _AXIS_STAY_BARS)) for axis in AXES}
        self._profile = DayProfile(config.filter.day_profile_sessions)
        self._spread = np.zeros(2)
        # What the step is told; made anew when columns move or a fit is made.
        self._told_for = (-1, -1)
        self._places = Places({})
        self._terms = np.zeros(1, dtype=TERMS)

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

    def labels(self, axis: Axis) -> Labels:
        """Shape (n,): place of the label among the axis' classes, -1 where it is unknown."""
        return self._labels.values[:, AXES.index(axis)].astype(np.int64)

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
    def deflated_returns(self) -> Floats:
        """Shape (n,): log returns over the day profile."""
        return self._measured["deflated"].values[:, 0]

    @property
    def regimes(self) -> Labels:
        """Shape (n,): place of the regime among `view.names`, -1 where it is unknown."""
        return self.view.places(*(self.labels(axis) for axis in AXES))

    def confidence(self, axis: Axis, rows: slice = slice(None)) -> Floats:
        """Of the kept bars or some of them: probability of the label, lowered while the alarm rings; NaN where the
        label is unknown.
        """
        labels = self._labels.values[rows, AXES.index(axis)].astype(np.int64)
        shares = self.probabilities(axis)[rows]
        chosen = shares[np.arange(len(labels)), np.maximum(labels, 0)]
        alarm = self.config.alarm
        rings = (np.nan_to_num(self.alarm[rows]) >= alarm.ring_at) & alarm.enabled
        out: Floats = np.where(labels >= 0, np.where(rings, alarm.confidence_factor * chosen, chosen), np.nan)
        return out

    def evidence(self, row: int) -> tuple[Evidence, ...]:
        """What every component says about one of the bars that are kept."""
        return self._rules.evidence(row)

    def reading(self, row: int = -1) -> RegimeReading:
        """Everything about one of the bars that are kept. Raises FixInput when there is none."""
        return reading_of(self, row)

    def extend(
        self,
        bars: Bars,
        session: SessionColumns,
        *,
        others: Floats | None = None,
        chain: ChainColumns | None = None,
    ) -> None:
        """Take in bars that follow those before.

        session: of the same bars.
        others:  shape (n, symbols): log returns of other symbols over the same bars.
        chain:   option chains as known at each bar's close.
        Raises:  FixInput for bars that do not follow, or are of another timeframe.
        """
        if len(bars) == 0:
            return
        self._refuse_others(bars, others, chain)
        if self._timeframe is None:
            self._begin(bars.timeframe, 0 if others is None else others.shape[1])
        start = self._rows.add(len(bars))
        end = len(self)
        for name, column in self._price.items():
            column.room[start:end, 0] = getattr(bars, name)
        if others is not None:
            self._others.room[start:end] = others
        day, begins = self._day.line, self._begins.line
        self._opened.room[start:end, 0], day[start:end] = bars.opened_at_ns, session.day
        self._minute.room[start:end, 0] = session.minute
        begins[start] = start == 0 or day[start] != day[start - 1]
        if end > start + 1:
            np.not_equal(day[start + 1 : end], day[start : end - 1], out=begins[start + 1 : end])
        self._rules.read_chain(self._price["close"].values[:, 0], self.offset, chain, start)
        spans: Iterable[tuple[int, int]] = [(start, end)]
        if self.config.filter.enabled:
            spans = self._filter.spans(self._measured["deflated"].line, begins, start, end, self.offset)
        for first, last in spans:
            self._take_in(first, last)
        if self._keep is not None and end > 2 * self._keep:
            self._rows.forget(end - self._keep)

    def _begin(self, timeframe: Timeframe, others: int) -> None:
        config = self.config
        self._timeframe = timeframe
        self._others = self._rows.column("returns of other symbols", others)
        terms = self._terms
        terms["rules"] = self._rules.terms(is_daily=timeframe.is_daily, others=others)
        terms["alarm"] = (
            config.alarm.enabled,
            1.0 / config.alarm.run_bars,
            1.0 - 1.0 / config.alarm.recent_bars,
        )
        for axis in AXES:
            terms[axis.value] = self._deciders[axis].terms
        terms["state"] = self._state_decider.terms
        terms["profile_flat"] = config.filter.day_profile_sessions

    def _take_in(self, first: int, last: int) -> None:
        """Rows that one fit judges."""
        models = self._filter.models
        told_for = (self._rows.moves, len(models))
        restart = False
        if told_for != self._told_for:
            before = self._told_for[1]
            # The states of another fit are others, though those of a like number are matched.
            restart = 0 < before < len(models) and models[-1].states != models[before - 1].states
            self._tell()
            self._told_for = told_for
        advance(first, last, self._rows.offset, restart, self._places.record, self._terms)

    def _tell(self) -> None:
        """The step what it reads and writes as things stand."""
        kept, profile = self._filter, self._profile
        newest = kept.models[-1] if kept.models else None
        self._terms["fit"], of_fit = fit_terms(
            newest, len(kept.models) - 1, self.config.limits, self.config.filter.weight
        )
        columns = {
            **self._price,
            **self._measured,
            **self._judged,
            "minute": self._minute,
            "begins": self._begins,
        }
        deciders = {**{axis.value: self._deciders[axis] for axis in AXES}, "state": self._state_decider}
        self._places = Places(
            {
                **{name: column.line for name, column in columns.items()},
                **{axis.value: self._pooled[axis].room for axis in AXES},
                **{f"right_{axis}": self._right[axis] for axis in AXES},
                **{f"sides_{name}": decider.sides for name, decider in deciders.items()},
                **{f"decided_{name}": decider.memory for name, decider in deciders.items()},
                **self._rules.arrays(),
                **of_fit,
                "others": self._others.room,
                "filtered": self._states.room,
                "density": self._density.room,
                "filter_share": self._filter_share.room,
                "labels": self._labels.room,
                "profile_sums": profile.sums,
                "profile_running": profile.running,
                "profile_whole": profile.whole,
                "spread": self._spread,
                "belief": kept.belief,
                "alarm_belief": kept.alarm_belief,
                "level": kept.level,
                "odds": kept.odds,
            }
        )

    def _refuse_others(self, bars: Bars, others: Floats | None, chain: ChainColumns | None) -> None:
        if others is not None and len(others) != len(bars):
            raise FixInput(f"{self.symbol}: other symbols have {len(others)} rows, the bars {len(bars)}")
        if chain is not None and len(chain) != len(bars):
            raise FixInput(f"{self.symbol}: the option chain has {len(chain)} rows, the bars {len(bars)}")
        if self._timeframe is None:
            return
        if bars.timeframe != self._timeframe:
            raise FixInput(f"{self.symbol}: {bars.timeframe} bars after {self._timeframe} bars")
        if bars.opened_at_ns[0] <= self._opened.room[len(self) - 1, 0]:
            raise FixInput(
                f"{self.symbol}: the bar of {instant(int(bars.opened_at_ns[0]))} does not follow the bars before it",
                next_step="hand each bar in once, oldest first",
            )
        before, now = self._others.room.shape[1], 0 if others is None else others.shape[1]
        if before != now:
            raise FixInput(f"{self.symbol}: {now} other symbols after {before}")
