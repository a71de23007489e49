"""Breakdown: a run's result by symbol, year, month and reason of exit. None: nothing to compute it from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from magellan.backtest.drawdown import depths
from magellan.backtest.missing import Measured, Missing
from magellan.backtest.result import BacktestResult, EquityCurve
from magellan.backtest.returns import session_ends
from magellan.backtest.trade_measures import ExitFills, profit_factor
from magellan.trading.bar import Instants
from magellan.trading.session import day_date


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolRow:
    """One symbol's part in a run."""

    symbol: str
    bars: int
    trades: int
    pnl_usd: float
    win_rate: float | None
    profit_factor: float | None
    expectancy_fraction: float | None
    return_best_fraction: float | None
    return_worst_fraction: float | None
    costs_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodRow:
    """One calendar year or month of a run. Trades belong to the period of their last exit."""

    period: str  # 2024, or 2024-03
    first_on: date  # first and last session of the run in the period
    last_on: date
    return_fraction: float | None  # None where equity was not above zero at the start
    benchmark_return_fraction: float | None
    drawdown_fraction_max: float | None  # from the period's own highest close, or the money it began with
    trades: int
    pnl_usd: float  # of those trades
    win_rate: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonRow:
    """The exits for one reason, and the trades that ended with it."""

    reason: str
    exit_fills: int
    trades: int  # whose last exit was for this reason
    pnl_usd: float  # of those trades, with their earlier partial exits
    win_rate: float | None
    expectancy_fraction: float | None


STILL_OPEN = "still open"


def by_symbol(result: BacktestResult) -> tuple[SymbolRow, ...]:
    """A row for every symbol of the run, in its order, traded or not."""
    trades = result.trades
    rows = []
    for at, bars in enumerate(result.market):
        own = trades.symbol == trades.symbols.index(bars.symbol) if bars.symbol in trades.symbols else None
        chosen = np.zeros(0, dtype=np.intp) if own is None else np.flatnonzero(own)
        pnl, returned = trades.pnl_usd[chosen], trades.return_fraction[chosen]
        rows.append(
            SymbolRow(
                symbol=bars.symbol,
                bars=int(result.market.offsets[at + 1] - result.market.offsets[at]),
                trades=len(chosen),
                pnl_usd=float(pnl.sum()),
                win_rate=float((pnl > 0).mean()) if len(chosen) else None,
                profit_factor=_or_none(profit_factor(pnl)),
                expectancy_fraction=float(returned.mean()) if len(chosen) else None,
                return_best_fraction=float(returned.max()) if len(chosen) else None,
                return_worst_fraction=float(returned.min()) if len(chosen) else None,
                costs_usd=float(trades.costs_usd[chosen].sum()),
            )
        )
    return tuple(rows)


def by_year(result: BacktestResult) -> tuple[PeriodRow, ...]:
    """A row per calendar year that holds a session of the run."""
    return _by_period(result, "Y")


def by_month(result: BacktestResult) -> tuple[PeriodRow, ...]:
    """A row per calendar month that holds a session of the run."""
    return _by_period(result, "M")


def by_exit_reason(result: BacktestResult, fills: ExitFills) -> tuple[ReasonRow, ...]:
    """A row per reason that occurred, most frequent last exit first; open trades are a row of their own."""
    trades = result.trades
    last = np.full(len(trades), -1, dtype=np.int64)
    last[fills.trade] = fills.reason  # of repeated indices, the last assignment stays
    last[trades.is_open] = -1
    rows = []
    for code in sorted({*np.unique(fills.reason).tolist(), *np.unique(last).tolist()}):
        ended = last == code
        pnl = trades.pnl_usd[ended]
        rows.append(
            ReasonRow(
                reason=STILL_OPEN if code < 0 else fills.words[code],
                exit_fills=int((fills.reason == code).sum()),
                trades=int(ended.sum()),
                pnl_usd=float(pnl.sum()),
                win_rate=float((pnl > 0).mean()) if len(pnl) else None,
                expectancy_fraction=float(trades.return_fraction[ended].mean()) if len(pnl) else None,
            )
        )
    return tuple(sorted(rows, key=lambda row: (-row.trades, row.reason)))


def session_day_of(rows: NDArray[np.int64], result: BacktestResult) -> NDArray[np.int32]:
    """The session date to which each of the market's rows belongs; shape as `rows`."""
    closed_at_ns: Instants = result.market.opened_at_ns[rows] + result.market.timeframe.span_ns
    at = np.searchsorted(result.equity.closed_at_ns, closed_at_ns)
    return result.equity.day[np.minimum(at, len(result.equity.day) - 1)]


def _by_period(result: BacktestResult, unit: str) -> tuple[PeriodRow, ...]:
    curve, benchmark, trades = result.equity, result.benchmark, result.trades
    if len(curve.day) == 0:
        return ()
    ends = session_ends(curve.day)
    periods = _periods(curve.day[ends], unit)
    last_sessions = np.append(np.flatnonzero(periods[1:] != periods[:-1]), len(periods) - 1)
    traded_in = _periods(session_day_of(trades.exit_row, result), unit)
    in_order = np.argsort(traded_in, kind="stable")
    first_trade = np.searchsorted(traded_in[in_order], periods[last_sessions], side="left").tolist()
    end_trade = np.searchsorted(traded_in[in_order], periods[last_sessions], side="right").tolist()
    benchmark_at = None if benchmark is None else _ends_of_periods(benchmark, unit)
    rows = []
    before_usd, first_session, first = result.cash_start_usd, 0, 0
    benchmark_before_usd = result.cash_start_usd
    for number, last_session in enumerate(last_sessions.tolist()):
        period = periods[last_session]
        last = int(ends[last_session])
        end_usd = float(curve.equity_usd[last])
        benchmark_end_usd = None if benchmark_at is None else benchmark_at.get(str(period))
        pnl = trades.pnl_usd[in_order[first_trade[number] : end_trade[number]]]
        rows.append(
            PeriodRow(
                period=str(period),
                first_on=day_date(int(curve.day[ends[first_session]])),
                last_on=day_date(int(curve.day[last])),
                return_fraction=end_usd / before_usd - 1.0 if before_usd > 0 else None,
                benchmark_return_fraction=None
                if benchmark_end_usd is None
                else benchmark_end_usd / benchmark_before_usd - 1.0,
                drawdown_fraction_max=float(depths(curve.equity_usd[first : last + 1], before_usd).max())
                if before_usd > 0
                else None,
                trades=len(pnl),
                pnl_usd=float(pnl.sum()),
                win_rate=float((pnl > 0).mean()) if len(pnl) else None,
            )
        )
        before_usd, first_session, first = end_usd, last_session + 1, last + 1
        benchmark_before_usd = benchmark_before_usd if benchmark_end_usd is None else benchmark_end_usd
    return tuple(rows)


def _periods(day: NDArray[np.int32], unit: str) -> NDArray[np.datetime64]:
    return day.astype("datetime64[D]").astype(f"datetime64[{unit}]")


def _ends_of_periods(curve: EquityCurve, unit: str) -> dict[str, float]:
    """The curve's last value in each period."""
    ends = session_ends(curve.day)
    names = _periods(curve.day[ends], unit).astype(str).tolist()
    return dict(zip(names, curve.equity_usd[ends].tolist(), strict=True))


def _or_none(measured: Measured) -> float | None:
    return None if isinstance(measured, Missing) else measured
