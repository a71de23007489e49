"""The event loop that connections live in. A command may run several loops one after the other; a connection to a host
outlives them, because what takes longest in a roll-back is logging in."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

Answer = TypeVar("Answer")


async def on_connection_loop(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Carry it out there and wait for it here; when this is cancelled, so is that."""
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, _loop()))


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="connections to hosts", daemon=True).start()
    return loop
