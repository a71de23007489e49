"""Regime features for strategies: a gate, and parameters that depend on the regime, as columns like any other feature.

    def features(self, bars, p):
        regime = regime_features(bars, RegimeConfig(decision=DecisionConfig(stability=p.stability)))
        return {
            "calm": regime.gate(volatility=("low", "medium")),
            "stop_atr": regime.choose(Axis.VOLATILITY, {"low": 1.0, "medium": 1.5, "high": 2.5}, unknown=2.5),
            **regime.columns(),
        }

    def enter_long(self, f, p):
        return f.calm & (f.close > f.average)

A backtest and a live session call the same function on the bars that have closed, and from the same bars get the same
columns. What it says depends on where the history begins, for longer than with other indicators: let a live session's
history, data.history_days, begin where the backtest's did.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from magellan.errors import FixInput
from magellan.regime.axes import CLASSES, Axis
from magellan.regime.config import RegimeConfig
from magellan.regime.regime_model import RegimeModel
from magellan.trading.bar import PRICE_COLUMNS, Bars, Floats, Mask
from magellan.trading.session import SessionColumns

_MODELS_KEPT: Final = 64  # symbols times configs of one process
_TREND_MIDDLE: Final = 2.0
_FIRST_ROOM: Final = 512  # bars
_READ: Final = ("opened_at_ns", *PRICE_COLUMNS, "volume")


class SeenBars(Protocol):
    """What is read of a strategy's view of the market."""

    @property
    def bars(self) -> Bars: ...

    @property
    def session(self) -> SessionColumns: ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegimeFeatures:
    """What is known about the regime when each bar has closed; shapes (n,)."""

    labels: Mapping[Axis, Floats]  # place among the axis' classes; NaN where unknown
    confidence: Mapping[Axis, Floats]  # NaN where unknown
    probabilities: Mapping[Axis, Floats]  # (n, classes)
    state: Floats  # of the Markov filter, 0 the quietest of a first fit; NaN before one
    alarm: Floats  # probability that the filter stopped fitting; NaN before a fit

    def columns(self) -> dict[str, Floats]:
        """Features by name, for a strategy's own: regime_volatility 0 low to 2 high; regime_trend -2 to 2;
        regime_structure 0 trending, 1 ranging, 2 breaking; the confidence in each; regime_alarm.
        """
        named = {f"regime_{axis}": self.labels[axis] for axis in Axis}
        named["regime_trend"] = self.labels[Axis.TREND] - _TREND_MIDDLE
        named |= {f"regime_{axis}_confidence": self.confidence[axis] for axis in Axis}
        return {**named, "regime_alarm": self.alarm}

    def gate(
        self,
        *,
        volatility: Collection[str] = CLASSES[Axis.VOLATILITY],
        trend: Collection[str] = CLASSES[Axis.TREND],
        structure: Collection[str] = CLASSES[Axis.STRUCTURE],
        confidence_min: float = 0.0,
    ) -> Mask:
        """Bars at whose close all axes that were asked about have one of those labels. Unknown is no.

        confidence_min: of every axis that was asked about.
        Raises: FixInput for a class that the axis does not have.
        """
        open_ = np.ones(len(self.state), dtype=bool)
        for axis, wanted in ((Axis.VOLATILITY, volatility), (Axis.TREND, trend), (Axis.STRUCTURE, structure)):
            places = [_place(axis, name) for name in wanted]
            if len(set(places)) == len(CLASSES[axis]):
                continue  # not asked about
            open_ &= np.isin(self.labels[axis], places)
            if confidence_min > 0.0:
                open_ &= np.nan_to_num(self.confidence[axis]) >= confidence_min
        return open_

    def choose(self, axis: Axis, values: Mapping[str, float], *, unknown: float) -> Floats:
        """A parameter that depends on the regime: the value of each bar's class.

        values: by class; every class of the axis.
        Raises: FixInput for a class that is missing or that the axis does not have.
        """
        missing = [name for name in CLASSES[axis] if name not in values]
        if missing:
            raise FixInput(
                f"no value for {', '.join(missing)} of {axis}", next_step="name a value for every class"
            )
        table = np.full(len(CLASSES[axis]), np.nan)
        for name, value in values.items():
            table[_place(axis, name)] = value
        labels = self.labels[axis]
        known = np.isfinite(labels)
        return np.where(known, table[np.where(known, labels, 0.0).astype(np.int64)], unknown)


