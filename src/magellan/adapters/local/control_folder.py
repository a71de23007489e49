"""The control folder: how a person, a watchdog or another process reaches a running session, and how it hears them.

One folder per account. A request is a JSON file in `requests/`, put there whole; the session moves it to `done/` when
it has acted on it. One that cannot be read, and a resume without a person or a reason, halts the session: somebody
wanted something, and a halt does the least harm. Two plain files do the same without any tool: `touch HALT` and
`touch FLATTEN` in the account's folder. SIGTERM and SIGINT stop the session in order, and the second of them at once;
SIGUSR1 halts it, SIGUSR2 flattens.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from magellan.adapters.durable_file import make_folder_durably, sync_folder, write_durably
from magellan.ports.operator import OperatorRequest

LOOKS_EVERY_S: Final = 0.1
_KEPT: Final = "the session goes on as it was"
_FILES: Final = {"HALT": "halt", "FLATTEN": "flatten"}
_SIGNALS: Final = {
    signal.SIGTERM: "stop",
    signal.SIGINT: "stop",
    signal.SIGUSR1: "halt",
    signal.SIGUSR2: "flatten",
}
_ASKS: Final = frozenset({"halt", "resume", "flatten", "stop", "stop_flat"})
_SOURCES: Final = frozenset({"command", "file", "http", "watchdog"})
_LONGEST: Final = 500  # characters of a name or a reason that are kept
_FIELDS: Final = ("request_id", "asks", "person", "reason", "source")


class ControlFolder:
    """Keeps `ports.operator.OperatorRequests` for one account's session, and `OperatorDesk` for who asks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._requests = folder / "requests"
        self._done = folder / "done"

    def leave(self, request: OperatorRequest) -> None:
        """See the port."""
        document = {name: getattr(request, name) for name in _FIELDS}
        write_durably(
            self._requests / f"{request.request_id}.json",
            orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n",
            kept=_KEPT,
        )

    def is_acknowledged(self, request: OperatorRequest) -> bool:
        """See the port."""
        return (self._done / f"{request.request_id}.json").exists()

    def acknowledge(self, request: OperatorRequest) -> None:
        """See the port."""
        if request.source == "signal":
            return
        name = f"{request.request_id}.json"
        make_folder_durably(self._done, kept=_KEPT)
        source = self._folder / request.request_id if request.request_id in _FILES else self._requests / name
        with suppress(FileNotFoundError):  # acknowledged before a kill, and read again after it
            os.replace(source, self._done / (name if source.suffix else _stamped(source.name)))
        sync_folder(self._done)

    async def requests(self) -> AsyncIterator[OperatorRequest]:
        """See the port. Signals are heard from the first request on."""
        heard: asyncio.Queue[OperatorRequest] = asyncio.Queue()
        before = _listen(heard, asyncio.get_running_loop())
        told: set[str] = set()
        make_folder_durably(self._requests, kept=_KEPT)
        try:
            while True:
                while not heard.empty():
                    yield heard.get_nowait()
                for request in self.waiting():
                    if request.request_id not in told:
                        told.add(request.request_id)
                        yield request
                told &= {request.request_id for request in self.waiting()}
                with suppress(TimeoutError):
                    yield await asyncio.wait_for(heard.get(), LOOKS_EVERY_S)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def waiting(self) -> list[OperatorRequest]:
        """See the port; oldest first, those by a plain file before the others."""
        found = []
        for name, asks in _FILES.items():
            file = self._folder / name
            with suppress(FileNotFoundError):
                found.append(_by_file(file, name, asks))
        for file in sorted(self._requests.glob("*.json")):
            with suppress(FileNotFoundError):
                found.append(_read(file))
        return found


def new_request(asks: str, *, person: str, reason: str, source: str) -> OperatorRequest:
    """A request with a name of its own; names sort by time."""
    at = datetime.now(UTC)
    return OperatorRequest(
        request_id=f"{at:%Y%m%dT%H%M%S%f}-{asks}-{secrets.token_hex(3)}",
        asks=asks,
        person=person,
        reason=reason,
        source=source,
    )


def _listen(heard: asyncio.Queue[OperatorRequest], loop: asyncio.AbstractEventLoop) -> dict[int, Any]:
    """Hear signals from now on; returns who heard them before.

    Not by the loop's own means: a strategy that never returns keeps the loop from hearing anything, and then the
    second SIGTERM has to end the process all the same.
    """

    def hear(number: int, frame: object) -> None:
        asks = _SIGNALS[signal.Signals(number)]
        if asks == "stop":
            for each in (signal.SIGTERM, signal.SIGINT):
                signal.signal(each, signal.SIG_DFL)
        loop.call_soon_threadsafe(heard.put_nowait, _by_signal(signal.Signals(number), asks))

    return {number: signal.signal(number, hear) for number in _SIGNALS}


def _read(file: Path) -> OperatorRequest:
    try:
        document = orjson.loads(file.read_bytes())
        request = OperatorRequest(**{name: str(document[name]) for name in _FIELDS})
        if request.request_id != file.stem:
            raise ValueError(f"it holds the request {request.request_id}")
        if request.asks not in _ASKS:
            raise ValueError(f"it asks for '{request.asks[:_LONGEST]}'")
        if request.source not in _SOURCES:
            raise ValueError(f"it comes from '{request.source[:_LONGEST]}'")
        if request.asks == "resume" and not (request.person.strip() and request.reason.strip()):
            raise ValueError("a resume names a person and a reason")
    except (ValueError, KeyError, TypeError) as error:
        return OperatorRequest(
            request_id=file.stem,
            asks="halt",
            person=_owner(file),
            reason=f"{file.name} is no request that can be read ({type(error).__name__}: {error})",
            source="file",
        )
    return replace(
        request,
        person=request.person.strip()[:_LONGEST] or _owner(file),
        reason=request.reason.strip()[:_LONGEST] or "no reason was given",
    )


def _by_file(file: Path, name: str, asks: str) -> OperatorRequest:
    return OperatorRequest(
        request_id=name,
        asks=asks,
        person=_owner(file),
        reason=file.read_text("utf-8", "replace").strip()[:_LONGEST] or f"the file {name} was put there",
        source="file",
    )


def _by_signal(number: signal.Signals, asks: str) -> OperatorRequest:
    return OperatorRequest(
        request_id=number.name, asks=asks, person="", reason=f"signal {number.name}", source="signal"
    )


def _owner(file: Path) -> str:
    number = file.stat().st_uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _stamped(name: str) -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{name}"
