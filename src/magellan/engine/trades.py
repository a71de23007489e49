"""Trades: where the stop of a trade stands, bar after bar, and which clock ends it. The backtest's steps 5 and 6.

Everything here is a function of the plan's terms, its fills and closed bars, so a trade that is carried on after a
restart comes to the same prices.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from magellan.engine.plan_state import PlanState
from magellan.engine.planning import known, level, number
from magellan.engine.schedule import Schedule
from magellan.engine.state import target_units
from magellan.strategy.plan_arithmetic import (
    TRAIL_COLUMN,
    TRAIL_FRACTION,
    TRAIL_USD,
    tighter,
    trail_distance,
)
from magellan.strategy.trade_plan import TradePlan
from magellan.trading.bar import Bar, nanoseconds
from magellan.trading.timeframe import MINUTE_NS, SECOND_NS
from magellan.trading.trade_terms import TradeMarks, TrailTerms

_AT_OPEN_S = (
    15.0  # a fill within so long after a bar's opening, at most a quarter of the bar, was made at its open
)
_AT_CLOSE_NS = 2 * SECOND_NS

# The strategy's plan for a symbol and side as its columns stand now, and the newest row; None before the first bar.
CurrentPlan = Callable[[str, int], "tuple[TradePlan, int] | None"]


def opened_marks(plan: PlanState, schedule: Schedule, current: CurrentPlan) -> TradeMarks:
    """The marks of a trade at its first fill: the plan's first stop and trailing stop."""
    assert plan.first_fill_at is not None, "a trade begins with a fill"
    factor = 1.0 if plan.marks is None else plan.marks.factor
    entry = float(plan.fills[0][1])
    stop, slot = math.nan, None
    if plan.terms.stop is not None:
        stop = stop_level(plan, 0, entry, math.nan, factor, current)
        slot = 0 if plan.terms.stop.follows else None
    trail = math.nan
    if plan.terms.trail is not None:
        column = number(plan.terms.trail.at_signal) / factor
        trail = entry - plan.side * _distance(plan.terms.trail, entry, column, factor)
    in_force = tighter(float(plan.side), stop, trail)
    bar_ns = schedule.bar_at(nanoseconds(plan.first_fill_at))
    return TradeMarks(
        bar_ns=bar_ns - 1,  # its own bar has not closed
        stop=known(stop),
        stop_slot=slot,
        trail=known(trail),
        best=entry,
        risk=known(abs(entry - in_force)),
        entry_bar_ns=bar_ns,
        factor=factor,
    )


def stop_level(
    plan: PlanState, slot: int, entry: float, risk: float, factor: float, current: CurrentPlan
) -> float:
    """The level that a stop is read from: the plan's own (slot 0), or the `then_stop` of target `slot`."""
    terms = plan.terms.stop if slot == 0 else plan.terms.targets[slot - 1].then_stop
    if terms is None:
        return math.nan
    column, row = None, -1
    if terms.follows and (now := current(plan.symbol, plan.side)) is not None:
        column, row = (now[0].stop if slot == 0 else now[0].targets[slot - 1].then_stop), now[1]
    return level(terms, entry=entry, risk=risk, side=plan.side, factor=factor, column=column, row=row)


def target_level(plan: PlanState, target: int, current: CurrentPlan) -> float:
    """The price of target `target` (from 1) for the bar to come; NaN where it is not known."""
    assert plan.marks is not None, "targets rest once something was entered"
    terms = plan.terms.targets[target - 1].level
    column, row = None, -1
    if terms.follows and (now := current(plan.symbol, plan.side)) is not None:
        column, row = now[0].targets[target - 1].price, now[1]
    return level(
        terms,
        entry=plan.average_price,
        risk=number(plan.marks.risk),
        side=plan.side,
        factor=plan.marks.factor,
        column=column,
        row=row,
    )


def followed(plan: PlanState, bar: Bar, schedule: Schedule, current: CurrentPlan) -> TradeMarks:
    """The marks after a bar has closed: the trailing stop follows what the bar showed."""
    marks = plan.marks
    assert marks is not None and marks.entry_bar_ns is not None, "only an entered trade follows bars"
    bar_ns = nanoseconds(bar.opened_at)
    seen = replace(marks, bar_ns=bar_ns, bars_held=marks.bars_held + 1)
    terms = plan.terms.trail
    if terms is None:
        return seen
    side = plan.side
    shown = bar.high if side > 0 else bar.low
    if bar_ns == marks.entry_bar_ns and not entered_at_open(plan, schedule):
        shown = bar.close
    best = number(marks.best)
    best = max(best, shown) if side > 0 else min(best, shown)
    column = math.nan
    if (
        terms.multiple is not None
        and (now := current(plan.symbol, plan.side)) is not None
        and now[0].trailing is not None
    ):
        values = now[0].trailing.column
        column = math.nan if values is None else float(values[now[1]])
    moved = best - side * _distance(terms, best, column, marks.factor)
    trail = number(marks.trail)
    if math.isnan(trail) or side * (moved - trail) > 0:
        trail = moved
    return replace(seen, best=best, trail=known(trail))


