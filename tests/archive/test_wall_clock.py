"""Wall clocks and the two days a year on which they are changed."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magellan.archive.wall_clock import resolved, zone_named
from magellan.errors import FixInput
from magellan.trading.bar import instant, nanoseconds

NEW_YORK = ZoneInfo("America/New_York")


def wall(*texts: str) -> np.ndarray:
    return np.array([nanoseconds(datetime.fromisoformat(text).replace(tzinfo=UTC)) for text in texts])


def told(at_ns: np.ndarray) -> list[str]:
    return [f"{instant(int(at)):%Y-%m-%d %H:%M}" for at in at_ns]


@given(
    at=st.lists(
        st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
        min_size=1,
        max_size=20,
    ),
    zone=st.sampled_from(["America/New_York", "UTC", "Europe/London", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_what_a_clock_showed_is_read_back_as_the_instant_where_only_one_showed_it(
    at: list[datetime], zone: str
) -> None:
    clock = ZoneInfo(zone)
    shown = wall(*(each.astimezone(clock).replace(tzinfo=None).isoformat() for each in at))
    read = resolved(shown, clock)
    for row, each in enumerate(at):
        assert not read.absent[row]
        twice = (
            each.astimezone(clock).replace(fold=0).utcoffset()
            != each.astimezone(clock).replace(fold=1).utcoffset()
        )
        if not twice:
            assert int(read.at_ns[row]) == nanoseconds(each)
        assert bool(read.ambiguous[row] or read.doubled[row]) == twice


def test_the_hour_that_spring_leaves_out_is_absent() -> None:
    read = resolved(
        wall("2025-03-09 01:59", "2025-03-09 02:00", "2025-03-09 02:59", "2025-03-09 03:00"), NEW_YORK
    )
    assert read.absent.tolist() == [False, True, True, False]
    assert told(read.at_ns[[0, 3]]) == ["2025-03-09 06:59", "2025-03-09 07:00"]


def test_the_hour_that_autumn_repeats_is_told_apart_by_its_order() -> None:
    read = resolved(
        wall("2025-11-02 00:30", "2025-11-02 01:30", "2025-11-02 01:30", "2025-11-02 02:30"), NEW_YORK
    )
    assert told(read.at_ns) == [
        "2025-11-02 04:30",
        "2025-11-02 05:30",
        "2025-11-02 06:30",
        "2025-11-02 07:30",
    ]
    assert read.doubled.tolist() == [False, True, True, False]
    assert not read.ambiguous.any()


def test_a_repeated_hour_that_stands_once_is_ambiguous() -> None:
    read = resolved(wall("2025-11-02 00:30", "2025-11-02 01:30", "2025-11-02 02:30"), NEW_YORK)
    assert read.ambiguous.tolist() == [False, True, False]


def test_three_rows_of_a_time_that_happened_twice_are_ambiguous() -> None:
    assert resolved(wall(*["2025-11-02 01:30"] * 3), NEW_YORK).ambiguous.all()


def test_no_times_are_no_instants() -> None:
    assert len(resolved(np.zeros(0, dtype=np.int64), NEW_YORK).at_ns) == 0


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "America"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(FixInput, match="no time zone is called"):
        zone_named(name)
