"""The journal of imports: which files an import was given, and which of them are done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class FileDone:
    """One file of an import whose bars are in the archive."""

    file: str  # absolute path
    sha256: str  # of its bytes
    sets: tuple[str, ...]  # the sets that it was merged into, by slug


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedImport:
    """An import that was begun and never came to its end."""

    begun_at: datetime  # aware, UTC
    files: int
    done: int


class ImportJournal(Protocol):
    """Kept by `adapters/import_journal.py`. A file counts as done only once its line is on disk."""

    def begin(self, key: str, files: int, at: datetime) -> tuple[FileDone, ...]:
        """Open the journal of the import called `key`, which stands for its files and options.

        Returns what an earlier import of the same key had done when it was stopped; empty when there was
        none, or when it came to its end. Raises AskOperator when the journal cannot be written.
        """
        ...

    def done(self, file: FileDone) -> None:
        """Note a file as done. Raises AskOperator when the journal cannot be written."""
        ...

    def end(self) -> None:
        """Close the journal: the import came to its end. Raises AskOperator when that cannot be written."""
        ...

    def unfinished(self) -> tuple[UnfinishedImport, ...]:
        """Imports that were stopped, oldest first."""
        ...
