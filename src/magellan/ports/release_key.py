"""Release key: the private key of whoever builds releases. Kept by `adapters/local/release_key.py`."""

from __future__ import annotations

from typing import Protocol

from magellan.release.signature import SigningKey


class ReleaseKey(Protocol):
    """One key, in one place."""

    @property
    def place(self) -> str:
        """What a person calls the place."""
        ...

    def key(self) -> SigningKey | None:
        """The key; None where there is none. Raises FixInput for one that others may read, or that is no key."""
        ...

    def make(self) -> SigningKey:
        """Make a key where there is none. Raises FixInput where there is one; AskOperator when it cannot be kept."""
        ...
