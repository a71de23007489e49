"""A ledger in memory: for simulated trading days, and for tests. Nothing of it outlives the process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from magellan.errors import AskOperator
from magellan.ledger.bookmark import Bookmark
from magellan.ledger.chain import (
    EMPTY,
    Broken,
    ChainBroken,
    Head,
    Sound,
    StoredEntry,
    checked,
    sealed,
    verify,
    walk,
)
from magellan.ledger.entries import LedgerEntry, NewEntry
from magellan.ledger.json_form import UnreadableRecord
from magellan.ledger.known_secrets import NO_SECRETS, KnownSecrets
from magellan.ports.ledger import AccountHeld, Holder


class MemoryLedger:
    """Keeps the stored form, so that what was written is read back as from a disk.

    clock:   now, aware, UTC; only says since when an account is held.
    secrets: values that no entry may repeat.
    """

    def __init__(self, clock: Callable[[], datetime], secrets: KnownSecrets = NO_SECRETS) -> None:
        self._clock = clock
        self._secrets = secrets
        self._stored: dict[str, list[StoredEntry]] = {}
        self._heads: dict[str, Head] = {}
        self._bookmarks: dict[str, Bookmark] = {}
        self._holders: dict[str, Holder] = {}

    def accounts(self) -> tuple[str, ...]:
        return tuple(sorted(self._stored))

    def head(self, account: str) -> Head:
        return self._heads.get(account, EMPTY)

    def entries(
        self, account: str, *, after: int = 0, kinds: Iterable[str] | None = None
    ) -> Iterator[LedgerEntry]:
        stored = tuple(self._stored.get(account, ()))
        wanted = None if kinds is None else frozenset(kinds)
        if after > len(stored):
            raise AskOperator(f"the ledger of {account} is damaged: it has no entry {after}")
        start = Head(number=after, hash=stored[after - 1].hash) if after else EMPTY
        try:
            yield from walk(stored[after:], account, after=start, kinds=wanted)
        except (ChainBroken, UnreadableRecord) as error:
            raise AskOperator(f"the ledger of {account} cannot be read: {error}") from error

    def lines(self, account: str) -> Iterator[bytes]:
        try:
            for each in checked(self._stored.get(account, ()), account, EMPTY):
                yield each.line
        except ChainBroken as error:
            raise AskOperator(f"the ledger of {account} cannot be read: {error}") from error

    def verify(self, account: str) -> Sound | Broken:
        return verify(self._stored.get(account, ()), account, head=self._heads.get(account))

    def bookmark(self, account: str) -> Bookmark | None:
        return self._bookmarks.get(account)

    def holder(self, account: str) -> Holder | None:
        return self._holders.get(account)

    @contextmanager
    def writer(self, account: str) -> Iterator[_Writer]:
        holder = self._holders.get(account)
        if holder is not None:
            raise AccountHeld(f"account {account} is held by {holder}")
        self._holders[account] = Holder(host="memory", pid=os.getpid(), since=self._clock())
        try:
            yield _Writer(self, account)
        finally:
            del self._holders[account]

    def close(self) -> None:
        self._stored.clear()
        self._heads.clear()
        self._bookmarks.clear()

    def _append(self, account: str, entries: Sequence[NewEntry]) -> tuple[LedgerEntry, ...]:
        stored, read = sealed(entries, account, self.head(account), self._secrets)
        if stored:
            self._stored.setdefault(account, []).extend(stored)
            self._heads[account] = Head(number=stored[-1].number, hash=stored[-1].hash)
        return read


class _Writer:
    def __init__(self, ledger: MemoryLedger, account: str) -> None:
        self._ledger = ledger
        self.account = account

    @property
    def head(self) -> Head:
        return self._ledger.head(self.account)

    def append(self, entries: Sequence[NewEntry]) -> tuple[LedgerEntry, ...]:
        return self._ledger._append(self.account, entries)

    def keep(self, bookmark: Bookmark) -> None:
        self._ledger._bookmarks[self.account] = bookmark
