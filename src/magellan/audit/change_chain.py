"""The chain of changes: every line carries the hash of the one before, as those of the ledger do.

A change is one line of JSON, in this order and without spaces:

    {"previous_hash":"…","number":7,"log":"changes","version":1,"at":"…Z","person":"…","host":"…","pid":1,"action":"…",
     "subject":"…","where":"…","why":"…","result":"…","release":"…","evidence":["…"],"note":"…"}

Its hash is the SHA-256 of the bytes of that line, in lower-case hexadecimal, and the next line begins with that hash.
Before the first stand 64 zeros. The newest hash stands in the next line only once there is one; until then it is kept
beside the lines, as the head.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

import orjson

from magellan.audit.change import Change, Result
from magellan.ledger.chain import ChainBroken, Head
from magellan.plan.actor import Actor

_LOG: Final = "changes"
_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedChange:
    """A change as it stands in the log."""

    number: int
    change: Change
    previous_hash: str
    hash: str

    @property
    def head(self) -> Head:
        """Where the chain ended with it."""
        return Head(number=self.number, hash=self.hash)


class UnreadableChange(ValueError):
    """A line that fits its chain, and is no change that we know."""


def sealed(change: Change, after: Head) -> tuple[bytes, Head]:
    """The line of a change that follows `after`, without its end, and where the chain then ends."""
    line = orjson.dumps(
        {
            "previous_hash": after.hash,
            "number": after.number + 1,
            "log": _LOG,
            "version": _VERSION,
            "at": change.at,
            "person": change.by.person,
            "host": change.by.host,
            "pid": change.by.pid,
            "action": change.action,
            "subject": change.subject,
            "where": change.where,
            "why": change.why,
            "result": change.result.value,
            "release": change.release,
            "evidence": change.evidence,
            "note": change.note,
        },
        option=orjson.OPT_UTC_Z,
    )
    return line, Head(number=after.number + 1, hash=sha256(line).hexdigest())


def links(lines: Iterable[bytes], after: Head) -> Iterator[tuple[bytes, Head]]:
    """Lines, each with where the chain ends with it, once it is known to follow from the one before.

    A changed line shows at the next one; the last one shows only against a head. Raises ChainBroken.
    """
    number, digest = after.number, after.hash
    for line in lines:
        number += 1
        if not line.startswith(_begins(digest, number)):
            raise ChainBroken(number, "it does not follow from the one before, or the one before was changed")
        digest = sha256(line).hexdigest()
        yield line, Head(number=number, hash=digest)


def is_torn(rest: bytes, after: Head) -> bool:
    """Whether what stands behind the last whole line is what a kill leaves: nothing, or the next one's beginning."""
    begins = _begins(after.hash, after.number + 1)
    return rest.startswith(begins[: len(rest)])


def change_from(line: bytes, head: Head) -> RecordedChange:
    """The change in a line that was checked. Raises UnreadableChange."""
    try:
        told = orjson.loads(line)
        if told["version"] != _VERSION:
            raise ValueError(f"it has the format {told['version']}, and this Magellan reads {_VERSION}")
        return RecordedChange(
            number=told["number"],
            change=Change(
                at=datetime.fromisoformat(told["at"]),
                by=Actor(person=told["person"], host=told["host"], pid=told["pid"]),
                action=told["action"],
                subject=told["subject"],
                where=told["where"],
                why=told["why"],
                result=Result(told["result"]),
                release=told["release"],
                evidence=tuple(told["evidence"]),
                note=told["note"],
            ),
            previous_hash=told["previous_hash"],
            hash=head.hash,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableChange(f"change {head.number}: {error}") from error


def _begins(previous_hash: str, number: int) -> bytes:
    return b'{"previous_hash":"%b","number":%d,"log":"changes",' % (previous_hash.encode(), number)
