"""An event loop whose time passes only where everybody waits for it, and then at once."""

from __future__ import annotations

import asyncio
import selectors
from typing import Protocol


class Clock(Protocol):
    """A time of a test's own."""

    @property
    def now_s(self) -> float:
        """Seconds since some instant."""
        ...

    def let_pass(self, seconds: float) -> None:
        """So much later it is now."""
        ...


class JumpingClock:
    """A clock on which nothing else happens."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def let_pass(self, seconds: float) -> None:
        """See `Clock`."""
        self.now_s += seconds


class JumpingLoop(asyncio.SelectorEventLoop):
    """For `asyncio.Runner`: whoever sleeps wakes at the very second that he wanted, however busy the machine is."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        super().__init__(_JumpingSelector(clock))

    def time(self) -> float:
        """See asyncio."""
        return self._clock.now_s


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0 if timeout is not None else None)
        if not found and timeout:
            self._clock.let_pass(timeout)
        return found
