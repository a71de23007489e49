"""Sweep kernel: what a parameter set did, measured without leaving compiled code.

Sets that differ by their masks alone are carried out one after another in a single call: threads then never wait for
each other's interpreter, and a run's fills are measured while the processor still has them at hand.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from magellan.backtest import records as r
from magellan.backtest.replay_parts.plain_run import is_plain, replay_plain
from magellan.backtest.run_memory import account_of, f8, fill_at, i8, position_of
from magellan.compiled import kernel, kernel_part

summary_t: Final = np.dtype(
    [
        ("equity_end_usd", "f8"),
        ("return_fraction", "f8"),
        ("trades", "i8"),  # those still open at the end included
        ("wins", "i8"),  # trades whose profit after costs is above zero
        ("profit_usd", "f8"),  # sum over winning trades
        ("loss_usd", "f8"),  # sum over losing trades, <= 0
        ("drawdown_fraction_max", "f8"),  # at bar closes
        ("return_mean", "f8"),  # of bar returns
        ("return_std", "f8"),  # of bar returns, sample (n - 1)
        ("bars_in_market", "i8"),  # instants at whose close a position was held
    ]
)

measuring_t: Final = np.dtype(
    [
        ("row", "i8"),  # the first bar that is not measured yet
        ("split", "i8"),
        ("units", "f8"),
        ("money", "f8"),
        ("equity", "f8"),
        ("peak", "f8"),
        ("drawdown", "f8"),
        ("total", "f8"),  # of bar returns
        ("squares", "f8"),
        ("in_market", "i8"),
        ("trade", "i8"),  # the newest, whose profit is not known before the next one begins
        ("pnl", "f8"),
        ("wins", "i8"),
        ("profit", "f8"),
        ("loss", "f8"),
    ]
)

FILLS_AT_HAND: Any = np.int64(80)  # some 7 KB: they stay in the processor's nearest memory
NO_TRADE: Any = np.int64(-1)


@kernel
def measure_one(run: Any, cash: float, point_value: float, measuring: Any, into: Any) -> None:
    """Measures of a run on one symbol, in one pass over the bars during which a position was held.

    measuring: room to work in, shape (1,) of `measuring_t`.
    """
    x = run[0]
    m = measuring[0]
    begin_measures(m, cash)
    measure_on(x, m, point_value, x.rows)
    finish_measures(m, into[0], cash, x.rows - 1)


@kernel
def is_plain_run(run: Any) -> bool:
    """Whether `replay_each` can carry out sets of this run."""
    return is_plain(run[0])


@kernel
def replay_each(
    run: Any,
    changing: Any,
    at_first: Any,
    masks: Any,
    cash: float,
    point_value: float,
    measuring: Any,
    into: Any,
) -> int:
    """Replay and measure one set after the other on one symbol; all of them are done that are plain runs.

    run:   addresses that this call may change.
    masks: addresses of each set's masks, in the order of `masks.DECLARED`; shape (sets, 6).
    into:  their measures, shape (sets,) of `summary_t`.
    Returns how many sets were done: all, or those before the first whose run is not plain.
    """
    x = run[0]
    m = measuring[0]
    x.fill_room = min(x.fill_room, FILLS_AT_HAND)
    for at in range(len(masks)):
        x.enter_long = masks[at, 0]
        x.enter_short = masks[at, 1]
        x.exit_long = masks[at, 2]
        x.exit_short = masks[at, 3]
        x.wake = masks[at, 4]
        x.breaks = masks[at, 5]
        if x.keeps_decisions != 0 or not is_plain(x):
            return at
        for word in range(len(changing)):
            changing[word] = at_first[word]
        begin_measures(m, cash)
        while replay_plain(x) == r.GROW:
            # It asks for room: what the fills so far came to is taken down, and theirs is free again.
            measure_on(x, m, point_value, 0)
            account_of(x, 0).fills = 0
        measure_on(x, m, point_value, x.rows)
        finish_measures(m, into[at], cash, x.rows - 1)
    return len(masks)


@kernel_part
def begin_measures(m: Any, cash: float) -> None:
    """Stand before the first bar."""
    m.row = 0
    m.split = 0
    m.units = 0.0
    m.money = cash
    m.equity = cash
    m.peak = cash
    m.drawdown = 0.0
    m.total = 0.0
    m.squares = 0.0
    m.in_market = 0
    m.trade = NO_TRADE
    m.pnl = 0.0
    m.wins = 0
    m.profit = 0.0
    m.loss = 0.0


@kernel_part
def measure_on(x: Any, m: Any, point_value: float, last: int) -> None:
    """Measure the bars up to the newest fill's, and a position that is held then up to row `last`."""
    count = account_of(x, 0).fills
    splits = i8(x.action_offsets, 1)
    n = x.rows
    row = m.row
    split = m.split
    units = m.units
    money = m.money
    equity = m.equity
    peak = m.peak
    drawdown = m.drawdown
    kept = 1.0 - drawdown
    total = m.total
    squares = m.squares
    in_market = m.in_market
    close = x.close
    at = 0
    while at < count or (units != 0.0 and row < last):
        if units == 0.0:
            row = fill_at(x, at).row
        while split < splits and i8(x.action_rows, split) <= row:
            units *= f8(x.share_factors, split)
            split += 1
        while at < count and fill_at(x, at).row == row:
            fill = fill_at(x, at)
            units += fill.units
            money += fill.amount
            if fill.trade != m.trade:
                finish_trade(m)
                m.trade = fill.trade
            m.pnl += fill.amount
            at += 1
        # Up to the next fill or split nothing changes but the price.
        end: Any = n
        if at < count:
            end = fill_at(x, at).row
        elif last == 0:
            end = row + 1
        if split < splits:
            end = min(end, i8(x.action_rows, split))
        if abs(units) < 1e-9:
            units = 0.0
            end = min(end, row + 1)
        else:
            in_market += end - row
        worth = units * point_value
        for i in range(row, end):
            now = money + worth * f8(close, i)
            change = now / equity - 1.0
            total += change
            squares += change * change
            equity = now
            peak = now if now > peak else peak
            # Divided only where it is deeper than ever: a division a bar would be most of the work.
            if now < peak * kept:
                drawdown = max(drawdown, 1.0 - now / peak)
                kept = 1.0 - drawdown
        row = end
    if last == n and units != 0.0:
        m.pnl += units * point_value * f8(x.close, n - 1)
    m.row = row
    m.split = split
    m.units = units
    m.money = money
    m.equity = equity
    m.peak = peak
    m.drawdown = drawdown
    m.total = total
    m.squares = squares
    m.in_market = in_market


