"""Replay kernel: what one instant does to orders, positions and cash. Compiled once, cached on disk, shared by all.

The strategy never enters compiled code. Its features and conditions arrive as columns and truth values; where a
decision is plain Python, the kernel stops at the bar in question (`WAKE`), and goes on when it is called again.
Between two events it jumps: a flat symbol is not looked at before its next entry bar, a position that only a rule
can close not before the next bar on which the rule holds.

The order of events within one instant, over all symbols (docs/assumptions.md, "One bar, step by step"):

  1  refusal of an unexplained jump while a position is held; borrow fees, dividends and splits
  2  the open: exits, then entries
  3  inside the bar: entries, then stops, then targets
  4  the close: exits of every symbol, then entries decided symbol by symbol
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from magellan.backtest import fill_model
from magellan.backtest import records as r
from magellan.backtest.run_memory import (
    account_of,
    ask_for,
    cost_of,
    count_blocked,
    decision_at,
    entry_number,
    f8,
    fill_at,
    i4,
    i8,
    level_number,
    plan_at,
    position_of,
    rules_of,
    u8,
    zeros_below,
)
from magellan.compiled import kernel, kernel_part

FAR: Any = np.int64(2**62)
# Not literals: Numba compiles a function anew for every literal truth value that it is called with.
TRUE: Any = np.bool_(True)
FALSE: Any = np.bool_(False)
_EPSILON = 1e-9
IN_CACHE = 200_000  # so few bars are at hand; of more, those that will be needed are asked for beforehand

stop_price = kernel_part(fill_model.stop_price)
limit_price = kernel_part(fill_model.limit_price)
slipped = kernel_part(fill_model.slipped)
on_tick = kernel_part(fill_model.on_tick)
whole_steps = kernel_part(fill_model.whole_steps)
commission = kernel_part(fill_model.commission)


@kernel_part
def next_true(mask: int, row: int, end: int) -> int:
    """The first row in [row, end) at which the mask holds, else `end`."""
    if mask == 0 or row >= end:
        return end
    at = row >> 3
    word = u8(mask, at) >> np.uint64((row & 7) << 3)
    while word == np.uint64(0):
        at += 1
        row = at << 3
        if row >= end:
            return end
        word = u8(mask, at)
    return min(row + (zeros_below(word) >> 3), end)


@kernel_part
def is_true(mask: int, row: int) -> bool:
    """Whether the mask holds at that row."""
    if mask == 0:
        return False
    return (u8(mask, row >> 3) >> np.uint64((row & 7) << 3)) & np.uint64(255) != np.uint64(0)


@kernel_part
def row_at(x: Any, first: int, end: int, instant_ns: int) -> int:
    """The first row in [first, end) that opens at or after the instant, else `end`; fast when it is near."""
    step = 1
    low = first
    while low + step < end and i8(x.times, low + step) < instant_ns:
        low += step
        step <<= 1
    high = min(end, low + step + 1)
    while low < high:
        middle = (low + high) >> 1
        if i8(x.times, middle) < instant_ns:
            low = middle + 1
        else:
            high = middle
    return low


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
def price_now(x: Any, s: int) -> float:
    """The newest price of the symbol that is known now: of a bar that has just opened its open, else a close."""
    a = account_of(x, 0)
    p = position_of(x, s)
    row = row_at(x, p.mark, i8(x.offsets, s + 1), a.now_ns + 1) - 1
    p.mark = row
    if a.bar_closed == 0 and i8(x.times, row) == a.now_ns:
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
    fee = 0.0
    if reason != r.CASH_IN_LIEU:
        fee = commission(
            units, price, c.commission_per_unit, c.commission_rate, c.commission_min, c.point_value
        )
    amount = -(units * price * c.point_value + fee)
    a.cash += amount
    a.day_pnl -= fee
    if p.taken_row != row:
        p.taken_row = row
        p.taken = 0.0
    if reason != r.CASH_IN_LIEU:
        p.taken += abs(units)
    f = fill_at(x, a.fills)
    f.row = row
    f.symbol = s
    f.trade = p.trade
    f.reason = reason
    f.at_close = 1 if at_close else 0
    f.units = units
    f.price = price
    f.commission = fee
    f.slippage = abs(price - unslipped) * abs(units) * c.point_value
    f.amount = amount
    f.cash_after = a.cash
    a.fills += 1


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
def leave(
    x: Any, s: int, row: int, wanted: float, price: float, reason: int, at_close: bool, slips: bool
) -> float:
    """Close `wanted` (> 0) units of the position, as far as volume allows. Returns the units closed."""
    a = account_of(x, 0)
    p = position_of(x, s)
    units = min(min(wanted, abs(p.units)), volume_left(x, s, row))
    if units <= 0.0:
        return 0.0
    start_day(x, row)
    side = -1.0 if p.units > 0.0 else 1.0
    paid = worse(x, s, row, side, units, price) if slips else price
    a.day_pnl += -side * (paid - p.entry_price) * units * cost_of(x, s).point_value
    book(x, s, row, side * units, paid, price, reason, at_close)
    withdraw_rest(x, s)
    p.units += side * units
    if abs(p.units) < _EPSILON:
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
        if filled < wanted - _EPSILON:
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
        if p.exit_units >= abs(p.units) - _EPSILON:
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
def exits_inside(x: Any, s: int, row: int) -> None:
    """Exits that the bar's range brings about. A bar that reaches stop and target is taken to reach the stop first."""
    p = position_of(x, s)
    if p.exit_units >= abs(p.units) - _EPSILON and p.exit_units > 0.0:
        return
    side = -1.0 if p.units > 0.0 else 1.0
    stop = resting_stop(x, s, side, stop_in_force(p))
    if not math.isnan(stop):
        price, _ = stop_price(side, stop, f8(x.open, row), f8(x.high, row), f8(x.low, row), TRUE)
        if not math.isnan(price):
            if p.entry_row == row:
                # Entered beyond its own stop: it leaves where it came in, not at a better price.
                came_in = f8(x.open, row) if p.mode == r.AT_OPEN else p.entry_price
                price = min(price, came_in) if side < 0.0 else max(price, came_in)
            give_up(x, s, row, price)
            return
    try_targets(x, s, row, FALSE)


