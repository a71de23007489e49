"""Which files say nearly the same: by the runs of three lines that they share, whatever their blanks and comments."""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_RUN: Final = 3  # lines
_FEWEST: Final = 8  # runs: shorter files are alike by chance
_SKETCH: Final = 48  # smallest hashes kept of each file to find candidates by
_COMMON: Final = 60  # files; a run in more of them is a licence or boilerplate
NEAR: Final = 0.7
"""From this share of runs in common on, two files are near duplicates."""
_COMMENT: Final = re.compile(r"(?:^|\s)#.*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two files that share much."""

    one: str
    other: str
    share: float  # of the runs of both, in (0, 1]


def shingles_of(source: str) -> frozenset[int]:
    """Hashes of every run of three lines that say something."""
    said = [_COMMENT.sub("", line).strip() if "#" in line else line.strip() for line in source.splitlines()]
    lines = [line for line in said if line]
    return frozenset(
        zlib.crc32("\n".join(lines[at : at + _RUN]).encode("utf-8", "surrogatepass"))
        for at in range(len(lines) - _RUN + 1)
    )


def near_duplicates(shingles: Mapping[str, frozenset[int]]) -> tuple[Pair, ...]:
    """Pairs of files with at least NEAR of their runs in common, the most alike first."""
    holders: dict[int, list[str]] = defaultdict(list)
    for path in sorted(shingles):
        if len(shingles[path]) >= _FEWEST:
            for each in sorted(shingles[path])[:_SKETCH]:
                holders[each].append(path)
    candidates = {
        (one, other)
        for paths in holders.values()
        if 1 < len(paths) <= _COMMON
        for at, one in enumerate(paths)
        for other in paths[at + 1 :]
    }
    found = []
    for one, other in candidates:
        both = shingles[one] & shingles[other]
        share = len(both) / len(shingles[one] | shingles[other])
        if share >= NEAR:
            found.append(Pair(one=one, other=other, share=share))
    return tuple(sorted(found, key=lambda pair: (-pair.share, pair.one, pair.other)))
