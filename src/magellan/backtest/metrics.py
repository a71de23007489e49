"""Metrics: the numbers by which a run is judged. Each is explained, with its formula, in docs/glossary.md.

A metric that cannot be computed is None, and `missing` says why. It is never 0, infinite or a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from magellan.backtest.breakdown import (
    PeriodRow,
    ReasonRow,
    SymbolRow,
    by_exit_reason,
    by_month,
    by_symbol,
    by_year,
)
from magellan.backtest.drawdown import Drawdown, depths, drawdowns
from magellan.backtest.missing import Measured, Missing
from magellan.backtest.result import BacktestResult
from magellan.backtest.returns import (
    SESSIONS_PER_YEAR,
    Regression,
    against_benchmark,
    bar_returns,
    periods_per_year,
    session_ends,
    session_returns,
    sharpe_ratio,
    sortino_ratio,
    volatility,
    yearly_growth,
)
from magellan.backtest.trade_measures import exit_fills, measure_trades, share
from magellan.trading.bar import Floats, instant
from magellan.trading.session import day_date
from magellan.trading.timeframe import DAY_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Everything that was measured of one run.

    Fractions are of 1: 0.25 is 25 %. Ratios per bar are annualised with `periods_per_year`, ratios per
    session with 252. Trades include those still open, at the last close; `trades_open` says how many.
    """

    # What was run
    timeframe: str
    bars: int  # closes of the equity curve
    sessions: int
    first_at: datetime  # opening of the first bar
    last_at: datetime  # close of the last bar
    first_on: date
    last_on: date
    periods_per_year: float

    # What came of it
    cash_start_usd: float
    equity_end_usd: float
    pnl_usd: float
    return_fraction: float
    return_yearly_fraction: float | None  # compound annual growth rate
    volatility_yearly_fraction: float | None
    sharpe: float | None  # of returns per bar
    sharpe_daily: float | None  # of returns per session
    sortino: float | None  # of returns per bar
    calmar: float | None
    drawdown_fraction_max: float
    drawdown_sessions_max: int  # of the longest, from peak to recovery or to the end
    drawdown_days_max: int  # calendar days, likewise
    drawdown_deepest: Drawdown | None  # None: equity never fell below an earlier close
    drawdown_longest: Drawdown | None
    underwater_fraction: float  # share of closes below an earlier one

    # Its trades
    trades: int
    trades_open: int  # at the run's end
    trades_long: int
    trades_short: int
    exit_fills: int
    win_rate: float | None  # by P&L after all costs
    win_rate_by_price: float | None  # exit price better than entry price, costs aside
    exit_fill_win_rate: float | None  # of exit fills, by price
    profit_factor: float | None
    payoff_ratio: float | None
    expectancy_usd: float | None
    expectancy_fraction: float | None
    trade_return_median_fraction: float | None
    trade_return_best_fraction: float | None
    trade_return_worst_fraction: float | None
    mae_mean_fraction: float | None
    mae_max_fraction: float | None
    mfe_mean_fraction: float | None
    mfe_max_fraction: float | None
    bars_held_mean: float | None
    bars_held_median: float | None
    gains_in_a_row_max: int
    losses_in_a_row_max: int

    # How much money was at work
    time_in_market_fraction: float  # share of closes at which a position was held
    exposure_mean_fraction: float | None  # gross exposure over equity, mean of all closes
    exposure_max_fraction: float | None
    turnover: float | None  # value of all fills over mean equity
    turnover_yearly: float | None

    # What it cost
    commission_usd: float
    slippage_usd: float  # spread, slippage and impact
    costs_usd: float
    dividends_usd: float
    financing_usd: float

    # Beside holding the same symbols
    benchmark_return_fraction: float | None
    benchmark_return_yearly_fraction: float | None
    benchmark_sharpe: float | None  # of returns per bar
    benchmark_drawdown_fraction_max: float | None
    beta: float | None  # of session returns
    alpha_yearly_fraction: float | None
    benchmark_correlation: float | None

    by_symbol: tuple[SymbolRow, ...]
    by_year: tuple[PeriodRow, ...]
    by_month: tuple[PeriodRow, ...]
    by_exit_reason: tuple[ReasonRow, ...]

    missing: Mapping[str, str]  # why each metric that is None is missing, by its name


