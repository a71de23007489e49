"""An order at the simulated broker."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from magellan.trading.bar import instant
from magellan.trading.order import (
    BrokerOrder,
    OrderClass,
    OrderSide,
    OrderStatus,
    OrderType,
    TimeInForce,
)

ZERO = Decimal(0)


@dataclass(slots=True)
class Entered:
    """How a leg's entry was filled: what the bar of the entry may still do to the leg."""

    bar_start_ns: int
    price: float  # that it came in at, before slippage
    at_open: bool
    by_limit: bool


@dataclass(slots=True, kw_only=True, eq=False)
class SimOrder:
    """One order, with its legs. Changed by the broker's core alone."""

    broker_order_id: str
    client_order_id: str
    symbol: str
    side: OrderSide
    type: OrderType
    order_class: OrderClass
    time_in_force: TimeInForce
    quantity: Decimal
    limit: Decimal | None
    stop: Decimal | None
    submitted_ns: int
    status: OrderStatus = OrderStatus.NEW
    filled: Decimal = ZERO
    paid: Decimal = ZERO  # quantity x price of what was filled
    updated_ns: int = 0
    legs: list[SimOrder] = field(default_factory=list)
    parent: SimOrder | None = None
    replaces: str | None = None
    replaced_by: str | None = None
    triggered: bool = False
    seen_bar_ns: int = -1  # start of the first bar in which it could fill
    entered: Entered | None = None
    at_close: bool = False  # it came just before its bar's end
    arrived_ns: int = 0
    part: Decimal | None = None  # a fault lets only so much of it fill at first
    _told: BrokerOrder | None = None  # as it was last shown, and what of it may have changed since then
    _told_of: tuple[object, ...] = ()

    @property
    def open_quantity(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def works(self) -> bool:
        """Whether it is in the market: neither over nor asleep."""
        return not self.status.is_terminal and self.status is not OrderStatus.HELD

    @property
    def sign(self) -> float:
        return 1.0 if self.side is OrderSide.BUY else -1.0

    def shown(self) -> BrokerOrder:
        """The order as the broker tells it."""
        legs = tuple([leg.shown() for leg in self.legs])
        of = (self.status, self.quantity, self.filled, self.paid, self.updated_ns, self.replaced_by, legs)
        if self._told is None or of != self._told_of:
            # Asked for all day, and seldom another than the last time.
            self._told, self._told_of = self._made(legs), of
        return self._told

    def shown_alone(self) -> BrokerOrder:
        """The order as events tell it: without its legs, which have events of their own."""
        return self._made(()) if self.legs else self.shown()

    def _made(self, legs: tuple[BrokerOrder, ...]) -> BrokerOrder:
        return BrokerOrder(
            broker_order_id=self.broker_order_id,
            client_order_id=self.client_order_id,
            symbol=self.symbol,
            side=self.side,
            type=self.type,
            order_class=self.order_class,
            time_in_force=self.time_in_force,
            status=self.status,
            quantity=self.quantity,
            filled_quantity=self.filled,
            filled_average_price=self.paid / self.filled if self.filled else None,
            limit_price=self.limit,
            stop_price=self.stop,
            submitted_at=instant(self.submitted_ns),
            updated_at=instant(self.updated_ns),
            legs=legs,
            replaces=self.replaces,
            replaced_by=self.replaced_by,
        )
