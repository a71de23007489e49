"""`/stream`: trade updates over a WebSocket."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from magellan.exchange.server.encoding import Encoding, read_message
from magellan.exchange.server.faults.injector import FaultInjector, Occasion
from magellan.exchange.server.faults.plan import (
    DuplicateEvent,
    LateEvent,
    LostEvent,
    ReorderedEvents,
    ReplayedEvents,
    Seam,
)
from magellan.exchange.server.key_ring import KeyPair, KeyRing, Refusal
from magellan.exchange.server.trade_events import TradeEvent, TradeEvents
from magellan.exchange.server.websocket import StreamConnection, encoded
from magellan.trading.timeframe import SECOND_NS

TRADE_UPDATES = "trade_updates"


def error_message(code: int) -> dict[str, Any]:
    """An error as this stream tells it."""
    return {"stream": "error", "data": {"code": code, "error": _ERRORS.get(code, "internal error")}}


_ERRORS = {400: "invalid syntax", 406: "connection limit exceeded", 407: "slow client"}


class TradeStream:
    """One client's session on the trade stream: it is let in, listens, and gets updates.

    later:    calls a function at an instant of exchange time; for events that arrive late.
    is_taken: whether another connection already holds a key, where only one may.
    """

    def __init__(
        self,
        connection: StreamConnection,
        *,
        keys: KeyRing,
        events: TradeEvents,
        faults: FaultInjector,
        later: Callable[[int, Callable[[], None]], None],
        is_taken: Callable[[str], bool],
    ) -> None:
        self.connection = connection
        self._keys = keys
        self._events = events
        self._faults = faults
        self._later = later
        self._is_taken = is_taken
        self._held_back: deque[bytes] = deque()
        self._stop: Callable[[], None] | None = None

    @property
    def listens(self) -> bool:
        """Whether the client gets trade updates."""
        return self._stop is not None

    async def serve(self) -> None:
        """Answer the client until it leaves."""
        writing = asyncio.get_running_loop().create_task(self.connection.write())
        try:
            while (data := await self.connection.receive()) is not None:
                self._take(data)
        finally:
            self._listen(False)
            writing.cancel()

    def _take(self, data: str | bytes) -> None:
        try:
            message = read_message(data)
        except ValueError:
            self.connection.answer(error_message(400))
            return
        action = message.get("action") if isinstance(message, dict) else None
        if action in ("authenticate", "auth"):
            self._authenticate(message)
        elif action == "listen":
            self._set_streams(message)
        else:
            self.connection.answer(error_message(400))

    def _authenticate(self, message: dict[str, Any]) -> None:
        """Old form: action authenticate with data {key_id, secret_key}; new form: action auth with key and secret."""
        data = message.get("data")
        shown = (
            data
            if isinstance(data, dict)
            else {"key_id": message.get("key"), "secret_key": message.get("secret")}
        )
        key_id, secret = shown.get("key_id"), shown.get("secret_key")
        pair = (
            KeyPair(key_id=key_id, secret=secret)
            if isinstance(key_id, str) and isinstance(secret, str)
            else None
        )
        account = self._keys.account_of(pair)
        if pair is None or isinstance(account, Refusal):
            self.connection.answer(_authorization("unauthorized", "authenticate"))
            return
        if self._is_taken(pair.key_id):
            self.connection.answer(error_message(406))
            self.connection.end(1008)
            return
        self.connection.key_id, self.connection.account_id = pair.key_id, account
        self.connection.answer(_authorization("authorized", "authenticate"))
        self.connection.begin()

    def _set_streams(self, message: dict[str, Any]) -> None:
        if not self.connection.account_id:
            self.connection.answer(_authorization("unauthorized", "listen"))
            return
        data = message.get("data")
        asked = data.get("streams") if isinstance(data, dict) else None
        if not isinstance(asked, list):
            self.connection.answer(error_message(400))
            return
        listens = TRADE_UPDATES in asked
        self._listen(listens)
        streams = [TRADE_UPDATES] if listens else []
        self.connection.answer({"stream": "listening", "data": {"streams": streams}})

    def _listen(self, listens: bool) -> None:
        if self._stop is not None:
            self._stop()
            self._stop = None
        if listens:
            self._stop = self._events.listen(self.connection.account_id, self._publish)

    def _publish(self, event: TradeEvent) -> None:
        data = _frame(event, self.connection.encoding)
        if not self._faults.at(Seam.EVENT):
            self.connection.publish(data)
            return
        armed = self._faults.first(Seam.EVENT, occasion_of(event, self.connection.key_id))
        terms = None if armed is None else armed.terms
        match terms:
            case LostEvent():
                return
            case ReorderedEvents():
                self._held_back.append(data)
                return
            case LateEvent(delay_s=delay_s):
                self._later(event.at_ns + int(delay_s * SECOND_NS), lambda: self.connection.publish(data))
                return
            case DuplicateEvent(copies=copies):
                for _ in range(copies):
                    self.connection.publish(data)
            case ReplayedEvents():
                self.connection.publish(data)
                for earlier in self._events.of_order(event.account_id, event.order["id"]):
                    self.connection.publish(_frame(earlier, self.connection.encoding))
            case _:
                self.connection.publish(data)
        while self._held_back:
            self.connection.publish(self._held_back.popleft())


def occasion_of(event: TradeEvent, key_id: str) -> Occasion:
    """What a trade update is to a fault's triggers."""
    order = event.order
    return Occasion(
        now_ns=event.at_ns,
        key_id=key_id,
        symbol=order.get("symbol") or "",
        side=order.get("side") or "",
        order_id=order["id"],
        client_order_id=order.get("client_order_id") or "",
        event=event.data["event"],
        stream="trades",
    )


def _authorization(status: str, action: str) -> dict[str, Any]:
    return {"stream": "authorization", "data": {"status": status, "action": action}}


def _frame(event: TradeEvent, encoding: Encoding) -> bytes:
    if encoding is Encoding.MSGPACK:
        return encoded({"stream": TRADE_UPDATES, "data": event.data}, encoding)
    return b'{"stream":"%s","data":%s}' % (TRADE_UPDATES.encode(), event.json_data)