def metrics_of(result: BacktestResult) -> Metrics:
    """Measure a run. Pure; takes some 30 ms for a million bars."""
    curve = result.equity
    assert len(curve.closed_at_ns) > 0, "a run has at least one bar: Market.of refuses symbols without any"
    value = _Values()
    timeframe = result.market.timeframe
    per_year = periods_per_year(timeframe)
    first_at_ns = int(result.market.opened_at_ns[result.market.offsets[:-1]].min())
    last_at_ns = int(curve.closed_at_ns[-1])
    span_ns = last_at_ns - first_at_ns
    per_bar = bar_returns(curve.equity_usd)
    growth = yearly_growth(result.cash_start_usd, result.equity_end_usd, span_ns)
    fall = drawdowns(curve, result.cash_start_usd)
    measured = measure_trades(result)
    exits = exit_fills(result)
    turnover = _turnover(result)
    benchmark = _benchmark(result, per_year, span_ns)
    exposure = _exposure(result)
    commission_usd = float(result.fills["commission"].sum())
    slippage_usd = float(result.fills["slippage"].sum())
    return Metrics(
        timeframe=str(timeframe),
        bars=len(curve.closed_at_ns),
        sessions=len(session_ends(curve.day)),
        first_at=instant(first_at_ns),
        last_at=instant(last_at_ns),
        first_on=day_date(int(curve.day[0])),
        last_on=day_date(int(curve.day[-1])),
        periods_per_year=per_year,
        cash_start_usd=result.cash_start_usd,
        equity_end_usd=result.equity_end_usd,
        pnl_usd=result.equity_end_usd - result.cash_start_usd,
        return_fraction=result.return_fraction,
        return_yearly_fraction=value("return_yearly_fraction", growth),
        volatility_yearly_fraction=value("volatility_yearly_fraction", volatility(per_bar, per_year)),
        sharpe=value("sharpe", sharpe_ratio(per_bar, per_year)),
        sharpe_daily=value("sharpe_daily", _sharpe_daily(result)),
        sortino=value("sortino", sortino_ratio(per_bar, per_year)),
        calmar=value("calmar", _calmar(growth, fall.fraction_max)),
        drawdown_fraction_max=fall.fraction_max,
        drawdown_sessions_max=0 if fall.longest is None else fall.longest.sessions,
        drawdown_days_max=0 if fall.longest is None else fall.longest.days,
        drawdown_deepest=fall.deepest,
        drawdown_longest=fall.longest,
        underwater_fraction=fall.underwater_fraction,
        trades=len(result.trades),
        trades_open=int(result.trades.is_open.sum()),
        trades_long=int((result.trades.side > 0).sum()),
        trades_short=int((result.trades.side < 0).sum()),
        exit_fills=len(exits),
        win_rate=value("win_rate", measured.win_rate),
        win_rate_by_price=value("win_rate_by_price", measured.win_rate_by_price),
        exit_fill_win_rate=value(
            "exit_fill_win_rate",
            share(exits.better[exits.comparable])
            if exits.comparable.any()
            else Missing("no position was left at a price that compares with its entry"),
        ),
        profit_factor=value("profit_factor", measured.profit_factor),
        payoff_ratio=value("payoff_ratio", measured.payoff_ratio),
        expectancy_usd=value("expectancy_usd", measured.expectancy_usd),
        expectancy_fraction=value("expectancy_fraction", measured.expectancy_fraction),
        trade_return_median_fraction=value("trade_return_median_fraction", measured.return_median_fraction),
        trade_return_best_fraction=value("trade_return_best_fraction", measured.return_best_fraction),
        trade_return_worst_fraction=value("trade_return_worst_fraction", measured.return_worst_fraction),
        mae_mean_fraction=value("mae_mean_fraction", measured.mae_mean_fraction),
        mae_max_fraction=value("mae_max_fraction", measured.mae_max_fraction),
        mfe_mean_fraction=value("mfe_mean_fraction", measured.mfe_mean_fraction),
        mfe_max_fraction=value("mfe_max_fraction", measured.mfe_max_fraction),
        bars_held_mean=value("bars_held_mean", measured.bars_held_mean),
        bars_held_median=value("bars_held_median", measured.bars_held_median),
        gains_in_a_row_max=measured.gains_in_a_row_max,
        losses_in_a_row_max=measured.losses_in_a_row_max,
        time_in_market_fraction=float((curve.gross_exposure_usd > 0).mean()),
        exposure_mean_fraction=value(
            "exposure_mean_fraction", exposure if isinstance(exposure, Missing) else float(exposure.mean())
        ),
        exposure_max_fraction=value(
            "exposure_max_fraction", exposure if isinstance(exposure, Missing) else float(exposure.max())
        ),
        turnover=value("turnover", turnover),
        turnover_yearly=value("turnover_yearly", _per_year(turnover, span_ns)),
        commission_usd=commission_usd,
        slippage_usd=slippage_usd,
        costs_usd=commission_usd + slippage_usd,
        dividends_usd=result.dividends_usd,
        financing_usd=result.financing_usd,
        benchmark_return_fraction=value("benchmark_return_fraction", benchmark.return_fraction),
        benchmark_return_yearly_fraction=value(
            "benchmark_return_yearly_fraction", benchmark.return_yearly_fraction
        ),
        benchmark_sharpe=value("benchmark_sharpe", benchmark.sharpe),
        benchmark_drawdown_fraction_max=value(
            "benchmark_drawdown_fraction_max", benchmark.drawdown_fraction_max
        ),
        beta=value("beta", benchmark.regression.beta),
        alpha_yearly_fraction=value("alpha_yearly_fraction", benchmark.regression.alpha_yearly_fraction),
        benchmark_correlation=value("benchmark_correlation", benchmark.regression.correlation),
        by_symbol=by_symbol(result),
        by_year=by_year(result),
        by_month=by_month(result),
        by_exit_reason=by_exit_reason(result, exits),
        missing=value.missing,
    )


