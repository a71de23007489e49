"""A sweep's folder: `.magellan/sweeps/<id>/`, with its manifest, its answers line by line, and its result.

Every answer is one line of `finished.jsonl`, written when it is there. A line that a kill or a full disk cut short is
the last one; it is recognised, and its trial is carried out again.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any

from magellan.adapters.durable_file import cannot_write, write_durably
from magellan.errors import AskOperator, TryAgain

_KEPT = "the answers that were finished before"


class SweepFolder:
    """Keeps `ports.sweeps.SweepStore` in a folder of the workspace."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def open(self, sweep_id: str, manifest: str, *, resume: bool) -> Iterator[_Record]:
        """See the port."""
        folder = self._folder / sweep_id
        write_durably(folder / "manifest.json", manifest.encode() + b"\n", kept="nothing had begun")
        path = folder / "finished.jsonl"
        try:
            # Unbuffered: what has been written is with the operating system, whatever becomes of us.
            file = open(path, "a+b", buffering=0)  # noqa: SIM115 - closed below, after the record
        except OSError as error:
            raise cannot_write(path, error, kept=_KEPT) from error
        try:
            _lock(file, path)
            if not resume:
                file.truncate(0)
            record = _Record(folder, file, _read(file, path))
            yield record
            os.fsync(file.fileno())
        finally:
            file.close()


class _Record:
    def __init__(self, folder: Path, file: FileIO, finished: Mapping[int, Any]) -> None:
        self._folder = folder
        self._file = file
        self._finished = finished

    @property
    def finished(self) -> Mapping[int, Any]:
        return self._finished

    @property
    def place(self) -> str:
        return str(self._folder)

    def add(self, number: int, answer: Any) -> None:
        line = json.dumps([number, answer], separators=(",", ":"), allow_nan=False).encode() + b"\n"
        try:
            if self._file.write(line) < len(line):  # the disk took a part, and has no room for the rest
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise cannot_write(Path(self._file.name), error, kept=_KEPT) from error

    def complete(self, name: str, content: bytes) -> None:
        write_durably(self._folder / name, content, kept=_KEPT)


def _lock(file: FileIO, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise TryAgain(
            f"another process is at this very sweep ({path} is locked)",
            kept="everything that it has finished",
            next_step="wait until it is done",
        ) from error


def _read(file: FileIO, path: Path) -> dict[int, Any]:
    """The answers that are there. A last line that was cut short is cut off."""
    file.seek(0)
    content = file.read()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        file.truncate(whole)
    finished: dict[int, Any] = {}
    for number, line in enumerate(content[:whole].splitlines(), start=1):
        try:
            at, answer = json.loads(line)
        except (ValueError, TypeError) as error:
            raise AskOperator(
                f"{path}, line {number} is damaged: {error}",
                kept="the file, as it is",
                next_step="run the same sweep without --resume; it begins anew",
            ) from error
        finished[int(at)] = answer
    return finished
