"""Feed the watchdog: tell the host's supervisor that an instance is well, for as long as its content says so.

Standing by, it is well while its loop turns. Trading, it is well while its session beats; a session beats only from the
loop that takes events and answers, so a process that hangs, or trades no more without saying so, is ended and started
again. A feed or a broker that is silent does not end it: starting again mends neither, and exits need the process.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final, Protocol

from magellan.deploy.health import BEAT_AGE_S_MAX
from magellan.deploy.instance import Condition, InstanceReport
from magellan.ports.heartbeat import Heartbeat, HeartbeatSink

_LIVES: Final = frozenset({Condition.READY, Condition.TAKING, Condition.TRADING})


class Supervisor(Protocol):
    """Kept by `adapters/systemd/notify.py`."""

    def ready(self) -> None:
        """It stands by."""
        ...

    def well(self) -> None:
        """It is as it should be."""
        ...


@dataclass(slots=True)
class Watchdog:
    """One instance's. It hears every report and every beat, and is itself the sink of the beats."""

    supervisor: Supervisor
    beats: HeartbeatSink
    _is_ready: bool = False
    _beat_s: float | None = None  # monotonic; of the session that trades

    def beat(self, beat: Heartbeat) -> None:
        """See `ports.heartbeat.HeartbeatSink`."""
        self.beats.beat(beat)
        self._beat_s = time.monotonic()

    def reported(self, report: InstanceReport) -> None:
        """Called at every report, about once a second while the loop turns."""
        if report.condition not in _LIVES:
            return
        if not self._is_ready:
            self._is_ready = True
            self.supervisor.ready()
        if report.condition is not Condition.TRADING:
            self._beat_s = None
        elif self._beat_s is not None and time.monotonic() - self._beat_s > BEAT_AGE_S_MAX:
            return
        self.supervisor.well()
