"""Wall clocks: times without a zone to instants, where a clock change makes some of them double or absent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from magellan.errors import FixInput
from magellan.trading.bar import Instants, Mask, instant
from magellan.trading.timeframe import DAY_NS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resolved:
    """Wall times as instants; shapes (n,)."""

    at_ns: Instants  # UTC; meaningless where `absent`
    absent: Mask  # the clock was put forward over this time
    doubled: Mask  # the clock showed it twice, and so do the rows: the first of them is the earlier instant
    ambiguous: Mask  # the clock showed it twice, the rows once: read as the earlier, but nobody knows


def resolved(wall_ns: Instants, zone: ZoneInfo) -> Resolved:
    """Read wall times on the clock of `zone`.

    wall_ns: shape (n,), nanoseconds after 1970-01-01 on the wall clock, in the order of the file.
    """
    day, day_of_row = np.unique(wall_ns // DAY_NS, return_inverse=True)
    at_dawn = np.array([_offset_ns(int(each) * DAY_NS, zone) for each in day], dtype=np.int64)
    day_after = np.array([_offset_ns((int(each) + 1) * DAY_NS, zone) for each in day], dtype=np.int64)
    at_ns = wall_ns - at_dawn[day_of_row]
    absent, twice = np.zeros(len(wall_ns), dtype=bool), np.zeros(len(wall_ns), dtype=bool)
    later_ns = at_ns.copy()
    for row in np.flatnonzero((at_dawn != day_after)[day_of_row]).tolist():
        wall = int(wall_ns[row])
        at_ns[row] = wall - _offset_ns(wall, zone, fold=0)
        later_ns[row] = wall - _offset_ns(wall, zone, fold=1)
        absent[row] = int(at_ns[row]) + _offset_at_ns(int(at_ns[row]), zone) != wall
        twice[row] = not absent[row] and at_ns[row] != later_ns[row]
    doubled = np.zeros(len(wall_ns), dtype=bool)
    rows = np.flatnonzero(twice)
    _, first, same_as, count = np.unique(
        wall_ns[rows], return_index=True, return_inverse=True, return_counts=True
    )
    doubled[rows] = (count == 2)[same_as]
    second = np.setdiff1d(np.arange(len(rows)), first)
    second = rows[second][doubled[rows[second]]]
    at_ns[second] = later_ns[second]
    return Resolved(at_ns=at_ns, absent=absent, doubled=doubled, ambiguous=twice & ~doubled)


def zone_named(name: str) -> ZoneInfo:
    """The time zone of that name in the IANA list. Raises FixInput when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise FixInput(
            f"no time zone is called '{name}'", next_step="write it like America/New_York or UTC"
        ) from error


def _offset_ns(wall_ns: int, zone: ZoneInfo, *, fold: int = 0) -> int:
    """What the wall clock of `zone` is ahead of UTC when it shows that time."""
    wall = instant(wall_ns).replace(tzinfo=zone, fold=fold)
    return _as_ns(wall)


def _offset_at_ns(at_ns: int, zone: ZoneInfo) -> int:
    return _as_ns(instant(at_ns).astimezone(zone))


def _as_ns(wall: datetime) -> int:
    offset = wall.utcoffset()
    assert offset is not None, "a time in a zone has an offset"
    return offset // timedelta(microseconds=1) * 1000