@kernel_part
def bought_with(x: Any, s: int, money: float, price: float) -> float:
    """Units that so much money pays for at that price, commission included; not rounded."""
    c = cost_of(x, s)
    if money <= 0.0 or price <= 0.0:
        return 0.0
    each = price * c.point_value
    units = money / (each * (1.0 + c.commission_rate) + c.commission_per_unit)
    if (
        c.commission_min > 0.0
        and units * (each * c.commission_rate + c.commission_per_unit) < c.commission_min
    ):
        units = max(0.0, money - c.commission_min) / each
    return units


@kernel_part
def affordable(x: Any, s: int, side: float, price: float) -> float:
    """Units that may be added at that price: by cash or margin, by what can be borrowed, by the position's limit."""
    rules = rules_of(x, 0)
    c = cost_of(x, s)
    if side < 0.0 and (rules.margin == 0 or c.shortable == 0):
        return 0.0
    power = account_of(x, 0).cash
    if rules.margin != 0:
        power = rules.leverage * equity(x) - gross_exposure(x)
    units = bought_with(x, s, power, price)
    p = position_of(x, s)
    held = abs(p.units) if p.units * side > 0.0 else 0.0
    if side < 0.0:
        units = min(units, max(0.0, c.borrow_units_max - held))
    if price > 0.0 and rules.position_usd_max < np.inf:
        units = min(units, max(0.0, rules.position_usd_max / (price * c.point_value) - held))
    return units


@kernel_part
def wanted_units(x: Any, s: int, plan: Any, side: float, price: float, stop: float, signal_row: int) -> float:
    """Units that the plan's size rule asks for at that price, before rounding; negative where its stop makes none."""
    a = account_of(x, 0)
    c = cost_of(x, s)
    each = abs(price) * c.point_value
    value = plan.size_value
    if plan.size_column >= 0:
        value = f8(x.columns, plan.size_column * x.rows + signal_row)
    if plan.size_kind == r.SIZE_UNITS:
        units = value
    elif plan.size_kind == r.SIZE_NOTIONAL:
        units = value / each
    elif plan.size_kind == r.SIZE_CASH:
        units = bought_with(x, s, value * a.cash, abs(price))
    elif plan.size_kind == r.SIZE_EQUITY:
        units = value * equity(x) / each
    else:
        risk = side * (price - stop) * c.point_value
        if not risk > 0.0:
            return -1.0
        units = value * equity(x) / risk
    if not units > 0.0 or price <= 0.0:
        return 0.0  # also where the size is not known
    return min(units, min(plan.notional_max, rules_of(x, 0).position_usd_max) / each)


