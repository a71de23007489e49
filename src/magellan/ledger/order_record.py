"""An order as the ledger knows it: what we meant, what the broker said, and the units that changed hands for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from magellan.ledger.changed import changed
from magellan.ledger.entries import AnswerIs, TradeIdea
from magellan.ledger.exact import ZERO
from magellan.trading.order import (
    BrokerOrder,
    OrderEventKind,
    OrderRequest,
    OrderStatus,
    OrderType,
    after,
)
from magellan.trading.purpose import OrderPurpose

# The event that a told status stands for, so that what a broker answers goes through the same table as its events.
_EVENT_OF: Final[Mapping[OrderStatus, OrderEventKind]] = MappingProxyType(
    {
        OrderStatus.PENDING_NEW: OrderEventKind.PENDING_NEW,
        OrderStatus.PENDING_REVIEW: OrderEventKind.PENDING_NEW,
        OrderStatus.ACCEPTED: OrderEventKind.ACCEPTED,
        OrderStatus.ACCEPTED_FOR_BIDDING: OrderEventKind.ACCEPTED,
        OrderStatus.HELD: OrderEventKind.HELD,
        OrderStatus.NEW: OrderEventKind.NEW,
        OrderStatus.PARTIALLY_FILLED: OrderEventKind.PARTIAL_FILL,
        OrderStatus.PENDING_CANCEL: OrderEventKind.PENDING_CANCEL,
        OrderStatus.PENDING_REPLACE: OrderEventKind.PENDING_REPLACE,
        OrderStatus.STOPPED: OrderEventKind.STOPPED,
        OrderStatus.SUSPENDED: OrderEventKind.SUSPENDED,
        OrderStatus.CALCULATED: OrderEventKind.CALCULATED,
        OrderStatus.DONE_FOR_DAY: OrderEventKind.DONE_FOR_DAY,
        OrderStatus.FILLED: OrderEventKind.FILL,
        OrderStatus.CANCELED: OrderEventKind.CANCELED,
        OrderStatus.EXPIRED: OrderEventKind.EXPIRED,
        OrderStatus.REPLACED: OrderEventKind.REPLACED,
        OrderStatus.REJECTED: OrderEventKind.REJECTED,
    }
)

_PENDING: Final = (OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRecord:
    """One order of an account. None, or "", for what is not known."""

    client_order_id: str
    symbol: str
    ours: bool  # we meant it, or it hangs on an order that we meant; False: someone else's
    strategy: str = ""
    purpose: OrderPurpose | None = None
    reason: str = ""
    idea: TradeIdea | None = None
    request: OrderRequest | None = None
    intended_at: datetime | None = None
    parent: str | None = None  # client_order_id of the order whose leg it is
    replaces: str | None = None  # client_order_id of the order before
    answer: AnswerIs | None = None  # to the submit or replacement; None: not yet
    answer_code: str = ""
    answer_message: str = ""
    cancel_asked: bool = False
    broker_order_id: str | None = None
    status: OrderStatus | None = None  # by the state table; None: the broker has told nothing of it
    told: BrokerOrder | None = None  # as the broker last told it
    filled_quantity: Decimal = ZERO  # units, from executions alone

    @property
    def is_unresolved(self) -> bool:
        """We meant it, and nobody knows whether the broker has it. It is never sent again while this holds."""
        return (
            self.intended_at is not None
            and self.broker_order_id is None
            and self.answer in (None, AnswerIs.UNKNOWN)
        )

    @property
    def is_open(self) -> bool:
        """The broker has it, and it may still fill."""
        return self.status is not None and not self.status.is_terminal

    def after_answer(self, answer: AnswerIs, code: str, message: str) -> OrderRecord:
        """After an answer to its submit or replacement. A yes is never taken back by an answer that comes later.

        Only where the broker has denied an order for long that it had, it is over: nothing fills it any more.
        """
        if answer is AnswerIs.ABSENT and self.is_open:
            return changed(self, status=OrderStatus.CANCELED, answer_message=message)
        if self.answer is AnswerIs.ACCEPTED:
            return self
        return changed(self, answer=answer, answer_code=code, answer_message=message)

    def after_event(self, event: OrderEventKind, order: BrokerOrder) -> OrderRecord:
        """After an event of the broker's stream."""
        if self.status is None:
            status = order.status
        elif event in (OrderEventKind.CANCEL_REJECTED, OrderEventKind.REPLACE_REJECTED):
            status = order.status if self.status in _PENDING else self.status
        else:
            status = after(self.status, event)
        return self._told(status, order)

    def after_look(self, order: BrokerOrder) -> OrderRecord:
        """After the broker showed the order in an answer, which may be older than events that were told already."""
        if self.status is None:
            return self._told(order.status, order)
        status = after(self.status, _EVENT_OF[order.status])
        if self.status in _PENDING and not order.status.is_terminal and _is_newer(order, self.told):
            status = order.status  # the cancel or replacement came to nothing
        return self._told(status, order)

    def _told(self, status: OrderStatus, order: BrokerOrder) -> OrderRecord:
        newest = order if self.told is None or not _is_newer(self.told, order) else self.told
        return changed(self, status=status, told=newest, broker_order_id=order.broker_order_id)


def purpose_of_leg(leg: BrokerOrder) -> OrderPurpose:
    """What a leg of a bracket, OCO or OTO order is for: the limit takes the profit, all else limits the loss."""
    return OrderPurpose.TARGET if leg.type is OrderType.LIMIT else OrderPurpose.STOP


def _is_newer(one: BrokerOrder, other: BrokerOrder | None) -> bool:
    if other is None or other.updated_at is None:
        return one.updated_at is not None
    return one.updated_at is not None and one.updated_at > other.updated_at
