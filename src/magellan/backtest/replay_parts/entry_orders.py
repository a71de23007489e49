"""Entry orders: how an entry is decided on, and when an order that has not filled is withdrawn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from magellan.backtest import records as r
from magellan.backtest.replay_parts.booking import limits_reached, note_decision
from magellan.backtest.replay_parts.entry_fills import enter, fill_at_session_close
from magellan.backtest.replay_parts.fill_rules import EPSILON, FALSE, TRUE, whole_steps
from magellan.backtest.replay_parts.prices import level_price, order_price
from magellan.backtest.replay_parts.rows import is_true
from magellan.backtest.replay_parts.sizing import affordable, wanted_units
from magellan.backtest.run_memory import (
    account_of,
    cost_of,
    count_blocked,
    entry_number,
    f8,
    i8,
    level_number,
    plan_at,
    position_of,
    rules_of,
)
from magellan.compiled import kernel_part


@kernel_part
def entries_at_close(x: Any, s: int, row: int) -> None:
    """Orders for the close, schedules that come due with the next bar, and entries that the strategy declares."""
    p = position_of(x, s)
    end = i8(x.offsets, s + 1)
    for slot in range(r.ENTRY_SLOTS):
        e = entry_number(x, s * r.ENTRY_SLOTS + slot)
        if e.kind != r.NONE and e.tif == r.CLS and e.signal_row < row and is_true(x.session_ends, row):
            fill_at_session_close(x, s, slot, row)
        if e.kind != r.NONE and e.scheduled != 0 and row + 1 < end and is_true(x.scheduled, row + 1):
            e.scheduled = 0
    expire_entries(x, s, row)
    if p.wanted_side != 0.0:
        enter_on_request(x, s, row)
    elif not has_entry(x, s):
        declared_entries(x, s, row)


@kernel_part
def declared_entries(x: Any, s: int, row: int) -> None:
    """Place what the strategy declares at that close; a position counts as left when all of it waits to leave."""
    p = position_of(x, s)
    long_free = p.units == 0.0 or (p.units < 0.0 and p.exit_units >= -p.units - EPSILON)
    if long_free and is_true(x.enter_long, row):
        place_entry(x, s, row, 1.0, i8(x.plan_of, 2 * s + 0))
    short_free = p.units == 0.0 or (p.units > 0.0 and p.exit_units >= p.units - EPSILON)
    if short_free and is_true(x.enter_short, row):
        place_entry(x, s, row, -1.0, i8(x.plan_of, 2 * s + 1))


@kernel_part
def place_entry(x: Any, s: int, row: int, side: float, plan_id: int) -> None:
    """Decide the size of an entry and place its order; fill it at once when the run fills at the close."""
    a = account_of(x, 0)
    p = position_of(x, s)
    rules = rules_of(x, 0)
    plan = plan_at(x, plan_id)
    c = cost_of(x, s)
    if p.closed_row >= 0 and row - p.closed_row < plan.cooldown_bars:
        count_blocked(x, r.COOLING_DOWN)
        return
    limit = limits_reached(x, row)
    if limit != r.TRADES_TODAY and a.day_trades + engaged_elsewhere(x, s, FALSE) >= rules.trades_per_day_max:
        limit = r.TRADES_TODAY  # orders of other symbols that work may all fill today
    if limit >= 0:
        count_blocked(x, limit)
        return
    if engaged_elsewhere(x, s, TRUE) >= rules.open_positions_max:
        count_blocked(x, r.OPEN_POSITIONS)
        return
    if side < 0.0 and (
        rules.margin == 0
        or c.shortable == 0
        or c.borrow_units_max <= 0.0
        or c.borrow_units_max < c.quantity_step
    ):
        count_blocked(x, r.NOT_SHORTABLE)
        return
    slot = 0
    while slot < r.ENTRY_SLOTS and entry_number(x, s * r.ENTRY_SLOTS + slot).kind != r.NONE:
        slot += 1
    if slot == r.ENTRY_SLOTS:
        return
    reference = f8(x.close, row)
    limit_at = np.nan
    stop_at = np.nan
    if plan.entry_kind == r.STOP_ENTRY or plan.entry_kind == r.STOP_LIMIT:
        stop_at = order_price(x, s, plan_id, r.LEVEL_STOP_ENTRY, side, row, row)
        reference = stop_at
    if plan.entry_kind == r.LIMIT or plan.entry_kind == r.STOP_LIMIT:
        limit_at = order_price(x, s, plan_id, r.LEVEL_LIMIT, side, row, row)
        reference = limit_at
    if math.isnan(reference) or (plan.entry_kind == r.STOP_LIMIT and math.isnan(stop_at)):
        count_blocked(x, r.NO_RISK)
        return
    stop = np.nan
    if level_number(x, plan_id * r.LEVELS + r.LEVEL_STOP).used != 0:
        stop = level_price(
            x, s, level_number(x, plan_id * r.LEVELS + r.LEVEL_STOP), reference, np.nan, side, row, row
        )
        if math.isnan(stop) or side * (reference - stop) <= 0.0:
            count_blocked(x, r.NO_RISK)
            return
    units = np.nan
    now = (
        rules.fill_at_close != 0
        and plan.entry_kind == r.MARKET
        and plan.scheduled == 0
        and plan.tif != r.OPG
        and plan.tif != r.CLS
    )
    if not now and not (rules.size_at_fill != 0 and plan.entry_kind == r.MARKET):
        units = wanted_units(x, s, plan, side, reference, stop, row)
        if units < 0.0:
            count_blocked(x, r.NO_RISK)
            return
        if p.units == 0.0:
            units = min(units, affordable(x, s, side, reference))
        units = whole_steps(units, c.quantity_step)
        if units < EPSILON:
            count_blocked(x, r.NO_UNITS)
            return
    e = entry_number(x, s * r.ENTRY_SLOTS + slot)
    e.kind = plan.entry_kind
    e.side = side
    e.units = units
    e.limit = limit_at
    e.stop = stop_at
    e.tif = plan.tif
    due = row + 1 < i8(x.offsets, s + 1) and is_true(x.scheduled, row + 1)
    e.scheduled = 0 if due else plan.scheduled
    e.triggered = 0
    e.signal_row = row
    e.seen_row = -1
    e.plan = plan_id
    note_decision(x, s, row, side, units, stop, r.ENTRY)
    if now and p.units == 0.0:
        e.seen_row = row
        enter(x, s, slot, row, f8(x.close, row), r.AT_CLOSE, TRUE)
        expire_entries(x, s, row)


@kernel_part
def enter_on_request(x: Any, s: int, row: int) -> None:
    """Take up an entry that a decision in Python asked for, under the same checks as a declared one."""
    p = position_of(x, s)
    side = p.wanted_side
    p.wanted_side = 0.0
    if has_entry(x, s) and plan_at(x, p.wanted_plan).entry_kind == r.MARKET:
        return
    if p.units == 0.0 or (p.units * side < 0.0 and p.exit_units >= abs(p.units) - EPSILON):
        place_entry(x, s, row, side, p.wanted_plan)


@kernel_part
def engaged_elsewhere(x: Any, s: int, with_positions: bool) -> int:
    """Other symbols that may become an open position by an order that works; on request those that are one, too."""
    count = 0
    if x.symbols == 1:
        return count
    for other in range(x.symbols):
        if other == s:
            continue
        if position_of(x, other).units != 0.0:
            if with_positions:
                count += 1
        elif has_entry(x, other):
            count += 1
    return count


@kernel_part
def has_entry(x: Any, s: int) -> bool:
    """Whether an entry order of the symbol is working."""
    for slot in range(r.ENTRY_SLOTS):
        if entry_number(x, s * r.ENTRY_SLOTS + slot).kind != r.NONE:
            return True
    return False


@kernel_part
def expire_entries(x: Any, s: int, row: int) -> None:
    """Withdraw entry orders whose time in force ends with this bar."""
    p = position_of(x, s)
    for slot in range(r.ENTRY_SLOTS):
        e = entry_number(x, s * r.ENTRY_SLOTS + slot)
        if e.kind == r.NONE or e.seen_row < 0 or e.tif == r.GTC:
            continue
        if e.tif != r.DAY or is_true(x.session_ends, row):
            if p.units * e.side <= 0.0:
                count_blocked(x, r.EXPIRED)
            e.kind = r.NONE


@kernel_part
def withdraw_entries(x: Any, s: int) -> None:
    """Withdraw entry orders that were priced before an unexplained jump."""
    for slot in range(r.ENTRY_SLOTS):
        e = entry_number(x, s * r.ENTRY_SLOTS + slot)
        if e.kind != r.NONE:
            if position_of(x, s).units * e.side <= 0.0:
                count_blocked(x, r.PRICED_BEFORE_JUMP)
            e.kind = r.NONE
