"""Promotion criteria: what a strategy must show in a soak before its release may trade real money.

`PROMOTION_THRESHOLDS` is the table of everything that a config can set under `promotion`. What no config can change
(no breaker, no gap in the ledger) is in `deploy/promotion/criteria.py`. docs/guides/promotion.md explains every row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Field

from magellan.workspace.threshold import (
    Bound,
    Criteria,
    Share,
    Threshold,
    for_all,
    for_each,
)

# Where the numbers come from is told in docs/guides/promotion.md, "Thresholds". A change of a default is a new
# `PromotionCriteria.version`.
PROMOTION_THRESHOLDS: Final[Mapping[str, Threshold]] = {
    "gates_age_days_max": for_all(Bound.AT_MOST, 30, "days since the gates judged what is in the release"),
    "soak_hours_min": for_all(
        Bound.AT_LEAST, 48, "hours of market time that the release has watched on paper"
    ),
    "soak_sessions_min": for_each(
        Bound.AT_LEAST, 8, 15, 20, "exchange sessions of which it watched nine tenths or more"
    ),
    "soak_idle_days_max": for_all(Bound.AT_MOST, 4, "days since the soak's newest entry in the ledger"),
    "unclean_ends_max": for_all(Bound.AT_MOST, 0, "sessions of the soak that ended without saying so"),
    "soak_trades_min": for_each(
        Bound.AT_LEAST, 10, 5, 1, "trades that the soak closed; fewer say little about the win rate"
    ),
    "band_level_max": for_all(
        Bound.AT_MOST, 0.95, "probability with which a soak that is like its backtest lies in each band"
    ),
    "win_rate_min": for_all(
        Bound.AT_LEAST, 0.0, "plain floor of the soak's win rate, whatever the backtest predicts"
    ),
    "no_edge_pass_max": for_all(
        Bound.AT_MOST,
        1.0,
        "probability that a strategy which only breaks even would pass the win rate's band; 0.05 makes the soak a "
        "test of the edge, and long",
    ),
    "slippage_bps_max": for_each(
        Bound.AT_MOST, 25, 50, 50, "mean slippage of entries against the decision's price, in basis points"
    ),
}


class PromotionCriteria(Criteria):
    """Thresholds that differ from the defaults of the strategy's kind; null takes the default."""

    SECTION = "promotion"
    TABLE = PROMOTION_THRESHOLDS

    gates_age_days_max: float | None = Field(
        None, gt=0, description=PROMOTION_THRESHOLDS["gates_age_days_max"].meaning
    )
    # None of the three can be loosened to zero: what has not been watched has shown nothing (incident 15).
    soak_hours_min: float | None = Field(
        None, ge=1, description=PROMOTION_THRESHOLDS["soak_hours_min"].meaning
    )
    soak_sessions_min: int | None = Field(
        None, ge=1, description=PROMOTION_THRESHOLDS["soak_sessions_min"].meaning
    )
    soak_trades_min: int | None = Field(
        None, ge=1, description=PROMOTION_THRESHOLDS["soak_trades_min"].meaning
    )
    soak_idle_days_max: float | None = Field(
        None, gt=0, description=PROMOTION_THRESHOLDS["soak_idle_days_max"].meaning
    )
    unclean_ends_max: int | None = Field(
        None, ge=0, description=PROMOTION_THRESHOLDS["unclean_ends_max"].meaning
    )
    band_level_max: Annotated[float, Field(ge=0.5, le=0.999)] | None = Field(
        None, description=PROMOTION_THRESHOLDS["band_level_max"].meaning
    )
    win_rate_min: Share | None = Field(None, description=PROMOTION_THRESHOLDS["win_rate_min"].meaning)
    no_edge_pass_max: Share | None = Field(None, description=PROMOTION_THRESHOLDS["no_edge_pass_max"].meaning)
    slippage_bps_max: float | None = Field(None, description=PROMOTION_THRESHOLDS["slippage_bps_max"].meaning)
