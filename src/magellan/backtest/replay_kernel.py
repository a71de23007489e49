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

from magellan.backtest import records as r
from magellan.backtest.replay_parts.entry_fills import entries_on_bar
from magellan.backtest.replay_parts.entry_orders import entries_at_close, has_entry, withdraw_entries
from magellan.backtest.replay_parts.exits import ask_to_leave, exits_at_close, exits_at_open, exits_inside
from magellan.backtest.replay_parts.fill_rules import FALSE, TRUE
from magellan.backtest.replay_parts.holding import apply_actions, finance_short
from magellan.backtest.replay_parts.plain_run import is_plain, replay_plain
from magellan.backtest.replay_parts.prices import equity
from magellan.backtest.replay_parts.rows import (
    IN_CACHE,
    ask_for_bar,
    has_bar_now,
    is_true,
    next_true,
    opened_ns,
    row_at,
)
from magellan.backtest.run_memory import account_of, entry_number, i8, plan_at, position_of, rules_of
from magellan.compiled import kernel, kernel_part

FAR: Any = np.int64(2**62)
STEPS = 6
AT_CLOSE_STEP = 5


@kernel
def replay(run: Any) -> int:
    """Carry the run on until it is done, or until it needs something from Python.

    Returns DONE; WAKE (decide on account.symbol at account.row, then call again); GROW (give the state more room
    for fills and decisions, then call again); BREAK (a position would be held through an unexplained jump, at
    account.row).
    """
    x = run[0]
    if is_plain(x):
        return replay_plain(x)
    a = account_of(x, 0)
    rules = rules_of(x, 0)
    symbols = x.symbols
    while True:
        if a.phase == r.SEEK:
            if a.fills + 16 * symbols > x.fill_room or a.decisions + 6 * symbols > x.decision_room:
                return r.GROW
            if not go_to_next_instant(x):
                return r.DONE
            a.bar_closed = 0
            busy = False
            for s in range(symbols):
                p = position_of(x, s)
                row = p.next
                if not has_bar_now(x, s) or (p.units == 0.0 and not has_entry(x, s)):
                    continue
                busy = True
                if is_true(x.breaks, row):
                    withdraw_entries(x, s)
                    if p.units != 0.0 and rules.hold_through_breaks == 0:
                        a.symbol = s
                        a.row = row
                        return r.BREAK
            if busy:
                on_bar(x)
            a.bar_closed = 1
            a.phase = r.WAKING
            a.cursor = 0
            a.woken = 0
        if a.phase == r.WAKING:
            if rules.wake_everywhere != 0 or x.wake != 0:
                while a.cursor < symbols:
                    s = a.cursor
                    row = position_of(x, s).next
                    due = a.woken == 0 and has_bar_now(x, s)
                    if due and (rules.wake_everywhere != 0 or is_true(x.wake, row)):
                        a.woken = 1
                        a.symbol = s
                        a.row = row
                        return r.WAKE
                    a.woken = 0
                    a.cursor += 1
            a.phase = r.SEEK
            for s in range(symbols):
                if has_bar_now(x, s):
                    p = position_of(x, s)
                    row = p.next
                    entries_at_close(x, s, row)
                    p.next = next_event(x, s, row)


@kernel_part
def go_to_next_instant(x: Any) -> bool:
    """Let the run stand at the next instant at which anything can happen; False when there is none."""
    if x.symbols == 1:
        return position_of(x, 0).next < i8(x.offsets, 1)
    now = FAR
    for s in range(x.symbols):
        row = position_of(x, s).next
        if row < i8(x.offsets, s + 1) and i8(x.times, row) < now:
            now = i8(x.times, row)
    account_of(x, 0).now_ns = now
    return now != FAR


@kernel_part
def on_bar(x: Any) -> None:
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
            if has_bar_now(x, s):
                step_of_bar(x, s, position_of(x, s).next, step)


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
        upcoming = min(upcoming, row_at(x, after, end, opened_ns(x, p) + plan.hold_ns - rules.span_ns))
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
