"""Booking: fills, money and decisions as they are written down, and the counts of the day."""

from __future__ import annotations

from typing import Any

import numpy as np

from magellan.backtest import records as r
from magellan.backtest.replay_parts.fill_rules import commission, on_tick, slipped, whole_steps
from magellan.backtest.replay_parts.rows import row_at
from magellan.backtest.run_memory import (
    account_of,
    cost_of,
    decision_at,
    f8,
    fill_at,
    i4,
    i8,
    position_of,
    rules_of,
)
from magellan.compiled import kernel_part


@kernel_part
def volume_left(x: Any, s: int, row: int) -> float:
    """Units of that bar's volume that our fills may still take."""
    p = position_of(x, s)
    c = cost_of(x, s)
    if p.taken_row != row:
        p.taken_row = row
        p.taken = 0.0
    if c.volume_share_max == np.inf:
        return np.inf
    return max(0.0, whole_steps(c.volume_share_max * f8(x.volume, row), c.quantity_step) - p.taken)


@kernel_part
def worse(x: Any, s: int, row: int, side: float, units: float, price: float) -> float:
    """The price of a market or stop fill after spread, slippage and impact."""
    c = cost_of(x, s)
    share = 0.0
    if c.impact > 0.0:
        p = position_of(x, s)
        taken = p.taken if p.taken_row == row else 0.0
        # Beyond the whole volume nothing is known of impact; a bar without volume costs as much as all of one.
        share = 1.0
        if f8(x.volume, row) > 0.0:
            share = min(1.0, (taken + abs(units)) / f8(x.volume, row))
    paid = slipped(side, price, c.half_spread_rate, c.slippage_rate, c.impact, share)
    return on_tick(side, paid, c.tick_size)


@kernel_part
def book(
    x: Any, s: int, row: int, units: float, price: float, unslipped: float, reason: int, at_close: bool
) -> None:
    """Write a fill and move its money. `units` are signed; the position itself is the caller's to change."""
    a = account_of(x, 0)
    p = position_of(x, s)
    c = cost_of(x, s)
    point_value = c.point_value
    fee = 0.0
    if reason != r.CASH_IN_LIEU:
        fee = commission(
            units, price, c.commission_per_unit, c.commission_rate, c.commission_min, point_value
        )
    amount = -(units * price * point_value + fee)
    cash = a.cash + amount
    a.cash = cash
    a.day_pnl -= fee
    taken = p.taken if p.taken_row == row else 0.0
    p.taken_row = row
    p.taken = taken if reason == r.CASH_IN_LIEU else taken + abs(units)
    at = a.fills
    a.fills = at + 1
    f = fill_at(x, at)
    f.row = row
    f.symbol = s
    f.trade = p.trade
    f.reason = reason
    f.at_close = 1 if at_close else 0
    f.units = units
    f.price = price
    f.commission = fee
    f.slippage = abs(price - unslipped) * abs(units) * point_value
    f.amount = amount
    f.cash_after = cash


@kernel_part
def book_amount(x: Any, s: int, row: int, amount: float, reason: int) -> None:
    """Write money that a position brought or cost without a trade: a dividend, a borrow fee."""
    a = account_of(x, 0)
    a.cash += amount
    f = fill_at(x, a.fills)
    f.row = row
    f.symbol = s
    f.trade = position_of(x, s).trade
    f.reason = reason
    f.at_close = 0
    f.units = 0.0
    f.price = 0.0
    f.commission = 0.0
    f.slippage = 0.0
    f.amount = amount
    f.cash_after = a.cash
    a.fills += 1


@kernel_part
def note_decision(x: Any, s: int, row: int, side: float, units: float, stop: float, reason: int) -> None:
    """Keep what was decided on that bar, where somebody will ask for it."""
    if x.keeps_decisions == 0:
        return
    a = account_of(x, 0)
    d = decision_at(x, a.decisions)
    d.row = row
    d.symbol = s
    d.side = side
    d.units = units
    d.stop = stop
    d.reason = reason
    a.decisions += 1


@kernel_part
def start_day(x: Any, row: int) -> None:
    """Begin the day of that row: its counts of trades and losses start at zero."""
    if x.days == 0:
        return
    a = account_of(x, 0)
    day = np.int64(i4(x.day, row))
    if day != a.day:
        a.day = day
        a.day_pnl = 0.0
        a.day_trades = 0
        a.day_equity = equity_before_day(x, row)


@kernel_part
def equity_before_day(x: Any, row: int) -> float:
    """Cash plus every position at its last close before the day of that row began."""
    a = account_of(x, 0)
    total = a.cash
    if a.open_positions == 0:
        return total
    for s in range(x.symbols):
        p = position_of(x, s)
        if p.units != 0.0:
            before = p.next - 1
            if x.symbols > 1:
                before = row_at(x, p.entry_row, i8(x.offsets, s + 1), a.now_ns) - 1
            while before > p.entry_row and np.int64(i4(x.day, before)) >= np.int64(i4(x.day, row)):
                before -= 1
            total += p.units * f8(x.close, max(before, p.entry_row)) * cost_of(x, s).point_value
    return total


@kernel_part
def limits_reached(x: Any, row: int) -> int:
    """Which limit of the day forbids an entry at that row; -1 for none."""
    a = account_of(x, 0)
    rules = rules_of(x, 0)
    start_day(x, row)
    if a.day_trades >= rules.trades_per_day_max:
        return r.TRADES_TODAY
    if a.day_pnl < 0.0 and (
        -a.day_pnl >= rules.loss_usd_max
        or (rules.loss_fraction_max < np.inf and -a.day_pnl >= rules.loss_fraction_max * a.day_equity)
    ):
        return r.LOSS_TODAY
    return -1
