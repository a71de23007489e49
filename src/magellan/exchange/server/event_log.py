"""The event log: everything that happened in the exchange, in order, as JSON lines.

It holds exchange time only and nothing that depends on the machine, so that in stepped mode the same seed and the
same requests give the same bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import IO, Any

from magellan.exchange.server.encoding import rfc3339, to_json, to_keep

KEPT_IN_MEMORY = 100_000  # lines; a file gets all of them


class EventLog:
    """Append-only lines, numbered from 1.

    file:  takes every line, when given; open for writing bytes.
    later: calls a function in a moment, when nobody waits for an answer: lines are encoded then, or when somebody
           reads them before. None: at once. What a line is made of must not change once it was handed over.
    """

    def __init__(
        self,
        file: IO[bytes] | None = None,
        *,
        later: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self._file = file
        self._later = later
        self._unwritten: list[tuple[int, int, str, dict[str, Any]]] = []
        self._lines: deque[bytes] = deque(maxlen=KEPT_IN_MEMORY)
        self._listeners: list[Callable[[bytes], None]] = []
        self.last_number = 0

    def write(self, at_ns: int, what: str, **details: Any) -> None:
        """Add a line. `what` names the happening: request, trade_update, bars, fault, step, ..."""
        self.last_number += 1
        self._unwritten.append((self.last_number, at_ns, what, details))
        if self._later is None:
            self._write_out()
        elif len(self._unwritten) == 1:
            self._later(self._write_out)

    def since(self, number: int, limit: int | None = None) -> list[bytes]:
        """The lines after the one of that number, oldest first, as far as they are still in memory."""
        self._write_out()
        first_kept = self.last_number - len(self._lines) + 1
        skipped = max(0, number + 1 - first_kept)
        stop = len(self._lines) if limit is None else min(len(self._lines), skipped + limit)
        return [self._lines[at] for at in range(skipped, stop)]

    def follow(self, listener: Callable[[bytes], None]) -> Callable[[], None]:
        """Hand every further line to `listener`; returns what ends that."""
        self._write_out()
        self._listeners.append(listener)

        def stop() -> None:
            self._write_out()
            self._listeners.remove(listener)

        return stop

    def flush(self) -> None:
        """Hand what is buffered to the operating system."""
        self._write_out()
        if self._file is not None:
            self._file.flush()

    def _write_out(self) -> None:
        unwritten, self._unwritten = self._unwritten, []
        for number, at_ns, what, details in unwritten:
            line = to_keep(to_json({"n": number, "at": rfc3339(at_ns), "what": what, **details}))
            self._lines.append(line)
            if self._file is not None:
                self._file.write(line + b"\n")
            for listener in self._listeners:
                listener(line)
