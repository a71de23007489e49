"""Prices: what a plan's levels, stops and trailing stops come to on a bar, and what everything is worth now."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from magellan.backtest import records as r
from magellan.backtest.replay_parts.fill_rules import on_tick
from magellan.backtest.replay_parts.rows import row_at
from magellan.backtest.run_memory import account_of, cost_of, f8, i8, level_number, plan_at, position_of
from magellan.compiled import kernel_part


@kernel_part
def shares_since(x: Any, s: int, since: int, now: int) -> float:
    """Shares that one share of row `since` has become by row `now`: the splits in between."""
    factor = 1.0
    near = position_of(x, s).action
    at = near - 1
    while at >= i8(x.action_offsets, s) and i8(x.action_rows, at) > since:
        if i8(x.action_rows, at) <= now:
            factor *= f8(x.share_factors, at)
        at -= 1
    at = near
    while at < i8(x.action_offsets, s + 1) and i8(x.action_rows, at) <= now:
        if i8(x.action_rows, at) > since:
            factor *= f8(x.share_factors, at)
        at += 1
    return factor


@kernel_part
def level_price(
    x: Any, s: int, lv: Any, entry: float, risk: float, side: float, signal_row: int, row: int
) -> float:
    """A plan's price level as it stands for a bar, on that bar's share basis. NaN where its column has no value."""
    if lv.column == -1:
        base = entry
    elif lv.column == -2:
        base = lv.usd / shares_since(x, s, signal_row, row)
    else:
        at = signal_row
        if lv.reading == r.READ_PRIOR:
            at = max(row - 1 + account_of(x, 0).bar_closed, signal_row)  # the newest bar that has closed
        elif lv.reading == r.READ_SAME:
            at = row
        base = f8(x.columns, lv.column * x.rows + at)
        if at < row:
            base /= shares_since(x, s, at, row)
    if lv.part_way != 1.0:
        base = entry + lv.part_way * (base - entry)
    if lv.plus_fraction != 0.0 or lv.plus_usd != 0.0:
        base += side * (base * lv.plus_fraction + lv.plus_usd / shares_since(x, s, signal_row, row))
    if lv.plus_risk != 0.0:
        base += side * lv.plus_risk * risk
    return base


@kernel_part
def order_price(x: Any, s: int, plan_id: int, slot: int, side: float, signal_row: int, row: int) -> float:
    """Limit or stop of an entry order for a bar; where it speaks of the entry price, the signal's close stands in."""
    lv = level_number(x, plan_id * r.LEVELS + slot)
    close = f8(x.close, signal_row) / shares_since(x, s, signal_row, row)
    level = level_price(x, s, lv, close, np.nan, side, signal_row, row)
    if slot == r.LEVEL_LIMIT:
        return on_tick(-side, level, cost_of(x, s).tick_size)
    return level


@kernel_part
def trail_distance(x: Any, s: int, known_row: int, row: int) -> float:
    """How far the trailing stop lies behind the best price, by what was known at the close of `known_row`."""
    p = position_of(x, s)
    plan = plan_at(x, p.plan)
    if plan.trail_kind == r.TRAIL_FRACTION:
        return plan.trail_value * p.best
    if plan.trail_kind == r.TRAIL_USD:
        return plan.trail_value / shares_since(x, s, p.signal_row, row)
    return (
        plan.trail_value
        * f8(x.columns, plan.trail_column * x.rows + known_row)
        / shares_since(x, s, known_row, row)
    )


@kernel_part
def stop_in_force(p: Any) -> float:
    """The tighter of stop and trailing stop; NaN when there is neither."""
    if math.isnan(p.trail):
        return p.stop
    if math.isnan(p.stop):
        return p.trail
    return max(p.stop, p.trail) if p.units > 0.0 else min(p.stop, p.trail)


@kernel_part
def resting_stop(x: Any, s: int, side: float, stop: float) -> float:
    """A stop as it can rest at a broker: on the tick, a sale's below what was meant and a buy's above."""
    return on_tick(side, stop, cost_of(x, s).tick_size)


@kernel_part
def stop_reason(p: Any) -> int:
    """Which of the two stops is the one in force."""
    if math.isnan(p.stop) or (p.units > 0.0 and p.trail > p.stop) or (p.units < 0.0 and p.trail < p.stop):
        return r.TRAILING
    return r.STOP


@kernel_part
def price_now(x: Any, s: int) -> float:
    """The newest price of the symbol that is known now: of a bar that has just opened its open, else a close."""
    a = account_of(x, 0)
    p = position_of(x, s)
    row = p.next
    opens_now = True
    if x.symbols > 1:
        row = row_at(x, p.mark, i8(x.offsets, s + 1), a.now_ns + 1) - 1
        p.mark = row
        opens_now = i8(x.times, row) == a.now_ns
    if a.bar_closed == 0 and opens_now:
        return f8(x.open, row)
    return f8(x.close, row)


@kernel_part
def equity(x: Any) -> float:
    """Cash plus every position at the newest price that is known now."""
    a = account_of(x, 0)
    total = a.cash
    if a.open_positions == 0:
        return total
    for s in range(x.symbols):
        p = position_of(x, s)
        if p.units != 0.0:
            total += p.units * price_now(x, s) * cost_of(x, s).point_value
    return total


@kernel_part
def gross_exposure(x: Any) -> float:
    """Market value of all positions without their signs, at the newest known prices."""
    total = 0.0
    for s in range(x.symbols):
        p = position_of(x, s)
        if p.units != 0.0:
            total += abs(p.units * price_now(x, s)) * cost_of(x, s).point_value
    return total
