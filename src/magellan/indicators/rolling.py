"""Rolling windows: lowest, highest and spread of the last n values, and values of earlier bars."""

from __future__ import annotations

from collections import deque
from math import isfinite, nan, sqrt
from typing import Any, Literal

import numpy as np

from magellan.compiled import kernel
from magellan.errors import FixInput
from magellan.indicators.columns import column, period, run_end, run_start
from magellan.trading.bar import Floats


def rolling_max(values: Floats, n: int) -> Floats:
    """The highest of the last n values, this bar's included.

    Returns: shape of `values`; NaN on the first n - 1 bars, and while one of the n values is not finite.
    """
    given = column("values", values)
    out = np.empty(len(given))
    _extreme(given, 1.0, np.empty(period(n), dtype=np.int64), out)
    return out


def rolling_min(values: Floats, n: int) -> Floats:
    """The lowest of the last n values, this bar's included.

    Returns: shape of `values`; NaN on the first n - 1 bars, and while one of the n values is not finite.
    """
    given = column("values", values)
    out = np.empty(len(given))
    _extreme(given, -1.0, np.empty(period(n), dtype=np.int64), out)
    return out


def rolling_std(values: Floats, n: int, *, ddof: Literal[0, 1]) -> Floats:
    """Standard deviation of the last n values, this bar's included.

    ddof:    0 divides by n (the whole population: Bollinger), 1 by n - 1 (a sample: pandas).
    Returns: shape of `values`, >= 0; NaN on the first n - 1 bars, and while one of the n values is not
             finite.
    """
    given = column("values", values)
    n, divisor = _spread_of(n, ddof)
    out = np.empty(len(given))
    _std(given, n, divisor, out)
    return out


def prior(values: Floats, bars: int = 1) -> Floats:
    """Each value as it stood `bars` bars earlier.

    Returns: shape of `values`; NaN on the first `bars` bars, and where the earlier value is not finite.
    """
    given = column("values", values)
    bars = period(bars, name="bars")
    out = np.full(len(given), np.nan)
    out[bars:] = np.where(np.isfinite(given[:-bars]), given[:-bars], np.nan)
    return out


class StreamingMax:
    """`rolling_max`, one value at a time."""

    _side = 1.0

    def __init__(self, n: int) -> None:
        self._n = period(n)
        self._begin()

    def _begin(self) -> None:
        self._seen = 0
        self._hopefuls: deque[tuple[int, float]] = deque()

    def update(self, value: float) -> float:
        """The extreme of the last n values."""
        if not isfinite(value):
            self._begin()
            return nan
        if self._hopefuls and self._hopefuls[0][0] <= self._seen - self._n:
            self._hopefuls.popleft()
        while self._hopefuls and self._side * self._hopefuls[-1][1] <= self._side * value:
            self._hopefuls.pop()
        self._hopefuls.append((self._seen, value))
        self._seen += 1
        return self._hopefuls[0][1] if self._seen >= self._n else nan


class StreamingMin(StreamingMax):
    """`rolling_min`, one value at a time."""

    _side = -1.0


class StreamingStd:
    """`rolling_std`, one value at a time."""

    def __init__(self, n: int, *, ddof: Literal[0, 1]) -> None:
        self._n, self._divisor = _spread_of(n, ddof)
        self._window: deque[float] = deque(maxlen=self._n)

    def update(self, value: float) -> float:
        """The standard deviation of the last n values."""
        if not isfinite(value):
            self._window.clear()
            return nan
        self._window.append(value)
        if len(self._window) < self._n:
            return nan
        oldest = self._window[0]
        total = 0.0
        for each in self._window:
            total += each - oldest
        mean = total / self._n
        squares = 0.0
        for each in self._window:
            away = each - oldest - mean
            squares += away * away
        return sqrt(squares / self._divisor)


class StreamingPrior:
    """`prior`, one value at a time."""

    def __init__(self, bars: int = 1) -> None:
        self._values: deque[float] = deque(maxlen=period(bars, name="bars") + 1)

    def update(self, value: float) -> float:
        """The value of `bars` bars ago."""
        self._values.append(value)
        earlier = self._values[0] if len(self._values) == self._values.maxlen else nan
        return earlier if isfinite(earlier) else nan


def _spread_of(n: int, ddof: int) -> tuple[int, float]:
    """The window's length and what the squares are divided by."""
    if ddof not in (0, 1):
        raise FixInput(f"ddof is 0 or 1, not {ddof!r}")
    n = period(n, at_least=ddof + 1)
    return n, float(n - ddof)


@kernel
def _extreme(values: Any, side: float, hopefuls: Any, out: Any) -> None:
    # Hopefuls are rows that can still become the highest, oldest first: each is higher than all that came after it.
    n = len(hopefuls)
    start = run_start(values, 0)
    out[:start] = np.nan
    while start < len(values):
        end = run_end(values, start)
        first = 0
        count = 0
        for row in range(start, end):
            if count > 0 and hopefuls[first] <= row - n:
                first = first + 1 if first + 1 < n else 0
                count -= 1
            last = first + count - 1
            while count > 0 and side * values[hopefuls[last if last < n else last - n]] <= side * values[row]:
                count -= 1
                last -= 1
            last += 1
            hopefuls[last if last < n else last - n] = row
            count += 1
            out[row] = values[hopefuls[first]] if row - start >= n - 1 else np.nan
        start = run_start(values, end)
        out[end:start] = np.nan


@kernel
def _std(values: Any, n: int, divisor: float, out: Any) -> None:
    start = run_start(values, 0)
    out[:start] = np.nan
    while start < len(values):
        end = run_end(values, start)
        out[start : min(end, start + n - 1)] = np.nan
        for row in range(start + n - 1, end):
            # Each window by itself, measured from its oldest value: equal values give exactly zero.
            oldest = values[row - n + 1]
            total = 0.0
            for k in range(row - n + 1, row + 1):
                total += values[k] - oldest
            mean = total / n
            squares = 0.0
            for k in range(row - n + 1, row + 1):
                away = values[k] - oldest - mean
                squares += away * away
            out[row] = np.sqrt(squares / divisor)
        start = run_start(values, end)
        out[end:start] = np.nan
