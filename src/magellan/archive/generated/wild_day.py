"""Wild days: a small cap falls 15 to 40 % within a session, is flushed to a new low, and may be reclaimed.

The shape, in minutes after the open of a session of 390: the slide begins (3 to 60), a first low (20 to 70
later), a bounce (6 to 25), the flush to a new low (8 to 40), the reclaim (5 to 30), then a drift into the
close, which may give the whole reclaim back.

As many days surge as crash, and a surge mirrors a crash, so there is nothing to gain from knowing that such
days exist. How much is reclaimed, and how much of the fall is left at the close, is set so that the reference
strategy for such days (Bear Trap, after costs) about breaks even over many seeds: it is exercised, not fed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from magellan.archive.generated.chance import uniforms
from magellan.trading.bar import Floats, Mask

BLOCK_DAYS = 21  # one crash and one surge in every three calendar weeks, each on a weekday

_FIRST_MONDAY = 4  # 1970-01-05, in days since 1970-01-01
_FULL_SESSION_MINUTES = 390
_VOLUME_STRETCH = 4.0
_FLUSH_VOLUME_STRETCH = 5.0  # on top, around the flush
_FLUSH_VOLUME_MINUTES = 5.0


class Direction(Enum):
    """Which way a wild day goes."""

    CRASH = "crash"
    SURGE = "surge"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WildDay:
    """One wild day of a session with m minutes; levels are logs of price over the session's open."""

    levels: Floats  # shape (m,): where the price goes, before noise, at the end of each minute
    volume_stretch: Floats  # shape (m,): what to multiply ordinary volume by
    flush_minute: int  # after the open
    wick_down: float  # how far the flush reaches below its minute, in logs
    wick_up: float  # and above, on a surge

    @property
    def move(self) -> float:
        """Log of the session's close over its open."""
        return float(self.levels[-1])


def wild_days(seed: int, symbol: str, direction: Direction, days: NDArray[np.int32]) -> Mask:
    """Which of `days` (since 1970-01-01, increasing, all >= 4) are wild days of the symbol."""
    block = (days.astype(np.int64) - _FIRST_MONDAY) // BLOCK_DAYS
    draws = uniforms(seed, f"{symbol}/{direction.value} weeks", int(block[0]), int(block[-1]), 1)[:, 0]
    weekday = (draws * 15).astype(np.int64)  # of the fifteen in the block
    place = weekday // 5 * 7 + weekday % 5
    return np.asarray((days - _FIRST_MONDAY) % BLOCK_DAYS == place[block - block[0]])


def wild_day(seed: int, symbol: str, direction: Direction, day: int, minutes: int) -> WildDay:
    """The shape of one wild day. minutes: length of its session."""
    u = uniforms(seed, f"{symbol}/{direction.value} shape", day, day, 12)[0]
    pace = minutes / _FULL_SESSION_MINUTES
    depth = 0.17 + 0.23 * u[0] ** 2
    slide = 3 + 57 * u[1]
    first_low = slide + 20 + 50 * u[2]
    bounce = first_low + 6 + 19 * u[3]
    flush = bounce + 8 + 32 * u[4]
    reclaim = flush + 5 + 25 * u[5]
    reclaimed = -0.12 + 0.45 * u[6]  # of the depth; below 0 there is none, and the fall goes on
    kept = 1.12 - 0.60 * u[7]  # of the depth, at the close: above 1 the day ends on its low
    when = np.array([0.0, slide, first_low, bounce, flush, reclaim, _FULL_SESSION_MINUTES - 1]) * pace
    share = np.array([0, 0, 0.75 + 0.2 * u[8], 0.55 + 0.25 * u[9], 1.0, 1 - reclaimed, kept])
    minute = np.arange(minutes)
    fallen = depth * np.interp(minute, when, share)
    flush_minute = round(flush * pace)
    near_flush = np.exp(-np.abs(minute - flush_minute) / _FLUSH_VOLUME_MINUTES)
    wick = 0.010 + 0.025 * u[11]
    crash = direction is Direction.CRASH
    return WildDay(
        levels=np.log1p(-fallen if crash else fallen),
        volume_stretch=_VOLUME_STRETCH * (0.7 + 0.6 * u[10]) * (1 + _FLUSH_VOLUME_STRETCH * near_flush),
        flush_minute=flush_minute,
        wick_down=wick if crash else 0.0,
        wick_up=0.0 if crash else wick,
    )
