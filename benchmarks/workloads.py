"""The bars that every engine is measured on: made from a seed, byte for byte the same everywhere.

`RandomState` is used, not the newer `Generator`, because NumPy's own policy freezes its stream. The arrays
are written once to `benchmarks/.data` and every engine loads those very bytes, so a different rounding of
`exp` in another NumPy cannot leak into a comparison. Prices are multiples of 0.01 and volumes are whole
numbers.

    python -m benchmarks.workloads w1:1000000 w2:252      writes what the named jobs need
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DATA = Path(__file__).resolve().parent / ".data"
MINUTE_NS = 60_000_000_000
HOUR_NS = 60 * MINUTE_NS

CASH_USD = 100_000.0
SLIPPAGE_FRACTION = 0.001  # 10 bps a side
RSI_PERIOD, RSI_UPPER, RSI_LOWER = 28, 55.0, 45.0
SWEEP_BARS = 100_000

CRASH_SYMBOLS = 20
CRASH_SESSIONS = 252
SESSION_MINUTES = 390

_DRIFT_WEIGHT = 0.00025


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One workload in one size, as written on a command line.

    "w1:1000000"        RSI hysteresis on so many bars
    "w2:252"            crash and reclaim, twenty symbols, so many sessions
    "w3:1000:100000"    a sweep of W1 over so many parameter sets (1,000 or 10,000) on so many bars
    """

    workload: str
    size: int  # W1 bars, W2 sessions, W3 parameter sets
    bars: int  # W1 and W3: rows of bars; W2: minutes, all sessions together

    @classmethod
    def parse(cls, text: str) -> Job:
        match text.split(":"):
            case ["w1", bars]:
                return cls(workload="w1", size=int(bars), bars=int(bars))
            case ["w2", sessions]:
                return cls(workload="w2", size=int(sessions), bars=int(sessions) * SESSION_MINUTES)
            case ["w3", sets, bars]:
                return cls(workload="w3", size=int(sets), bars=int(bars))
        raise SystemExit(f"no such job: {text!r}; jobs look like w1:1000000, w2:252 or w3:1000:100000")

    def __str__(self) -> str:
        return f"w3:{self.size}:{self.bars}" if self.workload == "w3" else f"{self.workload}:{self.size}"

    @property
    def file_stem(self) -> str:
        return str(self).replace(":", "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendBars:
    """W1, W3, W4: one symbol. Columns have shape (n,), oldest first; times are ns UTC, one minute apart."""

    start_ns: NDArray[np.int64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashBars:
    """W2: several symbols on one clock. Columns have shape (symbols, minutes), `start_ns` (minutes,)."""

    start_ns: NDArray[np.int64]  # UTC; 14:30 opens a session, 390 minutes follow
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


def bars_of(job: Job) -> TrendBars | CrashBars:
    """The job's bars, from the store; made first where they are missing."""
    return crash_bars(job.size) if job.workload == "w2" else trend_bars(job.bars)


def trend_bars(bars: int) -> TrendBars:
    """W1, W3 and W4, from the store."""
    table = _stored(f"w1_{bars}.npy", lambda: make_trend_table(bars))
    return TrendBars(
        start_ns=table[0].astype(np.int64),
        open=table[1],
        high=table[2],
        low=table[3],
        close=table[4],
        volume=table[5],
    )


def crash_bars(sessions: int = CRASH_SESSIONS) -> CrashBars:
    """W2, from the store."""
    names = ("ts", "open", "high", "low", "close", "volume")
    made: dict[str, NDArray[Any]] = {}

    def column(name: str) -> NDArray[Any]:
        if not made:
            made.update(make_crash_columns(sessions=sessions))
        return made[name]

    columns = {
        name: _stored(f"w2_{sessions}_{name}.npy", lambda name=name: column(name))  # type: ignore[misc]
        for name in names
    }
    return CrashBars(start_ns=columns.pop("ts"), **columns)


def sweep_sets(count: int) -> Floats:
    """W3: rows of (RSI period, upper, lower): 10 or 100 periods x 10 upper x 10 lower bounds."""
    if count not in (1_000, 10_000):
        raise SystemExit(f"W3 is defined for 1,000 and 10,000 parameter sets, not {count}")
    periods = np.arange(5, 105) if count == 10_000 else np.arange(10, 110, 10)
    uppers = np.arange(50.5, 60.5, 1.0)
    lowers = np.arange(49.5, 39.5, -1.0)
    period, upper, lower = np.meshgrid(periods, uppers, lowers, indexing="ij")
    return np.stack([period.ravel().astype(float), upper.ravel(), lower.ravel()], axis=1)


def make_trend_table(bars: int, seed: int = 20240229) -> Floats:
    """W1's bars. Shape (6, bars): start in ns as float64, open, high, low, close, volume.

    Returns carry slow regimes of momentum, so that a trend rule roughly earns its costs and equity stays a
    sensible number over ten million bars; the log price is pulled weakly to its start, so prices stay within
    about 20 to 500.
    """
    random = np.random.RandomState(seed)
    noise = random.standard_normal(bars)
    drift = _autoregressive(random.standard_normal(bars), 0.985)
    drift *= np.sqrt(1 - 0.985**2)
    returns = 0.006 * noise + _DRIFT_WEIGHT * drift
    level = _autoregressive(returns, 0.9998)
    close = np.round(100.0 * np.exp(level), 2)
    open_ = np.round(_previous(close, first=100.0) * np.exp(0.0015 * random.standard_normal(bars)), 2)
    high, low = _wicks(random, open_, close, size=0.003)
    volume = np.floor(np.exp(13.0 + 0.5 * random.standard_normal(bars)))
    # One minute apart: ten million daily bars would leave the range of every type of date.
    first_ns = np.datetime64("2000-01-03T00:00:00", "ns").astype(np.int64)
    start_ns = (first_ns + np.arange(bars, dtype=np.int64) * MINUTE_NS).astype(np.float64)
    return np.ascontiguousarray(np.stack([start_ns, open_, high, low, close, volume]))


def make_crash_columns(
    seed: int = 72024, symbols: int = CRASH_SYMBOLS, sessions: int = CRASH_SESSIONS
) -> dict[str, NDArray[Any]]:
    """W2's bars: "ts" of shape (minutes,), the others (symbols, minutes).

    On crash days a symbol falls 15 to 40 % below the previous close, and on the way flushes to new session
    lows that close back above the former low on heavy volume. Some days crash most symbols together.
    """
    random = np.random.RandomState(seed)
    minutes = sessions * SESSION_MINUTES
    days = np.busday_offset("2023-01-03", np.arange(sessions), roll="forward").astype("datetime64[D]")
    opens_ns = days.astype("datetime64[ns]").astype(np.int64) + 14 * HOUR_NS + 30 * MINUTE_NS
    of_session = np.arange(SESSION_MINUTES)
    start_ns = (opens_ns[:, None] + of_session.astype(np.int64)[None, :] * MINUTE_NS).reshape(minutes)
    columns: dict[str, NDArray[Any]] = {
        name: np.empty((symbols, minutes)) for name in ("open", "high", "low", "close", "volume")
    }
    volume_smile = 1.0 + 1.5 * ((of_session - 195.0) / 195.0) ** 2
    panic = random.random_sample(sessions) < 0.08
    panic_at = random.randint(20, 200, sessions)
    for symbol in range(symbols):
        base = 40.0 + 12.0 * symbol
        crash = random.random_sample(sessions) < np.where(panic, 0.7, 0.06)
        crash[0] = False
        depth = 0.16 + 0.22 * random.random_sample(sessions)
        begins = np.where(
            panic, panic_at + random.randint(0, 15, sessions), random.randint(20, 200, sessions)
        )
        lasts = random.randint(15, 70, sessions)
        drift = random.standard_normal(sessions) * 0.012
        noise = random.standard_normal((sessions, SESSION_MINUTES)) * 0.0009
        level = np.empty((sessions, SESSION_MINUTES))
        overnight = 0.0
        for day in range(sessions):
            overnight = 0.97 * overnight + drift[day]
            path = overnight + np.cumsum(noise[day])
            if crash[day]:
                falling = np.clip((of_session - begins[day]) / lasts[day], 0.0, 1.0)
                recovering = np.clip((of_session - begins[day] - lasts[day]) / 120.0, 0.0, 1.0)
                path = path - depth[day] * 1.15 * falling + depth[day] * 0.15 * recovering
                turmoil = np.cumsum(random.standard_normal(SESSION_MINUTES)) * 0.0032
                path = path + turmoil * (falling > 0)
            level[day] = path
            if not crash[day]:
                overnight = path[-1]
        close = np.round(base * np.exp(level.reshape(minutes)), 2)
        gap = 0.0002 * random.standard_normal(minutes)
        open_ = _previous(close, first=close[0]) * np.exp(gap)
        opens = (np.arange(minutes) % SESSION_MINUTES) == 0
        open_[opens] = close[opens] * np.exp(0.002 * random.standard_normal(sessions))
        open_ = np.round(open_, 2)
        hot = np.repeat(crash, SESSION_MINUTES)
        high, low = _wicks(random, open_, close, size=np.where(hot, 0.0035, 0.0006))
        volume = np.exp(9.0 + 0.6 * random.standard_normal(minutes)) * np.tile(volume_smile, sessions)
        volume = np.where(hot & (random.random_sample(minutes) < 0.40), volume * 4.0, volume)
        columns["open"][symbol], columns["high"][symbol] = open_, high
        columns["low"][symbol], columns["close"][symbol] = low, close
        columns["volume"][symbol] = np.floor(volume) + 100.0
    columns["ts"] = start_ns
    return columns


def _previous(values: Floats, *, first: float) -> Floats:
    shifted = np.empty_like(values)
    shifted[0] = first
    shifted[1:] = values[:-1]
    return shifted


def _wicks(
    random: np.random.RandomState, open_: Floats, close: Floats, *, size: float | Floats
) -> tuple[Floats, Floats]:
    top, bottom = np.maximum(open_, close), np.minimum(open_, close)
    up = np.abs(random.standard_normal(len(close))) * size
    down = -np.abs(random.standard_normal(len(close))) * size
    high = np.maximum(np.round(top * np.exp(up), 2), top)
    low = np.minimum(np.round(bottom * np.exp(down), 2), bottom)
    return high, low


def _autoregressive(shocks: Floats, decay: float) -> Floats:
    """y[t] = decay * y[t-1] + shocks[t], in blocks of 256, so that the rounding is the same everywhere."""
    block = 256
    steps = np.arange(block)
    powers = decay**steps
    lag = steps[:, None] - steps[None, :]
    weights = np.where(lag >= 0, decay ** np.abs(lag), 0.0)
    out = np.empty(shocks.size)
    last = 0.0
    for start in range(0, shocks.size, block):
        size = min(block, shocks.size - start)
        out[start : start + size] = (
            weights[:size, :size] @ shocks[start : start + size] + last * decay * powers[:size]
        )
        last = out[start + size - 1]
    return out


def _stored(name: str, make: Any) -> NDArray[Any]:
    path = DATA / name
    if not path.exists():
        DATA.mkdir(exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.npy.part")
        with unfinished.open("wb") as file:
            np.save(file, make())
        unfinished.replace(path)
    return np.load(path)  # type: ignore[no-any-return]


if __name__ == "__main__":
    for text in sys.argv[1:]:
        bars_of(Job.parse(text))
