"""Identities: order ids, execution ids and event ids, all from one seed, so that equal runs have equal ids."""

from __future__ import annotations

import random
import uuid

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(first + second for first in _CROCKFORD for second in _CROCKFORD)  # ten bits each
_NAMESPACE = uuid.UUID("6f7d1f6e-3a0e-5d0b-9a43-1f2d6c1f8a55")


class Identities:
    """Hands out ids. The same seed hands out the same ids in the same order."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(f"identities {seed}")
        self._seed = seed
        self._events = 0

    def next_uuid(self) -> str:
        """A fresh UUID in the shape of version 4."""
        bits = self._chance.getrandbits(128)
        written = f"{bits:032x}"
        variant = "89ab"[(bits >> 62) & 3]
        return f"{written[:8]}-{written[8:12]}-4{written[13:16]}-{variant}{written[17:20]}-{written[20:]}"

    def event_id(self, at_ns: int) -> str:
        """A ULID: 48 bits of milliseconds, then a counter in place of chance, so that ids sort as events happened."""
        self._events += 1
        value = ((at_ns // 1_000_000) & (2**48 - 1)) << 80 | self._events
        return "".join([_PAIRS[(value >> shift) & 1023] for shift in range(120, -1, -10)])

    def named(self, *names: str) -> str:
        """The UUID of something with a name of its own, the same for equal names and seeds."""
        return str(uuid.uuid5(_NAMESPACE, "\x1f".join((str(self._seed), *names))))
