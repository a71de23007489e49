"""A runner that notes when bars come and when orders leave: `magellan run` with a stop-watch around its two adapters.

    python benchmarks/timed_runner.py NOTES MINUTES run STRATEGY ...

It ends after so many minutes of bars, as if it had been told to. Writes NOTES, a JSON document, when the run has ended:
for each order its symbol, its side and the milliseconds until its request was written to the socket, from the frame
with the first bar of its minute, from its own bar and from the last bar, and for how many of the latter the session's
thread was at work; the process's memory and its seconds of CPU.
A bar comes when it is taken from its frame: bars of a burst wait in the socket, and in their frame, for those before.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from aiohttp.client_reqrep import ClientRequest

from magellan.adapters.alpaca.live_bars import Told, _BarSpeech
from magellan.ports.live_bars import LiveBar
from magellan.surfaces.cli.app import run


class Stopwatch:
    """Instants of bars and orders, by one monotonic clock."""

    def __init__(self, minutes_max: int) -> None:
        self.minutes_max = minutes_max
        self.frame_s = 0.0  # when the newest frame came
        self.first_s: dict[datetime, float] = {}  # by the bar's start
        self.last_s: dict[datetime, float] = {}
        self.last_cpu_s = 0.0  # of the session's thread, when the newest bar came
        self.own_s: dict[str, float] = {}  # by symbol: its newest bar
        self.newest: datetime | None = None
        self.orders: list[dict[str, Any]] = []

    def frame(self) -> None:
        self.frame_s = time.perf_counter()

    def bar(self, symbol: str, start: datetime) -> None:
        now_s = time.perf_counter()
        if start not in self.first_s and len(self.first_s) == self.minutes_max:
            os.kill(os.getpid(), signal.SIGTERM)
        self.first_s.setdefault(start, self.frame_s)
        self.last_s[start] = self.own_s[symbol] = now_s
        self.newest = start
        self.last_cpu_s = time.thread_time()

    def order(self, symbol: str, side: str, now_s: float, cpu_s: float) -> None:
        if self.newest is None:
            return  # it stems from the history
        self.orders.append(
            {
                "symbol": symbol,
                "side": side,
                "bar": str(self.newest),
                "after_first_ms": (now_s - self.first_s[self.newest]) * 1e3,
                "after_own_ms": (now_s - self.own_s[symbol]) * 1e3,
                "after_last_ms": (now_s - self.last_s[self.newest]) * 1e3,
                "after_last_cpu_ms": (cpu_s - self.last_cpu_s) * 1e3,
            }
        )

    def notes(self) -> dict[str, Any]:
        status = Path("/proc/self/status").read_text().splitlines()
        kib = {line.split(":")[0]: int(line.split()[1]) for line in status if line.startswith("Vm")}
        used = os.times()
        return {
            "orders": self.orders,
            "minutes": len(self.first_s),
            "peak_mib": kib["VmHWM"] / 1024,
            "rss_mib": kib["VmRSS"] / 1024,
            "cpu_s": used.user + used.system,
        }


def watch(stopwatch: Stopwatch) -> None:
    """Put the stop-watch where frames are read, where bars are taken from them, and behind an order's request."""
    read, write = _BarSpeech.read, ClientRequest.write_bytes

    def told(speech: _BarSpeech, frame: bytes | str) -> Iterator[Told]:
        stopwatch.frame()
        for each in read(speech, frame):
            if isinstance(each, LiveBar):
                stopwatch.bar(each.symbol, each.bar.opened_at)
            yield each

    async def written(request: ClientRequest, *arguments: Any) -> None:
        await write(request, *arguments)
        now_s, cpu_s = time.perf_counter(), time.thread_time()
        if request.method == "POST" and request.url.path.endswith("/orders"):
            asked = json.loads(request.body._value)
            stopwatch.order(asked["symbol"], asked["side"], now_s, cpu_s)

    _BarSpeech.read = told  # type: ignore[method-assign]
    ClientRequest.write_bytes = written  # type: ignore[method-assign]


if __name__ == "__main__":
    notes_file, minutes, *arguments = sys.argv[1:]
    stopwatch = Stopwatch(int(minutes))
    watch(stopwatch)
    try:
        code = run(arguments)
    finally:
        Path(notes_file).write_text(json.dumps(stopwatch.notes()))
    sys.exit(code)
