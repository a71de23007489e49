"""Alpaca's stream of order events, with its connection's ups and downs told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

import orjson
from pydantic import SecretStr

from magellan.adapters.alpaca.trading_json import Unreadable, event_of
from magellan.adapters.alpaca.web_socket import AlpacaSocket, StreamLost, received
from magellan.ports.broker import StreamDown, StreamUp
from magellan.trading.order import OrderEvent

if TYPE_CHECKING:
    import aiohttp

_Told = OrderEvent | StreamUp | StreamDown


class OrderStream:
    """One connection at a time, made anew when it is lost. `events` may be read by one reader."""

    def __init__(
        self, key_id: SecretStr, secret_key: SecretStr, base_url: str, clock: Callable[[], datetime]
    ) -> None:
        self._speech = _OrderSpeech(key_id, secret_key, clock)
        self._url = base_url.replace("http", "ws", 1) + "/stream"
        self._socket: AlpacaSocket[_Told] | None = None

    async def events(self) -> AsyncIterator[_Told]:
        """Everything that the stream tells, until it is closed."""
        self._socket = AlpacaSocket(self._url, self._speech)
        async for each in self._socket.told():
            yield each

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()


class _OrderSpeech:
    """Keeps `web_socket.Speech`: JSON, in frames of either kind."""

    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, key_id: SecretStr, secret_key: SecretStr, clock: Callable[[], datetime]) -> None:
        self._keys = (key_id, secret_key)
        self._clock = clock

    async def begin(self, socket: aiohttp.ClientWebSocketResponse) -> Iterable[_Told]:
        key_id, secret_key = (key.get_secret_value() for key in self._keys)
        await socket.send_bytes(
            orjson.dumps({"action": "authenticate", "data": {"key_id": key_id, "secret_key": secret_key}})
        )
        answer = await received(socket)
        try:
            status = orjson.loads(answer)["data"]["status"]
        except (ValueError, KeyError, TypeError) as error:
            raise StreamLost("it answered the key with something else") from error
        if status != "authorized":
            raise StreamLost(f"it says to the key: {status}")
        await socket.send_bytes(orjson.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        return (StreamUp(at=self._clock()),)

    def read(self, frame: bytes | str) -> Iterable[_Told]:
        try:
            message = orjson.loads(frame)
            if message.get("stream") != "trade_updates":
                return ()
            return (event_of(message.get("data")),)
        except Unreadable as error:
            why = error.message
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            why = f"a message that cannot be read: {type(error).__name__}: {error}"
        # It may have been a fill: whoever reads asks the broker for everything.
        return (StreamDown(at=self._clock(), why=why), StreamUp(at=self._clock()))

    def lost(self, why: str) -> _Told:
        return StreamDown(at=self._clock(), why=why)
