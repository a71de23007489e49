"""Trend: whether prices are going somewhere, and how decidedly."""

from __future__ import annotations

from math import isfinite, isnan, nan
from typing import Any, NamedTuple

import numpy as np

from magellan.compiled import kernel
from magellan.indicators.columns import column, period
from magellan.indicators.smoothing import StreamingEma, StreamingSmooth, ema, smooth
from magellan.trading.bar import Floats


class Macd(NamedTuple):
    """Columns of shape (n,), in the price's unit."""

    line: Floats
    signal: Floats
    histogram: Floats  # line - signal


class Adx(NamedTuple):
    """Columns of shape (n,), from 0 to 100."""

    adx: Floats
    plus_di: Floats
    minus_di: Floats


def macd(close: Floats, fast: int = 12, slow: int = 26, signal: int = 9) -> Macd:
    """Moving average convergence/divergence: ema(fast) - ema(slow), and its own ema as the signal.

    All three means are `magellan.indicators.ema`: weight 2/(n+1), started at the first value. So the columns
    are defined from the first bar on, and for about 3 x slow bars lean on where they started.
    Missing: NaN where the close is not finite; begins anew behind it.
    Source:  G. Appel, The Moving Average Convergence-Divergence Method, 1979.
    """
    closes = column("close", close)
    line = ema(closes, period(fast, name="fast")) - ema(closes, period(slow, name="slow"))
    follows = ema(line, period(signal, name="signal"))
    return Macd(line, follows, line - follows)


def adx(high: Floats, low: Floats, close: Floats, n: int) -> Adx:
    """Average directional index with its two directional indicators, all smoothed in Wilder's own way.

    A bar's upward movement is high - previous high where that is positive and larger than previous low - low;
    downward likewise. Each is smoothed ("wilder-sma-seed") and divided by the smoothed true range: +DI, -DI.
    DX is |+DI - -DI| / (+DI + -DI), 0 where neither moved; ADX is DX smoothed once more. All x 100.
    Returns: the DIs from bar n on (the first bar has no movement), the ADX from bar 2n - 1 on; NaN before.
    Missing: NaN where high, low or close is not finite; begins anew behind it.
    Source:  J. W. Wilder, New Concepts in Technical Trading Systems, 1978.
    """
    highs = column("high", high)
    lows = column("low", low, like=highs)
    closes = column("close", close, like=highs)
    n = period(n)
    up, down, reach = np.empty(len(highs)), np.empty(len(highs)), np.empty(len(highs))
    _movement(highs, lows, closes, up, down, reach)
    reach = smooth(reach, n, "wilder-sma-seed")
    moved = reach > 0.0
    plus, minus, direction = (np.full(len(highs), np.nan) for _ in range(3))
    np.divide(100.0 * smooth(up, n, "wilder-sma-seed"), reach, out=plus, where=moved)
    np.divide(100.0 * smooth(down, n, "wilder-sma-seed"), reach, out=minus, where=moved)
    both = plus + minus
    np.divide(100.0 * np.abs(plus - minus), both, out=direction, where=both > 0.0)
    direction[both == 0.0] = 0.0
    return Adx(smooth(direction, n, "wilder-sma-seed"), plus, minus)


class StreamingMacd:
    """`macd`, one bar at a time."""

    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        self._fast = StreamingEma(period(fast, name="fast"))
        self._slow = StreamingEma(period(slow, name="slow"))
        self._signal = StreamingEma(period(signal, name="signal"))

    def update(self, close: float) -> tuple[float, float, float]:
        """Line, signal and histogram after this bar."""
        line = self._fast.update(close) - self._slow.update(close)
        follows = self._signal.update(line)
        return line, follows, line - follows


class StreamingAdx:
    """`adx`, one bar at a time."""

    def __init__(self, n: int) -> None:
        self._up, self._down, self._reach, self._adx = (
            StreamingSmooth(n, "wilder-sma-seed") for _ in range(4)
        )
        self._before = (nan, nan, nan)

    def update(self, high: float, low: float, close: float) -> tuple[float, float, float]:
        """ADX, +DI and -DI after this bar."""
        high_before, low_before, close_before = self._before
        known = isfinite(high) and isfinite(low) and isfinite(close)
        self._before = (high, low, close) if known else (nan, nan, nan)
        up = down = reach = nan
        if known and not isnan(close_before):
            rise, fall = high - high_before, low_before - low
            up = rise if rise > fall and rise > 0.0 else 0.0
            down = fall if fall > rise and fall > 0.0 else 0.0
            reach = max(high - low, abs(high - close_before), abs(low - close_before))
        up, down, reach = self._up.update(up), self._down.update(down), self._reach.update(reach)
        if not reach > 0.0:
            return self._adx.update(nan), nan, nan
        plus, minus = 100.0 * up / reach, 100.0 * down / reach
        both = plus + minus
        direction = 100.0 * abs(plus - minus) / both if both > 0.0 else 0.0
        return self._adx.update(direction), plus, minus


@kernel
def _movement(high: Any, low: Any, close: Any, up: Any, down: Any, reach: Any) -> None:
    """Directional movement and true range of each bar; NaN where the bar before is missing."""
    before = -1
    for row in range(len(high)):
        up[row] = np.nan
        down[row] = np.nan
        reach[row] = np.nan
        if not (np.isfinite(high[row]) and np.isfinite(low[row]) and np.isfinite(close[row])):
            before = -1
            continue
        if before >= 0:
            rise = high[row] - high[before]
            fall = low[before] - low[row]
            up[row] = rise if rise > fall and rise > 0.0 else 0.0
            down[row] = fall if fall > rise and fall > 0.0 else 0.0
            reach[row] = max(
                high[row] - low[row], abs(high[row] - close[before]), abs(low[row] - close[before])
            )
        before = row
