"""Figures: the numbers that a report's charts are drawn from, thinned out to what an eye can see.

The page's own script (report.js) draws them. Times are minutes since 1970-01-01 as the exchange's wall clock
shows them (dates for daily bars), so that the page needs no time zone of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from magellan.backtest.drawdown import depths
from magellan.backtest.result import BacktestResult, EquityCurve
from magellan.backtest.returns import session_ends
from magellan.trading.bar import Bars, Floats, Instants
from magellan.trading.session import SessionClock, exchange_offset_ns
from magellan.trading.timeframe import DAY_NS, MINUTE_NS

CURVE_POINTS_MAX: Final = 2000
OVERVIEW_POINTS_MAX: Final = 1200  # per symbol
CANDLES_MAX: Final = 30_000  # of all symbols together
TRADES_MAX: Final = 4000
AROUND_MIN, AROUND_MAX = 8, 40  # bars drawn before a trade; half as many after it
LONG_TRADE: Final = 5  # times the bars before it; of longer trades only the two ends are drawn as candles
BINS_MAX: Final = 60

Data = dict[str, Any]


def run_figures(result: BacktestResult, clock: SessionClock) -> Data:
    """The charts and the table of trades of a run. clock: as the config states it."""
    kept = shown_trades(result)
    return {
        "daily": result.market.timeframe.is_daily,
        "zone": "UTC" if clock is SessionClock.UTC else "New York",
        "around": bars_around(len(kept)),
        "equity": equity_figure(result, clock),
        "prices": price_figures(result, kept, clock),
        "trades": trade_table(result, kept, clock),
        "distribution": distribution(result.trades.return_fraction),
    }


def wall_minutes(at_ns: Instants, clock: SessionClock, *, daily: bool) -> NDArray[np.int64]:
    """Instants as minutes on the wall clock; daily ones stay dates."""
    if daily or clock is SessionClock.UTC:
        return at_ns // MINUTE_NS
    return (at_ns + exchange_offset_ns(at_ns)) // MINUTE_NS


# Equity, drawdown, exposure ---------------------------------------------------------------------------------


def equity_figure(result: BacktestResult, clock: SessionClock) -> Data:
    """Equity beside the benchmark, both drawdowns, and exposure as a fraction of equity."""
    curve, start_usd = result.equity, result.cash_start_usd
    fall = depths(curve.equity_usd, start_usd)
    rows = telling_rows(curve.equity_usd, CURVE_POINTS_MAX)
    rows = np.union1d(rows, [int(fall.argmax())])
    at = wall_minutes(shown_at(curve, result), clock, daily=result.market.timeframe.is_daily)
    share = np.divide(
        curve.exposure_usd,
        curve.equity_usd,
        out=np.zeros(len(at)),
        where=curve.equity_usd > 0,
    )
    # Per close where bars are daily; else the mean of each session, since nights would stretch single closes.
    ends = session_ends(curve.day)
    starts = np.concatenate(([0], ends[:-1] + 1))
    mean_share = np.add.reduceat(share, starts) / (ends - starts + 1)
    found: Data = {
        "start": start_usd,
        "at": at[rows].tolist(),
        "equity": curve.equity_usd[rows].round(2).tolist(),
        "drawdown": (-fall[rows]).round(5).tolist(),
        "exposureAt": (curve.day[ends].astype(np.int64) * (DAY_NS // MINUTE_NS)).tolist(),
        "exposure": mean_share.round(4).tolist(),
        "benchmark": None,
        "benchmarkDrawdown": None,
    }
    if result.benchmark is not None:
        held = result.benchmark.equity_usd
        found["benchmark"] = held[rows].round(2).tolist()
        found["benchmarkDrawdown"] = (-depths(held, start_usd)[rows]).round(5).tolist()
    return found


def shown_at(curve: EquityCurve, result: BacktestResult) -> Instants:
    """When a value of the curve is drawn: at its bar's close, or on its date where bars are daily."""
    if result.market.timeframe.is_daily:
        return curve.day.astype(np.int64) * DAY_NS
    return curve.closed_at_ns


