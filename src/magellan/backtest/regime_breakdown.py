"""Regime breakdown: a run's result by the regime in which it traded.

A trade belongs to the regime that was known when the bar before its entry had closed, and a bar of the equity curve to
the one that was known when it began. So the table says what a gate on that label would have kept out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magellan.backtest.result import BacktestResult
from magellan.regime.axes import CLASSES, UNKNOWN, Axis
from magellan.regime.config import RegimeConfig
from magellan.regime.regime_model import RegimeModel
from magellan.trading.session import session_columns

_SESSIONS_PER_YEAR = 252.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeRow:
    """The part of a run that fell into one class of one axis."""

    axis: str
    label: str
    bars: int  # of all symbols, that began in it
    bars_fraction: float
    trades: int  # entered in it
    pnl_usd: float  # of those trades
    win_rate: float | None
    expectancy_fraction: float | None
    sharpe: float | None  # of the equity over those bars, per year; None for several symbols or too few bars


def by_regime(result: BacktestResult, config: RegimeConfig) -> tuple[RegimeRow, ...]:
    """A row for every class that occurred, by axis, in the order of the classes; unknown last."""
    known = {axis: np.full(len(result.market.close), -1, dtype=np.int64) for axis in Axis}
    for at, bars in enumerate(result.market):
        model = RegimeModel(bars.symbol, config)
        model.extend(bars, session_columns(bars))
        first, end = int(result.market.offsets[at]), int(result.market.offsets[at + 1])
        for axis in Axis:
            known[axis][first + 1 : end] = model.labels(axis)[:-1]  # as it stood when the bar began
    rows = []
    for axis in Axis:
        for place in (*range(len(CLASSES[axis])), -1):
            if (known[axis] == place).any():
                rows.append(_row(result, axis, place, known[axis]))
    return tuple(rows)


def _row(result: BacktestResult, axis: Axis, place: int, known: NDArray[np.int64]) -> RegimeRow:
    trades = result.trades
    chosen = np.flatnonzero(known[trades.entry_row] == place)
    pnl, returned = trades.pnl_usd[chosen], trades.return_fraction[chosen]
    bars = int((known == place).sum())
    return RegimeRow(
        axis=axis.value,
        label=UNKNOWN if place < 0 else CLASSES[axis][place],
        bars=bars,
        bars_fraction=bars / len(known),
        trades=len(chosen),
        pnl_usd=float(pnl.sum()),
        win_rate=float((pnl > 0).mean()) if len(chosen) else None,
        expectancy_fraction=float(returned.mean()) if len(chosen) else None,
        sharpe=_sharpe(result, known == place),
    )


def _sharpe(result: BacktestResult, chosen: NDArray[np.bool_]) -> float | None:
    """Mean over deviation of the equity's changes over the chosen bars, at an interest rate of zero."""
    if len(result.market.symbols) != 1:
        return None
    curve = result.equity
    closed_at_ns = result.market.opened_at_ns + result.market.timeframe.span_ns
    at = np.searchsorted(curve.closed_at_ns, closed_at_ns)
    usable = (at > 0) & (at < len(curve.equity_usd)) & chosen
    at = at[usable]
    if len(at) < 20 or (curve.equity_usd[at - 1] <= 0.0).any():
        return None
    changes = curve.equity_usd[at] / curve.equity_usd[at - 1] - 1.0
    deviation = float(changes.std())
    per_year = _SESSIONS_PER_YEAR * len(curve.day) / max(len(np.unique(curve.day)), 1)
    return float(changes.mean()) / deviation * float(np.sqrt(per_year)) if deviation > 0.0 else None
