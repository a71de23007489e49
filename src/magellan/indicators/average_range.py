"""True range and its average: how far a price moves in one bar, gaps included."""

from __future__ import annotations

from math import isfinite, isnan, nan
from typing import Any

import numpy as np

from magellan.compiled import kernel
from magellan.indicators.columns import column, period
from magellan.indicators.smoothing import Smoothing, StreamingSmooth, smooth
from magellan.trading.bar import Floats


def true_range(high: Floats, low: Floats, close: Floats) -> Floats:
    """The largest of high - low, |high - previous close| and |low - previous close|.

    high, low, close: shape (n,), oldest first.
    Returns: shape (n,), >= 0. The first bar has no previous close: there it is high - low.
    Missing: NaN where high, low or close is not finite; the bar behind it counts as a first one.
    Source:  J. W. Wilder, New Concepts in Technical Trading Systems, 1978.
    """
    highs = column("high", high)
    lows = column("low", low, like=highs)
    closes = column("close", close, like=highs)
    out = np.empty(len(highs))
    _true_range(highs, lows, closes, out)
    return out


def atr(high: Floats, low: Floats, close: Floats, n: int, smoothing: Smoothing) -> Floats:
    """Average true range.

    n:         number of bars.
    smoothing: "simple" is the mean of the last n true ranges; "wilder-sma-seed" is Wilder's own; see
               `magellan.indicators.smooth` for all of them.
    Returns:   shape (n_bars,); NaN on the first n - 1 bars for "simple" and "wilder-sma-seed".
    Missing:   as in `true_range` and `smooth`.
    """
    return smooth(true_range(high, low, close), period(n), smoothing)


class StreamingTrueRange:
    """`true_range`, one bar at a time."""

    def __init__(self) -> None:
        self._before = nan

    def update(self, high: float, low: float, close: float) -> float:
        """The true range of the bar that just closed."""
        if not (isfinite(high) and isfinite(low) and isfinite(close)):
            self._before = nan
            return nan
        widest = high - low
        if not isnan(self._before):
            widest = max(widest, abs(high - self._before), abs(low - self._before))
        self._before = close
        return widest


class StreamingAtr:
    """`atr`, one bar at a time."""

    def __init__(self, n: int, smoothing: Smoothing) -> None:
        self._true_range = StreamingTrueRange()
        self._mean = StreamingSmooth(n, smoothing)

    def update(self, high: float, low: float, close: float) -> float:
        """The average true range after this bar."""
        return self._mean.update(self._true_range.update(high, low, close))


@kernel
def _true_range(high: Any, low: Any, close: Any, out: Any) -> None:
    before = np.nan
    for row in range(len(high)):
        if not (np.isfinite(high[row]) and np.isfinite(low[row]) and np.isfinite(close[row])):
            out[row] = np.nan
            before = np.nan
            continue
        widest = high[row] - low[row]
        if not np.isnan(before):
            widest = max(widest, abs(high[row] - before), abs(low[row] - before))
        out[row] = widest
        before = close[row]