class _Values:
    """Splits what was measured into values and reasons."""

    def __init__(self) -> None:
        self.missing: dict[str, str] = {}

    def __call__(self, name: str, measured: Measured) -> float | None:
        if isinstance(measured, Missing):
            self.missing[name] = measured.reason
            return None
        assert np.isfinite(measured), f"{name} came out as {measured}"
        return measured


@dataclass(frozen=True, slots=True, kw_only=True)
class _Benchmark:
    return_fraction: Measured
    return_yearly_fraction: Measured
    sharpe: Measured
    drawdown_fraction_max: Measured
    regression: Regression


def _benchmark(result: BacktestResult, per_year: float, span_ns: int) -> _Benchmark:
    curve = result.benchmark
    if curve is None:
        none = Missing(_why_no_benchmark(result))
        return _Benchmark(
            return_fraction=none,
            return_yearly_fraction=none,
            sharpe=none,
            drawdown_fraction_max=none,
            regression=Regression(beta=none, alpha_yearly_fraction=none, correlation=none),
        )
    end_usd = float(curve.equity_usd[-1])
    return _Benchmark(
        return_fraction=end_usd / result.cash_start_usd - 1.0,
        return_yearly_fraction=yearly_growth(result.cash_start_usd, end_usd, span_ns),
        sharpe=sharpe_ratio(bar_returns(curve.equity_usd), per_year),
        drawdown_fraction_max=float(depths(curve.equity_usd, result.cash_start_usd).max()),
        regression=against_benchmark(session_returns(result.equity), session_returns(curve)),
    )


def _why_no_benchmark(result: BacktestResult) -> str:
    for bars in result.market:
        rows = np.flatnonzero(result.breaks.get(bars.symbol, np.zeros(0, dtype=bool)))
        if len(rows):
            on = instant(int(bars.opened_at_ns[rows[0]])).date()
            return f"{bars.symbol} jumps on {on} and no corporate action says why; it cannot be held through that"
    return "the run has no benchmark"


def _sharpe_daily(result: BacktestResult) -> Measured:
    sessions = session_returns(result.equity)
    return sharpe_ratio(
        sessions if isinstance(sessions, Missing) else sessions.returns, float(SESSIONS_PER_YEAR)
    )


def _calmar(growth: Measured, drawdown_fraction_max: float) -> Measured:
    if isinstance(growth, Missing):
        return growth
    if drawdown_fraction_max == 0.0:
        return Missing("there was no drawdown")
    return growth / drawdown_fraction_max


def _exposure(result: BacktestResult) -> Floats | Missing:
    if not float(result.equity.equity_usd.min()) > 0.0:
        return Missing("the account's equity fell to zero or below")
    return result.equity.gross_exposure_usd / result.equity.equity_usd


def _turnover(result: BacktestResult) -> Measured:
    mean_usd = float(result.equity.equity_usd.mean())
    if not mean_usd > 0.0:
        return Missing("the account's equity fell to zero or below")
    fills = result.fills
    worth = point_values(result)[fills["symbol"]]
    return float(np.abs(fills["units"] * fills["price"] * worth).sum()) / mean_usd


def _per_year(turnover: Measured, span_ns: int) -> Measured:
    if isinstance(turnover, Missing):
        return turnover
    if span_ns < DAY_NS:
        return Missing("the run covers less than a day")
    return turnover / (span_ns / DAY_NS / 365.25)


def point_values(result: BacktestResult) -> Floats:
    """What one point of one unit is worth, per symbol of the market: the effective config's, or 1."""
    terms = result.manifest.config.get("instruments", {})
    return np.array(
        [float(terms.get(symbol, {}).get("point_value", 1.0)) for symbol in result.market.symbols],
        dtype=np.float64,
    )
