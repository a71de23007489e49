"""The purse: cash and equity as our own book has them, which sizes are computed from; in floats, as a backtest's are.

The account's cash at the first start, then executions, commissions and what was recorded to have moved. The broker's
figure is compared at every start, and what it has more or less is recorded with its reason.
"""

from __future__ import annotations

from decimal import Decimal

from magellan.engine.desk import Desk
from magellan.engine.state import ZERO


def cash(desk: Desk) -> Decimal:
    """Free cash by our own book, in USD."""
    book = desk.state.book
    flow = sum(book.cash_flow_usd.values(), ZERO)
    return book.cash_moved_usd + flow - book.commission_usd


def equity(desk: Desk, before_ns: int | None = None) -> float:
    """Cash plus every position at the newest close; `before_ns`: at the newest close of a bar that began before."""
    return float(cash(desk)) + sum(_values(desk, before_ns))


def counted(desk: Desk) -> tuple[float, float, float]:
    """Cash, equity, and the market value of all positions without their signs, at the newest closes."""
    free, values = float(cash(desk)), _values(desk, None)
    return free, free + sum(values), sum(map(abs, values))


def _values(desk: Desk, before_ns: int | None) -> list[float]:
    found = []
    for symbol, position in desk.state.book.positions.items():
        history = desk.histories.get(symbol)
        price = None
        if history is not None:
            price = history.last_close if before_ns is None else history.close_before(before_ns)
        if price is None:
            average = position.average_price
            assert average is not None, "a position has a price"
            price = float(average)
        point_value = desk.setup.config.instrument(symbol).point_value
        found.append(float(position.quantity) * price * point_value)
    return found
