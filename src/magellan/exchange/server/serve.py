"""Serve until somebody ends it: what `magellan exchange` runs."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable

from magellan.exchange.server.background import new_event_loop
from magellan.exchange.server.disturbed_market import DisturbedMarket
from magellan.exchange.server.exchange_server import ExchangeServer
from magellan.exchange.server.options import ServerOptions

_ENDING = (signal.SIGINT, signal.SIGTERM)


def serve(market: DisturbedMarket, options: ServerOptions, ready: Callable[[int], None]) -> None:
    """Serve until SIGINT or SIGTERM arrives, then close every connection and return.

    ready:  called with the port once the exchange answers.
    Raises: FixInput as `ExchangeServer` and its start do.
    """
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_served(market, options, ready))


async def _served(market: DisturbedMarket, options: ServerOptions, ready: Callable[[int], None]) -> None:
    is_ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _ENDING:
        loop.add_signal_handler(number, is_ended.set)
    server = ExchangeServer(market, options)
    await server.start()
    # What has been loaded by now stays until the end: the collector, which stops every answer, need not look at it.
    gc.freeze()
    try:
        ready(server.port)
        await is_ended.wait()
    finally:
        await server.stop()
