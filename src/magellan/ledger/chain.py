"""The chain: every entry carries the hash of the one before, so that tampering and loss show.

An entry is one line of JSON, in this order and without spaces:

    {"previous_hash":"…","number":7,"account":"…","kind":"…","version":1,"at":"…Z","session":"…","payload":{…}}

Its hash is the SHA-256 of the bytes of that line, in lower-case hexadecimal. The line is stored as it was hashed, so a
check needs no second serialiser: `sha256(line) == hash`, and the next line begins with that hash. Before the first
entry stand 64 zeros. What a chain alone cannot show (its newest entries cut off together with the store's word about
where it ends, or the whole of it written anew) shows against a head that was noted elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple

import orjson

from magellan.ledger.entries import LedgerEntry, NewEntry
from magellan.ledger.json_form import UnreadableRecord, json_bytes, payload_from, storable
from magellan.ledger.known_secrets import NO_SECRETS, KnownSecrets

_BEFORE_THE_FIRST: Final = "0" * 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where a chain ends."""

    number: int  # 0 for a ledger without entries
    hash: str

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


EMPTY: Final = Head(number=0, hash=_BEFORE_THE_FIRST)


class StoredEntry(NamedTuple):
    """An entry as it lies in a store: the line that was hashed, and what the store says beside it."""

    # A tuple, since a recovery makes one for every entry that there ever was.

    number: int
    kind: str
    line: bytes
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """Every entry follows from the one before."""

    head: Head


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """The first place where the chain does not hold."""

    number: int
    reason: str


class ChainBroken(ValueError):
    """An entry does not follow from the one before."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"entry {number}: {reason}")
        self.broken = Broken(number=number, reason=reason)


def sealed(
    entries: Sequence[NewEntry], account: str, after: Head, secrets: KnownSecrets = NO_SECRETS
) -> tuple[tuple[StoredEntry, ...], tuple[LedgerEntry, ...]]:
    """Entries as they are to be stored after `after`, and as they read from there.

    secrets: what is hidden in them.
    Raises ValueError for a payload that has no JSON form.
    """
    stored, read = [], []
    head = after
    for entry in entries:
        number = head.number + 1
        payload, told = storable(entry.payload, secrets)
        line = json_bytes(
            {
                "previous_hash": head.hash,
                "number": number,
                "account": account,
                "kind": payload.kind,
                "version": payload.version,
                "at": entry.at,
                "session": entry.session,
                "payload": orjson.Fragment(told),
            }
        )
        digest = sha256(line).hexdigest()
        stored.append(StoredEntry(number, payload.kind, line, digest))
        read.append(
            LedgerEntry(
                number=number,
                at=entry.at,
                account=account,
                session=entry.session,
                payload=payload,
                previous_hash=head.hash,
                hash=digest,
            )
        )
        head = Head(number=number, hash=digest)
    return tuple(stored), tuple(read)


def walk(
    stored: Iterable[StoredEntry], account: str, *, after: Head, kinds: Collection[str] | None = None
) -> Iterator[LedgerEntry]:
    """The entries that follow `after`, checked one by one; only those of `kinds` are read and given, where given.

    Raises ChainBroken where the chain does not hold, UnreadableRecord for a record that is not what it promises.
    """
    for entry in checked(stored, account, after):
        if kinds is None or entry.kind in kinds:
            yield entry_from(entry)


def checked(stored: Iterable[StoredEntry], account: str, after: Head) -> Iterator[StoredEntry]:
    """Stored entries, each passed on once it is known to follow from the one before. Raises ChainBroken."""
    named = json_bytes(account)
    number, previous_hash = after.number, after.hash
    for entry in stored:
        number += 1
        if entry.number != number:
            raise ChainBroken(number, f"it is missing; the next one is {entry.number}")
        # What a line begins with is known before it is read, so that most tampering shows without parsing it.
        begins = b'{"previous_hash":"%b","number":%d,"account":%b,"kind":"%b",' % (
            previous_hash.encode(),
            number,
            named,
            entry.kind.encode(),
        )
        if not entry.line.startswith(begins):
            raise ChainBroken(
                number, "it does not follow from the entry before, or stands under another name"
            )
        if sha256(entry.line).hexdigest() != entry.hash:
            raise ChainBroken(number, "its line does not have its hash")
        previous_hash = entry.hash
        yield entry


def entry_from(stored: StoredEntry) -> LedgerEntry:
    """The entry that a stored line holds. Raises UnreadableRecord."""
    try:
        line = orjson.loads(stored.line)
        return LedgerEntry(
            number=line["number"],
            at=datetime.fromisoformat(line["at"]),
            account=line["account"],
            session=line["session"],
            payload=payload_from(line["kind"], line["version"], line["payload"]),
            previous_hash=line["previous_hash"],
            hash=stored.hash,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableRecord(f"entry {stored.number}: {error}") from error


def verify(stored: Iterable[StoredEntry], account: str, *, head: Head | None) -> Sound | Broken:
    """Walk a stored chain from its first entry.

    head: where the store says that the chain ends; None when it does not say, which is a break in itself unless there
          are no entries.
    """
    at = EMPTY
    try:
        for entry in checked(stored, account, EMPTY):
            at = Head(number=entry.number, hash=entry.hash)
    except ChainBroken as error:
        return error.broken
    broken = break_at_end(at, head)
    return Sound(head=at) if broken is None else broken


def break_at_end(reached: Head, head: Head | None) -> Broken | None:
    """How the end of a chain differs from where the store says that it ends; None when they agree."""
    if head is None:
        if reached == EMPTY:
            return None
        return Broken(number=reached.number, reason="the store does not say where the chain ends")
    if reached.number < head.number:
        return Broken(number=reached.number + 1, reason=f"it is missing; the chain had {head.number} entries")
    if reached.number > head.number:
        return Broken(number=head.number + 1, reason=f"it was added to a chain of {head.number} entries")
    if reached != head:
        return Broken(number=reached.number, reason="the store says that the chain ends with another hash")
    return None
