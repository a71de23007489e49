"""Traded volume: how busy a bar is against its past, and the average price that volume was traded at."""

from __future__ import annotations

from math import isfinite, nan
from typing import Any

import numpy as np

from magellan.compiled import kernel
from magellan.indicators.columns import Days, column, day_column, period
from magellan.indicators.smoothing import StreamingSma, sma
from magellan.trading.bar import Floats


def relative_volume(volume: Floats, n: int) -> Floats:
    """Volume over the simple mean of the last n volumes, this bar's included; 1 is an ordinary bar.

    Returns: shape (n_bars,); NaN on the first n - 1 bars and where nothing was traded in n bars.
    Missing: NaN while one of the n volumes is not finite.
    """
    volumes = column("volume", volume)
    mean = sma(volumes, period(n))
    ratio: Floats = np.full(len(volumes), np.nan)
    return np.divide(volumes, mean, out=ratio, where=mean > 0.0)


def session_vwap(high: Floats, low: Floats, close: Floats, volume: Floats, day: Days) -> Floats:
    """Volume-weighted average price of the session so far, each bar at its typical price (h + l + c) / 3.

    day:     session date of each bar, days since 1970-01-01; shape (n,) like the other columns.
    Returns: shape (n,); NaN until something has been traded in the session.
    Missing: a value that is not finite leaves the rest of its session NaN.
    """
    highs = column("high", high)
    lows = column("low", low, like=highs)
    closes = column("close", close, like=highs)
    volumes = column("volume", volume, like=highs)
    out = np.empty(len(highs))
    _session_vwap(highs, lows, closes, volumes, day_column(day, highs), out)
    return out


class StreamingRelativeVolume:
    """`relative_volume`, one bar at a time."""

    def __init__(self, n: int) -> None:
        self._mean = StreamingSma(n)

    def update(self, volume: float) -> float:
        """The relative volume of the bar that just closed."""
        mean = self._mean.update(volume)
        return volume / mean if mean > 0.0 else nan


class StreamingSessionVwap:
    """`session_vwap`, one bar at a time."""

    def __init__(self) -> None:
        self._day: int | None = None
        self._turnover = 0.0
        self._traded = 0.0

    def update(self, high: float, low: float, close: float, volume: float, day: int) -> float:
        """The session's average price after this bar."""
        if day != self._day:
            self._day = day
            self._turnover = 0.0
            self._traded = 0.0
        self._turnover += (high + low + close) / 3.0 * volume
        self._traded += volume
        known = isfinite(self._turnover) and self._traded > 0.0
        return self._turnover / self._traded if known else nan


@kernel
def _session_vwap(high: Any, low: Any, close: Any, volume: Any, day: Any, out: Any) -> None:
    turnover = 0.0
    traded = 0.0
    for row in range(len(high)):
        if row == 0 or day[row] != day[row - 1]:
            turnover = 0.0
            traded = 0.0
        turnover += (high[row] + low[row] + close[row]) / 3.0 * volume[row]
        traded += volume[row]
        out[row] = turnover / traded if np.isfinite(turnover) and traded > 0.0 else np.nan
