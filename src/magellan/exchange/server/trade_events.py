"""Trade events: what happened to each account's orders, kept for the streams and for resuming."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from magellan.exchange.server.encoding import rfc3339

KEPT_PER_ACCOUNT = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeEvent:
    """One trade update.

    data:      as the trade_updates stream sends it.
    json_data: the same as JSON: written once, sent to every client and logged.
    """

    account_id: str
    event_id: str  # a ULID: sorts by time, then by the order of happening
    at_ns: int
    data: Mapping[str, Any]
    json_data: bytes

    @property
    def order(self) -> Mapping[str, Any]:
        order: Mapping[str, Any] = self.data["order"]
        return order

    def for_sse(self) -> dict[str, Any]:
        """The event as the SSE stream sends it: with the id and the time from which one resumes."""
        return {
            "account_id": self.account_id,
            "at": rfc3339(self.at_ns),
            "event_id": self.event_id,
            **self.data,
        }


class TradeEvents:
    """Every account's trade events, oldest first, and who wants to hear of further ones."""

    def __init__(self) -> None:
        self._kept: defaultdict[str, deque[TradeEvent]] = defaultdict(lambda: deque(maxlen=KEPT_PER_ACCOUNT))
        self._listeners: defaultdict[str, list[Callable[[TradeEvent], None]]] = defaultdict(list)
        self._orders: dict[str, Mapping[str, Any]] = {}

    def add(self, event: TradeEvent) -> None:
        """Keep an event, and hand it to all who listen to its account."""
        self._kept[event.account_id].append(event)
        self._orders[event.order["id"]] = event.order
        for listener in tuple(self._listeners[event.account_id]):
            listener(event)

    def listen(self, account_id: str, listener: Callable[[TradeEvent], None]) -> Callable[[], None]:
        """Hand every further event of an account to `listener`; returns what ends that."""
        self._listeners[account_id].append(listener)
        return lambda: self._listeners[account_id].remove(listener)

    def of(self, account_id: str) -> Iterator[TradeEvent]:
        """An account's events, oldest first."""
        return iter(tuple(self._kept[account_id]))

    def of_order(self, account_id: str, order_id: str) -> list[TradeEvent]:
        """An order's events, oldest first."""
        return [event for event in self._kept[account_id] if event.order["id"] == order_id]

    def order(self, order_id: str) -> Mapping[str, Any] | None:
        """An order as its newest event showed it; None for one that had none."""
        return self._orders.get(order_id)
