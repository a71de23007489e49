"""The log of a running session: lines for people on the console, JSON lines in a file that is rotated by size.

The log is for reading along and for finding faults; what counts is in the ledger. Secrets are replaced before a line
exists: by the name of a field, and wherever a key that the process knows occurs in a text.
"""

from __future__ import annotations

import errno
import logging
import os
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TextIO

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from magellan.adapters.durable_file import cannot_write, make_folder_durably
from magellan.ledger.known_secrets import HIDDEN, KnownSecrets

# Names of fields whose values nobody may read, whatever they are.
_SECRET_NAME: Final = re.compile(
    r"secret|password|passwd|passphrase|token|api[_-]?key|apikey|key[_-]?id|authorization|credential|cookie|private[_-]?key",
    re.IGNORECASE,
)


class Redaction:
    """Hides secrets in whatever is logged, by the name of a field and by value."""

    def __init__(self, secrets: KnownSecrets) -> None:
        self._text = secrets.hidden_in

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {self._text(name): self._value(name, value) for name, value in event.items()}

    def _value(self, name: str, value: Any) -> Any:
        if value is not None and name != "event" and _SECRET_NAME.search(name):
            return HIDDEN
        return self._hidden(value)

    def _hidden(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float | Decimal | datetime):
            return value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return {self._text(str(name)): self._value(str(name), each) for name, each in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._hidden(each) for each in value]
        # Anything else is only ever shown as its words, which are searched as well.
        return self._text(str(value))


class RotatedLines:
    """A file of lines that is begun anew when it is full; older ones are kept as `.1`, `.2` and so on.

    largest: bytes of one file. kept: how many full ones stay.
    Raises AskOperator when the file cannot be made.
    """

    def __init__(self, path: Path, *, largest: int, kept: int) -> None:
        self.path = path
        self._largest = largest
        self._kept = kept
        make_folder_durably(path.parent, kept="")
        try:
            self._open()
        except OSError as error:
            raise cannot_write(path, error, kept="the ledger, which is a file of its own") from error

    def write(self, line: bytes) -> None:
        """Append a line, given without its end. Raises OSError when it could not be written whole."""
        if self._size and self._size + len(line) + 1 > self._largest:
            self._rotate()
        whole = line + b"\n"
        # One write to a file that is open for appending: what others append does not mix with it.
        written = os.write(self._descriptor, whole)
        self._size += written
        if written < len(whole):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def close(self) -> None:
        os.close(self._descriptor)

    def _open(self) -> None:
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        self._size = os.fstat(self._descriptor).st_size

    def _rotate(self) -> None:
        for number in range(self._kept, 0, -1):
            newer = self._numbered(number - 1)
            if newer.exists():
                os.replace(newer, self._numbered(number))
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._open()

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}") if number else self.path


def live_log(
    *,
    console: TextIO | None,
    file: RotatedLines | None,
    redaction: Redaction,
    clock: Callable[[], datetime],
    least: int = logging.INFO,
) -> FilteringBoundLogger:
    """A logger that writes to console and file. `log.info("bar closed", symbol="AMC", age_s=0.4)`

    console: None writes nothing there. clock: now, aware, UTC. least: the lowest level that is written.
    """
    outputs = _Outputs(console, file)

    def stamped(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {"at": clock(), **event}

    log: FilteringBoundLogger = structlog.wrap_logger(
        outputs,
        wrapper_class=structlog.make_filtering_bound_logger(least),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            stamped,
            redaction,
            lambda logger, method, event: ((event,), {}),
        ],
    )
    return log


class _Outputs:
    """Where lines go. A file that cannot be written is told on the console once, and what it missed when it works."""

    def __init__(self, console: TextIO | None, file: RotatedLines | None) -> None:
        self._console = console
        self._file = file
        self._lost = 0
        self._render = structlog.dev.ConsoleRenderer(
            colors=console is not None and console.isatty(), timestamp_key="at", pad_event_to=0
        )

    def write(self, event: EventDict) -> None:
        """Write one line to each output."""
        self._to_file(event)
        self._to_console(event)

    debug = info = warning = error = critical = write

    def _to_file(self, event: EventDict) -> None:
        if self._file is None:
            return
        try:
            if self._lost:
                note = {
                    "at": event["at"],
                    "level": "warning",
                    "event": "lines were lost",
                    "lines": self._lost,
                }
                self._file.write(_json(note))
                self._lost = 0
            self._file.write(_json(event))
        except OSError as error:
            # A session goes on without its log: what counts is in the ledger.
            self._lost += 1
            if self._lost == 1:
                text = f"the log {self._file.path} cannot be written: {error.strerror}"
                self._to_console({"at": event["at"], "level": "error", "event": text})

    def _to_console(self, event: EventDict) -> None:
        if self._console is not None:
            shown = {**event, "at": f"{event['at']:%H:%M:%S}Z"}
            self._console.write(str(self._render(None, "", shown)) + "\n")
            self._console.flush()


def _json(event: EventDict) -> bytes:
    return orjson.dumps(event, default=str, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)
