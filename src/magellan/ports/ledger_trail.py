"""The trail: a second copy of the ledger's lines at another place, which follows within a second.

Kept by `adapters/trail/sealed_trail.py`. `magellan backup follow` is the one that writes it; a restore reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from magellan.ledger.chain import Head, StoredEntry


class LedgerTrail(Protocol):
    """Everything in it is encrypted before it leaves this machine. One process writes to it.

    All raise TryAgain for a place that cannot be reached, FixInput for a passphrase that does not open it, and
    AskOperator for one that is damaged.
    """

    @property
    def place(self) -> str:
        """What a person calls it."""
        ...

    def heads(self) -> Mapping[str, Head]:
        """By account, where what it holds ends. Reads all of it."""
        ...

    def add(self, account: str, entries: Sequence[StoredEntry]) -> None:
        """Add entries that follow what it holds. They are on the disk there when this returns."""
        ...

    def entries(self) -> Iterator[tuple[str, Sequence[StoredEntry]]]:
        """All that was added, oldest first, with the account of each part. What a kill tore off is left out."""
        ...


class LedgerRows(Protocol):
    """A ledger as the rows that lie in it: for copying, where nobody asks what they say."""

    def heads(self) -> Mapping[str, Head]:
        """By account, where its chain ends."""
        ...

    def after(self, account: str, number: int, *, most: int) -> Sequence[StoredEntry]:
        """The account's entries behind that number, oldest first."""
        ...

    def add(self, account: str, entries: Sequence[StoredEntry]) -> None:
        """Add entries to a copy that nobody trades on. Raises AskOperator where they do not follow what is there."""
        ...
