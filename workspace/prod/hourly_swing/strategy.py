"""Hourly Swing: the hysteresis of Daily Trend on hourly bars, to catch moves of a day or two.

Buy when the RSI of hourly closes stands above `upper`, sell when it stands below `lower`, keep what is held in
between. Positions stay open over night and over weekends: the gap at the open is part of the strategy, for better
and for worse. There is no stop.

Which hours count is not a detail here. With premarket and after-hours bars this is another strategy than without
them, and the same parameters have earned money in one and lost it in the other. So `data.hours` in config.json
says it, and docs/README.md shows both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import Field, model_validator

from magellan.indicators import RsiSmoothing, rsi
from magellan.strategy.contract import Features, Parameters, Strategy
from magellan.strategy.market_view import MarketView
from magellan.strategy.sizing import EquityShare, SizeChoice
from magellan.strategy.trade_plan import TradePlan
from magellan.trading.bar import Floats, Mask


class HourlySwingParameters(Parameters):
    """What config.json may set, in common or per symbol."""

    rsi_period: int = Field(14, ge=2, le=500, description="bars; what it means depends on rsi_smoothing")
    rsi_smoothing: RsiSmoothing = Field(
        "span", description="span (weight 2/(n+1)) reacts about twice as fast as wilder (weight 1/n)"
    )
    upper: float = Field(60.0, gt=0, lt=100, description="buy when the RSI is above")
    lower: float = Field(40.0, gt=0, lt=100, description="sell when the RSI is below")
    size: SizeChoice = Field(EquityShare(fraction=0.10), description="of each position")

    @model_validator(mode="after")
    def _the_band_has_two_sides(self) -> Self:
        if self.lower > self.upper:
            raise ValueError(f"lower ({self.lower:g}) is above upper ({self.upper:g})")
        return self


class HourlySwing(Strategy):
    """RSI hysteresis on hourly bars, held over night."""

    Parameters = HourlySwingParameters
    version = "1.0.0"

    def features(self, bars: MarketView, p: HourlySwingParameters) -> Mapping[str, Floats]:
        return {"rsi": rsi(bars.close, p.rsi_period, p.rsi_smoothing)}

    def enter_long(self, f: Features, p: HourlySwingParameters) -> Mask:
        return f.rsi > p.upper

    def exit_long(self, f: Features, p: HourlySwingParameters) -> Mask:
        return f.rsi < p.lower

    def plan(self, f: Features, p: HourlySwingParameters) -> TradePlan:
        return TradePlan(size=p.size.size)
