"""What goes in and out of the venue: one call of Trading REST v2, its answer, and the events that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call of Trading REST v2.

    path:  below /v2, with its slash, percent-decoded: "/orders", "/orders:by_client_order_id", "/assets/BTC/USD".
           Calls of /v3 keep their version: "/v3/clock".
    query: every value of every name, in the order in which they came.
    body:  the parsed JSON; None where there was none. Numbers may be Decimal, int, float or text.
    """

    method: str
    path: str
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    body: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer: a status, and a body of plain JSON values; None where the body is empty (204)."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_error(self) -> bool:
        return self.status >= 400


class EventKind(StrEnum):
    """What an event is about."""

    TRADE_UPDATE = "trade_update"
    ACCOUNT = "account"
    ACTIVITY = "activity"


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueEvent:
    """Something that happened to an account, in the order in which it happened.

    body: for a trade update the `data` of a trade_updates message, as Alpaca sends it; for an activity the entry
          that the activities list will show; for an account its new body. Never changed after it was made.
    """

    account_id: str
    event_id: str  # a ULID: sorts by time, then by the order of happening
    at_ns: int  # UTC
    kind: EventKind
    body: Mapping[str, Any]
