"""Analyse a regime: run the model over a history of bars, and say what it found and what its labels cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from magellan.regime.axes import CLASSES, UNKNOWN, Axis
from magellan.regime.bars_needed import bars_needed
from magellan.regime.config import RegimeConfig
from magellan.regime.option_chain import ChainColumns
from magellan.regime.quality.dial import POSITIONS, DialPrice, dial_prices
from magellan.regime.reading import RegimeReading
from magellan.regime.regime_model import RegimeModel
from magellan.regime.state_meaning import meaning_of
from magellan.trading.bar import Floats, Instants
from magellan.usecases.regime_bars import RegimeBars

Progress = Callable[[str, float, float], None]
_PORTION_BARS: Final = 4_000  # that are labelled at once
_SPARE_BARS: Final = (
    8_000  # of a model that labels a history: memory that is touched first costs more than a bar
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeIn:
    """How much of the history one class took."""

    name: str
    bars: int
    share: float  # of all bars
    spells: int  # how often it began
    mean_bars: float  # of a spell


@dataclass(frozen=True, slots=True, kw_only=True)
class StateFound:
    """One state of the newest fit."""

    state: int
    mean: float  # of returns over the day profile, per bar
    scale: float
    relative_volatility: float  # over the typical one
    trend_t: float  # drift of one stay over its uncertainty
    expected_stay_bars: float | None
    usual_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeAnalysis:
    """What the model says about one symbol's history."""

    symbol: str
    timeframe: str
    source: str
    generated: bool
    bars: int
    first_at: datetime
    last_at: datetime
    unexplained_jumps: int  # of the price, that no corporate action says the reason of
    now: RegimeReading  # of the newest bar
    states: tuple[StateFound, ...]  # of the newest fit; empty before the first
    fits: int
    evidence_for_regimes: float | None
    degrees_of_freedom: int | None
    level_half_life_bars: float | None  # None: the level does not move
    looks_at_wicks: bool | None  # whether the newest fit does; None before the first
    regimes: tuple[TimeIn, ...]
    axes: dict[str, tuple[TimeIn, ...]]
    switches: dict[str, float]  # per 1,000 bars, by axis and of the state
    held_against: dict[str, float]  # share of bars with a label, by axis, where another class was likelier
    dial: tuple[DialPrice, ...]  # measured on bars generated from the newest fit
    stability: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledHistory:
    """What the model said of every bar. Its other columns, a hundred times as much, are of the newest bars alone."""

    model: RegimeModel
    labels: dict[Axis, NDArray[np.int8]]  # (n,): place among the axis' classes; -1 where it is unknown
    likeliest: dict[Axis, NDArray[np.int8]]  # (n,): of the classes; -1 where nothing is known
    states: NDArray[np.int8]  # (n,): of the fit in force at each bar; -1 before the first

    @property
    def regimes(self) -> Instants:
        """Shape (n,): place of the regime among the view's names; -1 where it is unknown."""
        return self.model.view.places(*(self.labels[axis].astype(np.int64) for axis in Axis))


def run_model(
    data: RegimeBars, config: RegimeConfig, *, others: Floats | None = None, chain: ChainColumns | None = None
) -> RegimeModel:
    """The model after all of these bars."""
    model = RegimeModel(data.bars.symbol, config)
    model.extend(data.bars, data.session, others=others, chain=chain)
    return model


def label_history(
    data: RegimeBars, config: RegimeConfig, *, others: Floats | None = None, chain: ChainColumns | None = None
) -> LabelledHistory:
    """The same with the labels of all bars, in memory that does not grow with them."""
    bars = data.bars
    keep = max(bars_needed(config), _PORTION_BARS)
    model = RegimeModel(bars.symbol, config, keep_bars=keep, spare_bars=_SPARE_BARS)
    labels = {axis: np.empty(len(bars), dtype=np.int8) for axis in Axis}
    likeliest = {axis: np.empty(len(bars), dtype=np.int8) for axis in Axis}
    states = np.empty(len(bars), dtype=np.int8)
    for first in range(0, len(bars), _PORTION_BARS):
        some = slice(first, first + _PORTION_BARS)
        model.extend(
            bars.rows(some),
            data.session.rows(some),
            others=None if others is None else others[some],
            chain=None if chain is None else chain.rows(some),
        )
        newest = slice(first - model.offset, None)
        for axis in Axis:
            labels[axis][some] = model.labels(axis, newest)
            shares = model.probabilities(axis)[newest]
            likeliest[axis][some] = np.where(np.isnan(shares).any(axis=1), -1, shares.argmax(axis=1))
        states[some] = model.states[newest]
    return LabelledHistory(model=model, labels=labels, likeliest=likeliest, states=states)


