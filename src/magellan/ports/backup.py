"""Backups: where they go, and what is remembered of them here. Kept by `adapters/restic.py` and
`adapters/local/backup_record.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One backup, as it lies at its destination."""

    snapshot_id: str
    at: datetime  # aware, UTC
    host: str
    tags: tuple[str, ...]  # "workspace", or "ledger" of the ones in between


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupMade:
    """What one backup came to."""

    snapshot_id: str
    at: datetime  # aware, UTC: what it holds is as of then
    took_s: float
    files: int
    bytes_read: int
    bytes_added: int  # at the destination, after compression and leaving out what was there


class BackupStore(Protocol):
    """A destination, with its passphrase. Everything is encrypted before it leaves this machine.

    All raise FixInput for a tool or passphrase that is missing, TryAgain for a destination that cannot be reached, and
    AskOperator for one that is damaged or locked by somebody else.
    """

    @property
    def place(self) -> str:
        """What a person calls it."""
        ...

    def prepare(self) -> bool:
        """Make the destination ready where it is new. Returns whether it was."""
        ...

    def create(
        self, root: Path, paths: Sequence[Path], *, tag: str, on_progress: Callable[[float], None]
    ) -> BackupMade:
        """Back up paths, all below root. on_progress: told the fraction that is done."""
        ...

    def snapshots(self) -> tuple[Snapshot, ...]:
        """All of them, the oldest first."""
        ...

    def verify(self) -> None:
        """Read everything back, byte for byte. Raises AskOperator for damage."""
        ...

    def restore(self, snapshot_id: str, into: Path) -> None:
        """Put everything that a snapshot holds into an empty folder, checked against its checksums."""
        ...

    def forget(self, *, keep: Mapping[str, int]) -> int:
        """Forget old snapshots; how many. keep: of "daily", "weekly" and "monthly", so many stay."""
        ...


class BackupRecord(Protocol):
    """What is remembered in the workspace."""

    def add(self, made: BackupMade, tag: str) -> None:
        """Remember that one was made."""
        ...

    def last_at(self) -> datetime | None:
        """When the newest whole one was made. None: never."""
        ...
