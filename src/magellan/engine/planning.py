"""Planning: a strategy's trade plan as the terms of one trade, and its columns read where they are read anew."""

from __future__ import annotations

import math
from datetime import time

import numpy as np

from magellan.strategy.plan_arithmetic import (
    SIZE_CASH,
    SIZE_EQUITY,
    SIZE_NOTIONAL,
    SIZE_RISK,
    SIZE_UNITS,
    TRAIL_USD,
    affordable,
    level_price,
    tighter,
    trail_distance,
    wanted_units,
    whole_steps,
)
from magellan.strategy.trade_plan import (
    CashFraction,
    EquityFraction,
    Limit,
    Market,
    Notional,
    Price,
    Reading,
    RiskFraction,
    StopLimit,
    TradePlan,
    Units,
)
from magellan.strategy.trade_plan import Stop as StopOrder
from magellan.trading.order import OrderType
from magellan.trading.trade_terms import EntryTerms, LevelTerms, TargetTerms, TradeTerms, TrailTerms


def prepare() -> None:
    """Load the compiled arithmetic of trades: the first order of a session would wait for it, up to a second."""
    whole_steps(1.0, 1.0)
    level_price(1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    wanted_units(SIZE_UNITS, 1.0, math.inf, 1.0, 1.0, math.nan, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0)
    affordable(1.0, 1.0, 1.0, 0.0, False, math.inf, math.inf, 1.0, 0.0, 0.0, 0.0)
    trail_distance(TRAIL_USD, 1.0, 1.0, 1.0, 1.0)
    tighter(1.0, 1.0, 1.0)


def level_terms(price: Price, row: int) -> LevelTerms:
    """A plan's price, with its column read at the signal's row."""
    if price.column is None and price.usd is None:
        base, from_entry = None, True
    elif price.column is not None:
        base, from_entry = known(float(price.column[row])), False
    else:
        base, from_entry = price.usd, False
    return LevelTerms(
        base=base,
        from_entry=from_entry,
        follows=price.column is not None and price.reading is not Reading.SIGNAL,
        part_way=price.part_way,
        plus_fraction=price.plus_fraction,
        plus_usd=price.plus_usd,
        plus_risk=price.plus_risk,
    )


def trade_terms(plan: TradePlan, row: int) -> TradeTerms:
    """What of a plan holds until the trade is over, read at the signal's row."""
    trailing = plan.trailing
    trail = None
    if trailing is not None:
        at_signal = None if trailing.column is None else known(float(trailing.column[row]))
        trail = TrailTerms(
            usd=trailing.usd,
            fraction=trailing.fraction,
            multiple=None if trailing.column is None else trailing.multiple,
            at_signal=at_signal,
        )
    leaves = plan.session_exit
    type_, limit, stop = entry_prices(plan)
    return TradeTerms(
        entry=EntryTerms(
            type=type_,
            time_in_force=plan.entry.time_in_force,
            limit=None if limit is None else level_terms(limit, row),
            stop=None if stop is None else level_terms(stop, row),
            at_minute=entry_minute(plan),
        ),
        stop=None if plan.stop is None else level_terms(plan.stop, row),
        trail=trail,
        targets=tuple(
            TargetTerms(
                level=level_terms(target.price, row),
                fraction=target.fraction,
                then_stop=None if target.then_stop is None else level_terms(target.then_stop, row),
            )
            for target in plan.targets
        ),
        hold_minutes=plan.hold_minutes,
        hold_bars=plan.hold_bars,
        cooldown_bars=plan.cooldown_bars,
        exits_with_session=leaves is not None,
        exit_at_minute=None if leaves is None or leaves.at is None else minute_of(leaves.at),
        exit_minutes_before_close=None if leaves is None else leaves.before_close_minutes,
    )


def level(
    terms: LevelTerms,
    *,
    entry: float,
    risk: float,
    side: int,
    factor: float,
    column: Price | None = None,
    row: int = -1,
) -> float:
    """A level as it stands now, on the present share basis. NaN where it is not known.

    entry:  average entry price, or what stands for it before there is one.
    factor: shares that one share of the signal has become.
    column: the plan's price that the level follows; it is read at `row`, the newest closed bar.
    """
    if terms.from_entry:
        base = entry
    elif terms.follows and column is not None and column.column is not None:
        base = float(column.column[row])
    else:
        base = math.nan if terms.base is None else terms.base / factor
    return float(
        level_price(
            base,
            entry,
            risk,
            float(side),
            terms.part_way,
            terms.plus_fraction,
            terms.plus_usd,
            terms.plus_risk,
            factor,
        )
    )


def size_rule(plan: TradePlan, row: int) -> tuple[int, float, float]:
    """Kind, value and cap in USD of a plan's size, as `plan_arithmetic.wanted_units` takes them."""
    match plan.size:
        case Units(units=units):
            return SIZE_UNITS, float(units), math.inf
        case Notional(usd=usd):
            return SIZE_NOTIONAL, float(usd), math.inf
        case CashFraction(fraction=share):
            return SIZE_CASH, float(share), math.inf
        case EquityFraction(fraction=share):
            value = float(share[row]) if isinstance(share, np.ndarray) else float(share)
            return SIZE_EQUITY, value, math.inf
        case RiskFraction(fraction=share, notional_max_usd=cap):
            return SIZE_RISK, float(share), math.inf if cap is None else float(cap)


def entry_prices(plan: TradePlan) -> tuple[OrderType, Price | None, Price | None]:
    """Type of the entry order, and where its limit and its stop are read."""
    match plan.entry:
        case Market():
            return OrderType.MARKET, None, None
        case Limit(price=price):
            return OrderType.LIMIT, price, None
        case StopOrder(price=price):
            return OrderType.STOP, None, price
        case StopLimit(stop=stop, limit=limit):
            return OrderType.STOP_LIMIT, limit, stop


def entry_minute(plan: TradePlan) -> int | None:
    """The minute of the day that a market entry waits for; None when it waits for none."""
    entry = plan.entry
    return minute_of(entry.at) if isinstance(entry, Market) and entry.at is not None else None


def future_reading(plan: TradePlan) -> str | None:
    """Why a plan cannot be traded: what it reads is not known before its bar is over. None when it can."""
    prices = [plan.stop, *(target.price for target in plan.targets), *(t.then_stop for t in plan.targets)]
    _, limit, stop = entry_prices(plan)
    for price in (*prices, limit, stop):
        if price is not None and price.column is not None and price.reading is Reading.SAME:
            return "a price of the plan is read on the very bar that is being filled, which nobody knows yet"
    return None


def minute_of(at: time) -> int:
    """Minutes after midnight."""
    return at.hour * 60 + at.minute


def known(value: float) -> float | None:
    """None for a number that is not known."""
    return value if math.isfinite(value) else None


def number(value: float | None) -> float:
    """NaN for a number that is not known."""
    return math.nan if value is None else value