@kernel_part
def enter(x: Any, s: int, slot: int, row: int, price: float, mode: int, slips: bool) -> None:
    """Fill an entry order, or as much of it as money and volume allow, and set up its position."""
    a = account_of(x, 0)
    p = position_of(x, s)
    e = entry_number(x, s * r.ENTRY_SLOTS + slot)
    plan = plan_at(x, e.plan)
    c = cost_of(x, s)
    side = e.side
    room = volume_left(x, s, row)
    if math.isnan(e.units):
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
        e.units = whole_steps(units, c.quantity_step)
    paid = entry_paid(x, s, slot, row, min(e.units, room), price, slips)
    # Money reduces the order for good; volume leaves the rest of it working.
    e.units = whole_steps(min(e.units, affordable(x, s, side, paid)), c.quantity_step)
    if e.units < _EPSILON:
        if p.units * side <= 0.0:
            count_blocked(x, r.NO_UNITS)
        e.kind = r.NONE
        return
    if e.tif == r.FOK and room < e.units - _EPSILON:
        count_blocked(x, r.EXPIRED)
        e.kind = r.NONE
        return
    units = min(e.units, room)
    if units <= 0.0:
        return
    paid = entry_paid(x, s, slot, row, units, price, slips)
    start_day(x, row)
    if p.units == 0.0:
        if rules_of(x, 0).count_trades_at_exit == 0:
            a.day_trades += 1
        a.open_positions += 1
        p.trade = a.trades
        a.trades += 1
        p.entered = 0.0
        p.entry_price = 0.0
        p.plan = e.plan
        p.signal_row = e.signal_row
        p.entry_row = row
        p.mode = mode
        p.opened_ns = i8(x.times, row) + (rules_of(x, 0).span_ns if mode == r.AT_CLOSE else 0)
        p.targets_done = 0
        p.target_row = -1
        for k in range(r.TARGETS):
            p.target_left[k] = 0.0
        p.exit_units = 0.0
        p.mark = row
        p.financed_day = np.int64(i4(x.day, row)) if x.days else 0
    book(x, s, row, side * units, paid, price, r.ENTRY, mode == r.AT_CLOSE)
    if p.units == 0.0:
        p.entry_price = paid  # to the last bit: a target or stop at the entry price must tie with it
    else:
        p.entry_price = (p.entry_price * abs(p.units) + paid * units) / (abs(p.units) + units)
    p.units += side * units
    p.entered += units
    if p.entered == units:
        protect(x, s, row, side)
    e.units -= units
    if e.units < _EPSILON:
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
def withdraw_entries(x: Any, s: int) -> None:
    """Withdraw entry orders that were priced before an unexplained jump."""
    for slot in range(r.ENTRY_SLOTS):
        e = entry_number(x, s * r.ENTRY_SLOTS + slot)
        if e.kind != r.NONE:
            if position_of(x, s).units * e.side <= 0.0:
                count_blocked(x, r.PRICED_BEFORE_JUMP)
            e.kind = r.NONE


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
            if fraction > _EPSILON:
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


