"""Run report: everything there is to see of one run, on one page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from magellan.backtest.confidence import Confidence
from magellan.backtest.metrics import Metrics
from magellan.backtest.report.charts import distribution_charts, equity_chart, price_chart
from magellan.backtest.report.figures import run_figures
from magellan.backtest.report.head import head
from magellan.backtest.report.identity import assumption_list, identity, metric_tables
from magellan.backtest.report.months import months_and_years
from magellan.backtest.report.page import page
from magellan.backtest.report.trade_tables import breakdown_tables, regime_table, trade_table
from magellan.backtest.result import BacktestResult
from magellan.trading.session import SessionClock
from magellan.workspace.config import StrategyConfig

if TYPE_CHECKING:
    from magellan.backtest.regime_breakdown import RegimeRow


def run_report(
    result: BacktestResult, metrics: Metrics, sure: Confidence, regimes: Sequence[RegimeRow] = ()
) -> str:
    """The page as HTML. It opens offline, and the same run gives the same bytes.

    regimes: the run's parts by regime, where they were asked for.
    Raises: FixInput or pydantic's ValidationError when the manifest's config is not a strategy's.
    """
    manifest = result.manifest
    config = StrategyConfig.model_validate(dict(manifest.config))
    figures = run_figures(result, SessionClock(config.data.clock))
    figures["name"] = f"{manifest.strategy}-{manifest.run_id}"
    sections = [
        ("equity", "Equity", equity_chart()),
        ("prices", "Trades on price", price_chart(result)),
        ("months", "Months and years", months_and_years(metrics)),
        ("distribution", "Distribution", distribution_charts(metrics)),
        ("trades", "Trades", trade_table(result)),
        ("breakdown", "By symbol and reason", breakdown_tables(result, metrics)),
        *([("regimes", "By regime", regime_table(regimes))] if regimes else []),
        ("metrics", "All metrics", metric_tables(metrics, sure)),
        ("assumptions", "Assumptions", assumption_list(config)),
        ("identity", "Identity", identity(result, metrics)),
    ]
    return page(
        title=f"{manifest.strategy} {manifest.strategy_version}",
        sections=sections,
        top=head(result, metrics, sure),
        data=figures,
    )
