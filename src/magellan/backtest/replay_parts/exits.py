"""Exits: how a position is left: at the open, inside the bar, at its close."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from magellan.backtest import records as r
from magellan.backtest.replay_parts.booking import book, note_decision, start_day, volume_left, worse
from magellan.backtest.replay_parts.fill_rules import (
    EPSILON,
    FALSE,
    TRUE,
    limit_price,
    on_tick,
    stop_price,
    whole_steps,
)
from magellan.backtest.replay_parts.prices import (
    equity,
    gross_exposure,
    level_price,
    resting_stop,
    stop_in_force,
    stop_reason,
    trail_distance,
)
from magellan.backtest.replay_parts.rows import is_true, opened_ns
from magellan.backtest.run_memory import (
    account_of,
    cost_of,
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
def exits_at_open(x: Any, s: int, row: int) -> None:
    """Exits that the bar's first price brings about."""
    p = position_of(x, s)
    rules = rules_of(x, 0)
    read_stop(x, s, row)
    if p.exit_units > 0.0:
        p.exit_units -= leave(x, s, row, p.exit_units, f8(x.open, row), p.exit_reason, FALSE, TRUE)
        if p.units == 0.0:
            p.exit_units = 0.0
            return
        if p.exit_units >= abs(p.units) - EPSILON:
            return
    side = -1.0 if p.units > 0.0 else 1.0
    stop = resting_stop(x, s, side, stop_in_force(p))
    if not math.isnan(stop):
        price, at_open = stop_price(
            side, stop, f8(x.open, row), f8(x.high, row), f8(x.low, row), rules.stop_fills_at_level != 0
        )
        if at_open:
            give_up(x, s, row, price)
            return
    if rules.limit_fills_at_level == 0:
        try_targets(x, s, row, TRUE)


@kernel_part
def exits_inside(x: Any, s: int, row: int) -> None:
    """Exits that the bar's range brings about. A bar that reaches stop and target is taken to reach the stop first."""
    p = position_of(x, s)
    if p.exit_units >= abs(p.units) - EPSILON and p.exit_units > 0.0:
        return
    side = -1.0 if p.units > 0.0 else 1.0
    stop = resting_stop(x, s, side, stop_in_force(p))
    if not math.isnan(stop):
        price, _ = stop_price(side, stop, f8(x.open, row), f8(x.high, row), f8(x.low, row), TRUE)
        if not math.isnan(price):
            if p.entry_row == row:
                # Entered beyond its own stop: it leaves where the market was then, not at a better price.
                price = min(price, p.came_in) if side < 0.0 else max(price, p.came_in)
            give_up(x, s, row, price)
            return
    try_targets(x, s, row, FALSE)


@kernel_part
def exits_at_close(x: Any, s: int, row: int) -> None:
    """Exits decided at the bar's close: session end, holding time, the strategy's rule, a margin call."""
    p = position_of(x, s)
    rules = rules_of(x, 0)
    plan = plan_at(x, p.plan)
    follow(x, s, row)
    if plan.session_exit != 0 and is_true(x.session_exit, row):
        ask_to_leave(x, s, row, 1.0, r.SESSION_END, TRUE)
        return
    if (plan.hold_ns > 0 and i8(x.times, row) + rules.span_ns - opened_ns(x, p) >= plan.hold_ns) or (
        plan.hold_bars > 0 and row - p.entry_row >= plan.hold_bars
    ):
        ask_to_leave(x, s, row, 1.0, r.TIME, TRUE)
        return
    rule = is_true(x.exit_long, row) if p.units > 0.0 else is_true(x.exit_short, row)
    if rule:
        ask_to_leave(x, s, row, 1.0, r.EXIT_RULE, rules.fill_at_close != 0)
        return
    if rules.margin != 0 and rules.maintenance > 0.0:
        if equity(x) < rules.maintenance * gross_exposure(x):
            ask_to_leave(x, s, row, 1.0, r.MARGIN_CALL, FALSE)


@kernel_part
def leave(
    x: Any, s: int, row: int, wanted: float, price: float, reason: int, at_close: bool, slips: bool
) -> float:
    """Close `wanted` (> 0) units of the position, as far as volume allows. Returns the units closed."""
    a = account_of(x, 0)
    p = position_of(x, s)
    held = p.units
    units = min(min(wanted, abs(held)), volume_left(x, s, row))
    if units <= 0.0:
        return 0.0
    start_day(x, row)
    side = -1.0 if held > 0.0 else 1.0
    paid = worse(x, s, row, side, units, price) if slips else price
    a.day_pnl += -side * (paid - p.entry_price) * units * cost_of(x, s).point_value
    book(x, s, row, side * units, paid, price, reason, at_close)
    withdraw_rest(x, s)
    held += side * units
    p.units = held
    if abs(held) < EPSILON:
        p.units = 0.0
        p.entry_price = np.nan
        p.stop = np.nan
        p.trail = np.nan
        p.exit_units = 0.0
        p.closed_row = row
        a.open_positions -= 1
        if rules_of(x, 0).count_trades_at_exit != 0 and (reason < r.TARGET or reason >= r.BORROW_FEE):
            a.day_trades += 1
    return units


@kernel_part
def withdraw_rest(x: Any, s: int) -> None:
    """A trade that has begun to leave does not go on entering: what volume left of its entry is withdrawn."""
    p = position_of(x, s)
    for slot in range(r.ENTRY_SLOTS):
        e = entry_number(x, s * r.ENTRY_SLOTS + slot)
        if e.kind != r.NONE and e.side * p.units > 0.0:
            e.kind = r.NONE


