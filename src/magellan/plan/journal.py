"""A journal as bytes: one line per record, each sealed with a checksum that also covers everything before it.

    <64 hexadecimal digits> {"number":7,"record":"intent","at":"2026-01-20T14:31:00+00:00","step":4,"before":{...}}

The digits are the SHA-256 of the digits of the line before (64 zeros for the first), a space, and the JSON. So a
changed, removed or moved record is found, and anybody can check it without our code.

What a kill or a power cut leaves unfinished is always at the end: a last line without its newline. That is torn, and
what it announced has not been begun. Everything else that does not fit its checksum is damage, and nothing is guessed
from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from magellan.errors import AskOperator
from magellan.plan.records import Head, Record, UnreadableRecord, decoded, encoded

_SEAL_LENGTH: Final = 64
NO_SEAL: Final = "0" * _SEAL_LENGTH


class JournalDamaged(AskOperator):
    """A journal does not fit its checksums, or is not whole at its head: what was under way cannot be told from it."""


class Journal(Protocol):
    """A journal that is open for a plan being carried out. Kept by `adapters/local/journal_files.py`."""

    @property
    def records(self) -> Sequence[Record]:
        """Everything that was recorded, the head first."""
        ...

    def append(self, records: Sequence[Record], *, durably: bool) -> None:
        """Add the records. They survive the death of this process once this returns.

        durably: they, and all records before them, survive a power cut too.
        Raises:  AskOperator when they cannot be kept; nothing may be done then.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalText:
    """What a journal's bytes hold."""

    records: tuple[Record, ...]  # the head first
    seal: str  # of the last one
    whole_bytes: int  # those of the records; what follows is torn
    torn_bytes: int


def sealed(records: Iterable[Record], *, number: int, seal: str) -> tuple[bytes, str]:
    """The records as lines, and the seal of the last one. number, seal: those that they follow on."""
    lines = []
    for at, record in enumerate(records, start=number):
        body = encoded(record, at)
        seal = _seal(seal, body)
        lines.append(b"%b %b\n" % (seal.encode(), body))
    return b"".join(lines), seal


def read_journal(content: bytes, *, name: str) -> JournalText:
    """The records in a journal's bytes. name: of the file, for what the error says. Raises JournalDamaged."""
    records: list[Record] = []
    seal, at = NO_SEAL, 0
    while at < len(content):
        end = content.find(b"\n", at)
        if end < 0:
            _refuse_altered_end(content[at:], seal, number=len(records), name=name)
            break
        line = content[at:end]
        next_seal = _seal(seal, line[_SEAL_LENGTH + 1 :])
        if line[: _SEAL_LENGTH + 1] != b"%b " % next_seal.encode():
            raise _damaged(name, f"record {len(records)}, at byte {at}, does not fit its checksum")
        try:
            record = decoded(line[_SEAL_LENGTH + 1 :], len(records))
        except UnreadableRecord as error:
            raise _damaged(name, f"record {len(records)} cannot be read: {error}") from error
        if isinstance(record, Head) != (not records):
            raise _damaged(name, f"record {len(records)} is out of place")
        records.append(record)
        seal, at = next_seal, end + 1
    if not records:
        raise _damaged(name, "its head is not whole, so what was under way is not known")
    return JournalText(records=tuple(records), seal=seal, whole_bytes=at, torn_bytes=len(content) - at)


def _refuse_altered_end(rest: bytes, seal: str, *, number: int, name: str) -> None:
    """A last line without its newline was cut short; but one that is whole had its newline changed."""
    line = rest[:-1]
    body = line[_SEAL_LENGTH + 1 :]
    if line == b"%b %b" % (_seal(seal, body).encode(), body):
        raise _damaged(name, f"the end of record {number}, the last one, was changed")


def _seal(before: str, body: bytes) -> str:
    return hashlib.sha256(b"%b %b" % (before.encode(), body)).hexdigest()


def _damaged(name: str, why: str) -> JournalDamaged:
    return JournalDamaged(
        f"the journal {name} is damaged: {why}",
        kept="the journal, as it is, and whatever its plan had done",
        next_step=(
            "find out what changed it, and restore it from a backup; without one, compare by hand what it names, "
            "then move it away"
        ),
    )
