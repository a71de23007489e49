"""Sizing: how many units a plan asks for, and how many the money allows."""

from __future__ import annotations

from typing import Any

import numpy as np

from magellan.backtest import records as r
from magellan.backtest.replay_parts.prices import equity, gross_exposure
from magellan.backtest.run_memory import account_of, cost_of, f8, position_of, rules_of
from magellan.compiled import kernel_part


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
