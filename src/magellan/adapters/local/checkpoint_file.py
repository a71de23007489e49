"""Checkpoints as lines of a file: `.magellan/audit/checkpoints.jsonl`, or a copy of it anywhere."""

from __future__ import annotations

import os
from pathlib import Path

from magellan.adapters.durable_file import cannot_write, make_folder_durably
from magellan.audit.checkpoint import Checkpoint
from magellan.errors import FixInput

_KEPT = "the audit log, and every checkpoint before this one"


class CheckpointFile:
    """Keeps `ports.checkpoints.Checkpoints`."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @property
    def place(self) -> Path:
        """See the port."""
        return self._file

    def add(self, checkpoint: Checkpoint) -> None:
        """See the port."""
        make_folder_durably(self._file.parent, kept=_KEPT)
        try:
            with self._file.open("ab") as file:
                file.write(checkpoint.line() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise cannot_write(self._file, error, kept=_KEPT) from error

    def all(self) -> tuple[Checkpoint, ...]:
        """See the port."""
        try:
            lines = self._file.read_bytes().splitlines()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise FixInput(
                f"{self._file} cannot be read: {error.strerror}",
                next_step="give this user the right to read it",
            ) from error
        return tuple(Checkpoint.parsed(line, name=str(self._file)) for line in lines)
