"""Plan arithmetic: sizes, price levels and trailing distances of a trade plan. Scalars in, a scalar out; pure.

One set of functions for the backtester's compiled replay and for a live session, so that both come to the same units
and the same prices to the last bit. What each supposes is in docs/assumptions.md: "Sizes", "Money", "Stops", "Limits".
Sides are +1 for long (or to buy) and -1 for short (or to sell). NaN is a price that is not known.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from magellan.compiled import kernel

SIZE_UNITS: Final = 0
SIZE_NOTIONAL: Final = 1
SIZE_CASH: Final = 2
SIZE_EQUITY: Final = 3
SIZE_RISK: Final = 4

TRAIL_USD: Final = 1
TRAIL_FRACTION: Final = 2
TRAIL_COLUMN: Final = 3


@kernel
def level_price(
    base: float,
    entry: float,
    risk: float,
    side: float,
    part_way: float,
    plus_fraction: float,
    plus_usd: float,
    plus_risk: float,
    factor: float,
) -> float:
    """A plan's price level. NaN where its base has no value.

    base:   what the level is made of, on the share basis of the bar it is meant for.
    entry:  average entry price; risk: from it to the first stop, per unit.
    factor: shares that one share of the signal bar has become since; amounts in USD shrink by it.
    """
    level = base
    if part_way != 1.0:
        level = entry + part_way * (level - entry)
    if plus_fraction != 0.0 or plus_usd != 0.0:
        level += side * (level * plus_fraction + plus_usd / factor)
    if plus_risk != 0.0:
        level += side * plus_risk * risk
    return level


@kernel
def whole_steps(units: float, step: float) -> float:
    """`units` rounded towards zero to the instrument's quantity step; step 0 allows any fraction."""
    if step <= 0.0:
        return units
    steps = units / step
    whole = float(math.floor(steps))
    # 9.999999999 lots are ten: the division lost the last bit, not the customer a lot.
    if steps - whole > 1.0 - 1e-9:
        whole += 1.0
    return whole * step


@kernel
def bought_with(
    money: float,
    price: float,
    point_value: float,
    commission_rate: float,
    commission_per_unit: float,
    commission_min: float,
) -> float:
    """Units that so much money pays for at that price, commission included; not rounded."""
    if money <= 0.0 or price <= 0.0:
        return 0.0
    each = price * point_value
    units = money / (each * (1.0 + commission_rate) + commission_per_unit)
    if commission_min > 0.0 and units * (each * commission_rate + commission_per_unit) < commission_min:
        units = max(0.0, money - commission_min) / each
    return units


@kernel
def wanted_units(
    size_kind: int,
    size_value: float,
    notional_max: float,
    side: float,
    price: float,
    stop: float,
    point_value: float,
    cash: float,
    equity: float,
    commission_rate: float,
    commission_per_unit: float,
    commission_min: float,
) -> float:
    """Units that a size rule asks for at that price, before rounding; negative where the stop makes no risk.

    notional_max: the smaller of the plan's cap and the config's limit of one position, in USD; inf for none.
    """
    each = abs(price) * point_value
    if size_kind == SIZE_UNITS:
        units = size_value
    elif size_kind == SIZE_NOTIONAL:
        units = size_value / each
    elif size_kind == SIZE_CASH:
        units = bought_with(
            size_value * cash, abs(price), point_value, commission_rate, commission_per_unit, commission_min
        )
    elif size_kind == SIZE_EQUITY:
        units = size_value * equity / each
    else:
        risk = side * (price - stop) * point_value
        if not risk > 0.0:
            return -1.0
        units = size_value * equity / risk
    if not units > 0.0 or price <= 0.0:
        return 0.0  # also where the size is not known
    return min(units, notional_max / each)


@kernel
def affordable(
    side: float,
    price: float,
    power: float,
    held: float,
    may_short: bool,
    borrow_units_max: float,
    position_usd_max: float,
    point_value: float,
    commission_rate: float,
    commission_per_unit: float,
    commission_min: float,
) -> float:
    """Units that may be added at that price: by money, by what can be borrowed, by the position's limit.

    power: cash, or in a margin account leverage x equity less gross exposure.
    held:  units of the position on that side already.
    """
    if side < 0.0 and not may_short:
        return 0.0
    units = bought_with(power, price, point_value, commission_rate, commission_per_unit, commission_min)
    if side < 0.0:
        units = min(units, max(0.0, borrow_units_max - held))
    if price > 0.0 and position_usd_max < np.inf:
        units = min(units, max(0.0, position_usd_max / (price * point_value) - held))
    return units


@kernel
def trail_distance(kind: int, value: float, best: float, column: float, factor: float) -> float:
    """How far a trailing stop lies behind the best price.

    value:  USD, a fraction of the best price, or a multiple of the column.
    column: its newest known value, on the present share basis. factor: as in `level_price`.
    """
    if kind == TRAIL_FRACTION:
        return value * best
    if kind == TRAIL_USD:
        return value / factor
    return value * column


@kernel
def tighter(side: float, stop: float, other: float) -> float:
    """The one of two stops that is reached first; NaN when there is neither."""
    if math.isnan(stop):
        return other
    if math.isnan(other):
        return stop
    return max(stop, other) if side > 0.0 else min(stop, other)
