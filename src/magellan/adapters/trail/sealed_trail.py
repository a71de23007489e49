"""A trail as sealed lines: each is one batch of entries, compressed, encrypted and signed with the backups' passphrase.

    magellan-trail 1 SALT
    gAAAAABh...            a Fernet token of {"account": ..., "entries": [[number, kind, line, hash], ...]}, deflated

A line that a kill or a lost connection tore ends at the next line break, does not open, and is left out; what it held
is sent again.
"""

from __future__ import annotations

import base64
import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from pydantic import SecretStr

from magellan.adapters.trail.place import TrailPlace
from magellan.errors import AskOperator, FixInput
from magellan.ledger.chain import EMPTY, Head, StoredEntry

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

_MARK: Final = b"magellan-trail 1 "


class SealedTrail:
    """Keeps `ports.ledger_trail.LedgerTrail`."""

    def __init__(self, place: TrailPlace, passphrase: SecretStr) -> None:
        self._place = place
        self._passphrase = passphrase
        self._box: Fernet | None = None  # of the trail that was read; None: none was

    @property
    def place(self) -> str:
        """See the port."""
        return self._place.name

    def heads(self) -> Mapping[str, Head]:
        """See the port."""
        found: dict[str, Head] = {}
        for account, entries in self.entries():
            found[account] = Head(number=entries[-1].number, hash=entries[-1].hash)
        return found

    def add(self, account: str, entries: Sequence[StoredEntry]) -> None:
        """See the port."""
        head = b"\n"  # so that whatever was torn off before stands on a line of its own
        if self._box is None:
            salt = os.urandom(16)
            self._box = _box(self._passphrase, salt)
            head = _MARK + base64.urlsafe_b64encode(salt) + b"\n"
        told = {
            "account": account,
            "entries": [[each[0], each[1], each[2].decode(), each[3]] for each in entries],
        }
        token = self._box.encrypt(zlib.compress(json.dumps(told).encode()))
        self._place.append(head + token + b"\n")

    def entries(self) -> Iterator[tuple[str, Sequence[StoredEntry]]]:
        """See the port."""
        from cryptography.fernet import InvalidToken

        content = self._place.read()
        first, _, rest = content.partition(b"\n")
        if not content:
            return
        if not first.startswith(_MARK):
            raise AskOperator(
                f"{self.place} is no trail of a ledger",
                kept="it",
                next_step="name another file with backup.follow_to",
            )
        self._box = _box(self._passphrase, base64.urlsafe_b64decode(first[len(_MARK) :]))
        reached: dict[str, int] = {}
        opened = torn = 0
        for line in rest.split(b"\n"):
            if not line:
                continue
            try:
                told = json.loads(zlib.decompress(self._box.decrypt(line)))
            except InvalidToken:
                torn += 1
                continue
            opened += 1
            account: str = told["account"]
            new = tuple(
                StoredEntry(number, kind, text.encode(), digest)
                for number, kind, text, digest in told["entries"]
                if number
                > reached.get(account, EMPTY.number)  # sent twice where nobody heard that it had come
            )
            if not new:
                continue
            if new[0].number != reached.get(account, EMPTY.number) + 1:
                raise AskOperator(
                    f"{self.place} lacks entries of {account} before {new[0].number}",
                    kept="it",
                    next_step="move it away: `magellan backup follow` makes a whole one",
                )
            reached[account] = new[-1].number
            yield account, new
        if torn and not opened:
            raise FixInput(
                f"the passphrase does not open {self.place}",
                next_step="put back the one that it was made with: nothing else opens it",
            )


def _box(passphrase: SecretStr, salt: bytes) -> Fernet:
    from cryptography.fernet import Fernet
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    key = Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(passphrase.get_secret_value().encode())
    return Fernet(base64.urlsafe_b64encode(key))
