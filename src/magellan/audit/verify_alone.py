"""Checks Magellan's chains without Magellan: nothing but Python is needed. `python verify_alone.py FOLDER_OR_FILE...`

A folder is `.magellan/audit`, or a copy of it; a file is what `magellan audit export entries` wrote, or `changes` as
jsonl. Each line begins with the SHA-256 of the line before; the first one with 64 zeros. Ends with 1 when a line was
changed, removed, added or moved. With `--checkpoints FILE --key KEY`, the chains are held to the checkpoints that the
Ed25519 key (base64, as in magellan.toml) signed.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from pathlib import Path

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493  # RFC 8032, section 5.1
D = -121665 * pow(121666, P - 2, P) % P
Point = tuple[int, int]


def chain_of(path: Path) -> tuple[str, int, str, dict[int, str]]:
    """A chain's name, its length, its last hash, and all hashes by number. Raises ValueError at the first break."""
    files = sorted(path.glob("changes-*.jsonl")) if path.is_dir() else [path]
    number, digest, name, hashes = 0, "0" * 64, "changes", {}
    for file in files:
        *lines, rest = file.read_bytes().split(b"\n")
        for line in lines:
            number += 1
            if number == 1:
                told = json.loads(line)
                name = "changes" if "log" in told else f"ledger:{told['account']}"
            begins = b'{"previous_hash":"%b","number":%d,' % (digest.encode(), number)
            if not line.startswith(begins):
                raise ValueError(f"{file}: entry {number} does not follow from the one before")
            digest = hashes[number] = hashlib.sha256(line).hexdigest()
        begins = b'{"previous_hash":"%b","number":%d,' % (digest.encode(), number + 1)
        if rest and (file != files[-1] or not rest.startswith(begins[: len(rest)])):
            raise ValueError(f"{file}: entry {number + 1} is not whole")
    if path.is_dir() and files:
        head = json.loads((path / "head.json").read_bytes())
        if number < head["number"] or number > head["number"] + 1:
            raise ValueError(f"{path}: it has {number} entries, and had {head['number']}")
        if head["number"] and hashes[head["number"]] != head["hash"]:
            raise ValueError(f"{path}: entry {head['number']} had another hash")
    return name, number, digest, hashes


def is_signed(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether an Ed25519 key signed the message."""
    point, half = decoded(key), decoded(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if point is None or half is None or len(signature) != 64 or scalar >= L:
        return False
    digest = hashlib.sha512(signature[:32] + key + message).digest()
    base = decoded((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
    assert base is not None, "the base point is on the curve"
    return times(scalar, base) == plus(half, times(int.from_bytes(digest, "little") % L, point))


def decoded(text: bytes) -> Point | None:
    """The point that 32 bytes stand for; None for no point."""
    y = int.from_bytes(text, "little") & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or y >= P or len(text) != 32:
        return None
    return (P - x if (x & 1) != text[31] >> 7 else x, y)


def plus(one: Point, other: Point) -> Point:
    """The sum of two points of the curve."""
    (x1, y1), (x2, y2) = one, other
    mixed = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + mixed, P - 2, P)
    return (x % P, (y1 * y2 + x1 * x2) * pow(1 - mixed, P - 2, P) % P)


def times(factor: int, point: Point) -> Point:
    """A multiple of a point."""
    sum_ = (0, 1)
    while factor:
        sum_, point, factor = (plus(sum_, point) if factor & 1 else sum_), plus(point, point), factor >> 1
    return sum_


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("chains", nargs="+", type=Path)
    parser.add_argument("--checkpoints", type=Path)
    parser.add_argument("--key", help="base64, as in magellan.toml")
    asked = parser.parse_args()
    try:
        found = [chain_of(path) for path in asked.chains]
        noted = asked.checkpoints.read_bytes().splitlines() if asked.checkpoints else []
        for line in noted:
            told = json.loads(line)
            statement = json.dumps(
                {k: told[k] for k in ("at", "heads")}, sort_keys=True, separators=(",", ":")
            )
            signed = b"magellan audit checkpoint, format 1\n" + statement.encode()
            if asked.key is None or not is_signed(
                base64.b64decode(asked.key), signed, base64.b64decode(told["signature"])
            ):
                raise ValueError(f"the checkpoint of {told['at']} is not signed by {asked.key}")
            for name, _, _, hashes in found:
                number, _, digest = told["heads"].get(name, "0:").partition(":")
                if hashes.get(int(number), "") != digest:
                    raise ValueError(
                        f"{name}: entry {number} is not the one of the checkpoint of {told['at']}"
                    )
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"BROKEN: {error}")
    for name, number, digest, _ in found:
        sys.stdout.write(f"{name}: sound, {number} entries, head {number}:{digest}\n")


if __name__ == "__main__":
    main()
