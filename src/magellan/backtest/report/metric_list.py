"""Metric list: every metric with its name for people, its form and what it means, in the order of a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from magellan.backtest.report.words import DASH, count, money, number, percent

Form = Literal["percent", "signed percent", "ratio", "usd", "signed usd", "count", "decimal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricEntry:
    """How a metric of `Metrics` is shown."""

    field: str  # of Metrics
    name: str
    form: Form
    better: Literal["higher", "lower", ""] = ""  # "": neither
    hint: str = ""

    def text(self, value: float | int | None) -> str:
        """A value of this metric, written out; a dash where there is none."""
        return written(value, self.form)


def written(value: float | int | None, form: Form) -> str:
    """A number in one of the forms above; a dash where there is none."""
    if value is None:
        return DASH
    match form:
        case "percent" | "signed percent":
            digits = 1 if abs(value) >= 0.1 else 2
            return percent(value, digits, signed=form == "signed percent")
        case "usd" | "signed usd":
            return money(value, 0 if abs(value) >= 100 else 2, signed=form == "signed usd")
        case "count":
            return count(int(value))
        case "decimal":
            return number(value, 1)
        case "ratio":
            return number(value, 2)


def _row(field: str, name: str, form: Form, better: Any = "", hint: str = "") -> MetricEntry:
    return MetricEntry(field=field, name=name, form=form, better=better, hint=hint)


METRIC_GROUPS: Final[dict[str, tuple[MetricEntry, ...]]] = {
    "Result": (
        _row("return_fraction", "Return", "signed percent", "higher"),
        _row("return_yearly_fraction", "Return per year", "signed percent", "higher", "compounded (CAGR)"),
        _row("pnl_usd", "Profit", "signed usd", "higher", "after all costs"),
        _row("equity_end_usd", "Equity at the end", "usd", "higher"),
        _row("volatility_yearly_fraction", "Volatility per year", "percent", "lower", "of returns per bar"),
    ),
    "Risk": (
        _row("sharpe", "Sharpe ratio", "ratio", "higher", "of returns per bar, per year"),
        _row("sharpe_daily", "Sharpe ratio, sessions", "ratio", "higher", "of returns per session, per year"),
        _row("sortino", "Sortino ratio", "ratio", "higher", "as Sharpe, counting losses only"),
        _row("calmar", "Calmar ratio", "ratio", "higher", "return per year over the deepest drawdown"),
        _row("drawdown_fraction_max", "Deepest drawdown", "percent", "lower"),
        _row("drawdown_sessions_max", "Longest drawdown, sessions", "count", "lower"),
        _row("drawdown_days_max", "Longest drawdown, calendar days", "count", "lower"),
        _row("underwater_fraction", "Time below an earlier close", "percent", "lower"),
    ),
    "Trades": (
        _row("trades", "Trades", "count"),
        _row("trades_open", "Still open", "count"),
        _row("trades_long", "Long", "count"),
        _row("trades_short", "Short", "count"),
        _row("exit_fills", "Exit fills", "count", "", "partial exits count one by one"),
        _row("win_rate", "Win rate", "percent", "higher", "share of trades with a profit after costs"),
        _row("win_rate_by_price", "Win rate by price", "percent", "higher", "exit above entry, costs aside"),
        _row("exit_fill_win_rate", "Win rate of exit fills", "percent", "higher", "by price"),
        _row("profit_factor", "Profit factor", "ratio", "higher", "gains over losses"),
        _row("payoff_ratio", "Payoff ratio", "ratio", "higher", "mean gain over mean loss"),
        _row("expectancy_usd", "Mean profit of a trade", "signed usd", "higher", "expectancy"),
        _row("expectancy_fraction", "Mean return of a trade", "signed percent", "higher"),
        _row("trade_return_median_fraction", "Median return of a trade", "signed percent", "higher"),
        _row("trade_return_best_fraction", "Best trade", "signed percent"),
        _row("trade_return_worst_fraction", "Worst trade", "signed percent", "higher"),
        _row("mae_mean_fraction", "Mean adverse excursion", "percent", "lower", "MAE"),
        _row("mae_max_fraction", "Largest adverse excursion", "percent", "lower"),
        _row("mfe_mean_fraction", "Mean favourable excursion", "percent", "higher", "MFE"),
        _row("mfe_max_fraction", "Largest favourable excursion", "percent"),
        _row("bars_held_mean", "Mean bars held", "decimal"),
        _row("bars_held_median", "Median bars held", "decimal"),
        _row("gains_in_a_row_max", "Gains in a row, at most", "count"),
        _row("losses_in_a_row_max", "Losses in a row, at most", "count", "lower"),
    ),
    "Money at work": (
        _row("time_in_market_fraction", "Time in the market", "percent"),
        _row("exposure_mean_fraction", "Mean exposure", "percent", "", "gross, of equity"),
        _row("exposure_max_fraction", "Largest exposure", "percent"),
        _row("turnover", "Turnover", "ratio", "", "value of all fills over mean equity"),
        _row("turnover_yearly", "Turnover per year", "ratio"),
    ),
    "Costs": (
        _row("costs_usd", "Costs", "usd", "lower", "commission, spread, slippage, impact"),
        _row("commission_usd", "Commission", "usd", "lower"),
        _row("slippage_usd", "Spread, slippage, impact", "usd", "lower"),
        _row("dividends_usd", "Dividends", "signed usd"),
        _row("financing_usd", "Borrow fees", "usd", "lower"),
    ),
    "Beside buy and hold": (
        _row("benchmark_return_fraction", "Return of buy and hold", "signed percent"),
        _row("benchmark_return_yearly_fraction", "Its return per year", "signed percent"),
        _row("benchmark_sharpe", "Its Sharpe ratio", "ratio"),
        _row("benchmark_drawdown_fraction_max", "Its deepest drawdown", "percent"),
        _row("beta", "Beta", "ratio", "", "of session returns"),
        _row("alpha_yearly_fraction", "Alpha per year", "signed percent", "higher"),
        _row("benchmark_correlation", "Correlation", "ratio"),
    ),
}

METRICS: Final = tuple(entry for group in METRIC_GROUPS.values() for entry in group)
