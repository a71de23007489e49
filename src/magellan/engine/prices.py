"""Prices as they are sent: exact, on the exchange's steps; no limit worse than meant, no stop reached sooner."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Final

CENT: Final = Decimal("0.01")
HUNDREDTH_CENT: Final = Decimal("0.0001")
_NOISE: Final = Decimal("0.000001")  # of a step: the division lost the last bit


def price_step(price: Decimal, tick_size: float, step_usd: Decimal | None) -> Decimal:
    """The smallest change of a price: the instrument's tick, else what is set, else the exchange's rule; 0: any."""
    if tick_size > 0:
        return Decimal(repr(tick_size))
    if step_usd is not None:
        return step_usd
    return CENT if price >= 1 else HUNDREDTH_CENT


def limit_price(side: int, price: float, tick_size: float, step_usd: Decimal | None) -> Decimal:
    """A limit: a buy (side +1) rounded down, a sale up."""
    return _on_step(price, tick_size, step_usd, down=side > 0)


def stop_price(side: int, price: float, tick_size: float, step_usd: Decimal | None) -> Decimal:
    """A stop: a sale (side -1) rounded down and a buy up, so that the very trades reach it that reach what was meant.

    No price lies between the two. On the other side lies one that would trigger the order and not the backtest's.
    """
    return _on_step(price, tick_size, step_usd, down=side < 0)


def _on_step(price: float, tick_size: float, step_usd: Decimal | None, *, down: bool) -> Decimal:
    exact = Decimal(repr(price))
    step = price_step(exact, tick_size, step_usd)
    if step == 0:
        return exact
    steps = exact / step
    nearest = steps.to_integral_value(ROUND_HALF_EVEN)
    if abs(steps - nearest) > _NOISE:
        nearest = steps.to_integral_value(ROUND_FLOOR if down else ROUND_CEILING)
    return nearest * step
