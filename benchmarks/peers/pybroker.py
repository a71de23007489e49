"""pybroker. W1 by its execution function, with the RSI registered as an indicator.

It sizes an order at the close where it is decided, not at the open where it is filled, so "all equity" is a
little more or less than there is. It has no slippage on fills; a fee of 0.1 % of each order moves the same
cash.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pybroker

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


def hysteresis(job: Job, bars: TrendBars) -> Run:
    """W1."""
    frame = pd.DataFrame(
        {
            "symbol": "W1",
            "date": pd.DatetimeIndex(bars.start_ns.view("M8[ns]")),
            "open": bars.open,
            "high": bars.high,
            "low": bars.low,
            "close": bars.close,
            "volume": bars.volume,
        }
    )
    rsi = pybroker.indicator("rsi", lambda data: wilder.rsi(data.close, RSI_PERIOD))
    config = pybroker.StrategyConfig(
        initial_cash=CASH_USD,
        fee_mode=pybroker.FeeMode.ORDER_PERCENT,
        fee_amount=SLIPPAGE_FRACTION * 100.0,
        enable_fractional_shares=True,
        round_fill_price=False,
        round_test_result=False,
    )

    def decide(ctx: Any) -> None:
        value = ctx.indicator("rsi")[-1]
        if not ctx.long_pos():
            if value > RSI_UPPER:
                ctx.buy_shares = ctx.calc_target_shares(1.0)
                ctx.buy_fill_price = pybroker.PriceType.OPEN
        elif value < RSI_LOWER:
            ctx.sell_all_shares()
            ctx.sell_fill_price = pybroker.PriceType.OPEN

    def run() -> Answer:
        strategy = pybroker.Strategy(frame, frame["date"].iloc[0], frame["date"].iloc[-1], config)
        strategy.add_execution(decide, "W1", indicators=rsi)
        result = strategy.backtest(calc_bootstrap=False)
        orders = result.orders
        equity = float(result.portfolio["market_value"].iloc[-1])
        return Answer(
            trade_count=int((orders["type"] == "buy").sum()),
            equity_final_usd=equity,
            outcome=lambda: _outcome(orders, frame["date"], equity),
        )

    return run


def _outcome(orders: pd.DataFrame, dates: pd.Series, equity: float) -> Outcome:
    bars = np.searchsorted(dates.to_numpy(), orders["date"].to_numpy())
    bought = (orders["type"] == "buy").to_numpy()
    missing = int(bought.sum() - (~bought).sum())
    prices = orders["fill_price"].to_numpy(dtype=float)
    return Outcome(
        symbol=np.zeros(int(bought.sum()), dtype=np.int64),
        entry_bar=bars[bought],
        exit_bar=np.append(bars[~bought], [NO_EXIT] * missing),
        entry_price_usd=prices[bought] * (1.0 + SLIPPAGE_FRACTION),
        exit_price_usd=np.append(prices[~bought] * (1.0 - SLIPPAGE_FRACTION), [math.nan] * missing),
        shares=orders["shares"].to_numpy(dtype=float)[bought],
        equity_final_usd=equity,
    )


WORKLOADS: dict[str, Prepare] = {"w1": hysteresis}

if __name__ == "__main__":
    pybroker.disable_logging()
    pybroker.disable_progress_bar()
    main("pybroker", installed("lib-pybroker"), WORKLOADS)
