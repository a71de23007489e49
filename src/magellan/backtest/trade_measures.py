"""Trade measures: what a run's trades say taken together.

P&L is after all costs. Trades that are still open count, at the last close.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magellan.backtest import records
from magellan.backtest.missing import Measured, Missing
from magellan.backtest.result import BacktestResult
from magellan.trading.bar import Floats

NO_TRADE = Missing("no trade was made")


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeMeasures:
    """Measures of a number of trades. Formulas: docs/glossary.md."""

    win_rate: Measured  # share of trades with P&L above 0
    win_rate_by_price: Measured  # share whose exit price is better than the entry price, costs aside
    profit_factor: Measured  # sum of gains over sum of losses
    payoff_ratio: Measured  # mean gain over mean loss
    expectancy_usd: Measured  # mean P&L of a trade
    expectancy_fraction: Measured  # mean return of a trade
    return_median_fraction: Measured
    return_best_fraction: Measured
    return_worst_fraction: Measured
    mae_mean_fraction: Measured
    mae_max_fraction: Measured
    mfe_mean_fraction: Measured
    mfe_max_fraction: Measured
    bars_held_mean: Measured
    bars_held_median: Measured
    gains_in_a_row_max: int  # in order of exit
    losses_in_a_row_max: int


def measure_trades(result: BacktestResult) -> TradeMeasures:
    """All measures of a run's trades."""
    trades = result.trades
    pnl, returned = trades.pnl_usd, trades.return_fraction
    in_order = pnl[np.argsort(trades.exited_at_ns, kind="stable")]
    return TradeMeasures(
        win_rate=share(pnl > 0.0),
        win_rate_by_price=share(better_prices(result)),
        profit_factor=profit_factor(pnl),
        payoff_ratio=payoff_ratio(pnl),
        expectancy_usd=_mean(pnl),
        expectancy_fraction=_mean(returned),
        return_median_fraction=float(np.median(returned)) if len(returned) else NO_TRADE,
        return_best_fraction=float(returned.max()) if len(returned) else NO_TRADE,
        return_worst_fraction=float(returned.min()) if len(returned) else NO_TRADE,
        mae_mean_fraction=_mean(trades.mae_fraction),
        mae_max_fraction=float(trades.mae_fraction.max()) if len(pnl) else NO_TRADE,
        mfe_mean_fraction=_mean(trades.mfe_fraction),
        mfe_max_fraction=float(trades.mfe_fraction.max()) if len(pnl) else NO_TRADE,
        bars_held_mean=_mean(trades.bars_held),
        bars_held_median=float(np.median(trades.bars_held)) if len(pnl) else NO_TRADE,
        gains_in_a_row_max=longest_run(in_order > 0.0),
        losses_in_a_row_max=longest_run(in_order < 0.0),
    )


def share(chosen: NDArray[np.bool_]) -> Measured:
    """Share of the trades that are chosen."""
    return float(chosen.mean()) if len(chosen) else NO_TRADE


def profit_factor(pnl_usd: Floats) -> Measured:
    """Sum of gains over sum of losses. Missing without a loss: it would be infinite."""
    if len(pnl_usd) == 0:
        return NO_TRADE
    lost = -float(pnl_usd[pnl_usd < 0.0].sum())
    if lost == 0.0:
        return Missing("no trade lost")
    return float(pnl_usd[pnl_usd > 0.0].sum()) / lost


def payoff_ratio(pnl_usd: Floats) -> Measured:
    """Mean gain over mean loss. Missing without a gain or without a loss."""
    if len(pnl_usd) == 0:
        return NO_TRADE
    gains, losses = pnl_usd[pnl_usd > 0.0], pnl_usd[pnl_usd < 0.0]
    if len(losses) == 0:
        return Missing("no trade lost")
    if len(gains) == 0:
        return Missing("no trade gained")
    return float(gains.mean()) / -float(losses.mean())


def longest_run(chosen: NDArray[np.bool_]) -> int:
    """Length of the longest unbroken run of True."""
    others = np.flatnonzero(~chosen)
    gaps = np.diff(np.concatenate(([-1], others, [len(chosen)]))) - 1
    return int(gaps.max())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExitFills:
    """The fills that closed all or part of a position; shapes (n,), in time order."""

    trade: NDArray[np.int64]  # index of the trade
    reason: NDArray[np.int64]  # code; its words are in `words`
    better: NDArray[np.bool_]  # at a better price than the trade's average entry price, costs aside
    comparable: NDArray[np.bool_]  # False where a split lies between the two prices
    words: dict[int, str]

    def __len__(self) -> int:
        return len(self.trade)


def exit_fills(result: BacktestResult) -> ExitFills:
    """Every fill of the run that closed something. Dividends and fees move no units and are not."""
    trades = result.trades
    fills = result.fills[(result.fills["reason"] != records.ENTRY) & (result.fills["units"] != 0.0)]
    trade = np.ascontiguousarray(fills["trade"])
    reason = np.ascontiguousarray(fills["reason"])
    closed = np.bincount(trade, weights=np.abs(fills["units"]), minlength=len(trades))
    # A closed trade that sold more or fewer units than it bought was held through a split.
    as_many = np.isclose(closed, trades.units, rtol=1e-9, atol=0.0) | (
        trades.is_open & (closed < trades.units)
    )
    return ExitFills(
        trade=trade,
        reason=reason,
        better=(fills["price"] - trades.entry_price[trade]) * trades.side[trade] > 0.0,
        comparable=as_many[trade],
        words=_words(trade, reason, trades.reasons),
    )


def better_prices(result: BacktestResult) -> NDArray[np.bool_]:
    """Which trades were left at a better price than they were entered at, commissions and dividends aside.

    By the money that changed hands, so that it holds through splits; shape (trades,).
    """
    trades, fills = result.trades, result.fills
    moves_units = fills["units"] != 0.0
    other = np.bincount(
        fills["trade"],
        weights=np.where(moves_units, -fills["commission"], fills["amount"]),
        minlength=len(trades),
    )
    earned = trades.pnl_usd - other
    return np.asarray(earned > 1e-9 * np.abs(trades.units * trades.entry_price))


def _words(
    trade: NDArray[np.int64], reason: NDArray[np.int64], reasons: tuple[tuple[str, ...], ...]
) -> dict[int, str]:
    """What each code means; a strategy's own reasons are found in the words of a trade."""
    words = {}
    codes, first = np.unique(reason, return_index=True)
    for code, at in zip(codes.tolist(), first.tolist(), strict=True):
        which = int((trade[:at] == trade[at]).sum())  # the how-manieth exit of its trade
        words[code] = reasons[int(trade[at])][which]
    return words


def _mean(column: NDArray[np.float64] | NDArray[np.int64]) -> Measured:
    return float(column.mean()) if len(column) else NO_TRADE
