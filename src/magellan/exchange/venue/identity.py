"""Identities: order ids, execution ids and event ids, from a seed and the instant at which a venue begins.

So equal runs have equal ids, and an exchange that is started again another day gives no order the id of an older one.
"""

from __future__ import annotations

import random
import uuid
from functools import lru_cache
from hashlib import sha1

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(first + second for first in _CROCKFORD for second in _CROCKFORD)  # ten bits each
_NAMED = sha1(  # the beginning of every UUID of version 5 in the venue's own namespace
    uuid.UUID("6f7d1f6e-3a0e-5d0b-9a43-1f2d6c1f8a55").bytes, usedforsecurity=False
)


class Identities:
    """Hands out ids. The same seed and beginning hand out the same ids in the same order."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random()
        self._seed = seed
        self._events = 0
        self.begin(0)

    def begin(self, at_ns: int) -> None:
        """The venue begins then; every id from here on follows from that."""
        self._chance.seed(f"identities {self._seed} {at_ns}")

    def next_uuid(self) -> str:
        """A fresh UUID in the shape of version 4."""
        bits = self._chance.getrandbits(128)
        written = f"{bits:032x}"
        variant = "89ab"[(bits >> 62) & 3]
        return f"{written[:8]}-{written[8:12]}-4{written[13:16]}-{variant}{written[17:20]}-{written[20:]}"

    def event_id(self, at_ns: int) -> str:
        """A ULID: 48 bits of milliseconds, then a counter in place of chance, so that ids sort as events happened."""
        self._events += 1
        milliseconds = (at_ns // 1_000_000) & (2**48 - 1)
        return (
            f"{_crockford(milliseconds, 5)}{_crockford(self._events >> 10, 7)}{_PAIRS[self._events & 1023]}"
        )

    def named(self, *names: str) -> str:
        """The UUID (version 5) of something with a name of its own, the same for equal names and seeds."""
        bits = _NAMED.copy()
        bits.update("\x1f".join((str(self._seed), *names)).encode())
        written = bits.hexdigest()
        variant = "89ab"[int(written[16], 16) & 3]
        return f"{written[:8]}-{written[8:12]}-5{written[13:16]}-{variant}{written[17:20]}-{written[20:32]}"


@lru_cache(maxsize=64)
def _crockford(value: int, pairs: int) -> str:
    """A number in Crockford's base 32, as so many pairs of digits."""
    return "".join([_PAIRS[(value >> 10 * place) & 1023] for place in range(pairs - 1, -1, -1)])
