"""Release store: where releases lie. Kept by `adapters/local/release_folder.py`."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from magellan.release.stored import StoredRelease


class ReleaseStore(Protocol):
    """Releases, each written once and never changed."""

    @property
    def place(self) -> str:
        """What a person calls it: a path, or an address."""
        ...

    def put(self, strategy: str, release_id: str, content: bytes, *, at: datetime) -> StoredRelease:
        """Keep a release; one that is there already is left as it is. Durable when this returns.

        Raises: AskOperator when it cannot be written; nothing half of it is then in the store.
        """
        ...

    def releases(self, strategy: str) -> tuple[StoredRelease, ...]:
        """The strategy's releases, oldest first."""
        ...

    def strategies(self) -> tuple[str, ...]:
        """Strategies that have a release, by name."""
        ...

    def content(self, release: StoredRelease) -> bytes:
        """The file, byte for byte as it lies there. Raises AskOperator when it cannot be read."""
        ...

    def remove(self, release: StoredRelease) -> None:
        """Take it away, for good. Raises AskOperator when it cannot be."""
        ...
