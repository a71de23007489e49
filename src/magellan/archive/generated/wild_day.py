"""Wild days: a small cap falls 15 to 40 % within a session, is flushed to new lows, and may be reclaimed.

A wild day is a fair game played for high stakes: several rough paths without drift are drawn, and the first
that goes far enough is taken. So the fall is real, but from the moment at which a stock is down 15 % its
expected price at any later minute is the one it has: whoever buys there, or sells, neither wins nor loses on
average. A minute that makes a new low may flush (a long lower wick, several times the volume); whether the
flush was the last one nobody knows. As many days surge as crash, and a surge mirrors a crash.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from magellan.archive.generated.chance import exponential, student, uniforms
from magellan.trading.bar import Floats, Mask

BLOCK_DAYS = 21  # one crash and one surge in every three calendar weeks, each on a weekday
LEAST_MOVE, LARGEST_MOVE = 0.16, 0.40  # of the open, at the day's extreme, before wicks

_FIRST_MONDAY = 4  # 1970-01-05, in days since 1970-01-01
_PATHS = 24  # drawn for a day; hardly ever is none of them wild enough
_SPREAD = 0.16  # standard deviation of a wild session's move, in logs
_FREEDOM = 5.0  # degrees of freedom of a minute's shock
_VOLUME_STRETCH = 5.0  # of the whole day
_FLUSH_FROM_MOVE = 0.10  # a new extreme beyond this may be a flush
_FLUSH_CHANCE = 0.3
_FLUSH_WICK = 0.009  # mean, in logs
_FLUSH_VOLUME = np.array([5.0, 3.0, 2.0])  # times more shares in its minute and the next two


class Direction(Enum):
    """Which way a wild day goes. The value names its random streams."""

    CRASH = "crash"
    SURGE = "surge"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WildDay:
    """One wild day of a session with m minutes; levels are logs of price over the session's open."""

    levels: Floats  # shape (m,): at the end of each minute
    steps: Floats  # shape (m,): the move of each minute
    rough: Floats  # shape (m,): the step's standard deviation
    wick_down: Floats  # shape (m,): how far flushes reach below their minute, in logs
    wick_up: Floats  # shape (m,): and above, on a surge
    volume_stretch: Floats  # shape (m,): what to multiply ordinary volume by

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


def wild_day(seed: int, symbol: str, direction: Direction, day: int, swing: Floats) -> WildDay:
    """The path of one wild day.

    swing: shape (m,): standard deviation of each minute's move, as a share of the session's.
    """
    minutes = len(swing)
    u = uniforms(seed, f"{symbol}/{direction.value} paths", day, day, 2 * _PATHS * minutes)
    u = u.reshape(2, _PATHS, minutes)
    rough = _SPREAD * swing
    # Half the variance is taken away: the price is without drift, not its logarithm.
    steps = rough * student(u[0], u[1], _FREEDOM) - 0.5 * rough**2
    levels = np.cumsum(steps, axis=1)
    crash = direction is Direction.CRASH
    reached = 1 - np.exp(levels.min(axis=1)) if crash else np.exp(levels.max(axis=1)) - 1
    wild = (reached >= LEAST_MOVE) & (reached <= LARGEST_MOVE)
    taken = int(np.argmax(wild)) if wild.any() else int(np.argmin(np.abs(reached - LEAST_MOVE)))
    path = levels[taken]

    v = uniforms(seed, f"{symbol}/{direction.value} flushes", day, day, 2 * minutes + 1)[0]
    away = 1 - np.exp(path) if crash else np.exp(path) - 1
    newest = np.maximum.accumulate(away)
    extreme = (away >= newest) & (away > _FLUSH_FROM_MOVE)
    flush = extreme & (v[:minutes] < _FLUSH_CHANCE)
    wick = np.where(flush, _FLUSH_WICK * exponential(v[minutes:-1]), 0.0)
    busy = np.ones(minutes)
    for later, times in enumerate(_FLUSH_VOLUME):
        busy[later:] = np.maximum(busy[later:], np.where(flush, times, 1.0)[: minutes - later])
    nothing = np.zeros(minutes)
    return WildDay(
        levels=path,
        steps=steps[taken],
        rough=rough,
        wick_down=wick if crash else nothing,
        wick_up=nothing if crash else wick,
        volume_stretch=_VOLUME_STRETCH * (0.7 + 0.6 * v[-1]) * busy,
    )
