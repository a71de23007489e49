"""Trades: fills gathered into positions from flat to flat."""

from __future__ import annotations

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
    trade = fills["trade"].copy()  # of one record's field every use would walk over all records
    units = fills["units"].copy()
    entries = fills["reason"] == r.ENTRY
    exits = ~entries & (units != 0.0)
    size = np.abs(units)
    value = size * fills["price"]

    def summed(chosen: NDArray[np.bool_], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        totals = np.bincount(trade[chosen], weights=weights[chosen], minlength=n)
        return totals[:n].astype(np.float64, copy=False)

    def total(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(trade, weights=weights, minlength=n)[:n].astype(np.float64, copy=False)

    entered = summed(entries, size)
    entry_price = summed(entries, value) / entered
    left = summed(exits, size)
    with np.errstate(invalid="ignore", divide="ignore"):
        exit_price = summed(exits, value) / left
    first_entry = np.zeros(n, dtype=np.int64)
    entry_at = np.flatnonzero(entries)
    first_entry[trade[entry_at[::-1]]] = entry_at[::-1]
    symbol = fills["symbol"][first_entry]
    side = np.sign(units[first_entry])
    entry_row = fills["row"][first_entry]
    last_row = market.offsets[symbol + 1] - 1
    exit_row = last_row.copy()
    exit_at = np.flatnonzero(exits)
    exit_row[trade[exit_at]] = fills["row"][exit_at]  # in time order: the last one stays

    pnl = total(fills["amount"])
    is_open = np.zeros(n, dtype=bool)
    held = np.flatnonzero(replayed.positions["units"] != 0.0)
    for s in held:
        position = replayed.positions[s]
        at = int(position["trade"])
        is_open[at] = True
        exit_row[at] = market.offsets[s + 1] - 1
        close = market.close[exit_row[at]]
        exit_price[at] = close
        pnl[at] += position["units"] * close * point_values[s]

    span_ns = market.timeframe.span_ns
    at_close = fills["at_close"][first_entry] == 1
    exit_at_close = np.zeros(n, dtype=bool)
    exit_at_close[trade[exit_at]] = fills["at_close"][exit_at] == 1
    exit_at_close |= is_open

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
        costs_usd=total(fills["commission"] + fills["slippage"]),
        bars_held=exit_row - entry_row + np.where(at_close, 0, 1),
        exits=np.bincount(trade[exits], minlength=n)[:n],
        is_open=is_open,
        reasons=_reasons(trade[exits], fills["reason"][exits], n, replayed.own_reasons),
        make_excursions=make_excursions,
    )


def _reasons(
    trade: NDArray[np.int64], reason: NDArray[np.int64], n: int, own: tuple[str, ...]
) -> tuple[tuple[str, ...], ...]:
    """The words for each trade's exits, in order. Most trades have one exit, and share its words."""
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
