"""The broker: whoever holds the account and carries out orders.

Kept by `adapters/alpaca/broker.py` and `adapters/simulated/broker.py`, and held to by tests/contracts. Asking is
repeated by the adapter where that can help. Changing anything is never repeated: a submit, a replacement and a cancel
are sent once, and an answer that did not come is `Unknown`, which the engine resolves by looking the order up.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from magellan.trading.account import AccountSnapshot, BrokerPosition, TradableAsset
from magellan.trading.order import (
    BrokerOrder,
    Execution,
    OrderClass,
    OrderEvent,
    OrderRequest,
    OrderType,
    TimeInForce,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The broker has the order."""

    order: BrokerOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The broker answered, and will not do it. Nothing has changed there."""

    code: str  # the broker's own code, or the HTTP status
    message: str
    rate_limited: bool = False  # refused unread, for being one too many: the same intent may be sent later


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """No answer that can be read. The order may be live: look it up by its client_order_id, never send it again."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """The broker took the request for a cancel; the order may still fill."""


Answer = Accepted | Refused | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """What to change about a working order. None leaves it."""

    client_order_id: str  # of the order that takes its place
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerClock:
    """The broker's own time, and whether its market is open."""

    at: datetime  # aware, UTC
    is_open: bool
    next_open_at: datetime
    next_close_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamUp:
    """The order stream is connected and listening. What happened before may have been missed."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamDown:
    """The order stream is lost, and why."""

    at: datetime
    why: str


class Broker(Protocol):
    """One account at one broker. The mode (paper or live) is fixed where it is built.

    Reading raises TryAgain when the broker cannot be reached or is not ready, FixInput for keys that it refuses (with
    the reason and what to do), AskOperator for an account that a person must look at.
    """

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def is_live(self) -> bool:
        """Whether real money moves."""
        ...

    async def account(self) -> AccountSnapshot: ...

    async def positions(self) -> tuple[BrokerPosition, ...]: ...

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        """Every order that is not terminal, legs inside their parents."""
        ...

    async def orders_since(self, at: datetime) -> tuple[BrokerOrder, ...]:
        """Every order submitted at or after `at`, terminal ones too, oldest first."""
        ...

    async def order(self, client_order_id: str) -> BrokerOrder | None:
        """The order of that name; None when the broker says that it has none."""
        ...

    async def executions_since(self, at: datetime) -> tuple[Execution, ...]:
        """Every execution at or after `at`, oldest first."""
        ...

    async def submit(self, request: OrderRequest) -> Answer: ...

    async def replace(self, broker_order_id: str, change: Replacement) -> Answer: ...

    async def cancel(self, broker_order_id: str) -> Requested | Refused | Unknown:
        """Ask for a cancel. What becomes of the order, its events tell."""
        ...

    async def asset(self, symbol: str) -> TradableAsset | None: ...

    async def clock(self) -> BrokerClock: ...

    def events(self) -> AsyncIterator[OrderEvent | StreamUp | StreamDown]:
        """Order events as they come; reconnects by itself, and says so. Ends when the broker is closed."""
        ...

    async def close(self) -> None: ...
