"""Bad prints: bars that close far from those around them, which agree with each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from magellan.archive.quality.finding import Finding, Kind, Severity, few, told
from magellan.trading.bar import Bars, Floats, Mask, instant

SMALLEST = 1.1  # a print within a tenth of its neighbours may be a wild minute, or hour
SMALLEST_DAILY = 1.25
TIMES_USUAL = 10.0  # and it must be that many times the usual step around here
COMMON_SHARE = 0.001  # of the bars
COMMON = 10
_NEIGHBOURS = 3  # closes on each side, whose median a print is held against
_BLOCK = 64  # bars over which the usual step is taken


def bad_prints(bars: Bars) -> Mask:
    """Which bars close far from the bars before and the bars after, though those agree; shape (n,)."""
    suspect = np.zeros(len(bars), dtype=bool)
    if len(bars) < 2 * _NEIGHBOURS + 1 or not (bars.close > 0).all():
        return suspect
    close = np.log(bars.close)
    before, after = _closes_around(close)
    middle = slice(_NEIGHBOURS, len(close) - _NEIGHBOURS)
    from_before, from_after = close[middle] - before, close[middle] - after
    size = np.minimum(np.abs(from_before), np.abs(from_after))
    suspect[middle] = (
        (np.sign(from_before) == np.sign(from_after))
        & (size > np.log(_smallest(bars)))
        & (size > TIMES_USUAL * _usual_step(close)[middle])
        & (np.abs(after - before) < size / 2)
    )
    return suspect


def print_findings(bars: Bars, polluted: Mask) -> Iterator[Finding]:
    """Isolated prints; `polluted` rows are told of elsewhere."""
    suspect = bad_prints(bars) & ~polluted
    if not suspect.any():
        return
    rows = np.flatnonzero(suspect)
    common = len(rows) >= COMMON and float(suspect.mean()) > COMMON_SHARE
    yield Finding(
        kind=Kind.BAD_PRINTS,
        severity=Severity.REFUSE if common else Severity.WARN,
        count=len(rows),
        first_at=instant(int(bars.opened_at_ns[rows[0]])),
        measured=f"{len(rows)} of {len(bars)} bars",
        expected=f"closes within a factor of {_smallest(bars):g} of the bars on both sides",
        explanation="the price leaves the bars around it and is back at once: a misprint, or a late report",
        examples=few([_told(bars, row) for row in rows[:5].tolist()]),
        advice="a rule that buys lows buys these: correct the source file, or keep out of thin hours",
    )


def _smallest(bars: Bars) -> float:
    return SMALLEST_DAILY if bars.timeframe.is_daily else SMALLEST


def _closes_around(close: Floats) -> tuple[Floats, Floats]:
    """For each bar with enough neighbours, the median close of those before it and of those after it."""
    medians = np.median(sliding_window_view(close, _NEIGHBOURS), axis=1)
    return medians[: len(close) - 2 * _NEIGHBOURS], medians[_NEIGHBOURS + 1 :]


def _usual_step(log_close: Floats) -> Floats:
    """The median absolute step in the bar's block of bars, or in a quieter one beside it."""
    steps = np.abs(np.diff(log_close, prepend=log_close[0]))
    blocks = -(-len(steps) // _BLOCK)
    padded = np.full(blocks * _BLOCK, np.nan)
    padded[: len(steps)] = steps
    usual = np.nanmedian(padded.reshape(blocks, _BLOCK), axis=1)
    beside = np.concatenate(([np.inf], usual, [np.inf]))
    quietest = np.minimum(usual, np.minimum(beside[:-2], beside[2:]))
    return np.repeat(quietest, _BLOCK)[: len(steps)]


def _told(bars: Bars, row: int) -> str:
    before = float(np.median(bars.close[row - _NEIGHBOURS : row]))
    after = float(np.median(bars.close[row + 1 : row + 1 + _NEIGHBOURS]))
    at = told(int(bars.opened_at_ns[row]), daily=bars.timeframe.is_daily)
    return f"{at}: close {bars.close[row]:g}, around it {before:g} before and {after:g} after"
