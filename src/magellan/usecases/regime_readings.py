"""The newest reading of each market's regime, kept until its bars or the config change."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from magellan.archive.dataset import SetRecord, find_set
from magellan.ports.bars import BarArchive
from magellan.regime.axes import CLASSES, UNKNOWN, Axis
from magellan.regime.config import RegimeConfig
from magellan.regime.reading import RegimeReading
from magellan.trading.bar import Instants, instant
from magellan.trading.timeframe import Timeframe
from magellan.usecases.analyse_regime import label_history
from magellan.usecases.regime_bars import RegimeBars

KEPT_MAX: Final = 50  # models
LOOKS_EVERY_S: Final = 0.5  # at the set that a reading was made of
LOOKS_AT_ALL_EVERY_S: Final = 10.0  # at every set, for one that should be read instead


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledBar:
    """One bar of a history."""

    opened_at: datetime  # aware, UTC
    regime: str
    volatility: str
    trend: str
    structure: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Kept:
    """Of a model only what is asked for: its columns would take a hundred times as much."""

    of: SetRecord
    config: RegimeConfig
    reading: RegimeReading
    opened_at_ns: Instants
    names: tuple[str, ...]  # of regimes
    regimes: NDArray[np.int16]  # by bar: a place in `names`; -1: unknown
    classes: dict[Axis, NDArray[np.int8]]  # by bar: a place in CLASSES; -1: unknown


class RegimeReadings:
    """Reads markets as they are asked for.

    archive:   whose bars are read; asked each time which ones it holds, so that new bars are seen.
    bars_of:   reads the bars of a symbol and timeframe.
    config:    the config in force.
    clock:     seconds that pass. Whether bars have changed is asked now and then: many ask for one market.
    """

    def __init__(
        self,
        archive: BarArchive,
        bars_of: Callable[[str, Timeframe], RegimeBars],
        config: Callable[[], RegimeConfig],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._archive, self._bars_of, self._config, self._clock = archive, bars_of, config, clock
        self._looked_s: dict[tuple[str, str], float] = {}
        self._looked_at_all_s: dict[tuple[str, str], float] = {}
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._known: tuple[RegimeReading, ...] = ()
        self._one_at_a_time = threading.Lock()

    def reading(self, symbol: str, timeframe: Timeframe) -> RegimeReading:
        """The newest bar's. Raises SetNotFound for what the archive does not hold; FixInput for a config."""
        return self._read(symbol, timeframe).reading

    def history(
        self, symbol: str, timeframe: Timeframe, *, first: int | None, count: int
    ) -> tuple[RegimeReading, int, int, tuple[LabelledBar, ...]]:
        """The reading, how many bars there are, the number of the first one that is shown, and the labels of some.

        first: counted from 0, the oldest; None: so that the newest is the last one.
        """
        kept = self._read(symbol, timeframe)
        bars = len(kept.opened_at_ns)
        begins = max(0, bars - count) if first is None else first
        rows = range(begins, min(begins + count, bars))
        return (
            kept.reading,
            bars,
            begins,
            tuple(
                LabelledBar(
                    opened_at=instant(int(kept.opened_at_ns[at])),
                    regime=kept.names[kept.regimes[at]] if kept.regimes[at] >= 0 else UNKNOWN,
                    **{axis.value: _class(axis, int(labels[at])) for axis, labels in kept.classes.items()},
                )
                for at in rows
            ),
        )

    def known(self) -> tuple[RegimeReading, ...]:
        """Those that were asked for, as they were then. Nobody waits for one that is being made."""
        return self._known

    def kept_reading(self, symbol: str, timeframe: Timeframe) -> RegimeReading | None:
        """The reading, where neither bars nor config have changed since it was made; None otherwise. Quick.

        Where it is time to look at all sets, one caller is told None, and everybody else what there is.
        """
        key, now_s = (symbol.upper(), str(timeframe)), self._clock()
        kept = self._kept.get(key)
        if kept is None or self._is_of_another_config(kept):
            return None
        if now_s - self._looked_at_all_s.get(key, -LOOKS_AT_ALL_EVERY_S) >= LOOKS_AT_ALL_EVERY_S:
            self._looked_at_all_s[key] = now_s
            return None
        if now_s - self._looked_s.get(key, -LOOKS_EVERY_S) >= LOOKS_EVERY_S:
            if self._archive.record(kept.of.id).sha256 != kept.of.sha256:
                return None
            self._looked_s[key] = now_s
        return kept.reading

    def _read(self, symbol: str, timeframe: Timeframe) -> _Kept:
        key = (symbol.upper(), str(timeframe))
        with self._one_at_a_time:
            kept, of = self._kept.get(key), find_set(self._archive.sets(), symbol.upper(), timeframe)
            self._looked_s[key] = self._looked_at_all_s[key] = self._clock()
            if kept is None or kept.of.sha256 != of.sha256 or self._is_of_another_config(kept):
                config = self._config()
                data = self._bars_of(symbol, timeframe)
                history = label_history(data, config)
                kept = _Kept(
                    of=of,
                    config=config,
                    reading=history.model.reading(),
                    opened_at_ns=data.bars.opened_at_ns.copy(),  # it may be a part of all columns
                    names=history.model.view.names,
                    regimes=history.regimes.astype(np.int16),
                    classes=history.labels,
                )
            self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
            self._known = tuple(each.reading for each in self._kept.values())
            return kept

    def _is_of_another_config(self, kept: _Kept) -> bool:
        config = self._config()
        return config is not kept.config and config.sha256 != kept.config.sha256


def _class(axis: Axis, label: int) -> str:
    return CLASSES[axis][label] if label >= 0 else UNKNOWN