@kernel_part
def give_up(x: Any, s: int, row: int, price: float) -> None:
    """The stop is hit: leave with everything; what volume does not allow now goes at the next opens."""
    p = position_of(x, s)
    reason = stop_reason(p)
    wanted = abs(p.units)
    withdraw_rest(x, s)
    filled = leave(x, s, row, wanted, price, reason, FALSE, TRUE)
    if p.units != 0.0:
        p.exit_units = wanted - filled
        p.exit_reason = reason


@kernel_part
def read_stop(x: Any, s: int, row: int) -> None:
    """Bring the stop up to this bar: to where a target moved it, or to where its column has gone.

    A column without a value leaves the stop where it was: a gap in the data must not take a protection away.
    """
    p = position_of(x, s)
    slot = p.stop_moves - 1
    if p.next_stop != 0:
        slot = p.next_stop - 1
        lv = level_number(x, p.plan * r.LEVELS + slot)
        p.stop_moves = slot + 1 if lv.reading != r.READ_SIGNAL and lv.column >= 0 else 0
        p.next_stop = 0
    if slot >= 0:
        side = 1.0 if p.units > 0.0 else -1.0
        lv = level_number(x, p.plan * r.LEVELS + slot)
        level = level_price(x, s, lv, p.entry_price, p.risk, side, p.signal_row, row)
        if not math.isnan(level):
            p.stop = level


@kernel_part
def follow(x: Any, s: int, row: int) -> None:
    """Raise the trailing stop by what the closed bar showed; it is in force from the next bar on."""
    p = position_of(x, s)
    if plan_at(x, p.plan).trail_kind == r.TRAIL_NONE:
        return
    side = 1.0 if p.units > 0.0 else -1.0
    seen = f8(x.high, row) if side > 0.0 else f8(x.low, row)
    if p.entry_row == row and p.mode != r.AT_OPEN:
        seen = f8(x.close, row)
    p.best = max(p.best, seen) if side > 0.0 else min(p.best, seen)
    level = p.best - side * trail_distance(x, s, row, row)
    if math.isnan(p.trail) or side * (level - p.trail) > 0.0:
        p.trail = level


@kernel_part
def try_targets(x: Any, s: int, row: int, opening: bool) -> None:
    """Fill the plan's targets that this bar reaches, in their order."""
    p = position_of(x, s)
    plan = plan_at(x, p.plan)
    rules = rules_of(x, 0)
    side = -1.0 if p.units > 0.0 else 1.0
    for k in range(plan.targets):
        if p.units == 0.0:
            return
        if p.targets_done & (1 << k) != 0 or (plan.later_bar[k] != 0 and p.target_row == row):
            continue
        lv = level_number(x, p.plan * r.LEVELS + r.LEVEL_TARGETS + 2 * k)
        level = level_price(x, s, lv, p.entry_price, p.risk, -side, p.signal_row, row)
        level = on_tick(-side, level, cost_of(x, s).tick_size)
        # Inside the bar its open has passed, unless it is the open at which we entered.
        passed = not opening and (p.entry_row < row or p.mode != r.AT_OPEN)
        price, at_open = limit_price(
            side,
            level,
            f8(x.open, row),
            f8(x.high, row),
            f8(x.low, row),
            passed or rules.limit_fills_at_level != 0,
            rules.limit_needs_through != 0,
        )
        if math.isnan(price) or (opening and not at_open):
            continue
        if not opening and p.entry_row == row and p.mode == r.ON_THE_WAY_DOWN:
            # The bar's best price may have come before the entry; only its close surely came after.
            if (side < 0.0 and f8(x.close, row) < level) or (side > 0.0 and f8(x.close, row) > level):
                continue
        if p.target_left[k] > 0.0:
            wanted = min(abs(p.units), p.target_left[k])
        elif plan.fraction[k] >= 1.0:
            wanted = abs(p.units)
        else:
            wanted = min(abs(p.units), whole_steps(plan.fraction[k] * p.entered, cost_of(x, s).quantity_step))
        filled = leave(x, s, row, wanted, price, r.TARGET + k, FALSE, FALSE)
        if filled < wanted - EPSILON:
            if filled > 0.0:
                p.target_left[k] = wanted - filled
            return
        p.target_row = row
        finish_target(x, s, k)


@kernel_part
def finish_target(x: Any, s: int, k: int) -> None:
    """Target k has sold its share; the stop moves where the plan says, from the next bar on."""
    p = position_of(x, s)
    p.target_left[k] = 0.0
    p.targets_done |= 1 << k
    then = level_number(x, p.plan * r.LEVELS + r.LEVEL_TARGETS + 2 * k + 1)
    if then.used != 0 and p.units != 0.0:
        p.next_stop = r.LEVEL_TARGETS + 2 * k + 2


@kernel_part
def ask_to_leave(x: Any, s: int, row: int, fraction: float, reason: int, at_close: bool) -> None:
    """Sell (or cover) a fraction of the units held: now at the close, or at the next open."""
    p = position_of(x, s)
    units = abs(p.units)
    if fraction < 1.0:
        units = whole_steps(fraction * units, cost_of(x, s).quantity_step)
    if units <= 0.0 or p.exit_units >= abs(p.units) - EPSILON:
        return
    note_decision(x, s, row, 0.0, units, np.nan, reason)
    withdraw_rest(x, s)
    if at_close:
        units -= leave(x, s, row, units, f8(x.close, row), reason, TRUE, TRUE)
    if p.units != 0.0:
        p.exit_units = max(p.exit_units, units)
        p.exit_reason = reason
