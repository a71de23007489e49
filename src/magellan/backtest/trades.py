"""Trades: fills gathered into positions from flat to flat."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from magellan.backtest import records as r
from magellan.backtest.market import Market
from magellan.backtest.replay import Replayed
from magellan.backtest.result import Trades
from magellan.compiled import kernel


def trades_of(replayed: Replayed, market: Market, point_values: NDArray[np.float64]) -> Trades:
    """All trades of a replay, in order of entry. Open positions are marked at their own symbol's last close.

    A trade's profit is the sum of what it did to cash: fills, commissions, dividends, borrow fees.
    """
    fills, n = replayed.fills, replayed.trades
    symbol, entry_row, exit_row, exits = (np.zeros(n, dtype=np.int64) for _ in range(4))
    side, entered, paid, left, received, pnl, costs = (np.zeros(n) for _ in range(7))
    at_close, exit_at_close = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
    gather(
        fills,
        symbol, side, entered, paid, entry_row, at_close,
        exits, left, received, exit_row, exit_at_close,
        pnl, costs,
    )  # fmt: skip
    entry_price = paid / entered
    with np.errstate(invalid="ignore", divide="ignore"):
        exit_price = received / left

    is_open = np.zeros(n, dtype=bool)
    held = np.flatnonzero(replayed.positions["units"] != 0.0)
    for s in held:
        position = replayed.positions[s]
        at = int(position["trade"])
        is_open[at] = exit_at_close[at] = True
        exit_row[at] = market.offsets[s + 1] - 1
        close = market.close[exit_row[at]]
        exit_price[at] = close
        pnl[at] += position["units"] * close * point_values[s]

    span_ns = market.timeframe.span_ns

    def make_excursions() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        mae, mfe = np.zeros(n), np.zeros(n)
        excursions(market.high, market.low, entry_row, exit_row, entry_price, side, at_close, mae, mfe)
        return mae, mfe

    return Trades(
        symbols=market.symbols,
        symbol=symbol,
        side=side,
        units=entered,
        entered_at_ns=market.opened_at_ns[entry_row] + np.where(at_close, span_ns, 0),
        exited_at_ns=market.opened_at_ns[exit_row] + np.where(exit_at_close, span_ns, 0),
        entry_row=entry_row,
        exit_row=exit_row,
        entry_price=entry_price,
        exit_price=exit_price,
        pnl_usd=pnl,
        return_fraction=pnl / (entered * np.abs(entry_price) * point_values[symbol]),
        costs_usd=costs,
        bars_held=exit_row - entry_row + np.where(at_close, 0, 1),
        exits=exits,
        is_open=is_open,
        make_reasons=lambda: _reasons(fills, n, replayed.own_reasons),
        make_excursions=make_excursions,
    )


def _reasons(fills: NDArray[np.void], n: int, own: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """The words for each trade's exits, in order. Most trades have one exit, and share its words."""
    left = fills[(fills["reason"] != r.ENTRY) & (fills["units"] != 0.0)]
    trade, reason = left["trade"].copy(), left["reason"].copy()
    words = {**r.REASONS, **{r.OWN_REASONS + k: text for k, text in enumerate(own)}}
    alone: dict[int, tuple[str, ...]] = {-1: (), **{code: (word,) for code, word in words.items()}}
    last = np.full(n, -1, dtype=np.int64)
    last[trade] = reason
    found = [alone[code] for code in last.tolist()]
    several = np.flatnonzero(np.bincount(trade, minlength=n)[:n] > 1)
    if len(several):
        chosen = np.isin(trade, several)
        exits: dict[int, list[str]] = {at: [] for at in several.tolist()}
        for at, code in zip(trade[chosen].tolist(), reason[chosen].tolist(), strict=True):
            exits[at].append(words[code])
        for at, texts in exits.items():
            found[at] = tuple(texts)
    return tuple(found)


@kernel
def gather(
    fills: Any,
    symbol: NDArray[np.int64],
    side: NDArray[np.float64],
    entered: NDArray[np.float64],
    paid: NDArray[np.float64],
    entry_row: NDArray[np.int64],
    at_close: NDArray[np.bool_],
    exits: NDArray[np.int64],
    left: NDArray[np.float64],
    received: NDArray[np.float64],
    exit_row: NDArray[np.int64],
    exit_at_close: NDArray[np.bool_],
    pnl: NDArray[np.float64],
    costs: NDArray[np.float64],
) -> None:
    """Add every fill to its trade; all columns but `fills` have one value per trade, and come as zeros.

    side, entry_row and at_close are of the first entry, exit_row and exit_at_close of the newest exit. `entered` and
    `left` count units, `paid` and `received` units times price.
    """
    for at in range(len(fills)):
        fill = fills[at]
        trade = fill.trade
        units = abs(fill.units)
        pnl[trade] += fill.amount
        costs[trade] += fill.commission + fill.slippage
        if fill.reason == r.ENTRY:
            if entered[trade] == 0.0:
                symbol[trade] = fill.symbol
                side[trade] = 1.0 if fill.units > 0.0 else -1.0
                entry_row[trade] = fill.row
                at_close[trade] = fill.at_close == 1
            entered[trade] += units
            paid[trade] += units * fill.price
        elif units != 0.0:  # a dividend or a borrow fee moves none
            exits[trade] += 1
            left[trade] += units
            received[trade] += units * fill.price
            exit_row[trade] = fill.row
            exit_at_close[trade] = fill.at_close == 1


@kernel
def excursions(
    high: NDArray[np.float64],
    low: NDArray[np.float64],
    entry_row: NDArray[np.int64],
    exit_row: NDArray[np.int64],
    entry_price: NDArray[np.float64],
    side: NDArray[np.float64],
    at_close: NDArray[np.bool_],
    worst: NDArray[np.float64],
    best: NDArray[np.float64],
) -> None:
    """Write each trade's worst and best move as fractions of its entry price (MAE, MFE), both >= 0.

    Over the bars held, the exit's own bar included; the entry's own bar only when it was entered before its close.
    Source: J. Sweeney, "Maximum Adverse Excursion", 1997.
    """
    for t in range(len(entry_row)):
        top = entry_price[t]
        bottom = entry_price[t]
        for row in range(entry_row[t] + (1 if at_close[t] else 0), exit_row[t] + 1):
            top = max(top, high[row])
            bottom = min(bottom, low[row])
        rise = (top - entry_price[t]) / abs(entry_price[t])
        fall = (entry_price[t] - bottom) / abs(entry_price[t])
        worst[t] = fall if side[t] > 0.0 else rise
        best[t] = rise if side[t] > 0.0 else fall
