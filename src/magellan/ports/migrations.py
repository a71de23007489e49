"""Migrations: what each restructuring of a tree does, stored before anything is done."""

from __future__ import annotations

from typing import Protocol

from magellan.migration.apply_plan import Recorded


class Migrations(Protocol):
    """Kept by `adapters/local/migration_folder.py`, in a folder of the tree itself."""

    def store(self, recorded: Recorded) -> None:
        """Keep it, with every content before and after, on disk. The tree's own times stay as they are.

        Raises: AskOperator when it cannot be kept; nothing of it is left then.
        """
        ...

    def forget(self, migration_id: str) -> None:
        """Take away what was stored of one that was never begun, as far as the disk lets us."""
        ...

    def read(self, migration_id: str) -> Recorded:
        """The migration as it was stored. Raises FixInput where there is none, AskOperator where it is damaged."""
        ...

    def ids(self) -> tuple[str, ...]:
        """All of them, the oldest first."""
        ...
