"""The chain: every entry carries the hash of the one before, so that tampering and loss show.

An entry is one line of JSON, in this order and without spaces:

    {"previous_hash":"…","number":7,"at":"…Z","account":"…","session":"…","kind":"…","version":1,"payload":{…}}

Its hash is the SHA-256 of the bytes of that line, in lower-case hexadecimal. The line is stored as it was hashed, so a
check needs no second serialiser: `sha256(line) == hash`, and the next line begins with that hash. Before the first
entry stand 64 zeros. What a chain alone cannot show (its newest entries cut off, or the whole rewritten) shows against
a head that was noted elsewhere: `magellan audit verify --head NUMBER:HASH`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

import orjson

from magellan.ledger.entries import LedgerEntry, NewEntry
from magellan.ledger.json_form import UnreadableRecord, json_bytes, payload_from

BEFORE_THE_FIRST: Final = "0" * 64
_HASH_AT: Final = slice(len(b'{"previous_hash":"'), len(b'{"previous_hash":"') + 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where a chain ends."""

    number: int  # 0 for a ledger without entries
    hash: str

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


EMPTY: Final = Head(number=0, hash=BEFORE_THE_FIRST)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """An entry as it lies in a store: the line that was hashed, and what the store says beside it."""

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


def sealed(
    entries: Sequence[NewEntry], account: str, after: Head
) -> tuple[tuple[StoredEntry, ...], tuple[LedgerEntry, ...]]:
    """Entries as they are to be stored after `after`, and as they read from there."""
    stored, read = [], []
    head = after
    for entry in entries:
        number = head.number + 1
        line = json_bytes(
            {
                "previous_hash": head.hash,
                "number": number,
                "at": entry.at,
                "account": account,
                "session": entry.session,
                "kind": entry.payload.kind,
                "version": entry.payload.version,
                "payload": entry.payload,
            }
        )
        digest = sha256(line).hexdigest()
        stored.append(StoredEntry(number=number, kind=entry.payload.kind, line=line, hash=digest))
        read.append(
            LedgerEntry(
                number=number,
                at=entry.at,
                account=account,
                session=entry.session,
                payload=entry.payload,
                previous_hash=head.hash,
                hash=digest,
            )
        )
        head = Head(number=number, hash=digest)
    return tuple(stored), tuple(read)


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
    except UnreadableRecord as error:
        raise UnreadableRecord(f"entry {stored.number}: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableRecord(f"entry {stored.number}: {error}") from error


def verify(stored: Iterable[StoredEntry], account: str, *, head: Head | None) -> Sound | Broken:
    """Walk a stored chain from its first entry.

    head: where the store says that the chain ends; None when it does not say, which is a break in itself unless there
          are no entries.
    """
    at = EMPTY
    for entry in stored:
        reason = break_in(entry, account, after=at)
        if reason is not None:
            return Broken(number=at.number + 1, reason=reason)
        at = Head(number=entry.number, hash=entry.hash)
    if head is None and at.number:
        return Broken(number=at.number, reason="the store does not say where the chain ends")
    if head is not None and head != at:
        return Broken(
            number=min(at.number, head.number) + (at.number != head.number),
            reason=f"the chain ends with entry {at.number}, and the store says that it has {head.number}",
        )
    return Sound(head=at)


def break_in(entry: StoredEntry, account: str, *, after: Head) -> str | None:
    """Why an entry does not follow; None when it does."""
    if entry.number != after.number + 1:
        return f"entry {after.number + 1} is missing; the next one is {entry.number}"
    if entry.line[_HASH_AT] != after.hash.encode():
        return "it does not follow from the entry before"
    if sha256(entry.line).hexdigest() != entry.hash:
        return "its line does not have its hash"
    expected = b'","number":%d,' % entry.number
    if entry.line[_HASH_AT.stop : _HASH_AT.stop + len(expected)] != expected:
        return "its line carries another number"
    return _mislabelled(entry, account)


def _mislabelled(entry: StoredEntry, account: str) -> str | None:
    try:
        line = orjson.loads(entry.line)
        told = line["account"], line["kind"]
    except (KeyError, TypeError, ValueError) as error:
        return f"its line cannot be read: {error}"
    if told != (account, entry.kind):
        return f"its line says account {told[0]} and kind {told[1]}, its store {account} and {entry.kind}"
    return None
