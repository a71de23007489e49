"""Pollution: rows of another instrument among those of this one (incident 12).

A futures history once held 1.8 % rows of calendar spreads, which traded near 250 while the contract stood
near 17,000; almost half of a strategy's signals came from them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from magellan.archive.quality.finding import Finding, Kind, Severity, few, told
from magellan.trading.bar import Bars, Floats, Mask, instant

FAR = 1.5  # times the level around it, or one part of it
LEAST_ROWS = 5
LEAST_VISITS = 3  # a split or news leaves the level once, and stays; a bad print comes alone
_BLOCK = 64


def polluted_rows(bars: Bars) -> Mask:
    """Which rows stand at another price level, reached and left in one step, again and again; shape (n,).

    The level around a row is the median close of its block of bars; at a split or a crash, a row may agree
    with the block before or after instead.
    bars: adjusted for splits.
    """
    n = len(bars)
    nowhere = np.zeros(n, dtype=bool)
    if n < 3 * LEAST_ROWS or not (bars.close > 0).all():
        return nowhere
    close = np.log(bars.close)
    far = _distance_from_level(close) > np.log(FAR)
    change = np.diff(np.concatenate(([False], far, [False])).astype(np.int8))
    begins, ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    sharp = np.concatenate(([True], np.abs(np.diff(close)) > np.log(FAR), [True]))
    visits = [
        slice(begin, end)
        for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
        if sharp[begin] and sharp[end]
    ]
    if len(visits) < LEAST_VISITS or sum(visit.stop - visit.start for visit in visits) < LEAST_ROWS:
        return nowhere
    for visit in visits:
        nowhere[visit] = True
    return nowhere


def _distance_from_level(close: Floats) -> Floats:
    """How far each logarithm of a close is from the nearest of three levels: its block's and its neighbours'."""
    n = len(close)
    blocks = -(-n // _BLOCK)
    padded = np.full(blocks * _BLOCK, np.nan)
    padded[:n] = close
    level = np.nanmedian(padded.reshape(blocks, _BLOCK), axis=1)
    before, after = np.concatenate((level[:1], level[:-1])), np.concatenate((level[1:], level[-1:]))
    levels = np.repeat(np.stack([before, level, after]), _BLOCK, axis=1)[:, :n]
    return np.asarray(np.abs(levels - close).min(axis=0))


def pollution_findings(bars: Bars, polluted: Mask) -> Iterator[Finding]:
    """What `polluted_rows` found, in words."""
    if not polluted.any():
        return
    rows = np.flatnonzero(polluted)
    strange, own = float(np.median(bars.close[polluted])), float(np.median(bars.close[~polluted]))
    daily = bars.timeframe.is_daily
    yield Finding(
        kind=Kind.POLLUTION,
        severity=Severity.REFUSE,
        count=len(rows),
        first_at=instant(int(bars.opened_at_ns[rows[0]])),
        measured=f"{len(rows)} of {len(bars)} bars ({len(rows) / len(bars):.2%}) near {strange:g},"
        f" while the others stand near {own:g}",
        expected="one price level at a time",
        explanation="rows of another instrument are mixed in: the price visits another level again and again",
        examples=few(
            [
                f"{told(int(bars.opened_at_ns[row]), daily=daily)}: close {bars.close[row]:g}"
                for row in rows[:5].tolist()
            ]
        ),
        advice="ask the vendor for this instrument alone, and import it under a new feed name",
    )
