"""The workloads again, slow and plain: the trades that every engine is checked against.

Ordinary loops over lists of floats, one bar after the other, in the words of README.md's "What each workload
means". Nothing here is shared with Magellan's engine. NumPy only reads the bars and stores the result.

    python -m benchmarks.reference w1:1000000 w2:252      computes and stores in benchmarks/.data
"""

from __future__ import annotations

import hashlib
import math
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.outcome import NO_EXIT, Outcome, SweepOutcome
from benchmarks.workloads import (
    CASH_USD,
    DATA,
    RSI_LOWER,
    RSI_PERIOD,
    RSI_UPPER,
    SESSION_MINUTES,
    SLIPPAGE_FRACTION,
    CrashBars,
    Job,
    crash_bars,
    sweep_sets,
    trend_bars,
)

CRASH_FRACTION = -0.15
VOLUME_WINDOW, VOLUME_MULTIPLE = 20, 2.0
ATR_PERIOD, STOP_IN_ATR = 14, 2.0
RISK_FRACTION = 0.02
POSITIONS_MAX = 5


@dataclass(slots=True)
class TradeLog:
    """Trades in the order of their entries, column by column."""

    symbol: list[int] = field(default_factory=list)
    entry_bar: list[int] = field(default_factory=list)
    exit_bar: list[int] = field(default_factory=list)
    entry_price_usd: list[float] = field(default_factory=list)
    exit_price_usd: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)

    def entered(self, *, symbol: int, bar: int, price_usd: float, shares: float) -> int:
        """Returns the trade's row."""
        self.symbol.append(symbol)
        self.entry_bar.append(bar)
        self.exit_bar.append(NO_EXIT)
        self.entry_price_usd.append(price_usd)
        self.exit_price_usd.append(math.nan)
        self.shares.append(shares)
        return len(self.symbol) - 1

    def left(self, row: int, *, bar: int, price_usd: float) -> None:
        self.exit_bar[row] = bar
        self.exit_price_usd[row] = price_usd

    def outcome(self, *, equity_final_usd: float) -> Outcome:
        return Outcome(
            symbol=np.array(self.symbol, dtype=np.int64),
            entry_bar=np.array(self.entry_bar, dtype=np.int64),
            exit_bar=np.array(self.exit_bar, dtype=np.int64),
            entry_price_usd=np.array(self.entry_price_usd, dtype=np.float64),
            exit_price_usd=np.array(self.exit_price_usd, dtype=np.float64),
            shares=np.array(self.shares, dtype=np.float64),
            equity_final_usd=equity_final_usd,
        )


def wilder_rsi(close: Sequence[float], period: int) -> list[float]:
    """RSI in [0, 100] per bar; NaN before bar `period`, and where nothing has moved.

    The first averages are the simple means of the first `period` changes; then each change counts 1/period.
    """
    rsi = [math.nan] * len(close)
    if len(close) <= period:
        return rsi
    changes = [close[i] - close[i - 1] for i in range(1, period + 1)]
    gain = sum(change for change in changes if change > 0.0) / period
    loss = -sum(change for change in changes if change < 0.0) / period
    rsi[period] = 100.0 * gain / (gain + loss) if gain + loss > 0.0 else math.nan
    for i in range(period + 1, len(close)):
        change = close[i] - close[i - 1]
        gain += ((change if change > 0.0 else 0.0) - gain) / period
        loss += ((-change if change < 0.0 else 0.0) - loss) / period
        moved = gain + loss
        if moved > 0.0:
            rsi[i] = 100.0 * gain / moved
    return rsi


def hysteresis(
    open_: Sequence[float], close: Sequence[float], rsi: Sequence[float], *, upper: float, lower: float
) -> tuple[TradeLog, float]:
    """W1: long above `upper`, flat below `lower`; decided at a close, filled at the next open, all equity.

    Returns the trades and the final equity in USD, an open position valued at the last close.
    """
    log = TradeLog()
    cash, shares, row = CASH_USD, 0.0, -1
    buy_next = sell_next = False
    for i, value in enumerate(rsi):
        if buy_next:
            price = open_[i] * (1.0 + SLIPPAGE_FRACTION)
            shares, cash = cash / price, 0.0
            row = log.entered(symbol=0, bar=i, price_usd=price, shares=shares)
            buy_next = False
        elif sell_next:
            price = open_[i] * (1.0 - SLIPPAGE_FRACTION)
            cash, shares = shares * price, 0.0
            log.left(row, bar=i, price_usd=price)
            sell_next = False
        if shares == 0.0:
            buy_next = value > upper
        else:
            sell_next = value < lower
    return log, cash + shares * close[-1]


@dataclass(slots=True)
class Position:
    """W2: what is held of one symbol."""

    row: int
    shares: int
    stop_usd: float  # in force on the bar at hand
    highest_usd: float  # the entry price, or the highest high since