@kernel_part
def note_decision(x: Any, s: int, row: int, side: float, units: float, stop: float, reason: int) -> None:
    """Keep what was decided on that bar."""
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
def ask_to_leave(x: Any, s: int, row: int, fraction: float, reason: int, at_close: bool) -> None:
    """Sell (or cover) a fraction of the units held: now at the close, or at the next open."""
    p = position_of(x, s)
    units = abs(p.units)
    if fraction < 1.0:
        units = whole_steps(fraction * units, cost_of(x, s).quantity_step)
    if units <= 0.0 or p.exit_units >= abs(p.units) - _EPSILON:
        return
    note_decision(x, s, row, 0.0, units, np.nan, reason)
    withdraw_rest(x, s)
    if at_close:
        units -= leave(x, s, row, units, f8(x.close, row), reason, TRUE, TRUE)
    if p.units != 0.0:
        p.exit_units = max(p.exit_units, units)
        p.exit_reason = reason


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
    held_ns = i8(x.times, row) + rules.span_ns - p.opened_ns
    if (plan.hold_ns > 0 and held_ns >= plan.hold_ns) or (
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
        if units < _EPSILON:
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
def engaged_elsewhere(x: Any, s: int, with_positions: bool) -> int:
    """Other symbols that may become an open position by an order that works; on request those that are one, too."""
    count = 0
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
def enter_on_request(x: Any, s: int, row: int) -> None:
    """Take up an entry that a decision in Python asked for, under the same checks as a declared one."""
    p = position_of(x, s)
    side = p.wanted_side
    p.wanted_side = 0.0
    if has_entry(x, s) and plan_at(x, p.wanted_plan).entry_kind == r.MARKET:
        return
    if p.units == 0.0 or (p.units * side < 0.0 and p.exit_units >= abs(p.units) - _EPSILON):
        place_entry(x, s, row, side, p.wanted_plan)


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
        return
    if has_entry(x, s):
        return
    long_free = p.units == 0.0 or (p.units < 0.0 and p.exit_units >= -p.units - _EPSILON)
    if long_free and is_true(x.enter_long, row):
        place_entry(x, s, row, 1.0, i8(x.plan_of, 2 * s + 0))
    short_free = p.units == 0.0 or (p.units > 0.0 and p.exit_units >= p.units - _EPSILON)
    if short_free and is_true(x.enter_short, row):
        place_entry(x, s, row, -1.0, i8(x.plan_of, 2 * s + 1))


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
def next_event(x: Any, s: int, row: int) -> int:
    """The next row of the symbol after `row` at which anything can happen; its end when nothing can."""
    p = position_of(x, s)
    end = i8(x.offsets, s + 1)
    rules = rules_of(x, 0)
    after = row + 1
    if after >= end or rules.wake_everywhere != 0:
        return after
    upcoming = next_true(x.wake, after, end)
    for slot in range(r.ENTRY_SLOTS):
        e = entry_number(x, s * r.ENTRY_SLOTS + slot)
        if e.kind != r.NONE:
            if e.scheduled == 0:
                return after
            # Row x is due when the row before it has closed.
            upcoming = min(upcoming, max(after, next_true(x.scheduled, after + 1, end) - 1))
            upcoming = min(upcoming, next_true(x.breaks, after, upcoming))
            if p.action < i8(x.action_offsets, s + 1):
                upcoming = min(upcoming, max(after, i8(x.action_rows, p.action)))
    if p.units == 0.0:
        upcoming = min(upcoming, next_true(x.enter_long, after, upcoming))
        upcoming = min(upcoming, next_true(x.enter_short, after, upcoming))
        if x.rows > IN_CACHE:
            ask_for_bar(x, upcoming, end)
            ask_for_bar(x, next_true(x.exit_long, upcoming + 1, end), end)
        return upcoming
    plan = plan_at(x, p.plan)
    if (
        p.exit_units > 0.0
        or not math.isnan(p.stop)
        or p.stop_moves + p.next_stop != 0
        or plan.trail_kind != r.TRAIL_NONE
        or p.targets_done != (1 << plan.targets) - 1
        or (rules.margin != 0 and (p.units < 0.0 or rules.leverage > 1.0 or x.symbols > 1))
        or plan.hold_bars > 0
    ):
        return after
    if plan.hold_ns > 0:
        upcoming = min(upcoming, row_at(x, after, end, p.opened_ns + plan.hold_ns - rules.span_ns))
    if plan.session_exit != 0:
        upcoming = min(upcoming, next_true(x.session_exit, after, upcoming))
    if p.units > 0.0:
        upcoming = min(upcoming, next_true(x.exit_long, after, upcoming))
    else:
        upcoming = min(upcoming, next_true(x.exit_short, after, upcoming))
    if x.rows > IN_CACHE:
        ask_for_bar(x, upcoming, end)
        ask_for_bar(x, next_true(x.enter_long, upcoming + 1, end), end)
    if p.action < i8(x.action_offsets, s + 1):
        upcoming = min(upcoming, max(after, i8(x.action_rows, p.action)))
    return min(upcoming, next_true(x.breaks, after, upcoming))


@kernel_part
def ask_for_bar(x: Any, row: int, end: int) -> None:
    """Ask memory for a bar that will be needed: fetching it takes longer than working on it."""
    if row < end:
        ask_for(x.times, row)
        ask_for(x.open, row)
        ask_for(x.close, row)


@kernel
def replay(run: Any) -> int:
    """Carry the run on until it is done, or until it needs something from Python.

    Returns DONE; WAKE (decide on account.symbol at account.row, then call again); GROW (give the state more room
    for fills and decisions, then call again); BREAK (a position would be held through an unexplained jump, at
    account.row).
    """
    x = run[0]
    a = account_of(x, 0)
    rules = rules_of(x, 0)
    symbols = x.symbols
    while True:
        if a.phase == r.SEEK:
            if a.fills + 16 * symbols > x.fill_room or a.decisions + 6 * symbols > x.decision_room:
                return r.GROW
            now = FAR
            for s in range(symbols):
                row = position_of(x, s).next
                if row < i8(x.offsets, s + 1) and i8(x.times, row) < now:
                    now = i8(x.times, row)
            if now == FAR:
                return r.DONE
            a.now_ns = now
            a.bar_closed = 0
            busy = False
            for s in range(symbols):
                p = position_of(x, s)
                row = p.next
                if row >= i8(x.offsets, s + 1) or i8(x.times, row) != now:
                    continue
                if p.units == 0.0 and not has_entry(x, s):
                    continue
                busy = True
                if is_true(x.breaks, row):
                    withdraw_entries(x, s)
                    if p.units != 0.0 and rules.hold_through_breaks == 0:
                        a.symbol = s
                        a.row = row
                        return r.BREAK
            if busy:
                on_bar(x, now)
            a.bar_closed = 1
            a.phase = r.WAKING
            a.cursor = 0
            a.woken = 0
        if a.phase == r.WAKING:
            if rules.wake_everywhere != 0 or x.wake != 0:
                while a.cursor < symbols:
                    s = a.cursor
                    row = position_of(x, s).next
                    here = row < i8(x.offsets, s + 1) and i8(x.times, row) == a.now_ns
                    if here and a.woken == 0 and (rules.wake_everywhere != 0 or is_true(x.wake, row)):
                        a.woken = 1
                        a.symbol = s
                        a.row = row
                        return r.WAKE
                    a.woken = 0
                    a.cursor += 1
            a.phase = r.SEEK
            for s in range(symbols):
                p = position_of(x, s)
                row = p.next
                if row < i8(x.offsets, s + 1) and i8(x.times, row) == a.now_ns:
                    entries_at_close(x, s, row)
                    p.next = next_event(x, s, row)


STEPS = 6
AT_CLOSE_STEP = 5


@kernel_part
def on_bar(x: Any, now: int) -> None:
    """Everything that one instant does to resting orders and open positions, up to the exits at its close."""
    if x.symbols == 1:
        only = x.symbols - 1
        row = position_of(x, only).next
        for step in range(STEPS):
            account_of(x, 0).bar_closed = 1 if step == AT_CLOSE_STEP else 0
            step_of_bar(x, only, row, step)
        return
    # The steps are separate passes over all symbols, so that money freed inside a bar cannot pay for its opening.
    for step in range(STEPS):
        account_of(x, 0).bar_closed = 1 if step == AT_CLOSE_STEP else 0
        for s in range(x.symbols):
            row = position_of(x, s).next
            if row < i8(x.offsets, s + 1) and i8(x.times, row) == now:
                step_of_bar(x, s, row, step)


@kernel_part
def step_of_bar(x: Any, s: int, row: int, step: int) -> None:
    """One of the steps of a bar, for one symbol."""
    p = position_of(x, s)
    if step == 0:
        finance_short(x, s, row)
        if p.action < i8(x.action_offsets, s + 1):
            apply_actions(x, s, row)
    elif step == 2:
        if has_entry(x, s):
            entries_on_bar(x, s, row, TRUE)
    elif step == 3:
        if has_entry(x, s):
            entries_on_bar(x, s, row, FALSE)
    elif p.units == 0.0:
        return
    elif step == 1:
        exits_at_open(x, s, row)
    elif step == 4:
        exits_inside(x, s, row)
    else:
        exits_at_close(x, s, row)


@kernel
def equity_now(run: Any) -> float:
    """Equity at the instant at which the run stands."""
    return equity(run[0])


@kernel
def leave_on_request(run: Any, s: int, row: int, fraction: float, reason: int) -> None:
    """Leave a fraction of the position, as a decision in Python asked."""
    x = run[0]
    if position_of(x, s).units != 0.0:
        ask_to_leave(x, s, row, fraction, reason, rules_of(x, 0).fill_at_close != 0)
