"""The chain of a ledger checked a second time, in plain Python that shares nothing with the product.

Written from the description in docs/guides/ledger.md alone. As a program it reads a file of lines, as
`magellan audit export entries` writes them, and prints number and hash of the last one.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable


def head_of(lines: Iterable[bytes]) -> tuple[int, str]:
    """Number and hash of the last line. Raises ValueError at the first that does not follow."""
    number, previous = 0, "0" * 64
    for line in lines:
        entry = json.loads(line)
        number += 1
        if entry["number"] != number:
            raise ValueError(f"line {number} carries the number {entry['number']}")
        if entry["previous_hash"] != previous:
            raise ValueError(f"entry {number} does not follow from the one before")
        previous = hashlib.sha256(line).hexdigest()
    return number, previous


def main() -> None:
    with open(sys.argv[1], "rb") as file:
        print("{}:{}".format(*head_of(line.rstrip(b"\n") for line in file)))


if __name__ == "__main__":
    main()
