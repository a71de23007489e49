"""A runner that notes when bars come and when orders leave: `magellan run` with a stop-watch around its two adapters.

    python benchmarks/timed_runner.py NOTES MINUTES run STRATEGY ...

It ends after so many minutes of bars, as if it had been told to. Writes NOTES, a JSON document, when the run has
ended: for each order its symbol and the milliseconds from the last bar of its minute, and from the first, to its
request leaving; the process's peak memory and its seconds of CPU.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from magellan.adapters.alpaca.live_bars import AlpacaLiveBars
from magellan.surfaces.cli.app import run


class Stopwatch:
    """Instants of bars and orders, by one monotonic clock."""

    def __init__(self, minutes_max: int) -> None:
        self.minutes_max = minutes_max
        self.first_s: dict[object, float] = {}  # by the bar's start
        self.last_s: dict[object, float] = {}
        self.newest: object = None
        self.orders: list[dict[str, Any]] = []

    def bar(self, start: object) -> None:
        now_s = time.perf_counter()
        if start not in self.first_s and len(self.first_s) == self.minutes_max:
            os.kill(os.getpid(), signal.SIGTERM)
        self.first_s.setdefault(start, now_s)
        self.last_s[start] = now_s
        self.newest = start

    def order(self, symbol: str) -> None:
        if self.newest is None:
            return  # it stems from the history
        now_s = time.perf_counter()
        self.orders.append(
            {
                "symbol": symbol,
                "bar": str(self.newest),
                "after_first_ms": (now_s - self.first_s[self.newest]) * 1e3,
                "after_last_ms": (now_s - self.last_s[self.newest]) * 1e3,
            }
        )

    def notes(self) -> dict[str, Any]:
        status = Path("/proc/self/status").read_text().splitlines()
        peak_kib = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        used = os.times()
        return {
            "orders": self.orders,
            "minutes": len(self.first_s),
            "peak_mib": peak_kib / 1024,
            "cpu_s": used.user + used.system,
        }


def watch(stopwatch: Stopwatch) -> None:
    """Put the stop-watch where a bar's message is read, and where an order's request is handed to its socket."""
    from alpaca.trading.client import TradingClient

    take_bar, post = AlpacaLiveBars._take_bar, TradingClient.post

    async def taken(bars: AlpacaLiveBars, message: Any) -> None:
        stopwatch.bar(message["t"])
        await take_bar(bars, message)

    def posted(client: TradingClient, path: str, data: Any = None) -> Any:
        stopwatch.order(data["symbol"])
        return post(client, path, data)

    AlpacaLiveBars._take_bar = taken  # type: ignore[method-assign]
    TradingClient.post = posted  # type: ignore[method-assign]


if __name__ == "__main__":
    notes_file, minutes, *arguments = sys.argv[1:]
    stopwatch = Stopwatch(int(minutes))
    watch(stopwatch)
    try:
        code = run(arguments)
    finally:
        Path(notes_file).write_text(json.dumps(stopwatch.notes()))
    sys.exit(code)
