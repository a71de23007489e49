"""The event log: everything that happened in the exchange, in order, as JSON lines.

It holds exchange time only and nothing that depends on the machine, so that in stepped mode the same seed and the
same requests give the same bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import IO, Any

from magellan.exchange.server.encoding import rfc3339, to_json

KEPT_IN_MEMORY = 100_000  # lines; a file gets all of them


class EventLog:
    """Append-only lines, numbered from 1.

    file: takes every line, when given; open for writing bytes.
    """

    def __init__(self, file: IO[bytes] | None = None) -> None:
        self._file = file
        self._lines: deque[bytes] = deque(maxlen=KEPT_IN_MEMORY)
        self._listeners: list[Callable[[bytes], None]] = []
        self.last_number = 0

    def write(self, at_ns: int, what: str, **details: Any) -> None:
        """Add a line. `what` names the happening: request, trade_update, bars, fault, step, ..."""
        self.last_number += 1
        line = to_json({"n": self.last_number, "at": rfc3339(at_ns), "what": what, **details})
        self._lines.append(line)
        if self._file is not None:
            self._file.write(line + b"\n")
        for listener in self._listeners:
            listener(line)

    def since(self, number: int, limit: int | None = None) -> list[bytes]:
        """The lines after the one of that number, oldest first, as far as they are still in memory."""
        first_kept = self.last_number - len(self._lines) + 1
        skipped = max(0, number + 1 - first_kept)
        stop = len(self._lines) if limit is None else min(len(self._lines), skipped + limit)
        return [self._lines[at] for at in range(skipped, stop)]

    def follow(self, listener: Callable[[bytes], None]) -> Callable[[], None]:
        """Hand every further line to `listener`; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def flush(self) -> None:
        """Hand what is buffered to the operating system."""
        if self._file is not None:
            self._file.flush()
