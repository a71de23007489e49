"""An exchange in a thread of this process: for tests of code that trades."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from magellan.exchange.server.exchange_server import ExchangeServer

T = TypeVar("T")
_START_S = 30.0


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's loop, where it exists: the exchange's answers are counted in fractions of a millisecond."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackgroundExchange:
    """A running exchange, and where it is."""

    server: ExchangeServer
    loop: asyncio.AbstractEventLoop
    http: str  # base address of both REST APIs
    ws: str  # base address of the streams

    def call(self, function: Callable[[ExchangeServer], T]) -> T:
        """Call a function with the server in the server's own thread, and return what it returns."""

        async def called() -> T:
            return function(self.server)

        return asyncio.run_coroutine_threadsafe(called(), self.loop).result(_START_S)


@contextmanager
def exchange_in_background(make: Callable[[], ExchangeServer]) -> Iterator[BackgroundExchange]:
    """Run what `make` makes until the block ends. Raises what making and starting raise."""
    loop = new_event_loop()
    started: list[ExchangeServer | BaseException] = []
    is_ready = threading.Event()

    async def start() -> None:
        server = make()
        await server.start()
        started.append(server)

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(start())
        except BaseException as error:  # noqa: BLE001  (carried to the thread that asked, and raised there)
            started.append(error)
        is_ready.set()
        if isinstance(started[0], ExchangeServer):
            loop.run_forever()
            loop.run_until_complete(started[0].stop())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    thread = threading.Thread(target=run, name="exchange", daemon=True)
    thread.start()
    is_ready.wait(_START_S)
    outcome = started[0]
    if isinstance(outcome, BaseException):
        thread.join()
        raise outcome
    try:
        where = f"127.0.0.1:{outcome.port}"
        yield BackgroundExchange(server=outcome, loop=loop, http=f"http://{where}", ws=f"ws://{where}")
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_START_S)
