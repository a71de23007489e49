"""Fill model: at which price, if any, one bar fills one order. Scalars in, a price or NaN out; pure.

The rules, and where each misleads, are in docs/assumptions.md: "Market orders", "Stops", "Limits", "Volume", "Impact".
Sides are +1 to buy and -1 to sell.
The same functions serve the backtester's replay, which compiles them in, and the local paper exchange.
"""

from __future__ import annotations

import math

import numpy as np


def stop_price(
    side: float, stop: float, open_: float, high: float, low: float, at_level: bool
) -> tuple[float, bool]:
    """Where a stop order trades on a bar, and whether it did so at the bar's open.

    A bar that opens beyond the stop fills at its open, which is worse than the stop; one that reaches it later
    fills at the stop. `at_level` fills at the stop even then (old research did; it flatters).
    NaN when the bar does not reach the stop.
    """
    if side < 0.0:
        if open_ <= stop and not at_level:
            return open_, True
        if low <= stop:
            return stop, False
    else:
        if open_ >= stop and not at_level:
            return open_, True
        if high >= stop:
            return stop, False
    return np.nan, False


def limit_price(
    side: float, limit: float, open_: float, high: float, low: float, at_level: bool, through: bool
) -> tuple[float, bool]:
    """Where a limit order trades on a bar, and whether it did so at the bar's open.

    A bar that opens better than the limit fills at its open; one that reaches it later fills at the limit.
    `at_level` gives no better price than the limit; `through` asks for a price beyond the limit, since a touch
    may leave us in the queue. NaN when the bar does not reach the limit.
    """
    if side < 0.0:
        if open_ >= limit and not at_level:
            return open_, True
        if high > limit or (high == limit and not through):
            return limit, False
    else:
        if open_ <= limit and not at_level:
            return open_, True
        if low < limit or (low == limit and not through):
            return limit, False
    return np.nan, False


def slipped(
    side: float, price: float, half_spread: float, slippage: float, impact: float, share: float
) -> float:
    """A market or stop order's price after spread, slippage and its own impact, not yet on a tick.

    share: fraction of the bar's volume that our fills take, this one included; impact grows with its square.
    """
    return price * (1.0 + side * (half_spread + slippage + impact * share * share))


def on_tick(side: float, price: float, tick: float) -> float:
    """A price on the instrument's tick, rounded up for side +1 and down for -1; tick 0 allows any price.

    What a market or stop order pays is rounded against us: by the side of the order. A limit is never worse than it was
    meant: by the other side. What comes out is the float of the decimal, as bars have it: a high of 100.60 touches a
    target of 100.60, and 10060 times the float 0.01 is above it.
    """
    if tick <= 0.0 or math.isnan(price):
        return price
    steps = price / tick
    nearest = float(math.floor(steps + 0.5))
    # A price that is a tick already, but for the last bit, stays where it is.
    if abs(steps - nearest) > 1e-6:
        nearest = float(math.ceil(steps)) if side > 0.0 else float(math.floor(steps))
    ticks_in_one = float(math.floor(1.0 / tick + 0.5))
    if ticks_in_one > 0.0 and abs(1.0 / tick - ticks_in_one) <= 1e-9 * ticks_in_one:
        return nearest / ticks_in_one
    return nearest * tick


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


def commission(
    units: float, price: float, per_unit: float, rate: float, minimum: float, point_value: float
) -> float:
    """Commission of one fill in currency: per unit plus a rate of the notional, at least the minimum."""
    size = abs(units)
    return max(minimum, per_unit * size + rate * size * abs(price) * point_value)
