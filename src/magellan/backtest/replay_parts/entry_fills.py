"""Entry fills: how an order to enter fills, and how the position that it makes is protected."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from magellan.backtest import records as r
from magellan.backtest.replay_parts.booking import book, start_day, volume_left, worse
from magellan.backtest.replay_parts.fill_rules import (
    EPSILON,
    FALSE,
    TRUE,
    limit_price,
    stop_price,
    whole_steps,
)
from magellan.backtest.replay_parts.prices import (
    level_price,
    order_price,
    resting_stop,
    stop_in_force,
    trail_distance,
)
from magellan.backtest.replay_parts.sizing import affordable, wanted_units
from magellan.backtest.run_memory import (
    account_of,
    cost_of,
    count_blocked,
    entry_number,
    f8,
    i4,
    i8,
    level_number,
    plan_at,
    position_of,
    rules_of,
)
from magellan.compiled import kernel_part


@kernel_part
def entries_on_bar(x: Any, s: int, row: int, opening: bool) -> None:
    """Fill the symbol's working entry orders from this bar: at its open, or inside it."""
    p = position_of(x, s)
    rules = rules_of(x, 0)
    through = rules.limit_needs_through != 0
    for slot in range(r.ENTRY_SLOTS):
        e = entry_number(x, s * r.ENTRY_SLOTS + slot)
        if e.kind == r.NONE:
            continue
        if opening:
            reprice(x, s, slot, row)
        if e.tif == r.CLS:
            continue
        if p.units * e.side < 0.0:
            continue  # the position on the other side has not been left yet (its volume was short)
        if e.seen_row < 0:
            if e.scheduled != 0 or (e.tif == r.OPG and not begins_day(x, s, row)):
                continue
            e.seen_row = row
        if e.tif == r.OPG and not opening:
            continue
        if e.kind == r.MARKET:
            if opening:
                enter(x, s, slot, row, f8(x.open, row), r.AT_OPEN, TRUE)
            if p.units != 0.0 and e.kind == r.NONE:
                return
            continue
        o, h, low = f8(x.open, row), f8(x.high, row), f8(x.low, row)
        if e.kind == r.LIMIT:
            price, at_open = limit_price(e.side, e.limit, o, h, low, FALSE, through)
            if not math.isnan(price) and at_open == opening:
                enter(x, s, slot, row, price, r.AT_OPEN if at_open else r.ON_THE_WAY_DOWN, FALSE)
        elif e.kind == r.STOP_ENTRY:
            price, at_open = stop_price(e.side, resting_stop(x, s, e.side, e.stop), o, h, low, FALSE)
            if e.triggered != 0:
                if opening:
                    enter(x, s, slot, row, o, r.AT_OPEN, TRUE)
            elif not math.isnan(price) and at_open == opening:
                e.triggered = 1
                enter(x, s, slot, row, price, r.AT_OPEN if at_open else r.BREAKOUT, TRUE)
        elif e.triggered == 0:
            price, at_open = stop_price(e.side, resting_stop(x, s, e.side, e.stop), o, h, low, FALSE)
            if not math.isnan(price) and at_open == opening:
                e.triggered = 1
                if e.side * (price - e.limit) <= 0.0:
                    enter(x, s, slot, row, price, r.AT_OPEN if at_open else r.BREAKOUT, TRUE)
                elif opening and e.tif != r.OPG:
                    # Triggered by the opening and beyond the limit: does the bar come back to it later?
                    back, _ = limit_price(e.side, e.limit, o, h, low, TRUE, through)
                    if not math.isnan(back):
                        enter(x, s, slot, row, back, r.ON_THE_WAY_DOWN, FALSE)
        else:
            price, at_open = limit_price(e.side, e.limit, o, h, low, FALSE, through)
            if not math.isnan(price) and at_open == opening:
                enter(x, s, slot, row, price, r.AT_OPEN if at_open else r.ON_THE_WAY_DOWN, FALSE)
        if p.units != 0.0 and e.kind == r.NONE:
            return


@kernel_part
def fill_at_session_close(x: Any, s: int, slot: int, row: int) -> None:
    """Fill an order for the session's close from the last price of the session, where its own prices allow."""
    e = entry_number(x, s * r.ENTRY_SLOTS + slot)
    if position_of(x, s).units * e.side < 0.0:
        return
    close = f8(x.close, row)
    e.seen_row = row
    stop = resting_stop(x, s, e.side, e.stop)
    if (e.kind == r.STOP_ENTRY or e.kind == r.STOP_LIMIT) and e.side * (close - stop) < 0.0:
        return
    if (e.kind == r.LIMIT or e.kind == r.STOP_LIMIT) and e.side * (close - e.limit) > 0.0:
        return
    enter(x, s, slot, row, close, r.AT_CLOSE, e.kind != r.LIMIT)


