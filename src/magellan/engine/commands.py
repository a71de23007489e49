"""Commands: everything a session wants done. The driver carries them out in their order, and decides nothing.

`Record` comes first where there is one, and must be durable before anything after it is begun. If it cannot be kept,
the driver carries out nothing that follows, and ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from magellan.ledger.entries import NewEntry
from magellan.trading.answer import Replacement
from magellan.trading.order import OrderRequest
from magellan.trading.purpose import OrderPurpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Append these entries to the account's ledger, all in one durable transaction."""

    entries: tuple[NewEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """Send this order, once. Tell `Answered(to=SUBMIT)`, with Unknown when no answer came."""

    request: OrderRequest
    purpose: OrderPurpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Replace:
    """Change a working order, once. Tell `Answered(to=REPLACE)` under the name of the new order."""

    broker_order_id: str
    change: Replacement


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Ask for an order's cancel, once. Tell `Answered(to=CANCEL)`."""

    broker_order_id: str
    client_order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """Ask the broker what it has under this name. Tell `LookedUp`, or `NotTold`."""

    client_order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskBroker:
    """Ask for account, positions, orders and executions. Tell `BrokerTold`, or `NotTold`."""

    since: datetime  # aware, UTC: of orders and executions


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenAnew:
    """Leave the order stream and open it again. Tell `OrdersDown` at once, and `OrdersUp` when it listens."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WakeAt:
    """Tell `Woke(name)` at this instant, or at once when it has passed. The same name asked for again is moved."""

    at: datetime
    name: str


class Severity(StrEnum):
    """How soon a person must look."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Tell a person."""

    severity: Severity
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The session is over. flat: whether the account holds nothing of ours."""

    reason: str
    flat: bool
    in_order: bool  # False: it refuses to begin, or cannot go on


Command = Record | Submit | Replace | Cancel | LookUp | AskBroker | ListenAnew | WakeAt | Alert | Stop
