"""Regime model: one symbol's bars in, probabilities, labels and reasons out; in one call or one bar at a time.

Each axis pools two causal estimators: the rule score, which explains itself, and the Markov filter, which knows how
often states change. One decision layer turns what they say into labels. Nothing about a bar changes when later bars
come.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from magellan.compiled import kernel
from magellan.errors import FixInput
from magellan.regime.axes import CLASSES, UNKNOWN, Axis
from magellan.regime.components.component import Market
from magellan.regime.config import RegimeConfig
from magellan.regime.day_profile import DayProfile
from magellan.regime.decision import UNKNOWN_LABEL, Decider, even_stay, expected_right
from magellan.regime.markov_filter import MarkovFilter
from magellan.regime.markov_model import MarkovModel
from magellan.regime.option_chain import ChainColumns
from magellan.regime.reading import AxisReading, RegimeReading, StateReading
from magellan.regime.rows import Column, Rows
from magellan.regime.rule_score import AXES, RuleScore
from magellan.regime.state_meaning import StateMeaning, meaning_of
from magellan.regime.views import view_of
from magellan.trading.bar import PRICE_COLUMNS, Bars, Floats, instant
from magellan.trading.session import SessionColumns

_AXIS_STAY_BARS: Final = 50.0  # that a class is expected to last, where no filter says otherwise
# Of the dial's price. Five classes share what three share elsewhere, so that leads are smaller there.
_AXIS_PRICE: Final = {Axis.VOLATILITY: 1.0, Axis.TREND: 0.6, Axis.STRUCTURE: 1.0}
_REVERSAL: Final = ((0, 1), (3, 4))  # of the trend axis: down, and up
_USUAL_BARS: Final = 100.0  # over which a usual return is known
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
        self._rows = Rows()
        self._price = {name: self._rows.column(name) for name in (*PRICE_COLUMNS, "volume")}
        self._others: Column | None = None
        self._returns = self._rows.column("returns")
        self._size = self._rows.column("size of returns")
        self._deflated = self._rows.column("returns over the day profile")
        self._opened = self._rows.column("start", dtype=np.int64)
        self._day = self._rows.column("session date", dtype=np.int32)
        self._minute = self._rows.column("minute", dtype=np.int16)
        self._begins = self._rows.column("begins a session", dtype=np.bool_)
        self._timeframe: Any = None
        self._profile = DayProfile(config.filter.day_profile_sessions)
        self._filter = MarkovFilter(config.filter, config.alarm, self._rows)
        self._rules = RuleScore(config.components, self._rows)
        self._meanings: list[StateMeaning] = []
        self._pooled = {axis: self._rows.column(f"pooled {axis}", len(CLASSES[axis])) for axis in AXES}
        self._filter_share = self._rows.column("filter share", len(AXES))
        self._labels = self._rows.column("labels", 2 * (len(AXES) + 1))
        self._deciders = {
            axis: Decider(
                config.decision,
                price_factor=_AXIS_PRICE[axis],
                reversal=_REVERSAL if axis is Axis.TREND else None,
            )
            for axis in AXES
        }
        self._right = {axis: expected_right(even_stay(len(CLASSES[axis]), _AXIS_STAY_BARS)) for axis in AXES}
        self._state_decider = Decider(config.decision, likelier_than=0.5)
        self._state_right: list[Floats] = []
        self._decided_fit = -1
        self._spread = np.zeros(2)
        self._no_meaning = StateMeaning(
            **{axis.value: np.zeros((1, len(CLASSES[axis]))) for axis in AXES},
            relative_scale=np.ones(1),
            trend_t=np.zeros(1),
        )

    def __len__(self) -> int:
        return self._rows.kept

    @property
    def offset(self) -> int:
        """Bars that were taken in and are not kept any more."""
        return self._rows.offset

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
    def states(self) -> Labels:
        """Shape (n,): the filter's state as decided, of the fit in force at each bar; -1 before the first."""
        return self._labels.values[:, len(AXES)].astype(np.int64)

    @property
    def state_probabilities(self) -> Floats:
        """Shape (n, states_max): of each state of the fit in force; NaN before the first fit."""
        return self._filter.probabilities

    @property
    def fit_of(self) -> Floats:
        """Shape (n,): which of `models` judged each bar; NaN before the first."""
        return self._filter.fit_of

    @property
    def alarm(self) -> Floats:
        """Shape (n,): probability that the filter stopped fitting in the last bars; NaN before the first fit."""
        return self._filter.alarm

    @property
    def log_evidence(self) -> Floats:
        """Shape (n,): logarithm of the density of each return over the day profile, given the bars before it."""
        return self._filter.log_evidence

    @property
    def deflated_returns(self) -> Floats:
        """Shape (n,): log returns over the day profile."""
        return self._deflated.values[:, 0]

    @property
    def regimes(self) -> Labels:
        """Shape (n,): place of the regime among `view.names`, -1 where it is unknown."""
        return self.view.places(*(self.labels(axis) for axis in AXES))

    def confidence(self, axis: Axis) -> Floats:
        """Shape (n,): probability of the label, lowered while the alarm rings; NaN where the label is unknown."""
        return self._confidence(axis, slice(None))

    def _confidence(self, axis: Axis, rows: slice) -> Floats:
        labels = self._labels.values[rows, AXES.index(axis)].astype(np.int64)
        shares = self.probabilities(axis)[rows]
        chosen = shares[np.arange(len(labels)), np.maximum(labels, 0)]
        alarm = self.config.alarm
        rings = (np.nan_to_num(self.alarm[rows]) >= alarm.ring_at) & alarm.enabled
        out: Floats = np.where(labels >= 0, np.where(rings, alarm.confidence_factor * chosen, chosen), np.nan)
        return out

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
        if others is None:
            others = np.zeros((len(bars), 0))
        self._refuse_others(bars, others, chain)
        if self._others is None:
            self._others = self._rows.column("returns of other symbols", others.shape[1])
        start = self._rows.add(len(bars))
        for name, column in self._price.items():
            column.values[start:, 0] = getattr(bars, name)
        returns = self._returns.values[:, 0]
        _log_returns(self._price["open"].values[:, 0], self._price["close"].values[:, 0], start, returns)
        self._others.values[start:] = others
        day, begins = self._day.values[:, 0], self._begins.values[:, 0]
        self._opened.values[start:, 0], day[start:] = bars.opened_at_ns, session.day
        self._minute.values[start:, 0] = session.minute
        np.not_equal(day[start + 1 :], day[start:-1], out=begins[start + 1 :])
        begins[start] = start == 0 or day[start] != day[start - 1]
        deflated = self._deflated.values[:, 0]
        self._profile.divide(returns, day, self._minute.values[:, 0], start, deflated)
        _sizes(deflated, start, _USUAL_BARS, self._spread, self._size.values[:, 0])
        spans = [(start, len(self))]
        if self.config.filter.enabled:
            spans = self._filter.extend(deflated, begins, start, self.offset)
        self._rules.extend(self._market(self._others.values, chain), start)
        for first, last in spans:
            self._pool(first, last)
            self._decide(first, last)
        if self._keep is not None and len(self) > 2 * self._keep:
            self._forget(len(self) - self._keep)

    def reading(self, row: int = -1) -> RegimeReading:
        """Everything about one of the bars that are kept. Raises FixInput when there is none."""
        if len(self) == 0:
            raise FixInput(f"{self.symbol}: there is no bar to say anything about")
        row = range(len(self))[row]
        opened_at = instant(int(self._opened.values[row, 0]))
        volatility, trend, structure = (int(self._labels.values[row, at]) for at in range(len(AXES)))
        state = self._state_reading(row)
        alarm = float(self.alarm[row])
        return RegimeReading(
            symbol=self.symbol,
            timeframe=str(self._timeframe),
            bar_opened_at=opened_at,
            known_at=opened_at + timedelta(microseconds=self._timeframe.span_ns // 1000),
            regime=self.view.name_of(volatility, trend, structure),
            view=self.view.name,
            axes=tuple(self._axis_reading(axis, row) for axis in AXES),
            state=state,
            alarm=None if alarm != alarm else alarm,
            no_regimes_here=state.states == 1,
            evidence=self._rules.evidence(row),
            config_sha256=self.config.sha256,
        )

    def _axis_reading(self, axis: Axis, row: int) -> AxisReading:
        place = AXES.index(axis)
        label = int(self._labels.values[row, place])
        shares = self.probabilities(axis)[row]
        confidence = float(self._confidence(axis, slice(row, row + 1))[0])
        return AxisReading(
            axis=axis,
            label=UNKNOWN if label < 0 else CLASSES[axis][label],
            probabilities={
                name: None if share != share else float(share)
                for name, share in zip(CLASSES[axis], shares, strict=True)
            },
            confidence=None if confidence != confidence else confidence,
            age_bars=int(self._labels.values[row, len(AXES) + 1 + place]),
            filter_weight=float(self._filter_share.values[row, place]),
        )

    def _state_reading(self, row: int) -> StateReading:
        at = float(self.fit_of[row])
        if at != at:
            return StateReading(
                state=UNKNOWN_LABEL, states=0, probabilities=(), age_bars=0, hazard=None, expected_stay_bars=None,
                evidence_for_regimes=None, model_id="", fitted_bars=0,
            )  # fmt: skip
        model = self.models[int(at)]
        state = int(self._labels.values[row, len(AXES)])
        stay = float(model.expected_stay_bars[state]) if state >= 0 else np.nan
        return StateReading(
            state=state,
            states=model.states,
            probabilities=tuple(self.state_probabilities[row, : model.states].tolist()),
            age_bars=int(self._labels.values[row, -1]),
            hazard=1.0 - float(model.stay[state, state]) if state >= 0 else None,
            expected_stay_bars=stay if np.isfinite(stay) else None,
            evidence_for_regimes=model.evidence_for_regimes
            if np.isfinite(model.evidence_for_regimes)
            else None,
            model_id=model.model_id,
            fitted_bars=model.bars,
        )

    def _refuse_others(self, bars: Bars, others: Floats, chain: ChainColumns | None) -> None:
        if self._timeframe is None:
            self._timeframe = bars.timeframe
        if bars.timeframe != self._timeframe:
            raise FixInput(f"{self.symbol}: {bars.timeframe} bars after {self._timeframe} bars")
        if len(self) and bars.opened_at_ns[0] <= self.opened_at_ns[-1]:
            raise FixInput(
                f"{self.symbol}: the bar of {instant(int(bars.opened_at_ns[0]))} does not follow the bars before it",
                next_step="hand each bar in once, oldest first",
            )
        if len(others) != len(bars):
            raise FixInput(f"{self.symbol}: other symbols have {len(others)} rows, the bars {len(bars)}")
        if self._others is not None and self._others.values.shape[1] != others.shape[1]:
            raise FixInput(
                f"{self.symbol}: {others.shape[1]} other symbols after {self._others.values.shape[1]}"
            )
        if chain is not None and len(chain) != len(bars):
            raise FixInput(f"{self.symbol}: the option chain has {len(chain)} rows, the bars {len(bars)}")

    def _market(self, others: Floats, chain: ChainColumns | None) -> Market:
        return Market(
            **{name: column.values[:, 0] for name, column in self._price.items()},
            returns=self._returns.values[:, 0],
            day=self._day.values[:, 0],
            offset=self.offset,
            is_daily=self._timeframe.is_daily,
            others=others,
            chain=chain,
        )

    def _pool(self, start: int, end: int) -> None:
        """Probabilities of rows that one fit judged: the rule score counts once, the filter by its weight."""
        at = float(self._filter.fit_of[start])
        weight, levels = 0.0, self._filter.level
        meaning, states = self._no_meaning, self._filter.probabilities
        if at == at:
            while len(self._meanings) <= int(at):
                model = self.models[len(self._meanings)]
                self._meanings.append(meaning_of(model, self.config.limits))
                self._state_right.append(expected_right(model.stay))
            meaning, weight = self._meanings[int(at)], self.config.filter.weight
        single = at == at and self.models[int(at)].states == 1
        limits = self.config.limits
        for place, axis in enumerate(AXES):
            by_level = single and axis is Axis.VOLATILITY
            _pool_axis(
                self._rules.shares(axis), states, meaning.of(axis), weight if by_level or meaning.says(axis) else 0.0,
                by_level, levels, math.log(limits.low_volatility_below), math.log(limits.high_volatility_above),
                start, end, self._pooled[axis].values, self._filter_share.values, place,
            )  # fmt: skip

    def _decide(self, start: int, end: int) -> None:
        labels, size = self._labels.values, self._size.values[:, 0]
        for place, axis in enumerate(AXES):
            self._deciders[axis].extend(
                self._pooled[axis].values,
                self._right[axis],
                self._begins.values[:, 0],
                size,
                start,
                end,
                labels,
                place,
            )
        at = float(self._filter.fit_of[start])
        if at != at:
            labels[start:end, len(AXES)] = UNKNOWN_LABEL
            labels[start:end, -1] = 0
            return
        if int(at) != self._decided_fit:
            # The states of another fit are others, though those of a like number are matched.
            if (
                self._decided_fit >= 0
                and self.models[self._decided_fit].states != self.models[int(at)].states
            ):
                self._state_decider.restart(self._filter.probabilities[start, : self.models[int(at)].states])
            self._decided_fit = int(at)
        self._state_decider.extend(
            self._filter.probabilities,
            self._state_right[int(at)],
            self._begins.values[:, 0],
            size,
            start,
            end,
            labels,
            len(AXES),
        )

    def _forget(self, rows: int) -> None:
        self._rows.forget(rows)


def bars_needed(config: RegimeConfig) -> int:
    """Bars that the next one may ask about."""
    parts = config.components
    return max(
        config.filter.fit_window_bars if config.filter.enabled else 1,
        parts.atr_percentile.window_bars + parts.atr_percentile.atr_bars,
        parts.slope.window_bars + 1,
        parts.squeeze.bars + 1,
        parts.volume_profile.window_bars,
        parts.timeframe_vote.window_bars * max(parts.timeframe_vote.multiples, default=0) + 1,
        parts.correlation.window_bars,
        parts.support_resistance.window_bars + 2 * parts.support_resistance.swing_bars,
        parts.straddle.window_bars,
        parts.iv_percentile.window_bars,
        parts.open_interest.window_bars + 1,
    )


@kernel
def _log_returns(open_: Any, close: Any, start: int, returns: Any) -> None:
    """Row by row: NumPy's logarithm of many rows may differ in the last bit from that of one."""
    for row in range(start, len(close)):
        returns[row] = math.log(close[row] / (close[row - 1] if row > 0 else open_[0]))


@kernel
def _sizes(returns: Any, start: int, bars: float, spread: Any, size: Any) -> None:
    """Each return over the usual deviation of those before it."""
    for row in range(start, len(returns)):
        size[row] = returns[row] / np.sqrt(spread[0]) if spread[0] > 0.0 else 0.0
        share = max(1.0 / bars, 1.0 / (spread[1] + 1.0))
        spread[0] += share * (returns[row] * returns[row] - spread[0])
        spread[1] += 1.0


@kernel
def _pool_axis(
    rule: Any, states: Any, meaning: Any, weight: float, by_level: bool, levels: Any, below: float, above: float,
    start: int, end: int, pooled: Any, filter_share: Any, place: int,
) -> None:  # fmt: skip
    classes = pooled.shape[1]
    for row in range(start, end):
        known = not np.isnan(rule[row, 0])
        share = 0.0
        if weight > 0.0:
            share = weight / (1.0 + weight) if known else 1.0
        for k in range(classes):
            pooled[row, k] = (1.0 - share) * rule[row, k] if known else (0.0 if share > 0.0 else np.nan)
        if share > 0.0 and by_level:
            score = -0.5 * levels[row] / below if levels[row] < 0.0 else 0.5 * levels[row] / above
            score = min(1.0, max(-1.0, score))
            pooled[row, 0] += share * max(0.0, -score)
            pooled[row, 1] += share * (1.0 - abs(score))
            pooled[row, 2] += share * max(0.0, score)
        elif share > 0.0:
            # The filter knows nothing of breaks: what it says is about the rest.
            rest = 1.0 - rule[row, 2] if place == 2 and known else 1.0
            if place == 2 and known:
                pooled[row, 2] = rule[row, 2]
            for k in range(classes):
                for state in range(len(meaning)):
                    pooled[row, k] += rest * share * states[row, state] * meaning[state, k]
        filter_share[row, place] = share
