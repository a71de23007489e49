"""Order events where nobody tells any: the orders are asked for, and what has changed since is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from magellan.adapters.robinhood.order_json import ToldOrder
from magellan.trading.order import OrderEvent, OrderEventKind, OrderStatus

_SAID_BY = {
    OrderStatus.PENDING_NEW: OrderEventKind.PENDING_NEW,
    OrderStatus.ACCEPTED: OrderEventKind.ACCEPTED,
    OrderStatus.NEW: OrderEventKind.NEW,
    OrderStatus.PENDING_CANCEL: OrderEventKind.PENDING_CANCEL,
    OrderStatus.CANCELED: OrderEventKind.CANCELED,
    OrderStatus.REJECTED: OrderEventKind.REJECTED,
}


@dataclass(slots=True)
class Changes:
    """What was last told of each order."""

    _status: dict[str, OrderStatus] = field(default_factory=dict)
    _fills: set[str] = field(default_factory=set)

    def of(self, told: ToldOrder, name: str, at: datetime) -> Iterator[OrderEvent]:
        """The events that lead from what was told before to what is told now. at: when it was told."""
        order = told.named(name)
        left = sum(
            (fill.quantity for fill in told.fills if fill.id not in self._fills),
            start=order.filled_quantity * 0,
        )
        filled = order.filled_quantity - left
        for execution in told.executions(name):
            if execution.execution_id in self._fills:
                continue
            self._fills.add(execution.execution_id)
            filled += execution.quantity
            full = order.status is OrderStatus.FILLED and filled == order.filled_quantity
            yield OrderEvent(
                kind=OrderEventKind.FILL if full else OrderEventKind.PARTIAL_FILL,
                order=order,
                at=execution.at,
                execution=execution,
                event_id=execution.execution_id,
            )
        before = self._status.get(told.id)
        self._status[told.id] = order.status
        kind = _SAID_BY.get(order.status)
        if before is not order.status and kind is not None:
            yield OrderEvent(kind=kind, order=order, at=told.updated_at or at)

    def begin(self, told: ToldOrder) -> None:
        """Take an order as it is now for what is known."""
        self._status[told.id] = told.status
        self._fills.update(fill.id for fill in told.fills)
