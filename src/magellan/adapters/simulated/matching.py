"""Matching: whether and where one bar fills one resting order. The backtester's fill model, one instant at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from magellan.adapters.simulated.bar_tape import Phase, TapeBar
from magellan.adapters.simulated.sim_order import SimOrder
from magellan.backtest.fill_model import limit_price, stop_price
from magellan.trading.order import OrderType, TimeInForce


@dataclass(frozen=True, slots=True)
class Match:
    """Where an order trades."""

    price: float  # before slippage
    slips: bool
    at_open: bool = False
    by_limit: bool = False  # reached inside the bar by a limit


def match(order: SimOrder, bar: TapeBar, phase: Phase, *, through: bool) -> Match | None:
    """What one instant of a bar does to an order that works; None: nothing. through: a touch fills no resting limit."""
    if phase is Phase.CLOSE:
        return _at_close(order, bar)
    if order.time_in_force is TimeInForce.CLS or order.at_close:
        return None
    if order.time_in_force is TimeInForce.OPG and phase is not Phase.OPEN:
        return None
    if order.type is OrderType.MARKET or (order.triggered and order.type is OrderType.STOP):
        return Match(bar.open, slips=True, at_open=True) if phase is Phase.OPEN else None
    if order.type is OrderType.STOP:
        return _stop(order, bar, phase)
    if order.type is OrderType.STOP_LIMIT and not order.triggered:
        return _stop_limit(order, bar, phase)
    return _limit(order, bar, phase, through)


def match_now(order: SimOrder, price: float) -> Match | None:
    """What the price of the moment does to an order that has just come; None: it rests."""
    match order.type:
        case OrderType.MARKET:
            return Match(price, slips=True, at_open=True)
        case OrderType.LIMIT if order.sign * (price - float(order.limit or 0)) <= 0:
            return Match(price, slips=False, at_open=True)
        case OrderType.STOP if order.sign * (price - float(order.stop or 0)) >= 0:
            return Match(price, slips=True, at_open=True)
        case OrderType.STOP_LIMIT if order.sign * (price - float(order.stop or 0)) >= 0:
            order.triggered = True
            if order.sign * (price - float(order.limit or 0)) <= 0:
                return Match(price, slips=True, at_open=True)
    return None


def _stop(order: SimOrder, bar: TapeBar, phase: Phase) -> Match | None:
    stop = float(order.stop or 0)
    here = order.entered is not None and order.entered.bar_start_ns == bar.start_ns
    if phase is Phase.OPEN:
        price, at_open = stop_price(order.sign, stop, bar.open, bar.high, bar.low, False)
        return Match(bar.open, slips=True, at_open=True) if at_open and not here else None
    price, at_open = stop_price(order.sign, stop, bar.open, bar.high, bar.low, True)
    if math.isnan(price):
        return None
    if here and order.entered is not None:
        # Entered beyond its own stop: it leaves where it came in, not at a better price.
        came_in = bar.open if order.entered.at_open else order.entered.price
        price = min(price, came_in) if order.sign < 0 else max(price, came_in)
    return Match(price, slips=True)


def _stop_limit(order: SimOrder, bar: TapeBar, phase: Phase) -> Match | None:
    stop, limit = float(order.stop or 0), float(order.limit or 0)
    price, at_open = stop_price(order.sign, stop, bar.open, bar.high, bar.low, False)
    if math.isnan(price) or at_open != (phase is Phase.OPEN):
        return None
    order.triggered = True
    if order.sign * (price - limit) <= 0:
        return Match(price, slips=True, at_open=at_open)
    return None  # from here on it works as a limit order; inside this very bar only if its open triggered it


def _limit(order: SimOrder, bar: TapeBar, phase: Phase, through: bool) -> Match | None:
    limit = float(order.limit or 0)
    here = order.entered is not None and order.entered.bar_start_ns == bar.start_ns
    if here and order.entered is not None and order.entered.at_open and phase is Phase.RANGE:
        # Entered at the open: the whole bar counts, its open included.
        price, _ = limit_price(order.sign, limit, bar.open, bar.high, bar.low, False, through)
        return None if math.isnan(price) else Match(price, slips=False)
    if phase is Phase.OPEN:
        price, at_open = limit_price(order.sign, limit, bar.open, bar.high, bar.low, False, through)
        return Match(price, slips=False, at_open=True) if at_open and not here else None
    price, _ = limit_price(order.sign, limit, bar.open, bar.high, bar.low, True, through)
    if math.isnan(price):
        return None
    if here and order.entered is not None and order.entered.by_limit:
        # The bar's best price may have come before the entry; only its close surely came after.
        if order.sign < 0 and bar.close < limit:
            return None
        if order.sign > 0 and bar.close > limit:
            return None
    return Match(price, slips=False, by_limit=True)


def _at_close(order: SimOrder, bar: TapeBar) -> Match | None:
    if order.time_in_force is TimeInForce.CLS:
        if not bar.ends_session:
            return None
    elif not order.at_close:
        return None
    close = bar.close
    if (
        order.type in (OrderType.STOP, OrderType.STOP_LIMIT)
        and order.sign * (close - float(order.stop or 0)) < 0
    ):
        return None
    if (
        order.type in (OrderType.LIMIT, OrderType.STOP_LIMIT)
        and order.sign * (close - float(order.limit or 0)) > 0
    ):
        return None
    return Match(close, slips=order.type is not OrderType.LIMIT)
