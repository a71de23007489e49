"""Traded volume: how busy a bar is against its past, and the average price that volume was traded at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from magellan.indicators.columns import Days, column, day_column, period
from magellan.indicators.smoothing import sma
from magellan.trading.bar import Floats


def relative_volume(volume: Floats, n: int) -> Floats:
    """Volume over the simple mean of the last n volumes, this bar's included; 1 is an ordinary bar.

    Returns: shape (n_bars,), in [0, n]; NaN on the first n - 1 bars and where nothing was traded in n bars.
    Missing: NaN while one of the n volumes is not finite.
    """
    volumes = column("volume", volume)
    mean = sma(volumes, period(n))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: Floats = volumes / np.where(mean > 0.0, mean, np.nan)
    return ratio


def session_vwap(high: Floats, low: Floats, close: Floats, volume: Floats, day: Days) -> Floats:
    """Volume-weighted average price of the session so far, each bar at its typical price (high + low + close) / 3.

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


@njit(cache=True, nogil=True, error_model="numpy")
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
