"""A bookmark: what follows from an account's ledger up to an entry, so that a start need not read further back.

The chain stays the truth. A bookmark names the entry that it was made at by number and hash, and the code that made
it; where one of them differs, or its own digest does, it is as if there were none, and everything is read.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from magellan.ledger.chain import Head
from magellan.ledger.json_form import json_bytes

_LEVEL: Final = (
    1  # lines of orders resemble each other: an eighth is left, in a tenth of a second for ten thousand
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bookmark:
    """As it lies in a store."""

    head: Head  # the newest entry that it follows from
    form: str  # the code that wrote it, by a hash: another fold may come to something else
    body: bytes  # lines, compressed
    digest: str  # SHA-256 of all of this and the account's name, in hexadecimal


def bookmark(account: str, head: Head, form: str, lines: Iterable[bytes]) -> Bookmark:
    """The lines (without line breaks) that follow from the account's ledger up to `head`, sealed."""
    body = zlib.compress(b"\n".join(lines), _LEVEL)
    return Bookmark(head=head, form=form, body=body, digest=_digest(account, head, form, body))


def lines_in(found: Bookmark, account: str, form: str) -> list[bytes] | None:
    """The lines of a bookmark that was found; None where it is not what this code wrote for this account."""
    if found.form != form or found.digest != _digest(account, found.head, form, found.body):
        return None
    return zlib.decompress(found.body).split(b"\n")


def _digest(account: str, head: Head, form: str, body: bytes) -> str:
    return sha256(json_bytes([account, head, form]) + body).hexdigest()
