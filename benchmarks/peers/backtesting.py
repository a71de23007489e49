"""backtesting.py. W1 by its strategy class.

It trades whole units, so `FractionalBacktest` is asked for billionths of a share. Slippage goes in as a
commission of 10 bps a side on what changes hands, which moves the same cash; its records show the raw open,
so slippage is added to them before they are compared. It holds one symbol and one account, so W2 cannot be
said; W3 would be a loop over W1, about seven minutes for 1,000 sets, and is not run.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pandas as pd
from backtesting import Strategy
from backtesting.lib import FractionalBacktest

from benchmarks.measure import Answer, Prepare, Run, installed, main
from benchmarks.outcome import NO_EXIT, Outcome
from benchmarks.peers import wilder
from benchmarks.workloads import (
    CASH_USD,
    RSI_LOWER,
    RSI_PERIOD,
    RSI_UPPER,
    SLIPPAGE_FRACTION,
    Job,
    TrendBars,
)

UNIT = 1e-9  # of a share


class Hysteresis(Strategy):  # type: ignore[misc]
    """W1."""

    def init(self) -> None:
        # It would wait one bar more than needed after the last NaN; a neutral 50 decides nothing either.
        self.rsi = self.I(
            lambda close: np.nan_to_num(wilder.rsi(close, RSI_PERIOD), nan=50.0), self.data.Close
        )

    def next(self) -> None:
        if not self.position:
            if self.rsi[-1] > RSI_UPPER:
                self.buy()
        elif self.rsi[-1] < RSI_LOWER:
            self.position.close()


def hysteresis(job: Job, bars: TrendBars) -> Run:
    """W1."""
    frame = pd.DataFrame(
        {"Open": bars.open, "High": bars.high, "Low": bars.low, "Close": bars.close, "Volume": bars.volume},
        index=pd.DatetimeIndex(bars.start_ns.view("M8[ns]")),
    )

    def run() -> Answer:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the last position is still open: so it should be
            test = FractionalBacktest(
                frame, Hysteresis, fractional_unit=UNIT, cash=CASH_USD, commission=SLIPPAGE_FRACTION
            )
            stats = test.run()
        open_trades = stats["_strategy"].trades
        closed = stats["_trades"]
        return Answer(
            trade_count=len(closed) + len(open_trades),
            equity_final_usd=float(stats["Equity Final [$]"]),
            outcome=lambda: _outcome(closed, open_trades, float(stats["Equity Final [$]"])),
        )

    return run


def _outcome(closed: pd.DataFrame, open_trades: Any, equity: float) -> Outcome:
    entry_bar, exit_bar = closed["EntryBar"].tolist(), closed["ExitBar"].tolist()
    entry_price, exit_price = closed["EntryPrice"].tolist(), closed["ExitPrice"].tolist()
    shares = closed["Size"].tolist()
    for trade in open_trades:
        entry_bar.append(trade.entry_bar)
        exit_bar.append(NO_EXIT)
        entry_price.append(trade.entry_price / UNIT)
        exit_price.append(math.nan)
        shares.append(trade.size * UNIT)
    return Outcome(
        symbol=np.zeros(len(shares), dtype=np.int64),
        entry_bar=np.array(entry_bar, dtype=np.int64),
        exit_bar=np.array(exit_bar, dtype=np.int64),
        entry_price_usd=np.array(entry_price) * (1.0 + SLIPPAGE_FRACTION),
        exit_price_usd=np.array(exit_price) * (1.0 - SLIPPAGE_FRACTION),
        shares=np.array(shares, dtype=np.float64),
        equity_final_usd=equity,
    )


WORKLOADS: dict[str, Prepare] = {"w1": hysteresis}

if __name__ == "__main__":
    main("backtesting.py", installed("backtesting"), WORKLOADS)
