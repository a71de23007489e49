"""Plain run: enters and leaves by rules alone, at the market. Of all steps of a bar only three can do anything.

What is done in them is the same code as in any run; only the way there is shorter. Sweeps over thousands of sets
are nearly always plain, and half of their time was spent on looking for what cannot be there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from magellan.backtest import records as r
from magellan.backtest.replay_parts.entry_fills import enter
from magellan.backtest.replay_parts.entry_orders import declared_entries
from magellan.backtest.replay_parts.exits import ask_to_leave, leave
from magellan.backtest.replay_parts.fill_rules import FALSE, TRUE
from magellan.backtest.replay_parts.rows import IN_CACHE, is_true, next_true
from magellan.backtest.run_memory import (
    account_of,
    ask_for,
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

FIRST_SLOT: Any = np.int64(0)


@kernel_part
def is_plain(x: Any) -> bool:
    """Whether an order of this run fills at once or never, and a position can only be left by the rule.

    One symbol, long, paid in cash; nobody is woken; no stop, target, trailing stop or limit of time; no order that
    waits for a price or a time of day; no volume that limits a fill; no split, dividend or unexplained jump.
    """
    if x.symbols != 1 or x.enter_short != 0 or x.wake != 0 or x.breaks != 0 or i8(x.action_offsets, 1) != 0:
        return False
    rules = rules_of(x, 0)
    plan_id = i8(x.plan_of, 0)
    plan = plan_at(x, plan_id)
    return (
        rules.margin == 0
        and rules.wake_everywhere == 0
        and cost_of(x, 0).volume_share_max == np.inf
        and plan.entry_kind == r.MARKET
        and plan.tif == r.DAY
        and plan.scheduled == 0
        and level_number(x, plan_id * r.LEVELS + r.LEVEL_STOP).used == 0
        and plan.trail_kind == r.TRAIL_NONE
        and plan.targets == 0
        and plan.hold_ns == 0
        and plan.hold_bars == 0
        and plan.session_exit == 0
    )


@kernel_part
def replay_plain(x: Any) -> int:
    """Carry a plain run on until it is done (DONE), or needs more room for fills and decisions (GROW)."""
    a = account_of(x, 0)
    s = x.symbols - 1
    p = position_of(x, s)
    e = entry_number(x, s * r.ENTRY_SLOTS + FIRST_SLOT)
    end = i8(x.offsets, s + 1)
    at_close = rules_of(x, 0).fill_at_close != 0
    sought: Any = np.int64(-1)  # the mask in which the next row has been looked for
    found: Any = np.int64(-1)  # that row
    while p.next < end:
        if a.fills + 16 > x.fill_room or a.decisions + 6 > x.decision_room:
            return r.GROW
        row = p.next
        # The open.
        a.bar_closed = 0
        if p.exit_units > 0.0:
            leave(x, s, row, p.exit_units, f8(x.open, row), p.exit_reason, FALSE, TRUE)
            p.exit_units = 0.0
        elif e.kind != r.NONE:
            e.seen_row = row
            enter(x, s, FIRST_SLOT, row, f8(x.open, row), r.AT_OPEN, TRUE)
        # The close: the exit, then the entry.
        a.bar_closed = 1
        if p.units > 0.0 and is_true(x.exit_long, row):
            ask_to_leave(x, s, row, 1.0, r.EXIT_RULE, at_close)
        if p.units == 0.0:
            declared_entries(x, s, row)
        # On to the next bar on which any of this can happen.
        after = row + 1
        if p.exit_units > 0.0 or e.kind != r.NONE:
            # The order fills with the next bar. What will be decided on after it is looked for now: until then memory
            # has time to bring that bar's prices.
            p.next = after
            sought = x.enter_long if p.units > 0.0 else x.exit_long
            found = next_true(sought, after, end)
            ask_for(x.close, found)
            ask_for(x.open, found + 1)
            if x.rows > IN_CACHE:
                behind = next_true(x.exit_long if p.units > 0.0 else x.enter_long, found + 1, end)
                ask_for(x.close, behind)
                ask_for(x.open, behind + 1)
        else:
            mask = x.exit_long if p.units > 0.0 else x.enter_long
            if mask != sought or found <= row:
                found = next_true(mask, after, end)
            p.next = found
    return r.DONE
