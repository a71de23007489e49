"""The journal of imports: a file of JSON lines per import under way, gone when it has come to its end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from magellan.adapters.durable_file import cannot_write
from magellan.ports.import_journal import FileDone, UnfinishedImport

_KEPT = "every file imported before this one"


class _Line(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Begun(_Line):
    entry: Literal["begun"] = "begun"
    at: datetime
    files: int


class _Done(_Line):
    entry: Literal["done"] = "done"
    file: str
    sha256: str
    sets: tuple[str, ...]


_LINE: TypeAdapter[_Begun | _Done] = TypeAdapter(_Begun | _Done)


class JsonLinesImportJournal:
    """Keeps `ports.import_journal.ImportJournal` in a folder of the workspace."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path | None = None

    def begin(self, key: str, files: int, at: datetime) -> tuple[FileDone, ...]:
        """See the port."""
        self._path = self._folder / f"{key}.jsonl"
        before = tuple(_lines(self._path))
        if not before:
            self._append(_Begun(at=at, files=files))
        return tuple(
            FileDone(file=line.file, sha256=line.sha256, sets=line.sets)
            for line in before
            if isinstance(line, _Done)
        )

    def done(self, file: FileDone) -> None:
        """See the port."""
        self._append(_Done(file=file.file, sha256=file.sha256, sets=file.sets))

    def end(self) -> None:
        """See the port. The archive's records say what was imported; the journal is only for what was not."""
        assert self._path is not None, "a journal is begun before it ends"
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(self._path, error, kept="everything that was imported") from error
        self._path = None

    def unfinished(self) -> tuple[UnfinishedImport, ...]:
        """See the port."""
        found = []
        for path in self._folder.glob("*.jsonl") if self._folder.is_dir() else ():
            lines = tuple(_lines(path))
            if lines and isinstance(lines[0], _Begun):
                done = len({line.file for line in lines if isinstance(line, _Done)})
                found.append(UnfinishedImport(begun_at=lines[0].at, files=lines[0].files, done=done))
        return tuple(sorted(found, key=lambda each: each.begun_at))

    def _append(self, line: _Begun | _Done) -> None:
        assert self._path is not None, "a journal is begun before a line is written"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with open(self._path, "ab") as file:
                # Begun on a line of its own, so that a line torn by a kill spoils no other.
                file.write(b"\n" + line.model_dump_json().encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise cannot_write(self._path, error, kept=_KEPT) from error


def _lines(path: Path) -> Iterator[_Begun | _Done]:
    """The lines that are whole. A torn one belongs to a file that the next import simply looks at again."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    for line in content.splitlines():
        with suppress(ValidationError):
            yield _LINE.validate_json(line)