@kernel_part
def finish_trade(m: Any) -> None:
    """Count the newest trade, now that all of its fills are known. One symbol's trades follow each other."""
    if m.trade != NO_TRADE:
        if m.pnl > 0.0:
            m.wins += 1
            m.profit += m.pnl
        else:
            m.loss += m.pnl
    m.pnl = 0.0


@kernel_part
def finish_measures(m: Any, out: Any, cash: float, returns: int) -> None:
    """Write down what the whole run came to."""
    finish_trade(m)
    out.trades = m.trade + 1
    out.wins = m.wins
    out.profit_usd = m.profit
    out.loss_usd = m.loss
    finish_equity(out, cash, m.equity, m.total, m.squares, returns, m.drawdown, m.in_market)


@kernel
def measure_many(
    run: Any,
    times: Any,
    cash: float,
    point_values: Any,
    value: Any,
    gross: Any,
    flow: Any,
    trade_pnl: Any,
    into: Any,
) -> None:
    """Measures of a run on several symbols, from its equity at every instant.

    times:              every instant, in order.
    value, gross, flow: room for a number per instant.
    trade_pnl:          room for a number per trade, and no more.
    """
    x = run[0]
    out = into[0]
    for t in range(len(times)):
        value[t] = 0.0
        gross[t] = 0.0
        flow[t] = 0.0
    for trade in range(len(trade_pnl)):
        trade_pnl[trade] = 0.0
    for at in range(account_of(x, 0).fills):
        fill = fill_at(x, at)
        trade_pnl[fill.trade] += fill.amount
    for s in range(x.symbols):
        hold_symbol(x, s, times, point_values[s], value, gross, flow)
        p = position_of(x, s)
        if p.units != 0.0:
            trade_pnl[p.trade] += p.units * f8(x.close, i8(x.offsets, s + 1) - 1) * point_values[s]
    moved = 0.0
    before = cash
    peak = cash
    drawdown = 0.0
    total = 0.0
    squares = 0.0
    in_market = 0
    for t in range(len(times)):
        moved += flow[t]
        equity = cash + moved + value[t]
        if gross[t] != 0.0:
            in_market += 1
        if t > 0:
            change = equity / before - 1.0
            total += change
            squares += change * change
        peak = max(peak, equity)
        drawdown = max(drawdown, 1.0 - equity / peak)
        before = equity
    wins = 0
    profit = 0.0
    loss = 0.0
    for pnl in trade_pnl:
        if pnl > 0.0:
            wins += 1
            profit += pnl
        else:
            loss += pnl
    out.trades = len(trade_pnl)
    out.wins = wins
    out.profit_usd = profit
    out.loss_usd = loss
    finish_equity(out, cash, before, total, squares, len(times) - 1, drawdown, in_market)


@kernel_part
def hold_symbol(x: Any, s: int, times: Any, point_value: float, value: Any, gross: Any, flow: Any) -> None:
    """Add one symbol's position value, and the cash its fills moved, to the columns of the run."""
    count = account_of(x, 0).fills
    end = i8(x.offsets, s + 1)
    row = i8(x.offsets, s) - 1
    fill = next_fill(x, s, 0, count)
    if fill == count:
        return
    action = i8(x.action_offsets, s)
    actions = i8(x.action_offsets, s + 1)
    units = 0.0
    for t in range(len(times)):
        while row + 1 < end and i8(x.times, row + 1) <= times[t]:
            row += 1
            while action < actions and i8(x.action_rows, action) <= row:
                # Fills of the split's own row come after it, except cash in lieu, which is a fill like any other.
                units *= f8(x.share_factors, action)
                action += 1
            while fill < count and fill_at(x, fill).row <= row:
                units += fill_at(x, fill).units
                flow[t] += fill_at(x, fill).amount
                fill = next_fill(x, s, fill + 1, count)
        if units != 0.0:
            held = units * f8(x.close, row) * point_value
            value[t] += held
            gross[t] += abs(held)


@kernel_part
def next_fill(x: Any, s: int, at: int, count: int) -> int:
    """The symbol's first fill from that one on; `count` when there is none."""
    while at < count and fill_at(x, at).symbol != s:
        at += 1
    return at


@kernel_part
def finish_equity(
    out: Any,
    cash: float,
    equity: float,
    total: float,
    squares: float,
    returns: int,
    drawdown: float,
    in_market: int,
) -> None:
    """Write down what the equity of a run came to; `total` and `squares` are of its bar returns."""
    out.equity_end_usd = equity
    out.return_fraction = equity / cash - 1.0
    out.drawdown_fraction_max = drawdown
    out.bars_in_market = in_market
    out.return_mean = total / returns if returns > 0 else np.nan
    out.return_std = np.nan
    if returns > 1:
        out.return_std = np.sqrt(max(0.0, squares - total * total / returns) / (returns - 1))
