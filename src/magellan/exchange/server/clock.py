"""The exchange's clock: what time it is in there, as a function of the wall clock and of what was asked for."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from magellan.errors import FixInput
from magellan.exchange.server.encoding import rfc3339
from magellan.trading.timeframe import SECOND_NS


class ClockMode(StrEnum):
    """How exchange time passes."""

    SHIFTED = "shifted"  # it is the wall clock; the served sessions were moved onto today
    PACED = "paced"  # N seconds of exchange time in one second
    FAST = "fast"  # from one instant to the next without waiting
    STEPPED = "stepped"  # only by request, see the control API
    FROZEN = "frozen"  # not at all, until the mode is changed


RUNNING = frozenset({ClockMode.SHIFTED, ClockMode.PACED})
SPEED_MAX = 1_000_000  # eleven days in a second; `fast` does not wait at all


class ExchangeClock:
    """Exchange time in nanoseconds UTC; it never goes back.

    wall_ns: the wall clock, in nanoseconds since 1970 UTC.
    at_ns:   exchange time at the start; the shifted clock does not ask for it.
    speed:   seconds of exchange time in one second of wall time, > 0, at most SPEED_MAX; for paced.
    """

    def __init__(
        self, mode: ClockMode, *, wall_ns: Callable[[], int], at_ns: int = 0, speed: float = 1.0
    ) -> None:
        self._wall_ns = wall_ns
        self._reached_ns = wall_ns() if mode is ClockMode.SHIFTED else at_ns
        self._anchor_ns, self._anchor_wall_ns = self._reached_ns, wall_ns()
        self.mode = mode
        self.speed = 1.0
        self.change(mode, speed=speed)

    def now_ns(self) -> int:
        """What time it is."""
        if self.mode is ClockMode.SHIFTED:
            self._reached_ns = max(self._reached_ns, self._wall_ns())
        elif self.mode is ClockMode.PACED:
            passed_ns = int((self._wall_ns() - self._anchor_wall_ns) * self.speed)
            self._reached_ns = max(self._reached_ns, self._anchor_ns + passed_ns)
        return self._reached_ns

    def move_to(self, at_ns: int) -> None:
        """Set a clock that does not run by itself. Raises FixInput for an instant in the past."""
        assert self.mode not in RUNNING, "a running clock is not moved"
        if at_ns < self._reached_ns:
            raise FixInput(
                f"exchange time cannot go back from {rfc3339(self._reached_ns)} to {rfc3339(at_ns)}",
                next_step="name a later instant, or start another exchange",
            )
        self._reached_ns = at_ns

    def change(self, mode: ClockMode, *, speed: float = 1.0) -> None:
        """Go on in another mode from the present instant.

        Raises: FixInput for a speed that is not above zero or beyond SPEED_MAX, and for `shifted` unless the exchange
        was started so: only then do its sessions lie on today's dates.
        """
        if not 0 < speed <= SPEED_MAX:
            raise FixInput(
                f"a clock's speed is above zero and at most {SPEED_MAX:,}, not {speed:g}",
                next_step="choose another speed, or the clock `fast`, which never waits",
            )
        if mode is ClockMode.SHIFTED and self.mode is not ClockMode.SHIFTED:
            raise FixInput(
                "an exchange becomes shifted only at its start, when sessions are moved onto today",
                next_step="choose paced, or start another exchange with --clock shifted",
            )
        now_ns = self.now_ns()
        self._anchor_ns, self._anchor_wall_ns = now_ns, self._wall_ns()
        self.mode, self.speed = mode, speed if mode is ClockMode.PACED else 1.0

    def wall_seconds_until(self, at_ns: int) -> float | None:
        """Seconds of wall time until a running clock shows that instant, >= 0; None when it does not run."""
        if self.mode not in RUNNING:
            return None
        return max(0.0, (at_ns - self.now_ns()) / self.speed / SECOND_NS)