def regime_features(seen: SeenBars, config: RegimeConfig | None = None) -> RegimeFeatures:
    """The regime at each of the bars that a strategy sees; arrays that cannot be written to.

    Work is kept per symbol and config: a live session, which asks again with every bar, pays for the new one alone.
    """
    config = config if config is not None else RegimeConfig()
    bars = seen.bars
    key = (bars.symbol, str(bars.timeframe), int(bars.opened_at_ns[0]) if len(bars) else 0, config)
    with _LOCK:
        kept = _KEPT.pop(key, None)
        if kept is None or not kept.goes_on_with(bars):
            kept = _Kept(bars.rows(slice(0, 0)), config)
        kept.take_in(bars, seen.session)
        _KEPT[key] = kept
        while len(_KEPT) > _MODELS_KEPT:
            _KEPT.popitem(last=False)
        return kept.features()


class _Kept:
    """A model with the bars that it has taken in, and what strategies are told of them."""

    def __init__(self, bars: Bars, config: RegimeConfig) -> None:
        self._model = RegimeModel(bars.symbol, config)
        self._bars = bars  # taken in
        self._told = np.empty((2 * len(Axis) + 1, _FIRST_ROOM))  # labels, confidence, state; by bar

    def goes_on_with(self, bars: Bars) -> bool:
        """Whether those bars begin with the ones taken in, value for value."""
        n = len(self._bars)
        if len(bars) < n:
            return False
        pairs = [(getattr(self._bars, name), getattr(bars, name)) for name in _READ]
        if n and all(was.base is not None and was.base is now.base for was, now in pairs):
            # A history that grows in its arrays: rows that were handed out are not written to any more.
            return all(was[n - 1] == now[n - 1] for was, now in pairs)
        return all(np.array_equal(was, now[:n]) for was, now in pairs)

    def take_in(self, bars: Bars, session: SessionColumns) -> None:
        """Bars that go on with those taken in."""
        model, known, n = self._model, len(self._bars), len(bars)
        new = slice(known, n)
        model.extend(bars.rows(new), session.rows(new))
        self._bars = bars
        if n > self._told.shape[1]:
            longer = np.empty((len(self._told), 2 * n))
            longer[:, :known] = self._told[:, :known]
            self._told = longer
        for at, axis in enumerate(Axis):
            self._told[at, new] = model.labels(axis, new)
            self._told[len(Axis) + at, new] = model.confidence(axis, new)
        self._told[-1, new] = model.states[new]
        for labels in (*self._told[: len(Axis)], self._told[-1]):
            labels[new][labels[new] < 0] = np.nan

    def features(self) -> RegimeFeatures:
        """Views of what is kept: no row is written to again, and a longer array is another one."""
        model, n = self._model, len(self._bars)
        return RegimeFeatures(
            labels={axis: _unwritable(self._told[at, :n]) for at, axis in enumerate(Axis)},
            confidence={axis: _unwritable(self._told[len(Axis) + at, :n]) for at, axis in enumerate(Axis)},
            probabilities={axis: _unwritable(model.probabilities(axis)) for axis in Axis},
            state=_unwritable(self._told[-1, :n]),
            alarm=_unwritable(model.alarm),
        )


_LOCK: Final = threading.Lock()
_KEPT: Final[OrderedDict[tuple[str, str, int, RegimeConfig], _Kept]] = OrderedDict()


def _unwritable(values: Floats) -> Floats:
    view = values.view()
    view.flags.writeable = False
    return view


def _place(axis: Axis, name: str) -> int:
    if name not in CLASSES[axis]:
        raise FixInput(f"{axis} has no class '{name}'", next_step=f"write one of {', '.join(CLASSES[axis])}")
    return CLASSES[axis].index(name)
