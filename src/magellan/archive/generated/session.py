"""The sessions of a generated symbol: where each opens and closes, how rough and how busy it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from magellan.archive.generated.chance import exponential, uniforms
from magellan.archive.generated.day_shape import session_shapes
from magellan.archive.generated.factor import factor
from magellan.archive.generated.style import (
    MARKET_DRIFT_PER_YEAR,
    MARKET_TREND_PER_YEAR,
    MARKET_VOLATILITY,
    OVERNIGHT_SHARE,
    StyleNumbers,
)
from magellan.archive.generated.wild_day import Direction, WildDay, wild_day, wild_days
from magellan.errors import FixInput
from magellan.trading.bar import Floats, Instants
from magellan.trading.session import ExchangeCalendar, day_number
from magellan.trading.timeframe import MINUTE_NS

SESSIONS_PER_YEAR = 252
LARGEST_GAP = 0.32  # in logs: no overnight move of a sound market looks like a split
LARGEST_SESSION_MOVE = 0.40  # in logs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sessions:
    """Consecutive sessions of one symbol, oldest first; shapes (d,). Levels and moves are logs of USD."""

    day: NDArray[np.int32]  # days since 1970-01-01
    opens_at_ns: Instants
    minutes: NDArray[np.int64]  # length of the session
    gap: Floats  # from the close before to the open
    open_level: Floats
    close_level: Floats
    market_spread: Floats  # standard deviation of the session's move that the market causes
    own_spread: Floats  # and of the rest
    gap_spread: Floats  # of the overnight move
    volume_stretch: Floats  # what to multiply the style's volume by
    wild: tuple[WildDay | None, ...]

    def rows(self, chosen: slice) -> Sessions:
        """The chosen sessions, in their order."""
        return Sessions(
            day=self.day[chosen],
            opens_at_ns=self.opens_at_ns[chosen],
            minutes=self.minutes[chosen],
            gap=self.gap[chosen],
            open_level=self.open_level[chosen],
            close_level=self.close_level[chosen],
            market_spread=self.market_spread[chosen],
            own_spread=self.own_spread[chosen],
            gap_spread=self.gap_spread[chosen],
            volume_stretch=self.volume_stretch[chosen],
            wild=self.wild[chosen],
        )


def sessions_of(
    seed: int,
    symbol: str,
    numbers: StyleNumbers,
    first_price_usd: float | None,
    listed_on: date,
    last_on: date,
    calendar: ExchangeCalendar,
) -> Sessions:
    """Every session from listed_on to last_on, both included. Raises FixInput where the calendar has none.

    first_price_usd: before the first session; None draws one that fits the style.
    """
    dates = calendar.sessions(listed_on, last_on)
    if not dates:
        raise FixInput(f"{symbol}: no session of {calendar.name} lies from {listed_on} to {last_on}")
    at = int(np.searchsorted(calendar.session_on, day_number(dates[0])))
    part = slice(at, at + len(dates))
    day, opens_at_ns = calendar.session_on[part], calendar.opens_at_ns[part]
    minutes = (calendar.closes_at_ns[part] - opens_at_ns) // MINUTE_NS
    span = int(day[0]), int(day[-1])
    on = day.astype(np.int64) - span[0]

    market, own = factor(seed, "market", *span), factor(seed, symbol, *span)
    market_spread = numbers.market_beta * MARKET_VOLATILITY * market.stretch[on]
    own_spread = numbers.own_volatility * own.stretch[on]
    overnight, in_session = np.sqrt(OVERNIGHT_SHARE), np.sqrt(1 - OVERNIGHT_SHARE)
    trend = numbers.market_beta * (MARKET_DRIFT_PER_YEAR + MARKET_TREND_PER_YEAR * market.mood[on])
    trend += numbers.own_trend_per_year * own.mood[on]
    # Half the variance is taken away, so that the trend is that of the price and not of its logarithm.
    drift = trend / SESSIONS_PER_YEAR - 0.5 * (market_spread**2 + own_spread**2)
    gap = overnight * (market_spread * market.overnight_shock[on] + own_spread * own.overnight_shock[on])
    move = market_spread * market.session_shock[on] + own_spread * own.session_shock[on]
    gap = np.clip(gap, -LARGEST_GAP, LARGEST_GAP)
    move = np.clip(drift + in_session * move, -LARGEST_SESSION_MOVE, LARGEST_SESSION_MOVE)

    wild: list[WildDay | None] = [None] * len(day)
    if numbers.wild_days:
        for direction in Direction:
            for row in np.flatnonzero(wild_days(seed, symbol, direction, day)).tolist():
                swing, _ = session_shapes(minutes[row : row + 1], int(minutes[row]))
                shape = wild_day(seed, symbol, direction, int(day[row]), swing[0])
                wild[row], move[row] = shape, shape.move

    if first_price_usd is None:
        place = float(uniforms(seed, f"{symbol}/listing", 0, 0, 1)[0, 0])
        room_usd = numbers.highest_price_usd - numbers.lowest_price_usd
        first_price_usd = numbers.lowest_price_usd + place * room_usd
    close_level = np.log(first_price_usd) + np.cumsum(gap + move)
    busyness = exponential(uniforms(seed, f"{symbol}/volume days", *span, 1)[on, 0])
    return Sessions(
        day=day,
        opens_at_ns=opens_at_ns,
        minutes=minutes,
        gap=gap,
        open_level=close_level - move,
        close_level=close_level,
        market_spread=in_session * market_spread,
        own_spread=in_session * own_spread,
        gap_spread=overnight * np.hypot(market_spread, own_spread),
        # Volume follows volatility.
        volume_stretch=(0.7 + 0.3 * busyness) * np.sqrt(own.stretch[on] * market.stretch[on]),
        wild=tuple(wild),
    )
