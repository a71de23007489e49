"""Spacing: whether bars stand as far apart as their timeframe says."""

from __future__ import annotations

import numpy as np

from magellan.errors import FixInput
from magellan.trading.bar import Bars, Instants, instant
from magellan.trading.timeframe import DAY_NS, HOUR, MINUTE, MINUTE_NS, Timeframe

_USUAL = tuple(Timeframe(minutes * MINUTE_NS) for minutes in (1, 2, 3, 5, 10, 15, 20, 30, 60, 120, 240, 1440))
_ENOUGH_BARS = 30  # from here on, real minutes of even a thin stock have two that are neighbours
_A_FEW_BARS = 5
_LONG_WEEKEND = 4  # days between the labels of Thursday and Monday


def must_fit_timeframe(bars: Bars) -> Bars:
    """The same bars. Raises FixInput naming the first that is not where a bar of their timeframe can be.

    A backtester once took every bar for a minute: a daily strategy then traded 6,518 times.
    """
    at = bars.opened_at_ns
    if bars.timeframe.is_daily:
        odd = np.flatnonzero(at % DAY_NS)
        if len(odd):
            raise FixInput(
                f"{bars.symbol}: a daily bar is labelled {_told(at, odd[0])}, not midnight UTC of its date"
            )
        return bars
    close = np.flatnonzero(np.diff(at) < bars.timeframe.span_ns)
    if len(close):
        raise FixInput(
            f"{bars.symbol}: bars of {bars.timeframe} open {_told(at, close[0])} and"
            f" {_told(at, close[0] + 1)}, which is less than one bar apart",
            next_step="give the timeframe that the bars really have",
        )
    off_grid = np.flatnonzero((at - at[0]) % _grid(bars.timeframe)) if len(at) else close
    if len(off_grid):
        raise FixInput(
            f"{bars.symbol}: one bar of {bars.timeframe} opens {_told(at, 0)} and another"
            f" {_told(at, off_grid[0])}, which is no whole number of bars later",
            next_step="give the timeframe that the bars really have",
        )
    return bars


def timeframe_seen(at_ns: Instants) -> Timeframe | None:
    """The timeframe that the spacing of these instants shows; None when there are too few to tell.

    The largest usual span that divides every distance. Thin minutes with gaps everywhere still share no
    larger divisor than a minute; hourly bars do.
    at_ns: strictly increasing.
    """
    if len(at_ns) < 2:
        return None
    distances = np.diff(at_ns)
    common = int(np.gcd.reduce(distances))
    if int(distances.min()) > common and len(at_ns) < _ENOUGH_BARS:
        return None
    fitting = [usual for usual in _USUAL if common % usual.span_ns == 0]
    return fitting[-1] if fitting else None


def contradicts(at_ns: Instants, timeframe: Timeframe) -> str:
    """Why bars at these instants cannot be of that timeframe, in words; "" when they can.

    at_ns: strictly increasing.
    """
    if len(at_ns) < 2:
        return ""
    distances = np.diff(at_ns)
    closest = int(distances.min())
    if closest < timeframe.span_ns:
        return f"bars stand {closest / MINUTE_NS:g} min apart"
    if timeframe.is_daily:
        days = float(np.median(distances)) / DAY_NS
        return f"bars stand {days:g} days apart" if days > _LONG_WEEKEND and len(at_ns) >= _A_FEW_BARS else ""
    seen = timeframe_seen(at_ns)
    if seen is not None and seen > timeframe and len(at_ns) >= _ENOUGH_BARS:
        return f"no two of {len(at_ns)} bars stand closer than {seen}"
    return ""


def _grid(timeframe: Timeframe) -> int:
    """Spans above an hour begin with the session, so a clock change moves them by an hour."""
    return min(timeframe, HOUR).span_ns if timeframe > MINUTE else MINUTE.span_ns


def _told(at_ns: Instants, row: int) -> str:
    return f"{instant(int(at_ns[row])):%Y-%m-%dT%H:%M:%S}Z"
