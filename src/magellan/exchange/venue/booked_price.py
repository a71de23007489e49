"""Booked prices: the one edge between bars, whose prices are floats, and money, which is Decimal."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from magellan.backtest.fill_model import commission, limit_price, on_tick, slipped, stop_price
from magellan.exchange.market.asset import Asset, AssetClass
from magellan.exchange.venue.terms import Costs
from magellan.exchange.venue.wire_format import CENT, HUNDREDTH_CENT, NANO, ONE

# The fill model as plain Python. Compiled, a single call from here is slower, and the first one waits for the compiler.
stop_price_of = getattr(stop_price, "py_func", stop_price)
limit_price_of = getattr(limit_price, "py_func", limit_price)
slipped_of = getattr(slipped, "py_func", slipped)
on_tick_of = getattr(on_tick, "py_func", on_tick)
commission_of = getattr(commission, "py_func", commission)


def price_step(asset: Asset, price: Decimal) -> Decimal:
    """The smallest step of a price: a cent from 1.00 on, a hundredth of a cent below; for coins their own."""
    if asset.asset_class is AssetClass.CRYPTO:
        return asset.price_increment or NANO
    return CENT if price >= ONE else HUNDREDTH_CENT


def booked(asset: Asset, sign: int, price: float) -> Decimal:
    """A fill's price as it is booked: on the step, rounded against the customer.

    sign: +1 for a buy, -1 for a sale. A price that is on the step but for the last bit stays where it is.
    """
    exact = Decimal(repr(float(price)))
    step = price_step(asset, exact)
    nearest = exact.quantize(step)
    if abs(exact - nearest) <= step / 1_000_000:
        return nearest
    return exact.quantize(step, ROUND_CEILING if sign > 0 else ROUND_FLOOR)


def marked(price: float) -> Decimal:
    """A market price as a Decimal, for what positions are worth."""
    return Decimal(repr(float(price)))


def worsened(asset: Asset, costs: Costs, sign: int, price: float, share: float) -> float:
    """A market or stop fill's price after spread, slippage and impact, on the tick, by the backtester's own rule."""
    step = float(price_step(asset, Decimal(repr(float(price)))))
    paid = slipped_of(float(sign), price, costs.half_spread, costs.slippage, costs.impact, share)
    return float(on_tick_of(float(sign), paid, step))


def commission_usd(costs: Costs, units: Decimal, price: Decimal, point_value: int) -> Decimal:
    """Commission of one fill, to the hundredth of a cent."""
    paid = commission_of(
        float(units),
        float(price),
        costs.commission_per_unit_usd,
        costs.commission_rate,
        costs.commission_min_usd,
        float(point_value),
    )
    return Decimal(repr(float(paid))).quantize(HUNDREDTH_CENT)
