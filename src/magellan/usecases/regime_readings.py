"""The newest reading of each market's regime, kept until its bars or the config change."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from magellan.archive.dataset import find_set
from magellan.ports.bars import BarArchive
from magellan.regime.axes import UNKNOWN, Axis
from magellan.regime.config import RegimeConfig
from magellan.regime.reading import RegimeReading
from magellan.regime.regime_model import RegimeModel
from magellan.trading.bar import instant
from magellan.trading.timeframe import Timeframe
from magellan.usecases.analyse_regime import run_model
from magellan.usecases.regime_bars import RegimeBars

KEPT_MAX: Final = 50  # models
LOOKS_EVERY_S: Final = 0.5


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
    bars_sha256: str
    config: RegimeConfig
    data: RegimeBars
    model: RegimeModel
    reading: RegimeReading


class RegimeReadings:
    """Reads markets as they are asked for.

    archive:   whose bars are read; asked each time which ones it holds, so that new bars are seen.
    bars_of:   reads the bars of a symbol and timeframe.
    config:    the config in force.
    clock:     seconds that pass. Whether bars have changed is asked once in `LOOKS_EVERY_S`: many ask for one market.
    """

    def __init__(
        self,
        archive: BarArchive,
        bars_of: Callable[[str, Timeframe], RegimeBars],
        config: Callable[[], RegimeConfig],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._archive, self._bars_of, self._config, self._clock = archive, bars_of, config, clock
        self._looked: dict[tuple[str, str], tuple[float, str]] = {}
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._one_at_a_time = threading.Lock()

    def reading(self, symbol: str, timeframe: Timeframe) -> RegimeReading:
        """The newest bar's. Raises SetNotFound for what the archive does not hold; FixInput for a config."""
        return self._read(symbol, timeframe).reading

    def history(
        self, symbol: str, timeframe: Timeframe, *, first: int, last: int
    ) -> tuple[int, tuple[LabelledBar, ...]]:
        """How many bars there are, and the labels of some. first, last: counted from 0, the oldest; last excluded."""
        kept = self._read(symbol, timeframe)
        model, bars = kept.model, kept.data.bars
        names = kept.model.view.names
        axes = {axis: model.labels(axis) for axis in Axis}
        regimes = model.regimes
        rows = range(max(0, first), min(last, len(bars)))
        return len(bars), tuple(
            LabelledBar(
                opened_at=instant(int(bars.opened_at_ns[at])),
                regime=names[regimes[at]] if regimes[at] >= 0 else UNKNOWN,
                **{axis.value: _class(axis, int(labels[at])) for axis, labels in axes.items()},
            )
            for at in rows
        )

    def known(self) -> tuple[RegimeReading, ...]:
        """Those that were asked for, as they were then."""
        with self._one_at_a_time:
            return tuple(each.reading for each in self._kept.values())

    def kept_reading(self, symbol: str, timeframe: Timeframe) -> RegimeReading | None:
        """The reading, where neither bars nor config have changed since it was made; None otherwise. Quick."""
        kept = self._kept.get((symbol.upper(), str(timeframe)))
        if kept is None or self._is_old(kept, symbol, timeframe):
            return None
        return kept.reading

    def _read(self, symbol: str, timeframe: Timeframe) -> _Kept:
        key = (symbol.upper(), str(timeframe))
        with self._one_at_a_time:
            kept = self._kept.get(key)
            if kept is None or self._is_old(kept, symbol, timeframe):
                config = self._config()
                bars_sha256 = find_set(self._archive.sets(), symbol.upper(), timeframe).sha256
                self._looked[key] = (self._clock(), bars_sha256)
                data = self._bars_of(symbol, timeframe)
                model = run_model(data, config)
                kept = _Kept(
                    bars_sha256=bars_sha256,
                    config=config,
                    data=data,
                    model=model,
                    reading=model.reading(),
                )
            self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
            return kept

    def _is_old(self, kept: _Kept, symbol: str, timeframe: Timeframe) -> bool:
        config = self._config()
        if config is not kept.config and config.sha256 != kept.config.sha256:
            return True
        key, now = (symbol.upper(), str(timeframe)), self._clock()
        looked_at, sha256 = self._looked.get(key, (-LOOKS_EVERY_S, ""))
        if now - looked_at >= LOOKS_EVERY_S:
            sha256 = find_set(self._archive.sets(), symbol.upper(), timeframe).sha256
            self._looked[key] = (now, sha256)
        return sha256 != kept.bars_sha256


def _class(axis: Axis, label: int) -> str:
    from magellan.regime.axes import CLASSES

    return CLASSES[axis][label] if label >= 0 else UNKNOWN
