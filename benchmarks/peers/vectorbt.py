"""vectorbt. With its Rust core, or with `--engine=numba` in its older way. W1 and W3 by signal arrays.

Its RSI starts an exponential mean at the first change. Ours starts at the mean of the first 28 (README.md,
"W1"), so its own exponential mean is asked for (span 2n - 1 is Wilder's 1/n) on gains and losses that begin
with that mean. Signals are moved one bar on and filled at that bar's open, which is how vectorbt is told
"next open". W2 has no array form here: a stop that trails by the ATR and one account for twenty symbols needs
a callback, which the Rust core does not take.
"""

from __future__ import annotations

import math
import sys

import numpy as np
import vectorbt as vbt
from numpy.typing import NDArray
from vectorbt.generic.dispatch import ewm_mean_1d

from benchmarks.measure import Answer, Prepare, Run, installed, main
from benchmarks.outcome import NO_EXIT, Outcome, SweepOutcome
from benchmarks.workloads import (
    CASH_USD,
    RSI_LOWER,
    RSI_PERIOD,
    RSI_UPPER,
    SLIPPAGE_FRACTION,
    Job,
    TrendBars,
    sweep_sets,
)

Floats = NDArray[np.float64]
ENGINE = "rust"
SETS_AT_ONCE = 5  # the quickest of 2, 5, 10, 25, 50 and 100 columns in one portfolio


def _rsi(close: Floats, period: int) -> Floats:
    change = np.diff(close, prepend=np.nan)
    means = []
    for part in (np.maximum(change, 0.0), np.maximum(-change, 0.0)):
        seeded = part.copy()
        seeded[:period] = np.nan
        seeded[period] = part[1 : period + 1].mean()
        means.append(ewm_mean_1d(seeded, span=2 * period - 1, minp=0, adjust=False, engine=ENGINE))
    gain, loss = means
    return 100.0 * gain / (gain + loss)


def _portfolio(bars: TrendBars, long: NDArray[np.bool_], flat: NDArray[np.bool_]) -> vbt.Portfolio:
    """`long` and `flat`: shape (n,) or (n, sets), as decided at each close."""
    entries, exits = np.zeros_like(long), np.zeros_like(flat)
    entries[1:], exits[1:] = long[:-1], flat[:-1]
    as_columns = (lambda column: column[:, None]) if long.ndim == 2 else (lambda column: column)
    return vbt.Portfolio.from_signals(
        as_columns(bars.close), entries, exits, price=as_columns(bars.open), slippage=SLIPPAGE_FRACTION,
        init_cash=CASH_USD, freq="1min", engine=ENGINE,
    )  # fmt: skip


def hysteresis(job: Job, bars: TrendBars) -> Run:
    """W1."""

    def run() -> Answer:
        rsi = _rsi(bars.close, RSI_PERIOD)
        portfolio = _portfolio(bars, rsi > RSI_UPPER, rsi < RSI_LOWER)
        trades = portfolio.trades.values
        equity = float(portfolio.final_value())
        return Answer(
            trade_count=len(trades),
            equity_final_usd=equity,
            outcome=lambda: _outcome(trades, equity),
        )

    return run


def sweep(job: Job, bars: TrendBars) -> Run:
    """W3: a few sets at a time as the columns of one portfolio."""
    sets = sweep_sets(job.size)

    def run() -> Answer:
        counts: list[Floats] = []
        equities: list[Floats] = []
        rsi_of: dict[float, Floats] = {}
        for start in range(0, len(sets), SETS_AT_ONCE):
            chunk = sets[start : start + SETS_AT_ONCE]
            for period in chunk[:, 0]:
                if period not in rsi_of:
                    rsi_of[period] = _rsi(bars.close, int(period))
            rsi = np.stack([rsi_of[period] for period in chunk[:, 0]], axis=1)
            portfolio = _portfolio(bars, rsi > chunk[:, 1], rsi < chunk[:, 2])
            counts.append(np.asarray(portfolio.trades.count(), dtype=np.int64))
            equities.append(np.asarray(portfolio.final_value(), dtype=np.float64))
        outcome = SweepOutcome(trades=np.concatenate(counts), equity_final_usd=np.concatenate(equities))
        return Answer(
            trade_count=outcome.trade_count,
            equity_final_usd=float(outcome.equity_final_usd.sum()),
            outcome=lambda: outcome,
        )

    return run


def _outcome(trades: NDArray[np.void], equity: float) -> Outcome:
    open_ = trades["status"] == 0
    return Outcome(
        symbol=np.zeros(len(trades), dtype=np.int64),
        entry_bar=trades["entry_idx"],
        exit_bar=np.where(open_, NO_EXIT, trades["exit_idx"]),
        entry_price_usd=trades["entry_price"],
        exit_price_usd=np.where(open_, math.nan, trades["exit_price"]),
        shares=trades["size"],
        equity_final_usd=equity,
    )


WORKLOADS: dict[str, Prepare] = {"w1": hysteresis, "w3": sweep}

if __name__ == "__main__":
    if "--engine=numba" in sys.argv:
        sys.argv.remove("--engine=numba")
        ENGINE = "numba"
    vbt.settings["engine"] = ENGINE
    main(f"vectorbt, {'Rust' if ENGINE == 'rust' else 'Numba'}", installed("vectorbt"), WORKLOADS)
