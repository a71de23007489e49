"""One WebSocket to a client: what waits to be sent, slow clients, and the faults of a connection."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import WSMsgType, web

from magellan.exchange.server.encoding import MSGPACK_TYPE, Encoding, to_json, to_msgpack
from magellan.exchange.server.faults.injector import FaultInjector, Occasion
from magellan.exchange.server.faults.plan import (
    BrokenMessage,
    CloseWithoutFrame,
    Disconnect,
    HalfOpenStream,
    MuteStream,
    OnSend,
    Seam,
    StreamError,
)

NO_CLOSE_FRAME = 1006  # never sent: it means that no close frame came
HEARTBEAT_S = 60.0  # a connection that answers no ping is reaped after one and a half of it
TAKES_WITHIN_S = 10.0  # seconds, where time waits for clients: in stepped and fast mode
_BATCH_MAX_BYTES = 64 * 1024
_CLOSING_ERRORS = frozenset({407, 500})


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTerms:
    """How WebSockets are served.

    waiting_max_bytes: a client that lets more wait is slow; it is told so, and closed.
    deflate:           whether compression is agreed to when a client offers it.
    one_per_key:       whether a second connection with the same key is refused.
    trades_as_text:    trade updates in text frames, as live accounts get them; paper accounts get binary ones.
    """

    waiting_max_bytes: int = 64 * 1024 * 1024
    deflate: bool = False
    one_per_key: bool = False
    trades_as_text: bool = False


class StreamConnection:
    """A WebSocket with an outbox. `send` never waits; a task of its own does the writing.

    stream: "trades" or "data", for the faults that name one.
    error_message: an error of this stream's protocol, from its code.
    """

    def __init__(
        self,
        socket: web.WebSocketResponse,
        request: web.BaseRequest,
        *,
        stream: str,
        encoding: Encoding,
        terms: StreamTerms,
        faults: FaultInjector,
        now_ns: Callable[[], int],
        error_message: Callable[[int], Any],
    ) -> None:
        self._socket = socket
        self._request = request
        self._stream = stream
        self.encoding = encoding
        self._terms = terms
        self._faults = faults
        self._now_ns = now_ns
        self._error_message = error_message
        self._waiting: deque[bytes | int] = deque()  # frames, and close codes
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._taken = 0  # frames that the client's machine has taken, or the system for it
        self._sent = 0  # messages of the subject, not those of the protocol
        self._is_mute = False
        self._is_ending = False
        self.key_id = ""
        self.account_id = ""

    @property
    def is_open(self) -> bool:
        return not (self._is_ending or self._socket.closed)

    @property
    def is_waiting(self) -> bool:
        """Whether anything still waits to be sent."""
        return self.is_open and not self._drained.is_set()

    def answer(self, message: Any) -> None:
        """Send a message of the protocol: greetings, acknowledgements, errors."""
        self.answer_frame(encoded(message, self.encoding))

    def answer_frame(self, data: bytes) -> None:
        """Send a message of the protocol that is encoded already."""
        if not self._is_mute:
            self._put(data)

    def publish(self, data: bytes) -> None:
        """Send a message of the subject, already in this connection's encoding."""
        if not self.is_open or self._is_mute:
            return
        self._sent += 1
        if self._faults.at(Seam.SEND):
            data = self._with_faults(data)
            if not data:
                return
        self._put(data)

    def begin(self) -> None:
        """The client was let in: faults that strike from the start do so now."""
        for armed in self._faults.at(Seam.SEND):
            if isinstance(armed.terms, OnSend) and armed.terms.after_messages == 0:
                self._strike(armed.terms, self._faults.tried(armed, self._occasion()))

    def end(self, code: int) -> None:
        """Send what waits, then close with that code."""
        if self.is_open:
            self._is_ending = True
            self._waiting.append(code)
            self._wake.set()

    async def drained(self) -> None:
        """Wait until nothing waits to be sent, or the connection has ended.

        A client that takes nothing for a while is cut off: whoever waits here, waits for all.
        """
        while not self._drained.is_set():
            before = self._taken
            try:
                async with asyncio.timeout(TAKES_WITHIN_S):
                    await self._drained.wait()
            except TimeoutError:
                if self._taken == before and self._request.transport is not None:
                    self._is_ending = True
                    self._drained.set()
                    self._request.transport.abort()

    async def write(self) -> None:
        """Write what waits, until the connection ends."""
        try:
            await self._write()
        finally:
            self._is_ending = True
            self._drained.set()

    async def _write(self) -> None:
        opcode = WSMsgType.TEXT if self.encoding is Encoding.JSON_TEXT else WSMsgType.BINARY
        while not self._socket.closed:
            if not self._waiting:
                self._drained.set()
                self._wake.clear()
                await self._wake.wait()
                continue
            waiting = self._waiting.popleft()
            if isinstance(waiting, int):
                await self._close(waiting)
                return
            frames = self._batch(waiting)
            self._waiting_bytes -= sum(map(len, frames))
            try:
                await self._send(frames, opcode)
                self._taken += len(frames)
            except ConnectionError:  # the client has left; reading notices as well, and ends the handler
                return

    def _batch(self, first: bytes) -> list[bytes]:
        """The frames that go out together: the first, and those that wait behind it, up to a size."""
        frames, size = [first], len(first)
        while size < _BATCH_MAX_BYTES and self._waiting:
            following = self._waiting[0]
            if isinstance(following, int):
                break
            frames.append(following)
            size += len(following)
            self._waiting.popleft()
        return frames

    async def _send(self, frames: list[bytes], opcode: WSMsgType) -> None:
        """Send frames in one write: one call of the system, and one waking of the client."""
        transport = self._request.transport
        if self._socket.compress or transport is None:
            for frame in frames:
                await self._socket.send_frame(frame, opcode)
            return
        if transport.is_closing():
            raise ConnectionResetError("the client has left")
        transport.write(b"".join([part for frame in frames for part in (_head(opcode, len(frame)), frame)]))
        await self._request.writer.drain()

    async def receive(self) -> str | bytes | None:
        """The client's next message, its fragments joined; None when there will be none."""
        message = await self._socket.receive()
        if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            data: str | bytes = message.data
            return data
        return None

    def _put(self, data: bytes) -> None:
        if not self.is_open:
            return
        if self._waiting_bytes > self._terms.waiting_max_bytes:
            self._waiting.clear()
            self._waiting.append(encoded(self._error_message(407), self.encoding))
            self.end(1008)
            return
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        self._drained.clear()
        self._wake.set()

    def _with_faults(self, data: bytes) -> bytes:
        """What is sent instead of a message; nothing when the connection was silenced."""
        for armed in tuple(self._faults.at(Seam.SEND)):
            terms = armed.terms
            assert isinstance(terms, OnSend), "this seam has these kinds only"
            if terms.after_messages and self._sent % terms.after_messages == 0:
                if not self._faults.tried(armed, self._occasion()):
                    continue
                if isinstance(terms, BrokenMessage):
                    return data[: len(data) // 2]
                if isinstance(terms, MuteStream | HalfOpenStream | CloseWithoutFrame | Disconnect):
                    self._put(data)  # so many messages have arrived, then it strikes
                    self._strike(terms, True)
                    return b""
                self._strike(terms, True)
        return data

    def _strike(self, terms: OnSend, fires: bool) -> None:
        if not fires:
            return
        match terms:
            case MuteStream():
                self._is_mute = True
            case HalfOpenStream():
                self._is_mute = True
                if self._request.transport is not None:
                    # Pings are answered where they are read, so whoever reads nothing answers none.
                    self._request.transport.pause_reading()
            case CloseWithoutFrame():
                self.end(NO_CLOSE_FRAME)
            case Disconnect(code=code):
                self.end(code)
            case StreamError(code=code):
                self._put(encoded(self._error_message(code), self.encoding))
                if code in _CLOSING_ERRORS:
                    self.end(1008)

    def _occasion(self) -> Occasion:
        return Occasion(now_ns=self._now_ns(), key_id=self.key_id, stream=self._stream)

    async def _close(self, code: int) -> None:
        if code == NO_CLOSE_FRAME:
            if self._request.transport is not None:
                self._request.transport.close()
            return
        await self._socket.close(code=code)


def _head(opcode: WSMsgType, length: int) -> bytes:
    """What stands before the payload of a whole, unmasked frame; RFC 6455, section 5.2."""
    if length < 126:
        return bytes((0x80 | opcode, length))
    if length < 1 << 16:
        return bytes((0x80 | opcode, 126)) + length.to_bytes(2, "big")
    return bytes((0x80 | opcode, 127)) + length.to_bytes(8, "big")


def encoded(message: Any, encoding: Encoding) -> bytes:
    """A message as it goes into a frame."""
    return to_msgpack(message) if encoding is Encoding.MSGPACK else to_json(message)


def wants_msgpack(request: web.BaseRequest) -> bool:
    """Whether a client asked for MessagePack, which it does with its request's Content-Type."""
    return request.headers.get("Content-Type", "").split(";")[0].strip() == MSGPACK_TYPE
