"""Where a trail lies: a file that is only ever added to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from magellan.adapters.durable_file import cannot_write, make_folder_durably

_KEPT = "the ledger; the copy lacks what was being sent"


class TrailPlace(Protocol):
    """One file. Raises TryAgain where it cannot be reached, AskOperator where it cannot be written."""

    @property
    def name(self) -> str: ...

    def read(self) -> bytes:
        """All of it; nothing where there is none yet."""
        ...

    def append(self, content: bytes) -> None:
        """Add to its end, and wait for the disk."""
        ...


class FilePlace:
    """On a disk of this machine, or one that is mounted here."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @property
    def name(self) -> str:
        return str(self._file)

    def read(self) -> bytes:
        """See `TrailPlace`."""
        try:
            return self._file.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise cannot_write(self._file, error, kept=_KEPT) from error

    def append(self, content: bytes) -> None:
        """See `TrailPlace`."""
        make_folder_durably(self._file.parent, kept=_KEPT)
        try:
            descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with open(descriptor, "ab") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
        except OSError as error:
            raise cannot_write(self._file, error, kept=_KEPT) from error
