"""Backups: where they go, what is remembered of them here, and the folders that they are made from and restored into.

Kept by `adapters/restic.py` and, beside each other in `adapters/local/`, `backup_record`, `backup_stage` and
`restore_folder`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from magellan.errors import FixInput


class NoBackups(FixInput):
    """A destination was never made ready."""


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

    All raise NoBackups for a destination that is new, FixInput for a tool or passphrase that is missing, TryAgain for
    one that cannot be reached, and AskOperator for one that is damaged or locked by somebody else.
    """

    @property
    def place(self) -> str:
        """What a person calls it."""
        ...

    def prepare(self) -> None:
        """Make a new destination ready."""
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


class BackupStage(Protocol):
    """Copies, as of one instant, of what is written while a backup is made."""

    def alone(self) -> AbstractContextManager[None]:
        """While the block lasts no other process makes a backup of this workspace. Waits; then raises TryAgain."""
        ...

    def fill(self) -> Path:
        """Make them; their folder. Raises AskOperator."""
        ...

    def put_back(self) -> None:
        """In a restored workspace, move them where they belong."""
        ...

    def clear(self) -> None:
        """Remove them."""
        ...


class Beside(StrEnum):
    """What lies beside a folder that something is restored into."""

    NOTHING = "nothing"
    A_PART = "a part"
    WHOLE = "whole"


class RestoreFolder(Protocol):
    """A folder that a workspace is restored into, and the one beside it in which it is put together."""

    @property
    def is_free(self) -> bool:
        """Whether the folder is empty or not there."""
        ...

    @property
    def beside_folder(self) -> Path:
        """Where it is put together, on the same disk."""
        ...

    def beside(self) -> Beside:
        """What lies there."""
        ...

    def fetch(self, restore: Callable[[Path], None]) -> None:
        """Let `restore` fill the folder beside, from nothing, and mark it whole."""
        ...

    def drop(self) -> None:
        """Remove the folder beside."""
        ...

    def put_in_place(self) -> None:
        """Rename the folder beside to what it is for."""
        ...

    def take_out(self) -> None:
        """Rename it back."""
        ...
