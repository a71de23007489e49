"""The simulated account's orders: all of them, those at work, what they hold, and what is told of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from decimal import Decimal

from magellan.adapters.simulated.sim_order import ZERO, SimOrder
from magellan.trading.bar import instant
from magellan.trading.order import (
    BrokerOrder,
    Execution,
    OrderClass,
    OrderEvent,
    OrderEventKind,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
)


class AccountOrders:
    """Orders in the order of their arrival. Times are ns UTC."""

    def __init__(self) -> None:
        self.by_id: dict[str, SimOrder] = {}  # by the broker's id
        self.by_name: dict[str, SimOrder] = {}  # by the id that whoever sent it gave it
        self._open: dict[str, SimOrder] = {}  # those that are not over
        self._arrived: list[SimOrder] = []
        self._events: list[tuple[int, OrderEvent]] = []
        self._number = 0

    # --- Which there are --------------------------------------------------------------------------------------

    def open(self) -> list[SimOrder]:
        """Those that are not over."""
        return list(self._open.values())

    def open_in(self, symbol: str) -> list[SimOrder]:
        return [order for order in self._open.values() if order.symbol == symbol]

    def since(self, at_ns: int) -> list[SimOrder]:
        """Those that came at an instant or later."""
        return self._arrived[bisect_left(self._arrived, at_ns, key=_submitted_ns) :]

    def held_by_orders(self, symbol: str, position: Decimal) -> Decimal:
        """Units of a position that orders to leave it hold; linked orders hold them once."""
        total = ZERO
        if not position:
            return total
        leaves = OrderSide.SELL if position > 0 else OrderSide.BUY
        counted: set[int] = set()
        for order in self._open.values():
            if order.side is not leaves or order.symbol != symbol or not order.works:
                continue
            root = order.parent or order
            if id(root) not in counted:
                counted.add(id(root))
                total += order.open_quantity
        return total

    def stopped_units(self, symbol: str) -> Decimal:
        """Units that stops and market orders at work would sell."""
        return sum(
            (
                order.open_quantity
                for order in self._open.values()
                if order.side is OrderSide.SELL
                and order.symbol == symbol
                and order.type in (OrderType.STOP, OrderType.MARKET)
                and order.works
            ),
            ZERO,
        )

    # --- How they come and go ---------------------------------------------------------------------------------

    def next_number(self) -> int:
        """One that no other order has in its names."""
        self._number += 1
        return self._number

    def made(self, request: OrderRequest, at_ns: int) -> SimOrder:
        """The order that was asked for, with its legs; nothing knows it yet."""
        oco = request.order_class is OrderClass.OCO
        order = self._made(
            request,
            request.client_order_id,
            request.side,
            request.type,
            request.limit_price if not oco else request.take_profit_price,
            request.stop_price,
            at_ns,
        )
        sides = (request.take_profit_price if not oco else None, request.stop_loss_price)
        for price, type_ in zip(sides, (OrderType.LIMIT, OrderType.STOP), strict=True):
            if price is None:
                continue
            leg = self._made(
                request,
                f"leg-{self.next_number()}",
                request.side if oco else request.side.opposite,
                type_,
                price if type_ is OrderType.LIMIT else None,
                price if type_ is OrderType.STOP else None,
                at_ns,
            )
            leg.parent = order
            leg.status = OrderStatus.NEW if oco else OrderStatus.HELD
            order.legs.append(leg)
        return order

    def _made(
        self,
        request: OrderRequest,
        name: str,
        side: OrderSide,
        type_: OrderType,
        limit: Decimal | None,
        stop: Decimal | None,
        at_ns: int,
    ) -> SimOrder:
        assert request.quantity is not None, "checked before"
        return SimOrder(
            broker_order_id=f"b{self.next_number()}",
            client_order_id=name,
            symbol=request.symbol,
            side=side,
            type=type_,
            order_class=request.order_class,
            time_in_force=request.time_in_force,
            quantity=request.quantity,
            limit=limit,
            stop=stop,
            submitted_ns=at_ns,
            updated_ns=at_ns,
        )

    def take_in(self, order: SimOrder) -> None:
        self.by_id[order.broker_order_id] = order
        self.by_name[order.client_order_id] = order
        self._open[order.broker_order_id] = order
        self._arrived.append(order)

    def filled(self, order: SimOrder, execution: Execution, at_ns: int, position: Decimal) -> None:
        """Put an execution on its order, and tell of it. position: what is held after it."""
        order.filled += execution.quantity
        order.paid += execution.quantity * execution.price
        done = order.open_quantity == 0
        order.status = OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED
        if done:
            self._open.pop(order.broker_order_id, None)
        kind = OrderEventKind.FILL if done else OrderEventKind.PARTIAL_FILL
        self.tell(kind, order, at_ns, execution, position)

    def cancel(self, order: SimOrder, at_ns: int) -> None:
        self.end(order, OrderStatus.CANCELED, OrderEventKind.CANCELED, at_ns)

    def cancel_with_linked(self, order: SimOrder, at_ns: int) -> None:
        root = order.parent or order
        linked = [order, *root.legs, *([root] if order.parent is not None else [])]
        for each in linked:
            if not each.status.is_terminal:
                self.cancel(each, at_ns)

    def end(self, order: SimOrder, status: OrderStatus, kind: OrderEventKind, at_ns: int) -> None:
        """Put an order into a status that it does not leave."""
        order.status = status
        self._open.pop(order.broker_order_id, None)
        self.tell(kind, order, at_ns)

    # --- What is told -----------------------------------------------------------------------------------------

    def tell(
        self,
        kind: OrderEventKind,
        order: SimOrder,
        at_ns: int,
        execution: Execution | None = None,
        position: Decimal | None = None,
    ) -> None:
        """Tell whoever listens what happened to an order."""
        order.updated_ns = at_ns
        event = OrderEvent(
            kind=kind,
            order=order.shown_alone(),
            at=instant(at_ns),
            execution=execution,
            position_quantity=position,
        )
        self._events.append((at_ns, event))

    def take_events(self) -> list[tuple[int, OrderEvent]]:
        """What was told since the last call, with its instants."""
        events, self._events = self._events, []
        return events


def shown(orders: Iterable[SimOrder]) -> tuple[BrokerOrder, ...]:
    """The orders that these are or hang on, each once, as the broker shows them."""
    found = {id(root): root for root in (order.parent or order for order in orders)}
    return tuple([root.shown() for root in found.values()])


def siblings(order: SimOrder) -> list[SimOrder]:
    """Orders that share their quantity with this one, and have not ended."""
    if order.parent is not None:
        linked = [order.parent, *order.parent.legs]
    else:
        linked = order.legs if order.order_class is OrderClass.OCO else []
    return [each for each in linked if each is not order and each.works and each.side is order.side]


def _submitted_ns(order: SimOrder) -> int:
    return order.submitted_ns
