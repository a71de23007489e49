"""A release in a store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from magellan.errors import FixInput
from magellan.release.manifest import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRelease:
    """What a store says of one release without opening it."""

    strategy: str
    number: int  # in the order in which they came, from 1; unique per strategy, and never used again
    release_id: str
    stored_at: datetime  # aware, UTC
    size: int  # bytes

    @property
    def name(self) -> str:
        """How a person calls it: `bear_trap-7-1f3a90c2d4e5`."""
        return f"{self.strategy}-{self.number}-{shown(self.release_id)}"


def chosen(releases: Sequence[StoredRelease], named: str | None, *, strategy: str) -> StoredRelease:
    """The release that a person means: its name, its number, or the beginning of its id; None: the newest.

    releases: oldest first. Raises: FixInput where there is none, or more than one.
    """
    if not releases:
        raise FixInput(
            f"there is no release of {strategy}",
            next_step=f"build one with `magellan release build {strategy}`",
        )
    if named is None:
        return releases[-1]
    found = [each for each in releases if named in (each.name, str(each.number))]
    found = found or [each for each in releases if len(named) >= 4 and each.release_id.startswith(named)]
    if len(found) == 1:
        return found[0]
    there = ", ".join(each.name for each in releases[-5:])
    if found:
        raise FixInput(
            f"'{named}' may be any of {', '.join(each.name for each in found)}", next_step="write more of it"
        )
    raise FixInput(f"no release of {strategy} is called '{named}'", next_step=f"the newest are: {there}")
