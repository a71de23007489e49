"""Orders: what we ask a broker for, what it says has become of it, and the shares that changed hands.

The words are those of Alpaca's protocol, which most brokers' fit into. `TRANSITIONS` is the state table: the code, its
tests and the drawing in docs/guides read it. Its rules live here:

- a state that is terminal never opens again, whatever arrives later;
- a state is never inferred from silence: only an event or an answer of the broker changes it;
- shares are counted from executions, never from a state (a fill may arrive after "canceled").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class OrderSide(StrEnum):
    """Which way shares move."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 to buy, -1 to sell."""
        return 1 if self is OrderSide.BUY else -1

    @property
    def opposite(self) -> OrderSide:
        return OrderSide.SELL if self is OrderSide.BUY else OrderSide.BUY


class OrderType(StrEnum):
    """At which price an order trades."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


class OrderClass(StrEnum):
    """How orders hang together."""

    SIMPLE = "simple"
    BRACKET = "bracket"  # an entry, then a take-profit and a stop-loss of which one cancels the other
    OCO = "oco"  # a take-profit and a stop-loss of which one cancels the other
    OTO = "oto"  # an entry, then one of the two


class TimeInForce(StrEnum):
    """How long an order works."""

    DAY = "day"  # until the end of the session in which it can first fill
    GTC = "gtc"  # until filled or cancelled
    IOC = "ioc"  # what the first bar gives; the rest is cancelled
    FOK = "fok"  # all of it on the first bar, or nothing
    OPG = "opg"  # only at the next session's opening
    CLS = "cls"  # only at the session's close


class OrderStatus(StrEnum):
    """What a broker says of an order."""

    PENDING_NEW = "pending_new"
    ACCEPTED = "accepted"
    ACCEPTED_FOR_BIDDING = "accepted_for_bidding"
    PENDING_REVIEW = "pending_review"
    HELD = "held"  # a leg that wakes when its entry has filled
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    PENDING_CANCEL = "pending_cancel"
    PENDING_REPLACE = "pending_replace"
    STOPPED = "stopped"
    SUSPENDED = "suspended"
    CALCULATED = "calculated"
    DONE_FOR_DAY = "done_for_day"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REPLACED = "replaced"
    REJECTED = "rejected"

    @property
    def is_terminal(self) -> bool:
        """Nothing more will happen to the order itself."""
        return self in _TERMINAL


class OrderEventKind(StrEnum):
    """What a broker's stream tells about an order."""

    ACCEPTED = "accepted"
    PENDING_NEW = "pending_new"
    NEW = "new"
    HELD = "held"
    PARTIAL_FILL = "partial_fill"
    FILL = "fill"
    DONE_FOR_DAY = "done_for_day"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REPLACED = "replaced"
    REJECTED = "rejected"
    PENDING_CANCEL = "pending_cancel"
    PENDING_REPLACE = "pending_replace"
    STOPPED = "stopped"
    SUSPENDED = "suspended"
    CALCULATED = "calculated"
    RESTATED = "restated"  # the broker corrected something: ask it for the order
    REPLACE_REJECTED = "order_replace_rejected"
    CANCEL_REJECTED = "order_cancel_rejected"


_TERMINAL: Final = frozenset(
    {
        OrderStatus.FILLED,
        OrderStatus.CANCELED,
        OrderStatus.EXPIRED,
        OrderStatus.REPLACED,
        OrderStatus.REJECTED,
    }
)

# The state that an event alone leads to, from every state that is not terminal. None: the state stays as it is, and
# a rejected cancel or replacement gives back the state before it was asked for.
LEADS_TO: Final[Mapping[OrderEventKind, OrderStatus | None]] = MappingProxyType(
    {
        OrderEventKind.ACCEPTED: OrderStatus.ACCEPTED,
        OrderEventKind.PENDING_NEW: OrderStatus.PENDING_NEW,
        OrderEventKind.NEW: OrderStatus.NEW,
        OrderEventKind.HELD: OrderStatus.HELD,
        OrderEventKind.PARTIAL_FILL: OrderStatus.PARTIALLY_FILLED,
        OrderEventKind.FILL: OrderStatus.FILLED,
        OrderEventKind.DONE_FOR_DAY: OrderStatus.DONE_FOR_DAY,
        OrderEventKind.CANCELED: OrderStatus.CANCELED,
        OrderEventKind.EXPIRED: OrderStatus.EXPIRED,
        OrderEventKind.REPLACED: OrderStatus.REPLACED,
        OrderEventKind.REJECTED: OrderStatus.REJECTED,
        OrderEventKind.PENDING_CANCEL: OrderStatus.PENDING_CANCEL,
        OrderEventKind.PENDING_REPLACE: OrderStatus.PENDING_REPLACE,
        OrderEventKind.STOPPED: OrderStatus.STOPPED,
        OrderEventKind.SUSPENDED: OrderStatus.SUSPENDED,
        OrderEventKind.CALCULATED: OrderStatus.CALCULATED,
        OrderEventKind.RESTATED: None,
        OrderEventKind.REPLACE_REJECTED: None,
        OrderEventKind.CANCEL_REJECTED: None,
    }
)

