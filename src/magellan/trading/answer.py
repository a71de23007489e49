"""Answers: what a broker says to an order, a replacement or a cancel, and that its order stream came or went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from magellan.trading.order import BrokerOrder


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
class StreamUp:
    """The order stream is connected and listening. What happened before may have been missed."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamDown:
    """The order stream is lost, and why."""

    at: datetime
    why: str