def analyse_regime(
    data: RegimeBars,
    config: RegimeConfig,
    *,
    others: Floats | None = None,
    chain: ChainColumns | None = None,
    progress: Progress = lambda phase, done, total: None,
) -> RegimeAnalysis:
    """Run the model and sum up.

    others: shape (n, symbols), log returns of other symbols over the same bars.
    chain:  option chains as known at each bar's close.
    """
    progress("label", 0, 1)
    history = label_history(data, config, others=others, chain=chain)
    model = history.model
    progress("label", 1, 1)
    newest = model.models[-1] if model.models else None
    progress("price the dial", 0, 1)
    prices = dial_prices(newest, (*POSITIONS, config.decision.stability)) if newest is not None else ()
    progress("price the dial", 1, 1)
    switches = {axis.value: _switches(history.labels[axis]) for axis in Axis}
    switches["state"] = _switches(history.states)
    return RegimeAnalysis(
        symbol=data.bars.symbol,
        timeframe=str(data.bars.timeframe),
        source=data.source,
        generated=data.generated,
        bars=len(data.bars),
        first_at=data.first_at,
        last_at=data.last_at,
        unexplained_jumps=len(data.jumps),
        now=model.reading(),
        states=states_found(model),
        fits=len(model.models),
        evidence_for_regimes=_finite(newest.evidence_for_regimes) if newest is not None else None,
        degrees_of_freedom=newest.freedom if newest is not None else None,
        level_half_life_bars=_finite(newest.level.half_life_bars) if newest is not None else None,
        looks_at_wicks=newest.wicks is not None if newest is not None else None,
        regimes=_times(history.regimes, model.view.names),
        axes={axis.value: _times(history.labels[axis], CLASSES[axis]) for axis in Axis},
        switches=switches,
        held_against={axis.value: _held_against(history, axis) for axis in Axis},
        dial=prices,
        stability=config.decision.stability,
    )


def states_found(model: RegimeModel) -> tuple[StateFound, ...]:
    """The states of the newest fit, quietest first."""

    if not model.models:
        return ()
    fit = model.models[-1]
    meaning = meaning_of(fit, model.config.limits)
    return tuple(
        StateFound(
            state=at,
            mean=float(fit.mean[at]),
            scale=float(fit.scale[at]),
            relative_volatility=float(meaning.relative_scale[at]),
            trend_t=float(meaning.trend_t[at]),
            expected_stay_bars=_finite(float(fit.expected_stay_bars[at])),
            usual_share=float(fit.usual_share[at]),
        )
        for at in range(fit.states)
    )


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _held_against(history: LabelledHistory, axis: Axis) -> float:
    labels = history.labels[axis]
    known = labels >= 0
    return float((labels != history.likeliest[axis])[known].mean()) if known.any() else 0.0


def _switches(labels: NDArray[np.integer[Any]]) -> float:
    return 1000.0 * float((np.diff(labels) != 0).sum()) / max(len(labels), 1)


def _times(labels: NDArray[np.integer[Any]], names: tuple[str, ...]) -> tuple[TimeIn, ...]:
    begins = np.append(True, np.diff(labels) != 0)
    places = labels + 1  # from 0, which is unknown
    bars, spells = (np.bincount(each, minlength=len(names) + 1) for each in (places, places[begins]))
    found = [
        TimeIn(
            name=name,
            bars=int(bars[place]),
            share=int(bars[place]) / len(labels),
            spells=int(spells[place]),
            mean_bars=int(bars[place]) / int(spells[place]),
        )
        for place, name in enumerate((UNKNOWN, *names))
        if bars[place]
    ]
    return tuple(sorted(found, key=lambda each: -each.bars))
