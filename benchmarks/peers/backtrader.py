"""backtrader. W1 by its strategy class, with its own RSI (Wilder's, begun with the plain mean, as ours).

An order for "all equity" is sized when it is placed, so it is placed at the open (cheat on open) from the RSI
of the bar before: the same decision, sized with the price it is filled at. W2 would take a minute and is not
run.
"""

from __future__ import annotations

import math
from typing import Any

import backtrader
import numpy as np
import pandas as pd

from benchmarks.measure import Answer, Prepare, Run, installed, main
from benchmarks.outcome import NO_EXIT, Outcome
from benchmarks.workloads import (
    CASH_USD,
    RSI_LOWER,
    RSI_PERIOD,
    RSI_UPPER,
    SLIPPAGE_FRACTION,
    Job,
    TrendBars,
)


class Hysteresis(backtrader.Strategy):  # type: ignore[misc]
    """W1. Keeps its fills as (bar, price, signed shares)."""

    def __init__(self) -> None:
        self.rsi = backtrader.ind.RSI(self.data.close, period=RSI_PERIOD)
        self.fills: list[tuple[int, float, float]] = []

    def next_open(self) -> None:
        value = self.rsi[0]  # indicators move on after this hook: the value of the bar before
        if not self.position:
            if value > RSI_UPPER:
                price = self.data.open[0] * (1.0 + SLIPPAGE_FRACTION)
                # A last digit less than everything, or rounding makes the broker refuse it for want of cash.
                self.buy(size=self.broker.getcash() / price * (1.0 - 1e-12))
        elif value < RSI_LOWER:
            self.close()

    def notify_order(self, order: Any) -> None:
        if order.status == order.Completed:
            self.fills.append((len(self) - 1, order.executed.price, order.executed.size))


def hysteresis(job: Job, bars: TrendBars) -> Run:
    """W1."""
    frame = pd.DataFrame(
        {"open": bars.open, "high": bars.high, "low": bars.low, "close": bars.close, "volume": bars.volume},
        index=pd.DatetimeIndex(bars.start_ns.view("M8[ns]")),
    )

    def run() -> Answer:
        cerebro = backtrader.Cerebro(stdstats=False, cheat_on_open=True)
        cerebro.adddata(backtrader.feeds.PandasData(dataname=frame))
        cerebro.addstrategy(Hysteresis)
        cerebro.broker.setcash(CASH_USD)
        cerebro.broker.set_slippage_perc(SLIPPAGE_FRACTION, slip_open=True, slip_out=True)
        fills = cerebro.run()[0].fills
        equity = float(cerebro.broker.getvalue())
        return Answer(
            trade_count=(len(fills) + 1) // 2,
            equity_final_usd=equity,
            outcome=lambda: _outcome(fills, equity),
        )

    return run


def _outcome(fills: list[tuple[int, float, float]], equity: float) -> Outcome:
    bought = fills[0::2]
    sold = fills[1::2] + [(NO_EXIT, math.nan, math.nan)] * (len(fills) % 2)
    return Outcome(
        symbol=np.zeros(len(bought), dtype=np.int64),
        entry_bar=np.array([bar for bar, _, _ in bought], dtype=np.int64),
        exit_bar=np.array([bar for bar, _, _ in sold], dtype=np.int64),
        entry_price_usd=np.array([price for _, price, _ in bought]),
        exit_price_usd=np.array([price for _, price, _ in sold]),
        shares=np.array([shares for _, _, shares in bought]),
        equity_final_usd=equity,
    )


WORKLOADS: dict[str, Prepare] = {"w1": hysteresis}

if __name__ == "__main__":
    main("backtrader", installed("backtrader"), WORKLOADS)
