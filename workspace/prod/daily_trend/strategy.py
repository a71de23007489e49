"""Daily Trend: hold a stock while its momentum is up, stay out while it is down, and ignore the middle.

Momentum is the relative strength index (RSI) of daily closes. Two thresholds instead of one make a hysteresis: a
stock is bought when its RSI stands above `upper` and sold when it stands below `lower`; in between, whatever is
held is kept. It is the level that counts, not the crossing: a run that starts with the RSI above `upper` buys.

Long only, no stop, no target. What the evidence shows, and what it does not, is in docs/README.md.
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


class DailyTrendParameters(Parameters):
    """What config.json may set, in common or per symbol."""

    rsi_period: int = Field(28, ge=2, le=500, description="bars; what it means depends on rsi_smoothing")
    rsi_smoothing: RsiSmoothing = Field(
        "span", description="span (weight 2/(n+1)) reacts about twice as fast as wilder (weight 1/n)"
    )
    upper: float = Field(55.0, gt=0, lt=100, description="buy when the RSI is above")
    lower: float = Field(45.0, gt=0, lt=100, description="sell when the RSI is below")
    size: SizeChoice = Field(EquityShare(fraction=0.10), description="of each position")

    @model_validator(mode="after")
    def _the_band_has_two_sides(self) -> Self:
        if self.lower > self.upper:
            raise ValueError(f"lower ({self.lower:g}) is above upper ({self.upper:g})")
        return self


class DailyTrend(Strategy):
    """RSI hysteresis on daily bars."""

    Parameters = DailyTrendParameters
    version = "1.0.0"

    def features(self, bars: MarketView, p: DailyTrendParameters) -> Mapping[str, Floats]:
        return {"rsi": rsi(bars.close, p.rsi_period, p.rsi_smoothing)}

    def enter_long(self, f: Features, p: DailyTrendParameters) -> Mask:
        return f.rsi > p.upper

    def exit_long(self, f: Features, p: DailyTrendParameters) -> Mask:
        return f.rsi < p.lower

    def plan(self, f: Features, p: DailyTrendParameters) -> TradePlan:
        return TradePlan(size=p.size.size)
