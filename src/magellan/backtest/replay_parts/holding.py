"""Holding: what happens to a position and to working orders without a trade: splits, dividends, borrow fees."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from magellan.backtest import records as r
from magellan.backtest.replay_parts.booking import book, book_amount, start_day
from magellan.backtest.replay_parts.exits import finish_target, withdraw_rest
from magellan.backtest.replay_parts.fill_rules import EPSILON, FALSE, whole_steps
from magellan.backtest.run_memory import (
    account_of,
    cost_of,
    count_blocked,
    entry_number,
    f8,
    i4,
    i8,
    position_of,
)
from magellan.compiled import kernel_part


@kernel_part
def apply_actions(x: Any, s: int, row: int) -> None:
    """Dividends and splits that take effect by this row, on the position and on working orders."""
    a = account_of(x, 0)
    p = position_of(x, s)
    c = cost_of(x, s)
    while p.action < i8(x.action_offsets, s + 1) and i8(x.action_rows, p.action) <= row:
        factor = f8(x.share_factors, p.action)
        dividend = f8(x.dividends, p.action)
        at = i8(x.action_rows, p.action)
        p.action += 1
        if at < row and p.units != 0.0 and p.entry_row >= at:
            continue
        if p.units != 0.0:
            start_day(x, row)
        if p.units != 0.0 and p.entry_row < at and dividend != 0.0:
            a.dividends += p.units * dividend * c.point_value
            book_amount(x, s, at, p.units * dividend * c.point_value, r.DIVIDEND)
        if factor == 1.0:
            continue
        if p.units != 0.0 and p.entry_row < at:
            side = 1.0 if p.units > 0.0 else -1.0
            held = abs(p.units) * factor
            whole = whole_steps(held, c.quantity_step)
            p.units = side * held
            p.entered *= factor
            p.entry_price /= factor
            p.stop /= factor
            p.trail /= factor
            p.best /= factor
            p.risk /= factor
            p.exit_units = whole_steps(p.exit_units * factor, c.quantity_step)
            for k in range(r.TARGETS):
                if p.target_left[k] > 0.0:
                    p.target_left[k] = whole_steps(p.target_left[k] * factor, c.quantity_step)
                    if p.target_left[k] <= 0.0:
                        finish_target(x, s, k)
            fraction = held - whole
            if fraction > EPSILON:
                a.day_pnl += side * (f8(x.open, at) - p.entry_price) * fraction * c.point_value
                book(x, s, at, -side * fraction, f8(x.open, at), f8(x.open, at), r.CASH_IN_LIEU, FALSE)
                if whole == 0.0:
                    withdraw_rest(x, s)
                p.units = side * whole
                if whole == 0.0:
                    p.entry_price = np.nan
                    p.stop = np.nan
                    p.trail = np.nan
                    p.exit_units = 0.0
                    p.closed_row = at
                    a.open_positions -= 1
        for slot in range(r.ENTRY_SLOTS):
            e = entry_number(x, s * r.ENTRY_SLOTS + slot)
            if e.kind != r.NONE and e.signal_row < at:
                if not math.isnan(e.units):  # else it is sized when it fills
                    e.units = whole_steps(e.units * factor, c.quantity_step)
                e.limit /= factor
                e.stop /= factor
                if e.units <= 0.0:
                    if p.units * e.side <= 0.0:
                        count_blocked(x, r.NO_UNITS)
                    e.kind = r.NONE


@kernel_part
def finance_short(x: Any, s: int, row: int) -> None:
    """Pay the borrow fee of a short for the days since it was last paid, on the close before."""
    p = position_of(x, s)
    c = cost_of(x, s)
    if p.units >= 0.0 or c.borrow_rate <= 0.0 or x.days == 0:
        return
    days = np.int64(i4(x.day, row)) - p.financed_day
    if days > 0:
        start_day(x, row)
        fee = abs(p.units) * f8(x.close, row - 1) * c.point_value * c.borrow_rate * days / 365.0
        account_of(x, 0).financing += fee
        book_amount(x, s, row, -fee, r.BORROW_FEE)
        p.financed_day = np.int64(i4(x.day, row))
