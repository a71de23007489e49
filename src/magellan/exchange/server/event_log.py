"""The event log: everything that happened in the exchange, in order, as JSON lines.

It holds exchange time only and nothing that depends on the machine, so that in stepped mode the same seed and the
same requests give the same bytes.
"""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Callable
from typing import IO, Any

from magellan.exchange.server.encoding import rfc3339, to_json, to_keep

_LOG = logging.getLogger(__name__)
KEPT_IN_MEMORY = 100_000  # lines; a file gets all of them


class EventLog:
    """Append-only lines, numbered from 1.

    file:  takes every line, when given; open for writing bytes. One that can take no more ends there, and may end in
           the middle of a line; the log goes on in memory.
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
        self.cut_off: tuple[int, OSError] | None = None  # the line that the file did not take, and why

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
            try:
                self._file.flush()
            except OSError as error:
                self._cut_off(self.last_number, error)

    def close(self) -> None:
        """Write what is left, and close the file."""
        self.flush()
        if self._file is not None:
            self._file.close()

    def _write_out(self) -> None:
        unwritten, self._unwritten = self._unwritten, []
        for number, at_ns, what, details in unwritten:
            line = to_keep(to_json({"n": number, "at": rfc3339(at_ns), "what": what, **details}))
            self._lines.append(line)
            if self._file is not None:
                try:
                    self._file.write(line + b"\n")
                except OSError as error:
                    self._cut_off(number, error)
            for listener in self._listeners:
                listener(line)

    def _cut_off(self, number: int, error: OSError) -> None:
        """Write no more to the file: a log with a hole in it would be read as a whole one."""
        file, self._file = self._file, None
        self.cut_off = (number, error)
        _LOG.error("the event log can be written no more, from line %d on: %s", number, error.strerror)
        if file is not None:
            with contextlib.suppress(OSError):  # closing tries to write what is left once more
                file.close()
