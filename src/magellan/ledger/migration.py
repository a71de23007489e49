"""How records of older versions read. What is stored stays as it was written; only the reading changes.

`STEPS` has, per kind and version, the function that turns a stored payload of that version into one of the next. It is
added together with the new version, and tests/golden/ledger keeps records of every version that was ever written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

Stored = Mapping[str, Any]
Step = Callable[[Stored], Stored]

STEPS: Final[Mapping[tuple[str, int], Step]] = MappingProxyType({})


def upgraded(
    kind: str, version: int, stored: Stored, *, to: int, steps: Mapping[tuple[str, int], Step] = STEPS
) -> Stored:
    """A stored payload of `version`, as version `to` would have stored it."""
    for each in range(version, to):
        stored = steps[kind, each](stored)
    return stored
