"""An exchange that only repeats what the real one once said: the floor under its times.

    python benchmarks/canned_exchange.py RECORDED WAITS_S

Every order gets the recorded answer and, so many seconds later on the trade stream, the recorded updates; the data
stream sends the recorded frames at once. Nothing is decided, encoded or logged, so what a client measures here is its
own work, the system's sockets, and the least that any server in Python costs. Prints its port once it listens.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import msgpack

TRADES: Final = "/stream"
STREAMS: Final = "/_magellan/streams"
_KEY_SUFFIX: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_TEXT, _BINARY, _CLOSE = 1, 2, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a client heard from the real exchange.

    order:   the body of the answer to one order.
    updates: the trade updates of that order, to its fill.
    trades:  the trade stream's answers to the first message and to the second.
    data:    the data stream's greeting, and its answers to the first message and to the second.
    bars:    its frames after that.
    """

    order: bytes
    updates: Sequence[bytes]
    trades: Sequence[bytes]
    data: Sequence[bytes]
    bars: Sequence[bytes]

    def write(self, path: Path) -> None:
        """Store it for `read`."""
        path.write_bytes(msgpack.packb({name: getattr(self, name) for name in self.__slots__}))

    @classmethod
    def read(cls, path: Path) -> Recorded:
        """What `write` stored."""
        return cls(**msgpack.unpackb(path.read_bytes()))


class Canned(asyncio.Protocol):
    """One connection: HTTP until it is upgraded, then one of the two streams.

    waits_s: from the answer to an order to its updates.
    """

    listener: Canned | None = None  # the trade stream that gets the updates

    def __init__(self, recorded: Recorded, waits_s: float) -> None:
        self._recorded = recorded
        self._waits_s = waits_s
        self._buffer = b""
        self._stream = ""  # the path of the upgrade
        self._heard = 0  # messages of the client on its stream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if Canned.listener is self:
            Canned.listener = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._take_frame() if self._stream else self._take_request():
            pass

    def _take_request(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        request_line, *lines = self._buffer[:end].split(b"\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}
        ends_at = end + 4 + int(headers.get(b"content-length", b"0"))
        if len(self._buffer) < ends_at:
            return False
        self._buffer = self._buffer[ends_at:]
        method, path, _ = request_line.decode().split(" ")
        key = headers.get(b"sec-websocket-key")
        if key is not None:
            self._upgrade(path, key)
        elif path == STREAMS:
            listens = b"true" if Canned.listener is not None else b"false"
            self._answer(b'{"streams":[{"listens":%s}]}' % listens)
        else:
            self._answer(self._recorded.order)
            if method == "POST" and Canned.listener is not None:
                loop = asyncio.get_running_loop()
                loop.call_later(self._waits_s, Canned.listener.send, self._recorded.updates)
        return True

    def _answer(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        self._transport.write(head + body)

    def _upgrade(self, path: str, key: bytes) -> None:
        accept = base64.b64encode(hashlib.sha1(key + _KEY_SUFFIX, usedforsecurity=False).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        self._stream = path
        if path != TRADES:
            self.send(self._recorded.data[:1])

    def _take_frame(self) -> bool:
        """One frame of the client, whose payload nobody asks for: what comes next is known."""
        if len(self._buffer) < 2:
            return False
        length, starts_at = self._buffer[1] & 0x7F, 6  # two bytes, and four of the mask
        if length == 126:
            length, starts_at = int.from_bytes(self._buffer[2:4], "big"), 8
        if len(self._buffer) < starts_at + length:
            return False
        opcode = self._buffer[0] & 0x0F
        self._buffer = self._buffer[starts_at + length :]
        if opcode == _CLOSE:
            self._transport.write(b"\x88\x00")
            self._transport.close()
        elif opcode in (_TEXT, _BINARY):
            self._heard += 1
            self._go_on()
        return True

    def _go_on(self) -> None:
        recorded = self._recorded
        if self._stream == TRADES:
            self.send(recorded.trades[self._heard - 1 : self._heard])
            if self._heard == 2:
                Canned.listener = self
            return
        self.send(recorded.data[self._heard : self._heard + 1])
        if self._heard == 2:
            self.send(recorded.bars)

    def send(self, messages: Sequence[bytes]) -> None:
        """Send messages in one go, each in a binary frame."""
        self._transport.write(b"".join(part for each in messages for part in (_head(len(each)), each)))


def _head(length: int) -> bytes:
    if length < 126:
        return bytes((0x82, length))
    if length < 1 << 16:
        return b"\x82\x7e" + length.to_bytes(2, "big")
    return b"\x82\x7f" + length.to_bytes(8, "big")


async def _serve(recorded: Recorded, waits_s: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Canned(recorded, waits_s), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_serve(Recorded.read(Path(sys.argv[1])), float(sys.argv[2])))
