"""Bear Trap: buy a small cap that has crashed and begins to recover, and sell the recovery in three portions.

The idea: a share has fallen at least 15 % since the session opened. A bar dips and recovers, with a long lower
wick, a real body and more volume than usual: the sellers are running out, and those who sold short will have to buy.

The trade: buy at that bar; stop a little below the session's low; sell 40 % half-way back to the session's high,
30 % at that high, and leave with the rest after 30 minutes, at the stop, or before the session ends.

The claimed edge does not show on the data at hand: docs/README.md has the numbers. It is here because its exits
are a good example, not because it earns money.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import Field

from magellan.indicators import (
    relative_volume,
    session_high,
    session_low,
    session_open,
    sma,
    true_range,
)
from magellan.strategy.contract import Features, Parameters, Strategy
from magellan.strategy.market_view import MarketView
from magellan.strategy.trade_plan import (
    Reading,
    RiskFraction,
    SessionExit,
    Target,
    TradePlan,
    fixed,
    moving,
)
from magellan.trading.bar import Floats, Mask


class BearTrapParameters(Parameters):
    """What config.json may set, in common or per symbol. Fractions: 0.15 is 15 %."""

    # The crash and the bar that ends it
    fall_min: float = Field(0.15, gt=0, lt=1, description="fall from the session's open to the bar's close")
    wick_min: float = Field(0.15, ge=0, le=1, description="lower wick, as a fraction of the bar's range")
    body_min: float = Field(0.20, ge=0, le=1, description="body, as a fraction of the bar's range")
    volume_min: float = Field(1.20, ge=0, description="volume, as a multiple of the mean of volume_bars")
    volume_bars: int = Field(20, ge=1, le=500)
    entry_minutes_min: int = Field(
        30, ge=0, description="no entry on bars that open with so many minutes or less of the session left"
    )

    # The position
    risk_fraction: float = Field(
        0.02, gt=0, le=0.1, description="of the equity, lost if the first stop holds"
    )
    stop_atr: float = Field(0.45, ge=0, description="distance of the stop below the session's low, in ATR")
    atr_bars: int = Field(14, ge=1, le=500, description="simple mean of so many true ranges")
    first_portion: float = Field(0.40, gt=0, lt=1, description="sold half-way to the session's high")
    second_portion: float = Field(0.30, gt=0, lt=1, description="sold at the session's high")
    hold_minutes: int = Field(30, ge=1, le=390)
    leave_minutes: int = Field(5, ge=1, description="leave when so many minutes of the session are left")

    # Only to reproduce old research; each of them flatters or is wrong
    day_end: Literal["session", "hour-and-minute"] = Field(
        "session",
        description="hour-and-minute leaves on bars whose clock reads hour >= 15 and minute >= 55, enters at "
        "any time, and knows no end of the session",
    )
    targets_see_own_bar: bool = Field(
        False, description="a session's high that includes the bar being filled: a new high always fills"
    )
    high_sells_again: bool = Field(
        False, description="the last portion is sold at the session's high as well, on a bar after the second"
    )
    gap_in_true_range: bool = Field(
        False, description="a session's first true range reaches back over night, and widens the stop"
    )


class BearTrap(Strategy):
    """Reclaim after a crash, left in three portions."""

    Parameters = BearTrapParameters
    version = "1.0.0"

    def features(self, bars: MarketView, p: BearTrapParameters) -> Mapping[str, Floats]:
        reach = true_range(bars.high, bars.low, bars.close)
        if not p.gap_in_true_range:
            reach = np.where(bars.session.first, bars.high - bars.low, reach)
        height = bars.high - bars.low
        height = np.where(height > 0, height, np.nan)  # a bar without a range proves nothing
        low = session_low(bars.low, bars.day)
        return {
            "fall": 1 - bars.close / session_open(bars.open, bars.day),
            "session_low": low,
            "session_high": session_high(bars.high, bars.day),
            "wick": (np.minimum(bars.open, bars.close) - bars.low) / height,
            "body": np.abs(bars.close - bars.open) / height,
            "busy": relative_volume(bars.volume, p.volume_bars),
            "stop": low - p.stop_atr * sma(reach, p.atr_bars),
        }

    def enter_long(self, f: Features, p: BearTrapParameters) -> Mask:
        crashed = f.fall >= p.fall_min
        reclaimed = (f.close > f.session_low) & (f.wick >= p.wick_min) & (f.body >= p.body_min)
        wanted = crashed & reclaimed & (f.busy >= p.volume_min) & (f.stop < f.close)
        if p.day_end == "session":
            wanted &= f.minutes_to_close > p.entry_minutes_min
        return wanted

    def exit_long(self, f: Features, p: BearTrapParameters) -> Mask | None:
        if p.day_end == "session":
            return None  # the plan leaves by the exchange's calendar, half days included
        return (f.minute // 60 >= 15) & (f.minute % 60 >= 55)

    def plan(self, f: Features, p: BearTrapParameters) -> TradePlan:
        reading = Reading.SAME if p.targets_see_own_bar else Reading.PRIOR
        high = moving(f.session_high, reading)
        again = (Target(price=high, fraction=p.second_portion, later_bar=True),) if p.high_sells_again else ()
        return TradePlan(
            size=RiskFraction(fraction=p.risk_fraction),
            stop=fixed(f.stop),
            targets=(
                Target(price=high.way(0.5), fraction=p.first_portion),
                Target(price=high, fraction=p.second_portion, then_stop=fixed(f.session_low)),
                *again,
            ),
            hold_minutes=p.hold_minutes,
            session_exit=SessionExit(before_close_minutes=p.leave_minutes)
            if p.day_end == "session"
            else None,
            cooldown_bars=1,  # no entry on the bar that ended a trade
        )