@kernel_part
def enter(x: Any, s: int, slot: int, row: int, price: float, mode: int, slips: bool) -> None:
    """Fill an entry order, or as much of it as money and volume allow, and set up its position."""
    a = account_of(x, 0)
    p = position_of(x, s)
    e = entry_number(x, s * r.ENTRY_SLOTS + slot)
    plan = plan_at(x, e.plan)
    c = cost_of(x, s)
    side = e.side
    step = c.quantity_step
    held = p.units
    left = e.units
    room = volume_left(x, s, row)
    if math.isnan(left):
        at = entry_paid(x, s, slot, row, 0.0, price, slips)
        stop = np.nan
        lv = level_number(x, e.plan * r.LEVELS + r.LEVEL_STOP)
        if lv.used != 0:
            stop = level_price(x, s, lv, at, np.nan, side, e.signal_row, row)
        units = wanted_units(x, s, plan, side, at, stop, e.signal_row)
        if units < 0.0:
            count_blocked(x, r.NO_RISK)
            e.kind = r.NONE
            return
        left = whole_steps(units, step)
    paid = entry_paid(x, s, slot, row, min(left, room), price, slips)
    # Money reduces the order for good; volume leaves the rest of it working.
    left = whole_steps(min(left, affordable(x, s, side, paid)), step)
    e.units = left
    if left < EPSILON:
        if held * side <= 0.0:
            count_blocked(x, r.NO_UNITS)
        e.kind = r.NONE
        return
    if e.tif == r.FOK and room < left - EPSILON:
        count_blocked(x, r.EXPIRED)
        e.kind = r.NONE
        return
    units = min(left, room)
    if units <= 0.0:
        return
    if c.impact > 0.0:
        paid = entry_paid(x, s, slot, row, units, price, slips)
    start_day(x, row)
    if held == 0.0:
        if rules_of(x, 0).count_trades_at_exit == 0:
            a.day_trades += 1
        a.open_positions += 1
        p.trade = a.trades
        a.trades += 1
        p.entered = 0.0
        p.plan = e.plan
        p.signal_row = e.signal_row
        p.entry_row = row
        p.mode = mode
        p.targets_done = 0
        p.target_row = -1
        for k in range(r.TARGETS):
            p.target_left[k] = 0.0
        p.exit_units = 0.0
        p.mark = row
        p.financed_day = np.int64(i4(x.day, row)) if x.days else 0
    book(x, s, row, side * units, paid, price, r.ENTRY, mode == r.AT_CLOSE)
    if held == 0.0:
        p.came_in = price
        p.entry_price = paid  # to the last bit: a target or stop at the entry price must tie with it
    else:
        p.entry_price = (p.entry_price * abs(held) + paid * units) / (abs(held) + units)
    p.units = held + side * units
    entered = p.entered + units
    p.entered = entered
    if entered == units:
        protect(x, s, row, side)
    left -= units
    e.units = left
    if left < EPSILON:
        e.kind = r.NONE
    # Entry orders of one symbol cancel each other: the first to fill is the trade.
    for other in range(r.ENTRY_SLOTS):
        if other != slot:
            entry_number(x, s * r.ENTRY_SLOTS + other).kind = r.NONE


@kernel_part
def entry_paid(x: Any, s: int, slot: int, row: int, units: float, price: float, slips: bool) -> float:
    """What an entry of so many units pays; a stop-limit order never more than its limit."""
    e = entry_number(x, s * r.ENTRY_SLOTS + slot)
    if not slips:
        return price
    paid = worse(x, s, row, e.side, units, price)
    if e.kind == r.STOP_LIMIT:
        paid = min(paid, e.limit) if e.side > 0.0 else max(paid, e.limit)
    return paid


@kernel_part
def protect(x: Any, s: int, row: int, side: float) -> None:
    """Put the plan's first stop and trailing stop of a position that has just been entered."""
    p = position_of(x, s)
    plan = plan_at(x, p.plan)
    lv = level_number(x, p.plan * r.LEVELS + r.LEVEL_STOP)
    p.stop = np.nan
    p.stop_moves = 0
    p.next_stop = 0
    if lv.used != 0:
        p.stop = level_price(x, s, lv, p.entry_price, np.nan, side, p.signal_row, row)
        p.stop_moves = r.LEVEL_STOP + 1 if lv.reading != r.READ_SIGNAL and lv.column >= 0 else 0
    p.best = p.entry_price
    p.trail = np.nan
    if plan.trail_kind != r.TRAIL_NONE:
        p.trail = p.best - side * trail_distance(x, s, p.signal_row, row)
    stop = stop_in_force(p)
    p.risk = abs(p.entry_price - stop)


@kernel_part
def begins_day(x: Any, s: int, row: int) -> bool:
    """Whether the row is the symbol's first of its session date."""
    return x.days == 0 or row == i8(x.offsets, s) or np.int64(i4(x.day, row - 1)) != np.int64(i4(x.day, row))


@kernel_part
def reprice(x: Any, s: int, slot: int, row: int) -> None:
    """Move the prices of an order that follow a column; without a value they stay where they were."""
    e = entry_number(x, s * r.ENTRY_SLOTS + slot)
    if e.kind == r.MARKET:
        return
    if e.kind != r.STOP_ENTRY and level_number(x, e.plan * r.LEVELS + r.LEVEL_LIMIT).reading != r.READ_SIGNAL:
        limit = order_price(x, s, e.plan, r.LEVEL_LIMIT, e.side, e.signal_row, row)
        if not math.isnan(limit):
            e.limit = limit
    if e.kind != r.LIMIT and level_number(x, e.plan * r.LEVELS + r.LEVEL_STOP_ENTRY).reading != r.READ_SIGNAL:
        stop = order_price(x, s, e.plan, r.LEVEL_STOP_ENTRY, e.side, e.signal_row, row)
        if not math.isnan(stop):
            e.stop = stop
