"""The ledger: what happened to each account, kept for good.

Kept by `adapters/sql_ledger.py` (SQLite, PostgreSQL) and `adapters/memory_ledger.py`, and held to by tests/contracts.
Whoever wants to write asks for the account's writer first, and only one process at a time is given it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from magellan.errors import AskOperator
from magellan.ledger.bookmark import Bookmark
from magellan.ledger.chain import Broken, Head, Sound
from magellan.ledger.entries import LedgerEntry, NewEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who writes for an account."""

    host: str
    pid: int
    since: datetime  # aware, UTC

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since:%Y-%m-%d %H:%M:%S} UTC"


class AccountHeld(AskOperator):
    """Another process writes for this account. Two would trade against each other, so the second one stops."""


class LedgerWriter(Protocol):
    """The only one that writes for an account."""

    @property
    def account(self) -> str: ...

    @property
    def head(self) -> Head:
        """The newest entry."""
        ...

    def append(self, entries: Sequence[NewEntry]) -> tuple[LedgerEntry, ...]:
        """Add all of the entries, or none. They survive a kill and a power cut once this returns.

        Raises AskOperator when they could not be kept (a full disk, a damaged file, a lost server): no order may be
        sent then.
        """
        ...

    def keep(self, bookmark: Bookmark) -> None:
        """Keep what follows from the account's ledger up to an entry, in the place of what was kept before.

        Raises AskOperator when it cannot be kept.
        """
        ...


class Ledger(Protocol):
    """The ledger of one workspace, with any number of accounts."""

    def accounts(self) -> tuple[str, ...]:
        """Accounts with entries, by name."""
        ...

    def head(self, account: str) -> Head:
        """The newest entry; number 0 for an account without entries."""
        ...

    def entries(
        self, account: str, *, after: int = 0, kinds: Iterable[str] | None = None
    ) -> Iterator[LedgerEntry]:
        """The account's entries with a number above `after`, oldest first; of these kinds only, where given.

        The chain is checked as it is read. Raises AskOperator where it breaks or a record cannot be read.
        """
        ...

    def lines(self, account: str) -> Iterator[bytes]:
        """The account's entries as the lines that were hashed (`ledger/chain.py`), checked as they are read.

        Raises AskOperator where the chain breaks.
        """
        ...

    def verify(self, account: str) -> Sound | Broken:
        """Walk the account's whole chain. Raises AskOperator when the store itself cannot be read."""
        ...

    def bookmark(self, account: str) -> Bookmark | None:
        """What was last kept for the account, unchecked; None where nothing was."""
        ...

    def holder(self, account: str) -> Holder | None:
        """Who writes for the account now."""
        ...

    def writer(self, account: str) -> AbstractContextManager[LedgerWriter]:
        """Write for the account until the `with` ends. Raises AccountHeld, naming the holder, when another does."""
        ...

    def close(self) -> None: ...
