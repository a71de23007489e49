"""Our orders, as a session reads them: what each is for, what is being changed about it, and what it may still do.

Orders hang together in groups: an entry with its legs, a take-profit with its stop-loss, or one order alone. The exit
orders of a group share one quantity: whatever one of them fills, the other has less to fill.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from magellan.trading.order import OrderSide, OrderType


class Role(StrEnum):
    """What an order does to its position."""

    ENTRY = "entry"
    TARGET = "target"  # rests, to take the profit
    STOP = "stop"  # rests, to limit the loss
    LEAVE = "leave"  # leaves at the market


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A cancel or a replacement that is under way."""

    asked_at: datetime
    replacement: str | None  # name of the order that takes its place; None: a cancel


@dataclass(slots=True, kw_only=True)
class OurOrder:
    """One order of a plan. Its status and its fills stand in the book, under the same name."""

    name: str
    plan_id: str
    symbol: str
    side: OrderSide
    role: Role
    type: OrderType
    portion: int  # 0: what no target sells; k: what target k sells
    group: str  # name of the order that the group hangs on
    quantity: Decimal
    limit: Decimal | None
    stop: Decimal | None
    reason: str
    asked_at: datetime  # when it was sent, or first seen
    is_leg: bool = False  # the broker made it of another order
    superseded: bool = False  # another order has taken its place
    replaces: str | None = None
    change: Change | None = None


@dataclass(slots=True, kw_only=True)
class Inquiry:
    """An order whose fate is being asked for."""

    since: datetime
    asked: int = 0
    denied: int = 0  # how often the broker had no order of that name
    is_shown: bool = False  # it has shown one
    next_at: datetime


@dataclass(slots=True, kw_only=True)
class Group:
    """Orders of which one fill takes from all."""

    root: str
    portion: int
    orders: list[OurOrder] = field(default_factory=list)