# How far an order has come. A late event never takes it back: "new" that arrives after "partially_filled" says nothing.
_PROGRESS: Final[Mapping[OrderStatus, int]] = MappingProxyType(
    {
        OrderStatus.PENDING_NEW: 0,
        OrderStatus.PENDING_REVIEW: 0,
        OrderStatus.ACCEPTED: 1,
        OrderStatus.ACCEPTED_FOR_BIDDING: 1,
        OrderStatus.HELD: 1,
        OrderStatus.NEW: 2,
        OrderStatus.SUSPENDED: 2,
        OrderStatus.STOPPED: 2,
        OrderStatus.CALCULATED: 2,
        OrderStatus.PARTIALLY_FILLED: 3,
        OrderStatus.DONE_FOR_DAY: 3,
        OrderStatus.PENDING_CANCEL: 4,
        OrderStatus.PENDING_REPLACE: 4,
    }
)


def _transitions() -> Mapping[OrderStatus, Mapping[OrderEventKind, OrderStatus]]:
    table: dict[OrderStatus, Mapping[OrderEventKind, OrderStatus]] = {}
    for state in OrderStatus:
        row = {}
        for event, told in LEADS_TO.items():
            if state.is_terminal or told is None:
                continue
            if told.is_terminal or _PROGRESS[told] >= _PROGRESS[state]:
                row[event] = told
        table[state] = MappingProxyType(row)
    return MappingProxyType(table)


# {state: {event: next state}}; an event that a state's row lacks leaves the state as it is.
TRANSITIONS: Final = _transitions()


def after(state: OrderStatus, event: OrderEventKind) -> OrderStatus:
    """The state of an order after an event, by the table."""
    return TRANSITIONS[state].get(event, state)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """An order as we mean it, before a broker has seen it. Prices and quantities are exact.

    client_order_id names the intent for ever: sending the same one twice can never make two orders.
    """

    client_order_id: str  # 1 to 128 characters
    symbol: str
    side: OrderSide
    type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.DAY
    quantity: Decimal | None = None  # units, > 0; None only where notional_usd is given
    notional_usd: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None  # of a trailing stop: distance in currency
    trail_percent: Decimal | None = None  # or in percent of the best price; 2 is 2 %
    extended_hours: bool = False
    order_class: OrderClass = OrderClass.SIMPLE
    take_profit_price: Decimal | None = None  # limit of the leg that takes the profit
    stop_loss_price: Decimal | None = None  # stop of the leg that limits the loss
    stop_loss_limit_price: Decimal | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.client_order_id) <= 128:
            raise ValueError(f"a client_order_id has 1 to 128 characters, not {len(self.client_order_id)}")
        if (self.quantity is None) == (self.notional_usd is None):
            raise ValueError(f"{self.client_order_id}: an order has either a quantity or a notional")
        for name in ("quantity", "notional_usd", "trail_price", "trail_percent"):
            value = getattr(self, name)
            if value is not None and not (value.is_finite() and value > 0):
                raise ValueError(f"{self.client_order_id}: {name} is {value}, not above zero")
        for name in ("limit_price", "stop_price", "take_profit_price", "stop_loss_price"):
            value = getattr(self, name)
            if value is not None and not value.is_finite():
                raise ValueError(f"{self.client_order_id}: {name} is {value}")
        needs_limit = self.type in (OrderType.LIMIT, OrderType.STOP_LIMIT)
        if needs_limit != (self.limit_price is not None) and self.order_class is not OrderClass.OCO:
            raise ValueError(
                f"{self.client_order_id}: a {self.type} order with limit price {self.limit_price}"
            )
        needs_stop = self.type in (OrderType.STOP, OrderType.STOP_LIMIT)
        if needs_stop != (self.stop_price is not None):
            raise ValueError(f"{self.client_order_id}: a {self.type} order with stop price {self.stop_price}")

    @property
    def signed_quantity(self) -> Decimal | None:
        """Units bought > 0, sold < 0; None for an order by amount."""
        return None if self.quantity is None else self.side.sign * self.quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerOrder:
    """An order as the broker last told it."""

    broker_order_id: str
    client_order_id: str
    symbol: str
    side: OrderSide
    type: OrderType
    order_class: OrderClass
    time_in_force: TimeInForce
    status: OrderStatus
    quantity: Decimal | None  # None for an order by amount
    filled_quantity: Decimal  # >= 0
    filled_average_price: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    submitted_at: datetime | None  # aware, UTC
    updated_at: datetime | None
    legs: tuple[BrokerOrder, ...] = ()
    replaces: str | None = None  # the broker's id of the order before
    replaced_by: str | None = None

    @property
    def open_quantity(self) -> Decimal:
        """Units that may still change hands by this order itself; 0 when it is terminal."""
        if self.status.is_terminal or self.quantity is None:
            return Decimal(0)
        return self.quantity - self.filled_quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """Units that changed hands for one order. Never edited: a correction is a new one."""

    execution_id: str  # the broker's; counts once, however often it is told
    broker_order_id: str
    client_order_id: str
    symbol: str
    side: OrderSide
    quantity: Decimal  # units, > 0
    price: Decimal  # per unit, before commission
    at: datetime  # aware, UTC
    commission_usd: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        if self.quantity <= 0:
            raise ValueError(f"execution {self.execution_id} moves {self.quantity} units")
        if self.at.utcoffset() != timedelta(0):
            raise ValueError(f"execution {self.execution_id} is stamped {self.at!r}, not in UTC")

    @property
    def signed_quantity(self) -> Decimal:
        """Units bought > 0, sold < 0."""
        return self.side.sign * self.quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvent:
    """One message of a broker's stream of order events."""

    kind: OrderEventKind
    order: BrokerOrder  # as it stood when the event was made
    at: datetime  # aware, UTC
    execution: Execution | None = None  # of a fill or partial fill
    position_quantity: Decimal | None = None  # of the symbol after a fill, where the broker tells it
    event_id: str = field(default="", compare=False)  # for streams that can be resumed
