"""Sessions so far: open, high and low of the running session, and the close of the one before.

All of them take `day`, the session date of each bar (days since 1970-01-01), which `bars.day` of a
strategy's market view gives. Which bars belong to a session at all is settled before: by the run's hours and
its exchange calendar. A value that is not finite leaves the rest of its session NaN: a high that misses a bar
is not the session's high.
"""

from __future__ import annotations

from math import isfinite, isnan, nan
from typing import Any

import numpy as np

from magellan.compiled import kernel
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


class StreamingSessionOpen:
    """`session_open`, one bar at a time."""

    def __init__(self) -> None:
        self._day: int | None = None
        self._open = nan

    def update(self, open_: float, day: int) -> float:
        """The session's open, after this bar."""
        if day != self._day:
            self._day = day
            self._open = open_ if isfinite(open_) else nan
        return self._open


class StreamingSessionHigh:
    """`session_high`, one bar at a time."""

    _side = 1.0

    def __init__(self) -> None:
        self._day: int | None = None
        self._extreme = nan

    def update(self, value: float, day: int) -> float:
        """The session's extreme so far, this bar's value included."""
        value = value if isfinite(value) else nan
        if day != self._day or isnan(value) or self._side * value > self._side * self._extreme:
            self._extreme = value
        self._day = day
        return self._extreme


class StreamingSessionLow(StreamingSessionHigh):
    """`session_low`, one bar at a time."""

    _side = -1.0


class StreamingPreviousSessionClose:
    """`previous_session_close`, one bar at a time."""

    def __init__(self) -> None:
        self._day: int | None = None
        self._newest = nan
        self._previous = nan

    def update(self, close: float, day: int) -> float:
        """The previous session's close, after this bar."""
        if self._day is not None and day != self._day:
            self._previous = self._newest
        self._day = day
        self._newest = close if isfinite(close) else nan
        return self._previous


@kernel
def _session_open(open_: Any, day: Any, out: Any) -> None:
    first = np.nan
    for row in range(len(open_)):
        if row == 0 or day[row] != day[row - 1]:
            first = open_[row] if np.isfinite(open_[row]) else np.nan
        out[row] = first


@kernel
def _session_extreme(values: Any, day: Any, side: float, out: Any) -> None:
    extreme = np.nan
    for row in range(len(values)):
        value = values[row] if np.isfinite(values[row]) else np.nan
        if row == 0 or day[row] != day[row - 1] or np.isnan(value) or side * value > side * extreme:
            extreme = value
        out[row] = extreme


@kernel
def _previous_close(close: Any, day: Any, out: Any) -> None:
    before = np.nan
    for row in range(len(close)):
        if row > 0 and day[row] != day[row - 1]:
            before = close[row - 1] if np.isfinite(close[row - 1]) else np.nan
        out[row] = before
