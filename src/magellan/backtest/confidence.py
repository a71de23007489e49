"""Confidence: what a run's headline numbers could have been, by resampling its sessions and its trades."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from magellan.backtest.bootstrap import (
    LEVEL,
    RESAMPLES,
    Interval,
    block_length,
    interval,
    resampled,
    resamples_for,
)
from magellan.backtest.missing import Missing
from magellan.backtest.result import BacktestResult
from magellan.backtest.returns import SESSIONS_PER_YEAR, session_returns, sharpe_ratio
from magellan.backtest.statistics import moments_of, probabilistic_sharpe, track_record_min
from magellan.trading.bar import Floats

SESSIONS_MIN: Final = 20
TRADES_MIN: Final = 10

_OF_SESSIONS: Final = ("sharpe_daily", "return_fraction", "drawdown_fraction_max")
_OF_TRADES: Final = ("profit_factor", "win_rate", "expectancy_usd", "expectancy_fraction")
_OF_MOMENTS: Final = ("probabilistic_sharpe", "track_record_sessions_min")


@dataclass(frozen=True, slots=True, kw_only=True)
class Confidence:
    """How sure we are of a run's metrics. None: could not be computed, and `missing` says why."""

    level: float
    seed: int

    # From sessions
    sharpe_daily: Interval | None
    return_fraction: Interval | None  # of a history as long as this one
    drawdown_fraction_max: Interval | None  # likewise; its high end is what to be prepared for
    probabilistic_sharpe: float | None  # probability that the true Sharpe ratio per session is above 0
    track_record_sessions_min: float | None  # sessions needed for that probability to reach `level`

    # From trades, in order of exit
    profit_factor: Interval | None
    win_rate: Interval | None
    expectancy_usd: Interval | None
    expectancy_fraction: Interval | None

    missing: Mapping[str, str]


def confidence_of(
    result: BacktestResult, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int | None = None
) -> Confidence:
    """Intervals for a run's headline metrics. Pure: the same run and seed give the same numbers.

    level:     share of resamples inside an interval.
    resamples: how often the history is drawn again; fewer for histories of more than 5,000 values.
    seed:      None takes the run's own.
    """
    seed = result.manifest.seed if seed is None else seed
    sessions = session_returns(result.equity)
    missing: dict[str, str] = {}
    intervals: dict[str, Interval] = {}
    if isinstance(sessions, Missing):
        missing |= dict.fromkeys((*_OF_SESSIONS, *_OF_MOMENTS), sessions.reason)
    else:
        found = _session_intervals(sessions.returns, level, resamples, seed)
        if isinstance(found, Missing):
            missing |= dict.fromkeys(_OF_SESSIONS, found.reason)
        else:
            intervals |= found
    by_trades = _trade_intervals(result, level, resamples, seed)
    if isinstance(by_trades, Missing):
        missing |= dict.fromkeys(_OF_TRADES, by_trades.reason)
    else:
        intervals |= by_trades
        if "profit_factor" not in intervals:
            missing["profit_factor"] = "no trade lost"
    probability = track = None
    if not isinstance(sessions, Missing):
        moments = moments_of(sessions.returns)
        if isinstance(moments, Missing):
            missing |= dict.fromkeys(_OF_MOMENTS, moments.reason)
        else:
            measured = probabilistic_sharpe(moments), track_record_min(moments, confidence=level)
            for name, one in zip(_OF_MOMENTS, measured, strict=True):
                if isinstance(one, Missing):
                    missing[name] = one.reason
            probability, track = (None if isinstance(one, Missing) else one for one in measured)
    return Confidence(
        level=level,
        seed=seed,
        sharpe_daily=intervals.get("sharpe_daily"),
        return_fraction=intervals.get("return_fraction"),
        drawdown_fraction_max=intervals.get("drawdown_fraction_max"),
        probabilistic_sharpe=probability,
        track_record_sessions_min=track,
        profit_factor=intervals.get("profit_factor"),
        win_rate=intervals.get("win_rate"),
        expectancy_usd=intervals.get("expectancy_usd"),
        expectancy_fraction=intervals.get("expectancy_fraction"),
        missing=missing,
    )


def _session_intervals(
    returns: Floats, level: float, resamples: int, seed: int
) -> dict[str, Interval] | Missing:
    n = len(returns)
    if n < SESSIONS_MIN:
        return Missing(f"{n} sessions, and {SESSIONS_MIN} are the least that can be resampled")
    spread = sharpe_ratio(returns, 1.0)
    if isinstance(spread, Missing):
        return spread
    block = block_length(returns)
    # Products and no logarithms, whose last digit depends on the processor.
    growth = 1.0 + returns

    def sharpe(rows: NDArray[np.int64]) -> Floats:
        return sharpe_per_row(returns[rows])

    def path(rows: NDArray[np.int64]) -> Floats:
        return np.asarray(np.multiply.reduce(growth[rows], axis=1) - 1.0)

    def depth(rows: NDArray[np.int64]) -> Floats:
        height = np.multiply.accumulate(growth[rows], axis=1)
        peak = np.maximum.accumulate(height, axis=1)
        np.maximum(peak, 1.0, out=peak)  # the starting money is a peak, too
        height /= peak
        return np.asarray(1.0 - height.min(axis=1))

    values = resampled(
        n,
        block,
        resamples_for(n, resamples),
        seed,
        {"sharpe_daily": sharpe, "return_fraction": path, "drawdown_fraction_max": depth},
    )
    return {name: interval(column, level=level, block=block) for name, column in values.items()}


def sharpe_per_row(returns: Floats) -> Floats:
    """Yearly Sharpe ratio of each row of session returns, shape (k, n); NaN where a row does not vary."""
    spread = returns.std(axis=1, ddof=1)
    mean = returns.mean(axis=1)
    varies = spread > 1e-9 * np.abs(returns).max(axis=1)
    ratio = np.full(len(returns), np.nan)
    np.divide(mean, spread, out=ratio, where=varies)
    return ratio * math.sqrt(SESSIONS_PER_YEAR)


def _trade_intervals(
    result: BacktestResult, level: float, resamples: int, seed: int
) -> dict[str, Interval] | Missing:
    trades = result.trades
    n = len(trades)
    if n < TRADES_MIN:
        return Missing(f"{n} trades, and {TRADES_MIN} are the least that can be resampled")
    in_order = np.argsort(trades.exited_at_ns, kind="stable")
    pnl, returned = trades.pnl_usd[in_order], trades.return_fraction[in_order]
    gains, losses, won = np.maximum(pnl, 0.0), np.maximum(-pnl, 0.0), (pnl > 0.0).astype(np.float64)
    block = block_length(pnl)

    def factor(rows: NDArray[np.int64]) -> Floats:
        gained, lost = gains[rows].sum(axis=1), losses[rows].sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(gained / lost)  # infinite without a loss; NaN without either

    values = resampled(
        n,
        block,
        resamples_for(n, resamples),
        seed,
        {
            "profit_factor": factor,
            "win_rate": lambda rows: np.asarray(won[rows].mean(axis=1)),
            "expectancy_usd": lambda rows: np.asarray(pnl[rows].mean(axis=1)),
            "expectancy_fraction": lambda rows: np.asarray(returned[rows].mean(axis=1)),
        },
    )
    if not losses.any():
        del values["profit_factor"]
    return {name: interval(column, level=level, block=block) for name, column in values.items()}
