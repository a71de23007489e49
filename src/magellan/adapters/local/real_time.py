"""Real time, as this machine's clock tells it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from magellan.ports.pace import Tally
from magellan.trading.bar import instant

_LONGEST_S: Final = 60.0  # a clock that is set forward meanwhile is noticed within a minute


def steady_ns() -> int:
    """Nanoseconds that have really passed, from wherever; sleep of the machine included, where the system tells it."""
    boot_time = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic_ns() if boot_time is None else time.clock_gettime_ns(boot_time)


class RealTime:
    """Keeps `ports.pace.Pace`. It follows a clock that is set forward, and goes on steadily where one is set back.

    A session for which time stood still until the clock has caught up would leave no position at its hour, and would
    never try a refused stop again. How far it is then from the broker's clock, the session asks the broker.

    wall_ns:   the machine's clock, ns UTC.
    steady_ns: a clock that nobody sets, ns from wherever.
    """

    def __init__(
        self, wall_ns: Callable[[], int] = time.time_ns, steady_ns: Callable[[], int] = steady_ns
    ) -> None:
        self._wall_ns, self._steady_ns = wall_ns, steady_ns
        self._ahead_ns = wall_ns() - steady_ns()  # the furthest that the one clock has been before the other

    def now(self) -> datetime:
        """Never earlier than before, and never standing still."""
        wall_ns = self._wall_ns()  # before the other: what passes in between must not add up
        steady_ns = self._steady_ns()
        self._ahead_ns = max(self._ahead_ns, wall_ns - steady_ns)
        return instant(steady_ns + self._ahead_ns)

    @property
    def is_over(self) -> bool:
        return False

    async def rest(
        self, arrived: asyncio.Event, until: datetime | None, *, waiting: bool, tally: Tally
    ) -> None:
        rest_s = _LONGEST_S if until is None else (until - self.now()).total_seconds()
        if rest_s <= 0:
            return
        try:
            await asyncio.wait_for(arrived.wait(), min(rest_s, _LONGEST_S))
        except TimeoutError:
            return

    async def close(self) -> None:
        return None
