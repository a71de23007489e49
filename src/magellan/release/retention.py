"""Retention: which releases may go."""

from __future__ import annotations

from collections.abc import Sequence, Set

from magellan.release.stored import StoredRelease


def prunable(releases: Sequence[StoredRelease], *, keep: int, in_use: Set[str]) -> tuple[StoredRelease, ...]:
    """Those that may be removed: all but the newest `keep`, and never one that is in use.

    releases: oldest first. in_use: ids of releases that run somewhere, or that a ledger names.
    """
    assert keep >= 1, "the newest release stays"
    return tuple(each for each in releases[:-keep] if each.release_id not in in_use)
