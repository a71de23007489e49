"""Rolling windows: lowest, highest and spread of the last n values, and values of earlier bars."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numba import njit

from magellan.errors import FixInput
from magellan.indicators.columns import column, period, run_end, run_start
from magellan.trading.bar import Floats


def rolling_max(values: Floats, n: int) -> Floats:
    """The highest of the last n values, this bar's included.

    Returns: shape of `values`; NaN on the first n - 1 bars, and while one of the n values is not finite.
    """
    given = column("values", values)
    out = np.empty(len(given))
    _extreme(given, period(n), 1.0, out)
    return out


def rolling_min(values: Floats, n: int) -> Floats:
    """The lowest of the last n values, this bar's included.

    Returns: shape of `values`; NaN on the first n - 1 bars, and while one of the n values is not finite.
    """
    given = column("values", values)
    out = np.empty(len(given))
    _extreme(given, period(n), -1.0, out)
    return out


def rolling_std(values: Floats, n: int, *, ddof: Literal[0, 1]) -> Floats:
    """Standard deviation of the last n values, this bar's included.

    ddof:    0 divides by n (the whole population: Bollinger), 1 by n - 1 (a sample: pandas).
    Returns: shape of `values`, >= 0; NaN on the first n - 1 bars, and while one of the n values is not finite.
    """
    given = column("values", values)
    if ddof not in (0, 1):
        raise FixInput(f"ddof is 0 or 1, not {ddof!r}")
    n = period(n, at_least=ddof + 1)
    out = np.empty(len(given))
    _std(given, n, float(n - ddof), out)
    return out


def prior(values: Floats, bars: int = 1) -> Floats:
    """Each value as it stood `bars` bars earlier.

    Returns: shape of `values`; NaN on the first `bars` bars.
    """
    given = column("values", values)
    bars = period(bars)
    out = np.full(len(given), np.nan)
    out[bars:] = given[:-bars]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _extreme(values: Any, n: int, side: float, out: Any) -> None:
    # Rows that can still become the highest, oldest first: each is higher than all that came after it.
    hopefuls = np.empty(n, dtype=np.int64)
    start = run_start(values, 0)
    out[:start] = np.nan
    while start < len(values):
        end = run_end(values, start)
        first = 0
        count = 0
        for row in range(start, end):
            if count > 0 and hopefuls[first] <= row - n:
                first = (first + 1) % n
                count -= 1
            while count > 0 and side * values[hopefuls[(first + count - 1) % n]] <= side * values[row]:
                count -= 1
            hopefuls[(first + count) % n] = row
            count += 1
            out[row] = values[hopefuls[first]] if row - start >= n - 1 else np.nan
        start = run_start(values, end)
        out[end:start] = np.nan


@njit(cache=True, nogil=True, error_model="numpy")
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
