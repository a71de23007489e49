"""Bands: a price's usual range, by spread (Bollinger) or by extremes (Donchian)."""

from __future__ import annotations

from typing import NamedTuple

from magellan.indicators.columns import column, period
from magellan.indicators.rolling import (
    StreamingMax,
    StreamingMin,
    StreamingStd,
    rolling_max,
    rolling_min,
    rolling_std,
)
from magellan.indicators.smoothing import StreamingSma, sma
from magellan.trading.bar import Floats


class Bollinger(NamedTuple):
    """Columns of shape (n,), in the price's unit."""

    lower: Floats
    middle: Floats
    upper: Floats


class Donchian(NamedTuple):
    """Columns of shape (n,), in the price's unit."""

    lower: Floats
    upper: Floats


def bollinger(close: Floats, n: int = 20, width: float = 2.0) -> Bollinger:
    """Bollinger bands: the simple mean of n closes, and `width` population standard deviations either side.

    Returns: NaN on the first n - 1 bars, and while one of the n closes is not finite.
    Source:  J. Bollinger, Bollinger on Bollinger Bands, 2001 (the deviation divides by n, not by n - 1).
    """
    closes = column("close", close)
    middle = sma(closes, period(n))
    away = width * rolling_std(closes, n, ddof=0)
    return Bollinger(middle - away, middle, middle + away)


def donchian(high: Floats, low: Floats, n: int) -> Donchian:
    """Donchian channel: lowest low and highest high of the last n bars, this bar's included.

    A breakout compares a close with the channel of the bar before: `prior(donchian(...).upper)`.
    Returns: NaN on the first n - 1 bars, and while one of the n values is not finite.
    """
    return Donchian(rolling_min(column("low", low), n), rolling_max(column("high", high), n))


class StreamingBollinger:
    """`bollinger`, one bar at a time."""

    def __init__(self, n: int = 20, width: float = 2.0) -> None:
        self._mean = StreamingSma(n)
        self._std = StreamingStd(n, ddof=0)
        self._width = width

    def update(self, close: float) -> tuple[float, float, float]:
        """Lower band, middle and upper band after this bar."""
        middle = self._mean.update(close)
        away = self._width * self._std.update(close)
        return middle - away, middle, middle + away


class StreamingDonchian:
    """`donchian`, one bar at a time."""

    def __init__(self, n: int) -> None:
        self._lower = StreamingMin(n)
        self._upper = StreamingMax(n)

    def update(self, high: float, low: float) -> tuple[float, float]:
        """Lower and upper end of the channel after this bar."""
        return self._lower.update(low), self._upper.update(high)