def telling_rows(values: Floats, most: int) -> NDArray[np.intp]:
    """Rows that keep a line's shape: first, lowest, highest and last of each of `most` / 4 equal spans.

    Source: Jugel et al., "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB 7 (2014).
    """
    n = len(values)
    if n <= most:
        return np.arange(n)
    spans = bucket_starts(n, most // 4)
    ends = np.append(spans[1:], n)
    extremes = [
        first + int(pick(values[first:end]))
        for first, end in zip(spans.tolist(), ends.tolist(), strict=True)
        for pick in (np.argmin, np.argmax)
    ]
    return np.unique(np.concatenate((spans, ends - 1, extremes)))


def bucket_starts(n: int, most: int) -> NDArray[np.intp]:
    """Where each of at most `most` spans of nearly equal length begins."""
    return np.unique(np.linspace(0, n, min(n, most), endpoint=False).astype(np.intp))


# Prices -----------------------------------------------------------------------------------------------------


def price_figures(result: BacktestResult, kept: NDArray[np.intp], clock: SessionClock) -> list[Data]:
    """Per symbol: an overview of all its bars, and every single bar around the trades that are shown."""
    market = result.market
    wanted = candles_wanted(result, kept)
    return [
        price_figure(bars, wanted[first:end], clock)
        for bars, first, end in zip(
            market, market.offsets[:-1].tolist(), market.offsets[1:].tolist(), strict=True
        )
    ]


def candles_wanted(result: BacktestResult, kept: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which rows of the market are drawn as candles: all of a short run, else those around trades.

    The trades that moved the most money come first, until CANDLES_MAX are used up.
    """
    market, trades = result.market, result.trades
    wanted = np.zeros(len(market), dtype=bool)
    if len(market) <= CANDLES_MAX:
        wanted[:] = True
        return wanted
    left = CANDLES_MAX
    before = bars_around(len(kept))
    after = before // 2
    for trade in kept[np.argsort(-np.abs(trades.pnl_usd[kept]), kind="stable")].tolist():
        symbol = int(trades.symbol[trade])
        low, high = int(market.offsets[symbol]), int(market.offsets[symbol + 1])
        entry, end = int(trades.entry_row[trade]), int(trades.exit_row[trade])
        spans = [(entry - before, end + after + 1)]
        if end - entry > LONG_TRADE * before:
            spans = [(entry - before, entry + before + 1), (end - before, end + after + 1)]
        for first, last in spans:
            span = wanted[max(first, low) : min(last, high)]
            left -= len(span) - int(span.sum())
            span[:] = True
        if left <= 0:
            break
    return wanted


def bars_around(trades: int) -> int:
    """How many bars before a trade are drawn as candles: fewer where there are many trades."""
    return min(AROUND_MAX, max(AROUND_MIN, CANDLES_MAX // (3 * max(trades, 1))))


def price_figure(bars: Bars, wanted: NDArray[np.bool_], clock: SessionClock) -> Data:
    """One symbol's overview (lowest, highest and last price of equal spans) and its candles.

    Prices are whole numbers of 10^-digits, each as the step from a neighbour, which keeps the page small:
    a candle's open from the close before, its close from its open, its high and low from the nearer of the
    two; in the overview the close from the close before, low and high from their close.
    """
    n = len(bars)
    at = wall_minutes(bars.opened_at_ns, clock, daily=bars.timeframe.is_daily)
    digits = price_digits(bars.close)

    def whole(prices: Floats) -> NDArray[np.int64]:
        return np.rint(prices * 10.0**digits).astype(np.int64)

    spans = bucket_starts(n, OVERVIEW_POINTS_MAX)
    ends = np.append(spans[1:], n) - 1
    rows = np.flatnonzero(wanted)
    breaks = np.flatnonzero(np.diff(rows) > 1) + 1
    last = whole(bars.close[ends])
    return {
        "symbol": bars.symbol,
        "bars": n,
        "scale": 10**digits,
        "digits": 2 if float(np.median(np.abs(bars.close))) >= 5.0 else 4,  # shown of a price
        "row": _steps(ends),
        "at": _steps(at[ends]),
        "close": _steps(last),
        "low": (last - whole(np.minimum.reduceat(bars.low, spans))).tolist(),
        "high": (whole(np.maximum.reduceat(bars.high, spans)) - last).tolist(),
        "candles": [
            {"row": int(run[0]), "at": _steps(at[run]), **_candle_steps(bars, run, whole)}
            for run in np.split(rows, breaks)
            if len(run)
        ],
    }


def _candle_steps(
    bars: Bars, rows: NDArray[np.intp], whole: Callable[[Floats], NDArray[np.int64]]
) -> dict[str, list[int]]:
    open_, high, low, close = (whole(getattr(bars, name)[rows]) for name in ("open", "high", "low", "close"))
    return {
        "open": (open_ - np.concatenate(([0], close[:-1]))).tolist(),
        "close": (close - open_).tolist(),
        "high": (high - np.maximum(open_, close)).tolist(),
        "low": (np.minimum(open_, close) - low).tolist(),
    }


def _steps(values: NDArray[np.int64] | NDArray[np.intp]) -> list[int]:
    """The first value, then the step to each next one."""
    steps: list[int] = np.diff(values, prepend=0).tolist()
    return steps


def price_digits(prices: Floats) -> int:
    """Decimals of the page's prices: as many as the prices have, but no more than six digits in all."""
    typical = float(np.median(np.abs(prices)))
    most = 6 if typical == 0.0 else min(8, max(2, 5 - math.floor(math.log10(typical))))
    for digits in range(2, most):
        if np.allclose(np.round(prices, digits), prices, rtol=0.0, atol=1e-9):
            return digits
    return most


# Trades -----------------------------------------------------------------------------------------------------


def shown_trades(result: BacktestResult) -> NDArray[np.intp]:
    """The trades that the page holds, in order of entry: all, or those that moved the most money."""
    n = len(result.trades)
    if n <= TRADES_MAX:
        return np.arange(n)
    largest = np.argsort(-np.abs(result.trades.pnl_usd), kind="stable")[:TRADES_MAX]
    return np.sort(largest)


def trade_table(result: BacktestResult, kept: NDArray[np.intp], clock: SessionClock) -> Data:
    """The trades as columns. `total` counts all of them, also those that the page leaves out."""
    trades, market = result.trades, result.market
    daily = market.timeframe.is_daily
    symbol, entry_row, exit_row = trades.symbol[kept], trades.entry_row[kept], trades.exit_row[kept]
    entered_ns, exited_ns = trades.entered_at_ns[kept], trades.exited_at_ns[kept]
    if daily:  # the date of the bar; a close at midnight would read as the day after
        shown_in, shown_out = market.opened_at_ns[entry_row], market.opened_at_ns[exit_row]
    else:
        shown_in, shown_out = entered_ns, exited_ns
    reasons = [", ".join(trades.reasons[at]) for at in kept.tolist()]
    names = sorted(set(reasons))
    number_of = {name: at for at, name in enumerate(names)}
    return {
        "total": len(trades),
        "symbol": symbol.tolist(),
        "long": (trades.side[kept] > 0).astype(int).tolist(),
        "units": trades.units[kept].round(6).tolist(),
        "entered": wall_minutes(shown_in, clock, daily=daily).tolist(),
        "exited": wall_minutes(shown_out, clock, daily=daily).tolist(),
        "enteredUtc": (entered_ns // MINUTE_NS).tolist(),
        "exitedUtc": (exited_ns // MINUTE_NS).tolist(),
        "entryRow": (entry_row - market.offsets[symbol]).tolist(),
        "exitRow": (exit_row - market.offsets[symbol]).tolist(),
        "entry": trades.entry_price[kept].round(6).tolist(),
        "exit": trades.exit_price[kept].round(6).tolist(),
        "pnl": trades.pnl_usd[kept].round(4).tolist(),
        "return": trades.return_fraction[kept].round(7).tolist(),
        "costs": trades.costs_usd[kept].round(4).tolist(),
        "held": trades.bars_held[kept].tolist(),
        "mae": trades.mae_fraction[kept].round(6).tolist(),
        "mfe": trades.mfe_fraction[kept].round(6).tolist(),
        "open": trades.is_open[kept].astype(int).tolist(),
        "reason": [number_of[reason] for reason in reasons],
        "reasons": names,
    }


def distribution(returned: Floats) -> Data | None:
    """How often trades returned how much: bins that have a boundary at zero. None without trades.

    The width of the bins is twice the interquartile range over the cube root of n, rounded to a handy number.
    Source: Freedman and Diaconis, "On the Histogram as a Density Estimator", Zeitschrift für
    Wahrscheinlichkeitstheorie 57 (1981).
    """
    if len(returned) == 0:
        return None
    low, high = min(float(returned.min()), 0.0), max(float(returned.max()), 0.0)
    quarter, three_quarters = np.quantile(returned, [0.25, 0.75])
    width = 2.0 * float(three_quarters - quarter) / len(returned) ** (1 / 3)
    width = handy(max(width, (high - low) / BINS_MAX, 1e-5))
    bins = np.floor(returned / width).astype(np.int64)
    first, last = min(int(bins.min()), 0), max(int(bins.max()) + 1, 0)
    return {
        "width": width,
        "edges": (np.arange(first, last + 1) * width).round(8).tolist(),
        "counts": np.bincount(bins - first, minlength=last - first).tolist(),
        "mean": round(float(returned.mean()), 8),
        "median": round(float(np.median(returned)), 8),
    }


def handy(width: float) -> float:
    """The smallest of 1, 2, 2.5 and 5 times a power of ten that is not below `width`."""
    power = 10.0 ** math.floor(math.log10(width))
    return next(step * power for step in (1.0, 2.0, 2.5, 5.0, 10.0) if step * power >= width * (1 - 1e-12))
