"""Alpaca's stream of order events, through alpaca-py's own client, with its connection's ups and downs told."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any, Final

from pydantic import SecretStr

from magellan.adapters.alpaca.trading_json import Unreadable, event_of
from magellan.adapters.missing_extra import extra_missing
from magellan.ports.broker import StreamDown, StreamUp
from magellan.trading.order import OrderEvent

# A half-dead connection holds the only place for some 90 seconds, and a new one is refused for so long.
_PING_S: Final = 10
_PONG_S: Final = 20

logging.getLogger("alpaca.trading.stream").addHandler(
    logging.NullHandler()
)  # what it logs, we tell as events


class OrderStream:
    """One connection at a time, made anew when it is lost. `events` may be read by one reader."""

    def __init__(
        self, key_id: SecretStr, secret_key: SecretStr, base_url: str, clock: Callable[[], datetime]
    ) -> None:
        self._keys = (key_id, secret_key)
        self._url = base_url.replace("http", "ws", 1) + "/stream"
        self._clock = clock
        self._told: asyncio.Queue[OrderEvent | StreamUp | StreamDown | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._client: Any = None

    async def events(self) -> AsyncIterator[OrderEvent | StreamUp | StreamDown]:
        self._client = self._new_client()
        self._client.subscribe_trade_updates(self._take)
        self._task = asyncio.create_task(self._client._run_forever(), name="alpaca order stream")
        self._task.add_done_callback(lambda _: self._told.put_nowait(None))
        while (event := await self._told.get()) is not None:
            yield event

    async def close(self) -> None:
        if self._client is not None:
            await self._client.stop_ws()
            await self._client.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _take(self, message: Any) -> None:
        try:
            self._told.put_nowait(event_of(message.get("data")))
        except Unreadable as error:
            # The stream cannot be relied on for this order any more; whoever reads asks the broker for everything.
            self._told.put_nowait(StreamDown(at=self._clock(), why=error.message))
            self._told.put_nowait(StreamUp(at=self._clock()))

    def _new_client(self) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                from alpaca.trading.stream import TradingStream
        except ImportError as error:
            raise extra_missing("alpaca", error) from error
        stream = self

        class ToldStream(TradingStream):
            """Says when it connects and when it loses the connection; alpaca-py only logs both."""

            _up = False

            async def _start_ws(self) -> None:
                await super()._start_ws()  # type: ignore[no-untyped-call]
                self._up = True
                stream._told.put_nowait(StreamUp(at=stream._clock()))

            async def _consume(self) -> None:
                try:
                    await super()._consume()  # type: ignore[no-untyped-call]
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    # alpaca-py logs a message that it cannot read, and goes on without it; it may have been a fill.
                    why = f"a message that cannot be read: {type(error).__name__}: {error}"
                    stream._told.put_nowait(StreamDown(at=stream._clock(), why=why))
                    stream._told.put_nowait(StreamUp(at=stream._clock()))

            async def _wait_before_reconnect(self, retries: int) -> None:
                if self._up or retries == 1:
                    self._up = False
                    stream._told.put_nowait(
                        StreamDown(
                            at=stream._clock(), why=f"the connection to {stream._url} was lost or refused"
                        )
                    )
                await super()._wait_before_reconnect(retries)

        key_id, secret_key = (key.get_secret_value() for key in self._keys)
        return ToldStream(
            key_id,
            secret_key,
            raw_data=True,
            url_override=self._url,
            websocket_params={"ping_interval": _PING_S, "ping_timeout": _PONG_S, "max_queue": 1024},
        )
