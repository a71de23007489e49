"""Gate criteria: the thresholds of a strategy's gates, as its config.json states them.

`THRESHOLDS` is the table of everything that a config can set under `gates`: what is measured, which way it is
judged, and the default of each kind of strategy. What no config can change (no failed test, no look-ahead) is
in `gate/criteria.py`. docs/guides/gates.md explains every row to a trader.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import Field

from magellan.workspace.threshold import (
    Bound,
    Criteria,
    Share,
    Threshold,
    for_all,
    for_each,
)

# Where the numbers come from is told in docs/guides/gates.md, "Thresholds". A change of a default is a new
# `GateCriteria.version`, so that a config says which defaults it was written against.
THRESHOLDS: Final[Mapping[str, Threshold]] = {
    "tests_min": for_all(Bound.AT_LEAST, 1, "the strategy's own tests that passed"),
    "sessions_min": for_each(Bound.AT_LEAST, 60, 250, 500, "exchange sessions that the backtest covers"),
    "trades_min": for_each(
        Bound.AT_LEAST, 100, 50, 30, "closed trades; fewer say little about the next ones"
    ),
    "sharpe_min": for_each(Bound.AT_LEAST, 1.0, 0.7, 0.5, "yearly Sharpe ratio, of returns per session"),
    "sharpe_lower_min": for_all(
        Bound.AT_LEAST, 0.0, "lower end of the Sharpe ratio's confidence interval (90 %, bootstrap)"
    ),
    "drawdown_max": for_each(
        Bound.AT_MOST, 0.15, 0.25, 0.30, "deepest fall of equity from its peak, as a fraction of the peak"
    ),
    "profit_factor_min": for_each(
        Bound.AT_LEAST, 1.1, 1.2, 1.3, "sum of wins over sum of losses, after costs"
    ),
    "win_rate_min": for_each(Bound.AT_LEAST, 0.30, 0.25, 0.20, "share of closed trades that earn money"),
    "cost_bps_min": for_all(
        Bound.AT_LEAST, 1.0, "costs that the backtest charged, in basis points of the amount traded"
    ),
    "return_doubled_costs_min": for_all(Bound.AT_LEAST, 0.0, "return of the run when every cost is doubled"),
    "return_one_bar_late_min": for_all(
        Bound.AT_LEAST, 0.0, "return of the run when every decision is carried out one bar later"
    ),
    "return_without_best_symbol_min": for_all(
        Bound.AT_LEAST, 0.0, "lowest return of the runs that leave out one symbol"
    ),
    "neighbours_kept_min": for_all(
        Bound.AT_LEAST,
        0.7,
        "share of runs with one parameter moved by 10 % that keep at least half of the Sharpe ratio",
    ),
    "sharpe_drop_max": for_all(
        Bound.AT_MOST, 0.25, "how far the Sharpe ratio lies below that of the last accepted run"
    ),
    "drawdown_rise_max": for_all(
        Bound.AT_MOST, 0.05, "how much deeper the drawdown is than that of the last accepted run"
    ),
}


class GateCriteria(Criteria):
    """Thresholds that differ from the defaults of the strategy's kind; null takes the default."""

    SECTION = "gates"
    TABLE = THRESHOLDS

    # Neither can be loosened to zero: no tests and no trades are no evidence (incident 15).
    tests_min: int | None = Field(None, ge=1, description=THRESHOLDS["tests_min"].meaning)
    trades_min: int | None = Field(None, ge=1, description=THRESHOLDS["trades_min"].meaning)
    sessions_min: int | None = Field(None, ge=1, description=THRESHOLDS["sessions_min"].meaning)
    sharpe_min: float | None = Field(None, description=THRESHOLDS["sharpe_min"].meaning)
    sharpe_lower_min: float | None = Field(None, description=THRESHOLDS["sharpe_lower_min"].meaning)
    drawdown_max: Share | None = Field(None, description=THRESHOLDS["drawdown_max"].meaning)
    profit_factor_min: float | None = Field(None, ge=0, description=THRESHOLDS["profit_factor_min"].meaning)
    win_rate_min: Share | None = Field(None, description=THRESHOLDS["win_rate_min"].meaning)
    cost_bps_min: float | None = Field(None, ge=0, description=THRESHOLDS["cost_bps_min"].meaning)
    return_doubled_costs_min: float | None = Field(
        None, description=THRESHOLDS["return_doubled_costs_min"].meaning
    )
    return_one_bar_late_min: float | None = Field(
        None, description=THRESHOLDS["return_one_bar_late_min"].meaning
    )
    return_without_best_symbol_min: float | None = Field(
        None, description=THRESHOLDS["return_without_best_symbol_min"].meaning
    )
    neighbours_kept_min: Share | None = Field(None, description=THRESHOLDS["neighbours_kept_min"].meaning)
    sharpe_drop_max: float | None = Field(None, ge=0, description=THRESHOLDS["sharpe_drop_max"].meaning)
    drawdown_rise_max: Share | None = Field(None, description=THRESHOLDS["drawdown_rise_max"].meaning)
