"""What a broker can do at all, as data: checked against what a strategy needs before its first bar."""

from __future__ import annotations

from dataclasses import dataclass

from magellan.trading.order import OrderClass, OrderType, TimeInForce


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a broker can do at all. Checked against what a strategy needs before its first bar."""

    name: str
    order_types: frozenset[OrderType]
    order_classes: frozenset[OrderClass]
    times_in_force: frozenset[TimeInForce]
    asset_classes: frozenset[str]  # for example us_equity
    fractions: bool
    shorts: bool
    extended_hours: bool
    order_stream: bool  # tells order events by itself; False: they must be asked for
    replace: bool
    requests_per_minute: int | None
    # Orders of these types may be for fractions, where there are any.
    fraction_types: frozenset[OrderType] = frozenset(OrderType)
    # Entries of these types may carry their take-profit and stop-loss along.
    bracket_entry_types: frozenset[OrderType] = frozenset({OrderType.MARKET, OrderType.LIMIT})
