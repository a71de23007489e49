"""Call budget: no more calls a second than the server bears, and an order before a question."""

from __future__ import annotations

import asyncio
import heapq
from enum import IntEnum
from itertools import count


class Urgency(IntEnum):
    """Who goes first when several wait."""

    ORDER = 0
    LOOK_UP = 1
    QUESTION = 2


class CallBudget:
    """One call every so often, in the order of their urgency; equally urgent ones in the order in which they came."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._free_at_s = 0.0
        self._waiting: list[tuple[Urgency, int, asyncio.Future[None]]] = []
        self._arrivals = count()
        self._timer: asyncio.TimerHandle | None = None

    async def turn(self, urgency: Urgency) -> None:
        """Return when this call may be made."""
        loop = asyncio.get_running_loop()
        if not self._waiting and loop.time() >= self._free_at_s:
            self._free_at_s = loop.time() + self._every_s
            return
        turn: asyncio.Future[None] = loop.create_future()
        heapq.heappush(self._waiting, (urgency, next(self._arrivals), turn))
        self._set_timer(loop)
        await turn

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is None and self._waiting:
            self._timer = loop.call_at(self._free_at_s, self._next, loop)

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        while self._waiting:
            turn = heapq.heappop(self._waiting)[2]
            if not turn.done():  # whoever waited may have been cancelled
                self._free_at_s = loop.time() + self._every_s
                turn.set_result(None)
                break
        self._set_timer(loop)
