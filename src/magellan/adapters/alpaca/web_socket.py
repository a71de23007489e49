"""A stream of Alpaca's: one WebSocket at a time, made anew when it is lost, with its ups and downs told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from magellan.adapters.alpaca.rest import proxy_for, user_agent

if TYPE_CHECKING:
    import aiohttp

# A half-dead connection holds the only place for some 90 seconds, and a new one is refused for so long.
_PING_S: Final = 20.0
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
_LARGEST_FRAME: Final = 16 * 2**20

Told = TypeVar("Told")
Heard = TypeVar("Heard", covariant=True)


class StreamLost(Exception):
    """The connection is of no use any more. The message says why, for a person, and holds no secret."""


class Speech(Protocol[Heard]):
    """What is said over one stream, and how its messages are read."""

    @property
    def headers(self) -> dict[str, str]: ...

    async def begin(self, socket: aiohttp.ClientWebSocketResponse) -> Iterable[Heard]:
        """Open a new connection: give the key, ask for what is wanted; what is told once that has been granted.

        Raises: StreamLost; FixInput where trying again is of no use.
        """
        ...

    def read(self, frame: bytes | str) -> Iterable[Heard]:
        """What a frame tells. Raises StreamLost where it says that no more will come."""
        ...

    def lost(self, why: str) -> Heard: ...


class AlpacaSocket(Generic[Told]):
    """A stream at an address. `told` may be read by one reader.

    silent_s: a connection that tells nothing for so long is made anew; None: it may be silent.
    """

    def __init__(
        self,
        url: str,
        speech: Speech[Told],
        *,
        silent_s: float | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._url = url
        self._speech = speech
        self._silent_s = silent_s
        self._chance = chance
        self._closing = asyncio.Event()
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def told(self) -> AsyncIterator[Told]:
        """Everything that is told until `close`. Raises FixInput when the stream refuses us for good."""
        import aiohttp

        failures = 0
        async with aiohttp.ClientSession(headers={"User-Agent": user_agent()}) as pool:
            while not self._closing.is_set():
                try:
                    async with pool.ws_connect(
                        self._url,
                        headers=self._speech.headers,
                        heartbeat=_PING_S,
                        max_msg_size=_LARGEST_FRAME,
                        proxy=proxy_for(self._url),
                        timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
                    ) as socket:
                        self._socket = socket
                        for each in await self._speech.begin(socket):
                            yield each
                        while True:
                            frame = await self._frame(socket)
                            failures = 0
                            for each in self._speech.read(frame):
                                yield each
                except StreamLost as error:
                    why = str(error)
                except (TimeoutError, aiohttp.ClientError, OSError) as error:
                    why = f"{type(error).__name__}: {error}"
                finally:
                    self._socket = None
                if self._closing.is_set():
                    return
                failures += 1
                yield self._speech.lost(f"the connection was lost or refused (attempt {failures}): {why}")
                await self._pause(failures)

    async def close(self) -> None:
        self._closing.set()
        if self._socket is not None:
            await self._socket.close()

    async def _frame(self, socket: aiohttp.ClientWebSocketResponse) -> bytes | str:
        import aiohttp

        async with asyncio.timeout(self._silent_s):  # aiohttp's own begins anew with every pong
            message = await socket.receive()
        if message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
            frame: bytes | str = message.data
            return frame
        if message.type is aiohttp.WSMsgType.ERROR:
            raise StreamLost(f"{type(message.data).__name__}: {message.data}")
        raise StreamLost(f"it was closed ({socket.close_code})")

    async def _pause(self, failures: int) -> None:
        pause_s = min(_FIRST_PAUSE_S * 2.0 ** (failures - 1), _LONGEST_PAUSE_S)
        try:
            await asyncio.wait_for(self._closing.wait(), pause_s * (0.5 + self._chance() / 2))
        except TimeoutError:
            return


async def received(socket: aiohttp.ClientWebSocketResponse, within_s: float = 10.0) -> bytes | str:
    """The next frame, in the course of opening a connection. Raises StreamLost where there is none."""
    import aiohttp

    message: Any = await socket.receive(within_s)
    if message.type not in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT):
        raise StreamLost(f"it was closed before it listened ({socket.close_code})")
    frame: bytes | str = message.data
    return frame
