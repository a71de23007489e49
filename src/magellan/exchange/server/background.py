"""An exchange in a thread of this process: for tests of code that trades."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
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
    started: Future[BackgroundExchange] = Future()
    is_ended = asyncio.Event()

    async def serve() -> None:
        server = make()
        await server.start()
        where, loop = f"127.0.0.1:{server.port}", asyncio.get_running_loop()
        started.set_result(
            BackgroundExchange(server=server, loop=loop, http=f"http://{where}", ws=f"ws://{where}")
        )
        await is_ended.wait()
        await server.stop()

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(serve())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)  # raised in the thread that asked

    thread = threading.Thread(target=run, name="exchange", daemon=True)
    thread.start()
    exchange = started.result(_START_S)
    try:
        yield exchange
    finally:
        exchange.loop.call_soon_threadsafe(is_ended.set)
        thread.join(_START_S)
