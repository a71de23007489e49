"""Sessions so far: open, high and low of the running session, and the close of the one before.

All of them take `day`, the session date of each bar (days since 1970-01-01), which `bars.day` of a strategy's market
view gives. Which bars belong to a session at all is settled before: by the run's hours and its exchange calendar.
A value that is not finite leaves the rest of its session NaN: a high that misses one bar is not the session's high.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from magellan.indicators.columns import Days, column, day_column
from magellan.trading.bar import Floats


def session_open(open_: Floats, day: Days) -> Floats:
    """Open of the session's first bar, on each of its bars; shape (n,)."""
    opens = column("open", open_)
    out = np.empty(len(opens))
    _session_open(opens, day_column(day, opens), out)
    return out


def session_high(high: Floats, day: Days) -> Floats:
    """Highest high of the session up to and including each bar; shape (n,)."""
    highs = column("high", high)
    out = np.empty(len(highs))
    _session_extreme(highs, day_column(day, highs), 1.0, out)
    return out


def session_low(low: Floats, day: Days) -> Floats:
    """Lowest low of the session up to and including each bar; shape (n,)."""
    lows = column("low", low)
    out = np.empty(len(lows))
    _session_extreme(lows, day_column(day, lows), -1.0, out)
    return out


def previous_session_close(close: Floats, day: Days) -> Floats:
    """Close of the previous session's last bar, on each bar; shape (n,). NaN in the first session."""
    closes = column("close", close)
    out = np.empty(len(closes))
    _previous_close(closes, day_column(day, closes), out)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _session_open(open_: Any, day: Any, out: Any) -> None:
    first = np.nan
    for row in range(len(open_)):
        if row == 0 or day[row] != day[row - 1]:
            first = open_[row] if np.isfinite(open_[row]) else np.nan
        out[row] = first


@njit(cache=True, nogil=True, error_model="numpy")
def _session_extreme(values: Any, day: Any, side: float, out: Any) -> None:
    extreme = np.nan
    for row in range(len(values)):
        value = values[row] if np.isfinite(values[row]) else np.nan
        if row == 0 or day[row] != day[row - 1] or np.isnan(value) or side * value > side * extreme:
            extreme = value
        out[row] = extreme


@njit(cache=True, nogil=True, error_model="numpy")
def _previous_close(close: Any, day: Any, out: Any) -> None:
    before = np.nan
    for row in range(len(close)):
        if row > 0 and day[row] != day[row - 1]:
            before = close[row - 1] if np.isfinite(close[row - 1]) else np.nan
        out[row] = before