def advanced(plan: PlanState, marks: TradeMarks, step: float, bar: Bar, current: CurrentPlan) -> TradeMarks:
    """The marks with the stop that holds for the bar to come: where a target moved it, or its column has gone."""
    done, newest = list(marks.targets_done), None
    wanted = dict(enumerate(target_units(plan, plan.entered, step), start=1))
    # What was sold after the bar had closed, before anybody heard of that, belongs to the bar to come.
    # Of two on one bar, the later one in the plan's order moves the stop, if it says where to.
    sold = sorted(at for at, bar_ns in plan.completed.items() if bar_ns <= marks.bar_ns and at in wanted)
    # A portion of less than one unit sells nothing, and moves the stop all the same.
    if nanoseconds(bar.opened_at) >= (marks.entry_bar_ns or 0):
        sold += [at for at, units in wanted.items() if units == 0 and _reached(plan, at, bar, current)]
    for at in sold:
        if at not in done and plan.sold.get(at, 0) >= wanted[at]:
            done.append(at)
            newest = newest if plan.terms.targets[at - 1].then_stop is None else at
    slot = marks.stop_slot
    if newest is not None:
        slot = newest
    stop = marks.stop
    if slot is not None:
        found = stop_level(plan, slot, plan.average_price, number(marks.risk), marks.factor, current)
        # A column without a value leaves the stop where it was: a gap in the data takes no protection away.
        stop = stop if math.isnan(found) else found
        terms = plan.terms.stop if slot == 0 else plan.terms.targets[slot - 1].then_stop
        if terms is None or not terms.follows:
            slot = None
    return replace(marks, stop=stop, stop_slot=slot, targets_done=tuple(done))


def split_marks(marks: TradeMarks, factor: float) -> TradeMarks:
    """The marks on the basis after a split; `factor`: new shares for one old."""

    def divided(price: float | None) -> float | None:
        return None if price is None else price / factor

    return replace(
        marks,
        stop=divided(marks.stop),
        trail=divided(marks.trail),
        best=divided(marks.best),
        risk=divided(marks.risk),
        keeps_units=marks.keeps_units * factor,
        factor=marks.factor * factor,
    )


def entered_at_open(plan: PlanState, schedule: Schedule) -> bool:
    """Whether the first fill was made at its bar's opening, and not inside the bar."""
    assert plan.first_fill_at is not None, "a trade begins with a fill"
    at_ns = nanoseconds(plan.first_fill_at)
    start_ns = schedule.bar_at(at_ns)
    grace_ns = min(_AT_OPEN_S * SECOND_NS, schedule.span_ns / 4)
    return at_ns - schedule.opens_ns(start_ns) <= grace_ns


def entered_at_close(plan: PlanState, schedule: Schedule) -> bool:
    """Whether the first fill was made at its bar's close: for the trade, that bar is over."""
    assert plan.first_fill_at is not None, "a trade begins with a fill"
    at_ns = nanoseconds(plan.first_fill_at)
    return schedule.ends_ns(schedule.bar_at(at_ns)) - at_ns <= _AT_CLOSE_NS


def time_exit(plan: PlanState, bar_ns: int, bars_held: int, schedule: Schedule) -> str | None:
    """Why a trade is to be left at the close of the bar that began at `bar_ns`, by the clock alone; None: it is not.

    bars_held: bars closed since the entry when that bar closes, the entry's own and that one included.
    """
    terms, marks = plan.terms, plan.marks
    if marks is None or marks.entry_bar_ns is None or bar_ns < marks.entry_bar_ns:
        return None
    at_close = entered_at_close(plan, schedule)
    if at_close and bar_ns == marks.entry_bar_ns:
        return None
    if terms.exits_with_session and _session_exit_due(plan, bar_ns, schedule):
        return "session end"
    opened_ns = marks.entry_bar_ns + (schedule.span_ns if at_close else 0)
    if terms.hold_minutes is not None:
        held_ns = bar_ns + schedule.span_ns - opened_ns
        if held_ns >= terms.hold_minutes * MINUTE_NS:
            return "holding time"
    if terms.hold_bars is not None and bars_held - 1 >= terms.hold_bars:
        return "holding time"
    return None


def has_time_exit(plan: PlanState) -> bool:
    """Whether any clock may end the trade."""
    terms = plan.terms
    return terms.exits_with_session or terms.hold_minutes is not None or terms.hold_bars is not None


def _session_exit_due(plan: PlanState, bar_ns: int, schedule: Schedule) -> bool:
    terms = plan.terms
    if schedule.closes_session(bar_ns):
        return True
    if terms.exit_at_minute is not None and schedule.minute_of_day(bar_ns) >= terms.exit_at_minute:
        return True
    if terms.exit_minutes_before_close is None:
        return False
    left = schedule.minutes_to_close(bar_ns)
    return left is not None and left <= terms.exit_minutes_before_close


def _distance(terms: TrailTerms, best: float, column: float, factor: float) -> float:
    if terms.fraction is not None:
        return float(trail_distance(TRAIL_FRACTION, terms.fraction, best, column, factor))
    if terms.usd is not None:
        return float(trail_distance(TRAIL_USD, terms.usd, best, column, factor))
    return float(trail_distance(TRAIL_COLUMN, number(terms.multiple), best, column, factor))


def _reached(plan: PlanState, target: int, bar: Bar, current: CurrentPlan) -> bool:
    price = target_level(plan, target, current)
    return bar.high >= price if plan.side > 0 else bar.low <= price
