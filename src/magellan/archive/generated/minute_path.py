"""The minutes of a market: from where sessions open and close to a path, wicks and volume.

A session's close is drawn before its minutes, which are a bridge from open to close: so the level of a price
on any date is known without the minutes of all days before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magellan.archive.generated.chance import exponential, furthest, student, uniforms
from magellan.archive.generated.day_shape import session_shapes
from magellan.archive.generated.rows import Rows, on_tick
from magellan.archive.generated.session import Sessions
from magellan.archive.generated.style import StyleNumbers
from magellan.trading.bar import Floats, Instants
from magellan.trading.timeframe import MINUTE, MINUTE_NS

PREMARKET_MINUTES = 330  # 04:00 to 09:30 on the exchange's clock
AFTER_HOURS_MINUTES = 240  # from the close; until 20:00 after a full session

_FREEDOM = 4.0  # degrees of freedom of a minute's shock
_WILD_PREMARKET_VOLUME = 6.0  # news is out before the open
_AFTER_HOURS_SHARE = 0.3  # of the overnight move; the rest happens before the open
_EXTENDED_ROUGHNESS = 0.5  # of the minutes outside the session, as a share of the overnight move's spread


def session_rows(seed: int, symbol: str, numbers: StyleNumbers, sessions: Sessions, longest: int) -> Rows:
    """The one-minute rows of the regular sessions, where there was a trade.

    longest: minutes of the calendar's longest session: the room that each day takes in the random stream.
    """
    draws = _Draws(seed, sessions, longest)
    shared, own = draws("market/minutes", 2), draws(f"{symbol}/minutes", 7)
    swing, busy = session_shapes(sessions.minutes, longest)
    rough = np.hypot(sessions.market_spread, sessions.own_spread)[:, None] * swing
    steps = sessions.market_spread[:, None] * student(shared[:, 0], shared[:, 1], _FREEDOM)
    steps += sessions.own_spread[:, None] * student(own[:, 0], own[:, 1], _FREEDOM)
    steps *= swing
    expected = numbers.shares_per_day * sessions.volume_stretch[:, None] * busy
    passed = np.cumsum(swing**2, axis=1)
    path = _bridge(sessions.open_level, sessions.close_level, steps, passed)
    wick_down, wick_up = np.zeros_like(rough), np.zeros_like(rough)
    for row, wild in enumerate(sessions.wild):
        if wild is not None:
            length = len(wild.levels)
            path[row, :length] = sessions.open_level[row] + wild.levels
            steps[row, :length], rough[row, :length] = wild.steps, wild.rough
            wick_down[row, :length], wick_up[row, :length] = wild.wick_down, wild.wick_up
            expected[row, :length] *= wild.volume_stretch
    return _Minutes(
        first_at_ns=sessions.opens_at_ns,
        length=sessions.minutes,
        start_level=sessions.open_level,
        path=path,
        step=steps,
        rough=rough,
        wick_down=wick_down,
        wick_up=wick_up,
        expected_shares=expected,
    ).rows(symbol, sessions.day, numbers.shares_per_trade, own[:, 2:])


def premarket_rows(seed: int, symbol: str, numbers: StyleNumbers, sessions: Sessions) -> Rows:
    """The one-minute rows of the 330 minutes before each session, where there was a trade."""
    news = np.array([1.0 if shape is None else _WILD_PREMARKET_VOLUME for shape in sessions.wild])
    x = (np.arange(PREMARKET_MINUTES) + 0.5) / PREMARKET_MINUTES
    return _extended_rows(
        seed,
        f"{symbol}/premarket",
        symbol,
        numbers,
        sessions,
        first_at_ns=sessions.opens_at_ns - PREMARKET_MINUTES * MINUTE_NS,
        start_level=sessions.open_level - (1 - _AFTER_HOURS_SHARE) * sessions.gap,
        end_level=sessions.open_level,
        share_of_day=0.6 * numbers.extended_share * news,
        busy=0.3 + x**2 + 3.0 * np.exp(-(1 - x) / 0.12),
    )


def after_hours_rows(
    seed: int, symbol: str, numbers: StyleNumbers, sessions: Sessions, next_gap: Floats
) -> Rows:
    """The one-minute rows of the 240 minutes after each session, where there was a trade.

    next_gap: shape (d,): log of the next session's open over each session's close.
    """
    x = (np.arange(AFTER_HOURS_MINUTES) + 0.5) / AFTER_HOURS_MINUTES
    return _extended_rows(
        seed,
        f"{symbol}/after hours",
        symbol,
        numbers,
        sessions,
        first_at_ns=sessions.opens_at_ns + sessions.minutes * MINUTE_NS,
        start_level=sessions.close_level,
        end_level=sessions.close_level + _AFTER_HOURS_SHARE * next_gap,
        share_of_day=np.full(len(sessions.day), 0.4 * numbers.extended_share),
        busy=0.2 + 3.0 * np.exp(-x / 0.08),
    )


def _extended_rows(
    seed: int,
    stream: str,
    symbol: str,
    numbers: StyleNumbers,
    sessions: Sessions,
    *,
    first_at_ns: Instants,
    start_level: Floats,
    end_level: Floats,
    share_of_day: Floats,
    busy: Floats,
) -> Rows:
    longest = len(busy)
    own = _Draws(seed, sessions, longest)(stream, 7)
    swing = np.full((len(sessions.day), longest), 1 / np.sqrt(longest))
    rough = _EXTENDED_ROUGHNESS * sessions.gap_spread[:, None] * swing
    steps = rough * student(own[:, 0], own[:, 1], _FREEDOM)
    share = (sessions.volume_stretch * share_of_day)[:, None]
    return _Minutes(
        first_at_ns=first_at_ns,
        length=np.full(len(sessions.day), longest),
        start_level=start_level,
        path=_bridge(start_level, end_level, steps, np.cumsum(swing**2, axis=1)),
        step=steps,
        rough=rough,
        wick_down=np.zeros_like(rough),
        wick_up=np.zeros_like(rough),
        expected_shares=numbers.shares_per_day * share * (busy / busy.sum()),
    ).rows(symbol, sessions.day, numbers.shares_per_trade, own[:, 2:])


class _Draws:
    """Uniform numbers for every minute of some sessions, each with a fixed place in its stream."""

    def __init__(self, seed: int, sessions: Sessions, longest: int) -> None:
        self._seed = seed
        self._first_day, self._last_day = int(sessions.day[0]), int(sessions.day[-1])
        self._rows = sessions.day - self._first_day
        self._longest = longest

    def __call__(self, stream: str, per_minute: int) -> Floats:
        """Shape (d, per_minute, longest)."""
        per_day = per_minute * self._longest
        every_day = uniforms(self._seed, stream, self._first_day, self._last_day, per_day)
        return every_day[self._rows].reshape(len(self._rows), per_minute, self._longest)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Minutes:
    """One stretch of minutes per session, before it becomes prices; shapes (d,) and (d, m)."""

    first_at_ns: Instants
    length: NDArray[np.int64]  # minutes from `length` on do not exist
    start_level: Floats  # log of the price before the first minute
    path: Floats  # log of the price at the end of each minute
    step: Floats  # the random part of each minute's move
    rough: Floats  # standard deviation of the step
    wick_down: Floats  # how far the low reaches below, beside chance; in logs
    wick_up: Floats  # and the high above
    expected_shares: Floats

    def rows(self, symbol: str, day: NDArray[np.int32], shares_per_trade: float, draws: Floats) -> Rows:
        """Rows of the minutes with a trade. draws: shape (d, 5, m), uniform."""
        minute = np.arange(self.path.shape[1])
        chance = -np.expm1(-self.expected_shares / shares_per_trade)
        traded = (minute < self.length[:, None]) & (draws[:, 0] < chance)
        opened = np.empty_like(self.path)
        opened[:, 0] = self.start_level
        # The next trade is rarely at the price of the last one.
        opened[:, 1:] = self.path[:, :-1] + 0.3 * self.rough[:, 1:] * (draws[:, 1, 1:] - 0.5)
        opened, closed, rough = opened[traded], self.path[traded], self.rough[traded]
        high = furthest(opened, closed, rough, draws[:, 2][traded], 1.0)
        low = furthest(opened, closed, rough, draws[:, 3][traded], -1.0)
        # A minute that moves more than usual trades more than usual.
        surprise = np.minimum(np.abs(self.step[traded]) / rough, 5.0)
        activity = 0.45 + 0.25 * surprise + 0.35 * exponential(draws[:, 4][traded])
        return Rows(
            symbol=symbol,
            timeframe=MINUTE,
            opened_at_ns=(self.first_at_ns[:, None] + minute * MINUTE_NS)[traded],
            session_day=np.broadcast_to(day[:, None], traded.shape)[traded],
            open=on_tick(np.exp(opened)),
            high=on_tick(np.exp(high + self.wick_up[traded])),
            low=on_tick(np.exp(low - self.wick_down[traded])),
            close=on_tick(np.exp(closed)),
            volume=np.maximum(1.0, np.rint(self.expected_shares[traded] * activity)),
        )


def _bridge(start_level: Floats, end_level: Floats, steps: Floats, passed: Floats) -> Floats:
    """A random walk of the given steps, bent to end at end_level; shapes (d,) and (d, m).

    passed: the share of the walk's variance that has happened at the end of each minute, 1 at the last.
    """
    walk = np.cumsum(steps, axis=1)
    missing = (end_level - start_level)[:, None] - walk[:, -1:]
    return start_level[:, None] + walk + passed * missing
