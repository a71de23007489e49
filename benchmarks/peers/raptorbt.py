"""raptorbt (Rust). W1 and W3 by signal arrays, its fast path; W2 by its strategy class, one shared account.

Its own RSI and ATR are asked for. W1's "above 55" and "below 45" are given as entry and exit arrays, which it
heeds only when flat or long. W2 needs a stop that trails by the ATR, which its arrays cannot say, so the
decision runs in `on_bar`, and everything that can be an array beforehand is one. A position's own stop cannot
be moved in a portfolio run, so a second, resting stop trails; where one bar reaches both, the engine fills
the lower one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import raptorbt
from raptorbt.strategy import orders

from benchmarks.measure import Answer, Prepare, Run, installed, main
from benchmarks.outcome import NO_EXIT, Outcome, SweepOutcome
from benchmarks.peers import crash_columns
from benchmarks.reference import ATR_PERIOD, POSITIONS_MAX, RISK_FRACTION, STOP_IN_ATR
from benchmarks.workloads import (
    CASH_USD,
    RSI_LOWER,
    RSI_PERIOD,
    RSI_UPPER,
    SESSION_MINUTES,
    SLIPPAGE_FRACTION,
    CrashBars,
    Job,
    TrendBars,
    sweep_sets,
)


def _config(**options: Any) -> Any:
    return raptorbt.BacktestConfig(
        initial_capital=CASH_USD, fees=0.0, slippage=SLIPPAGE_FRACTION, fill_timing="next_bar_open", **options
    )


def hysteresis(job: Job, bars: TrendBars) -> Run:
    """W1."""
    config = _config()

    def run() -> Answer:
        rsi = raptorbt.rsi(bars.close, RSI_PERIOD)
        result = raptorbt.run_single_backtest(
            timestamps=bars.start_ns, open=bars.open, high=bars.high, low=bars.low, close=bars.close,
            volume=bars.volume, entries=rsi > RSI_UPPER, exits=rsi < RSI_LOWER, direction=1, weight=1.0,
            symbol="W1", config=config,
        )  # fmt: skip
        trades = result.trades()
        return Answer(
            trade_count=len(trades),
            equity_final_usd=float(result.equity_curve()[-1]),
            outcome=lambda: _outcome(trades, float(result.equity_curve()[-1]), {"W1": 0}),
        )

    return run


def sweep(job: Job, bars: TrendBars) -> Run:
    """W3: its own batch runner, which uses every core."""
    sets = sweep_sets(job.size).tolist()
    chunk = 250  # signal arrays and curves of all sets at once would not fit into memory

    def run() -> Answer:
        counts: list[int] = []
        equities: list[float] = []
        rsi_of: dict[float, Any] = {}
        for start in range(0, len(sets), chunk):
            items = []
            for number, (period, upper, lower) in enumerate(sets[start : start + chunk]):
                if period not in rsi_of:
                    rsi_of[period] = raptorbt.rsi(bars.close, int(period))
                rsi = rsi_of[period]
                items.append(raptorbt.BatchSingleItem(str(number), rsi > upper, rsi < lower))
            for _, result in raptorbt.batch_single_backtest(
                bars.start_ns, bars.open, bars.high, bars.low, bars.close, bars.volume, items, _config()
            ):
                counts.append(len(result.trades()))
                equities.append(float(result.equity_curve()[-1]))
        outcome = SweepOutcome(trades=np.array(counts), equity_final_usd=np.array(equities))
        return Answer(
            trade_count=outcome.trade_count,
            equity_final_usd=float(outcome.equity_final_usd.sum()),
            outcome=lambda: outcome,
        )

    return run


class CrashAndReclaim(raptorbt.Strategy):  # type: ignore[misc]
    """W2 as an event-driven strategy.

    A stop that rests is moved in `on_bar`, which runs before the bar is matched: so only what was known at
    the bar before may enter it. An order is sized in shares when the account can surely pay for them, else as
    "everything there is"; the engine has no order for "so many shares, or fewer if cash runs out".
    """

    def __init__(self, bars: CrashBars) -> None:
        super().__init__()
        names = [_name(symbol) for symbol in range(len(bars.close))]
        self.high, self.close = (
            dict(zip(names, column.tolist(), strict=True)) for column in (bars.high, bars.close)
        )
        self.wanted = dict(zip(names, crash_columns.wanted(bars).tolist(), strict=True))
        columns = zip(names, bars.high, bars.low, bars.close, strict=True)
        self.atr = {n: raptorbt.atr(high, low, close, ATR_PERIOD).tolist() for n, high, low, close in columns}
        self.entry: dict[str, int] = {}  # symbol: bar at whose open the entry should fill
        self.stop: dict[str, float] = {}
        self.highest: dict[str, float] = {}
        self.stop_order: dict[str, str] = {}

    def on_bar(self, ctx: Any) -> None:
        i, symbol = ctx.idx, ctx.symbol
        if symbol not in self.entry:
            if self.wanted[symbol][i]:
                self.decide(ctx)
            return
        if i == self.entry[symbol]:  # the fill happens after this hook: protect the bars after it
            self.stop_order[symbol] = self.submit_order(
                orders.StopMarket(side="sell", trigger=self.stop[symbol], reduce_only=True)
            )
            self.highest[symbol] = 0.0
        elif ctx.position is None:  # never filled, for want of cash
            self.forget(symbol)
        else:
            entry_price = ctx.position.entry_price
            self.highest[symbol] = max(self.highest[symbol], entry_price, self.high[symbol][i - 1])
            trailed = self.highest[symbol] - STOP_IN_ATR * self.atr[symbol][i - 1]
            if trailed > self.stop[symbol]:
                self.stop[symbol] = trailed
                self.modify_order(self.stop_order[symbol], trigger_price=trailed)
        if i % SESSION_MINUTES == SESSION_MINUTES - 2:
            self.submit_order(orders.Market(side="sell", tif="at_close", reduce_only=True))

    def on_position_closed(self, ctx: Any, event: Any) -> None:
        self.forget(ctx.symbol)
        if self.wanted[ctx.symbol][ctx.idx]:  # may enter again on the next bar
            self.decide(ctx)

    def decide(self, ctx: Any) -> None:
        i, symbol = ctx.idx, ctx.symbol
        minute = i % SESSION_MINUTES
        if minute == SESSION_MINUTES - 1 or len(self.entry) >= POSITIONS_MAX:
            return
        risk_per_share = STOP_IN_ATR * self.atr[symbol][i]
        close = self.close[symbol][i]
        stop = close - risk_per_share
        cash = ctx.free_capital
        shares = math.floor(min(RISK_FRACTION * ctx.equity / risk_per_share, cash / close))
        if shares == 0:
            return
        if shares * close * 1.01 < cash:
            order = orders.Market(side="buy", units=float(shares), stop_price=stop, tif="at_open")
        else:
            order = orders.Market(side="buy", size_frac=1.0, stop_price=stop, tif="at_open")
        self.submit_order(order, symbol=symbol)
        self.entry[symbol], self.stop[symbol] = i + 1, stop
        if minute == SESSION_MINUTES - 2:
            close_out = orders.Market(side="sell", tif="at_close", reduce_only=True)
            self.submit_order(close_out, symbol=symbol)

    def forget(self, symbol: str) -> None:
        del self.entry[symbol]
        if symbol in self.stop_order:
            self.cancel_order(self.stop_order.pop(symbol))


def crash_and_reclaim(job: Job, bars: CrashBars) -> Run:
    """W2."""
    columns = ("open", "high", "low", "close", "volume")
    data = {
        _name(symbol): {
            "timestamps": bars.start_ns,
            **{column: getattr(bars, column)[symbol] for column in columns},
        }
        for symbol in range(len(bars.close))
    }
    whole_shares = {name: raptorbt.InstrumentConfig(lot_size=1.0) for name in data}

    def run() -> Answer:
        result = raptorbt.run_portfolio_strategy(
            CrashAndReclaim(bars), data, _config(), instrument_configs=whole_shares
        ).result
        trades = result.trades()
        equity = float(result.equity_curve()[-1])
        rows = {name: row for row, name in enumerate(data)}
        return Answer(
            trade_count=len(trades),
            equity_final_usd=equity,
            outcome=lambda: _outcome(trades, equity, rows),
        )

    return run


def _name(symbol: int) -> str:
    return f"S{symbol:02d}"


def _outcome(trades: list[Any], equity: float, rows: dict[str, int]) -> Outcome:
    ordered = sorted(trades, key=lambda trade: (trade.entry_idx, rows[trade.symbol]))
    return Outcome(
        symbol=np.array([rows[trade.symbol] for trade in ordered], dtype=np.int64),
        entry_bar=np.array([trade.entry_idx for trade in ordered], dtype=np.int64),
        exit_bar=np.array(
            [NO_EXIT if trade.exit_reason == "EndOfData" else trade.exit_idx for trade in ordered],
            dtype=np.int64,
        ),
        entry_price_usd=np.array([trade.entry_price for trade in ordered]),
        exit_price_usd=np.array(
            [math.nan if trade.exit_reason == "EndOfData" else trade.exit_price for trade in ordered]
        ),
        shares=np.array([trade.size for trade in ordered]),
        equity_final_usd=equity,
    )


WORKLOADS: dict[str, Prepare] = {"w1": hysteresis, "w2": crash_and_reclaim, "w3": sweep}

if __name__ == "__main__":
    main("raptorbt", installed("raptorbt"), WORKLOADS)