def crash_and_reclaim(bars: CrashBars) -> Outcome:
    """W2: twenty symbols, one cash account. The steps of a bar are numbered as in README.md, "W2"."""
    open_, high, low, close = (column.tolist() for column in (bars.open, bars.high, bars.low, bars.close))
    symbols, minutes = bars.close.shape
    wanted = [reclaims(low[s], close[s], bars.volume[s].tolist()) for s in range(symbols)]
    atr = [wilder_atr(high[s], low[s], close[s], ATR_PERIOD) for s in range(symbols)]

    log = TradeLog()
    cash = CASH_USD
    held: dict[int, Position] = {}
    ordered: dict[int, int] = {}  # symbol: shares

    def leave(s: int, bar: int, price_usd: float) -> float:
        """Returns the cash that the sale brings."""
        position = held.pop(s)
        price = price_usd * (1.0 - SLIPPAGE_FRACTION)
        log.left(position.row, bar=bar, price_usd=price)
        return position.shares * price

    for i in range(minutes):
        closes_session = i % SESSION_MINUTES == SESSION_MINUTES - 1

        for s in sorted(held):  # 1. stops that the opening gapped through
            if open_[s][i] <= held[s].stop_usd:
                cash += leave(s, i, open_[s][i])

        for s in sorted(ordered):  # 2. entries, at the open
            price = open_[s][i] * (1.0 + SLIPPAGE_FRACTION)
            shares = min(ordered[s], math.floor(cash / price))
            if shares > 0:
                cash -= shares * price
                row = log.entered(symbol=s, bar=i, price_usd=price, shares=float(shares))
                stop = max(close[s][i - 1], price) - STOP_IN_ATR * atr[s][i - 1]
                held[s] = Position(row=row, shares=shares, stop_usd=stop, highest_usd=price)
        ordered.clear()

        for s in sorted(held):
            position = held[s]
            if low[s][i] <= position.stop_usd:  # 3. stops, inside the bar
                cash += leave(s, i, min(position.stop_usd, open_[s][i]))
            elif closes_session:  # 4. the end of the session
                cash += leave(s, i, close[s][i])
            else:  # 5. the stop for the next bar; it never falls
                position.highest_usd = max(position.highest_usd, high[s][i])
                position.stop_usd = max(position.stop_usd, position.highest_usd - STOP_IN_ATR * atr[s][i])

        if closes_session:
            continue
        for s in range(symbols):  # 6. decisions, at the close
            if wanted[s][i] and s not in held and len(held) + len(ordered) < POSITIONS_MAX:
                equity = cash + sum(held[h].shares * close[h][i] for h in sorted(held))
                at_risk = RISK_FRACTION * equity / (STOP_IN_ATR * atr[s][i])
                shares = math.floor(min(at_risk, cash / close[s][i]))
                if shares > 0:
                    ordered[s] = shares
    return log.outcome(equity_final_usd=cash)


def reclaims(low: Sequence[float], close: Sequence[float], volume: Sequence[float]) -> list[bool]:
    """Bars that made a new session low and closed above the former one, after a crash, on heavy volume."""
    wanted = [False] * len(close)
    session_low = previous_close = math.nan
    volume_sum = 0.0  # whole numbers below 2**53: exact in any order
    for i in range(len(close)):
        volume_sum += volume[i] - (volume[i - VOLUME_WINDOW] if i >= VOLUME_WINDOW else 0.0)
        if i % SESSION_MINUTES == 0:
            previous_close = close[i - 1] if i > 0 else math.nan
            session_low = low[i]
            continue
        wanted[i] = (
            low[i] < session_low < close[i]
            and close[i] / previous_close - 1.0 <= CRASH_FRACTION
            and i >= VOLUME_WINDOW - 1
            and volume[i] >= VOLUME_MULTIPLE * (volume_sum / VOLUME_WINDOW)
        )
        session_low = min(session_low, low[i])
    return wanted


def wilder_atr(
    high: Sequence[float], low: Sequence[float], close: Sequence[float], period: int
) -> list[float]:
    """ATR in USD per bar; NaN before bar `period` - 1. The first bar's true range is high - low."""
    atr = [math.nan] * len(close)
    true_range = [high[0] - low[0]]
    for i in range(1, len(close)):
        true_range.append(max(high[i] - low[i], abs(high[i] - close[i - 1]), abs(low[i] - close[i - 1])))
    value = sum(true_range[:period]) / period
    atr[period - 1] = value
    for i in range(period, len(close)):
        value += (true_range[i] - value) / period
        atr[i] = value
    return atr


def outcome_of(job: Job) -> Outcome | SweepOutcome:
    """The job, computed plainly. W1 takes 0.5 s a million bars, W2 3 s, W3 5 ms a parameter set."""
    if job.workload == "w2":
        return crash_and_reclaim(crash_bars(job.size))
    bars = trend_bars(job.bars)
    open_, close = bars.open.tolist(), bars.close.tolist()
    if job.workload == "w1":
        rsi = wilder_rsi(close, RSI_PERIOD)
        log, equity = hysteresis(open_, close, rsi, upper=RSI_UPPER, lower=RSI_LOWER)
        return log.outcome(equity_final_usd=equity)

    trades, equities = [], []
    rsi_of: dict[int, list[float]] = {}
    for period, upper, lower in sweep_sets(job.size).tolist():
        if int(period) not in rsi_of:
            rsi_of = {int(period): wilder_rsi(close, int(period))}
        log, equity = hysteresis(open_, close, rsi_of[int(period)], upper=upper, lower=lower)
        trades.append(len(log.symbol))
        equities.append(equity)
    return SweepOutcome(trades=np.array(trades, dtype=np.int64), equity_final_usd=np.array(equities))


def stored_reference(job: Job) -> Path:
    """Where the job's reference outcome is; computed first where this file or the generator has changed."""
    here = Path(__file__).resolve().parent
    rules = hashlib.sha256(b"".join((here / name).read_bytes() for name in ("reference.py", "workloads.py")))
    path = DATA / f"reference_{job.file_stem}_{rules.hexdigest()[:12]}.npz"
    if not path.exists():
        outcome = outcome_of(job)
        DATA.mkdir(exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.npz")
        outcome.save(unfinished)
        unfinished.replace(path)
    return path


def main(jobs: Iterable[str]) -> None:
    """Computes the jobs named on the command line, and prints where they are stored."""
    for text in jobs:
        print(stored_reference(Job.parse(text)))


if __name__ == "__main__":
    main(sys.argv[1:])
