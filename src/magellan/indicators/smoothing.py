"""Smoothing: means that follow a series, by name: simple, span, wilder, wilder-sma-seed."""

from __future__ import annotations

from collections import deque
from math import isfinite, nan
from typing import Any, Literal

import numpy as np

from magellan.compiled import kernel
from magellan.errors import FixInput
from magellan.indicators.columns import column, period, run_end, run_start
from magellan.trading.bar import Floats

Smoothing = Literal["simple", "span", "wilder", "wilder-sma-seed"]


def sma(values: Floats, n: int) -> Floats:
    """Simple moving average: the mean of the last n values, this bar's included.

    values:  shape (n_bars,), oldest first.
    Returns: shape (n_bars,); NaN on the first n - 1 bars.
    Missing: NaN while one of the n values is not finite.
    """
    return smooth(values, n, "simple")


def ema(values: Floats, n: int) -> Floats:
    """Exponential moving average: weight 2/(n+1) for the newest value, started at the first value as it is.

    values:  shape (n_bars,), oldest first.
    Returns: shape (n_bars,), defined from the first value on. For about 3n bars it still leans on where it
             started; a strategy that minds sets data.warmup_bars.
    Missing: NaN where the value is not finite; begins anew behind it.
    """
    return smooth(values, n, "span")


def smooth(values: Floats, n: int, smoothing: Smoothing) -> Floats:
    """The mean of a series that follows it in the named way.

    smoothing: "simple"           mean of the last n values; NaN on the first n - 1 bars
               "span"             weight 2/(n+1) for the newest value, started at the first value
               "wilder"           weight 1/n, started at the first value
               "wilder-sma-seed"  weight 1/n, started with the simple mean of the first n; NaN before
    Returns:   shape of `values`.
    Missing:   NaN where the value is not finite; begins anew behind it.
    """
    given = column("values", values)
    n = period(n)
    out = np.empty(len(given))
    if smoothing == "simple":
        _simple(given, n, out)
    else:
        share, seed = _weights(n, smoothing)
        _exponential(given, share, seed, out)
    return out


class StreamingSmooth:
    """`smooth`, one value at a time."""

    def __init__(self, n: int, smoothing: Smoothing) -> None:
        n = period(n)
        if smoothing == "simple":
            self._mean: _SimpleMean | _ExponentialMean = _SimpleMean(n)
        else:
            self._mean = _ExponentialMean(*_weights(n, smoothing))

    def update(self, value: float) -> float:
        """The mean after this value."""
        return self._mean.update(value)


class StreamingSma(StreamingSmooth):
    """`sma`, one value at a time."""

    def __init__(self, n: int) -> None:
        super().__init__(n, "simple")


class StreamingEma(StreamingSmooth):
    """`ema`, one value at a time."""

    def __init__(self, n: int) -> None:
        super().__init__(n, "span")


class _SimpleMean:
    def __init__(self, n: int) -> None:
        self._n = n
        self._begin()

    def _begin(self) -> None:
        self._window: deque[float] = deque()
        self._total = 0.0
        self._lost = 0.0

    def update(self, value: float) -> float:
        if not isfinite(value):
            self._begin()
            return nan
        self._add(value)
        self._window.append(value)
        if len(self._window) > self._n:
            self._add(-self._window.popleft())
        return (self._total + self._lost) / self._n if len(self._window) == self._n else nan

    def _add(self, value: float) -> None:
        grown = self._total + value
        part = grown - self._total
        self._lost += (self._total - (grown - part)) + (value - part)
        self._total = grown


class _ExponentialMean:
    def __init__(self, share: float, seed: int) -> None:
        self._share = share
        self._keep = 1.0 - share
        self._seed = seed
        self._begin()

    def _begin(self) -> None:
        self._mean = 0.0
        self._values = 0

    def update(self, value: float) -> float:
        if not isfinite(value):
            self._begin()
            return nan
        self._values += 1
        if self._values <= self._seed:
            self._mean += value
            if self._values < self._seed:
                return nan
            self._mean /= self._seed
        else:
            self._mean = self._keep * self._mean + self._share * value
        return self._mean


def _weights(n: int, smoothing: str) -> tuple[float, int]:
    """Weight of the newest value, and how many values seed the first mean."""
    if smoothing == "span":
        return 2.0 / (n + 1.0), 1
    if smoothing == "wilder":
        return 1.0 / n, 1
    if smoothing == "wilder-sma-seed":
        return 1.0 / n, n
    raise FixInput(f"smoothing is 'simple', 'span', 'wilder' or 'wilder-sma-seed', not {smoothing!r}")


@kernel
def _simple(values: Any, n: int, out: Any) -> None:
    start = run_start(values, 0)
    out[:start] = np.nan
    while start < len(values):
        end = run_end(values, start)
        # What rounding loses is carried along, so that a huge value leaves no trace once it is gone.
        # (T. J. Dekker, 1971: the error of a sum of two floats is a float.)
        total = 0.0
        lost = 0.0
        for row in range(start, end):
            value = values[row]
            grown = total + value
            part = grown - total
            lost += (total - (grown - part)) + (value - part)
            total = grown
            if row - start >= n:
                value = -values[row - n]
                grown = total + value
                part = grown - total
                lost += (total - (grown - part)) + (value - part)
                total = grown
            out[row] = (total + lost) / n if row - start >= n - 1 else np.nan
        start = run_start(values, end)
        out[end:start] = np.nan


@kernel
def _exponential(values: Any, share: float, seed: int, out: Any) -> None:
    keep = 1.0 - share
    start = run_start(values, 0)
    out[:start] = np.nan
    while start < len(values):
        end = run_end(values, start)
        mean = 0.0
        row = start
        while row < min(end, start + seed):
            mean += values[row]
            out[row] = np.nan
            row += 1
        if row == start + seed:
            mean /= seed
            out[row - 1] = mean
        while row < end:
            mean = keep * mean + share * values[row]
            out[row] = mean
            row += 1
        start = run_start(values, end)
        out[end:start] = np.nan
