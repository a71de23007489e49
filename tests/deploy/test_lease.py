"""A lease: renewed it lets entries in, and whatever becomes of clocks, files and processes, silence ends it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magellan.deploy.lease import Lease, LeaseWatch
from magellan.errors import AskOperator

BEGAN = datetime(2026, 1, 20, 14, 30, tzinfo=UTC)


def lease(number: int, at_s: float, for_s: float = 10.0) -> Lease:
    return Lease(number=number, for_s=for_s, by="desk", at=BEGAN + timedelta(seconds=at_s))


def looked(watch: LeaseWatch, found: Lease | None, at_s: float, *, clock_ahead_s: float = 0.0) -> str:
    now = BEGAN + timedelta(seconds=at_s + clock_ahead_s)
    return watch.lapsed(found, elapsed_s=at_s, now=now)


def test_a_host_without_a_lease_trades_without_one() -> None:
    assert looked(LeaseWatch(), None, 0) == ""


def test_a_lease_that_lies_there_is_no_leave_until_it_is_seen_to_be_renewed() -> None:
    watch = LeaseWatch()
    assert looked(watch, lease(7, 0), 0) == "desk has not renewed it since this session began"
    assert looked(watch, lease(8, 1), 1) == ""


def test_a_lease_that_is_never_seen_to_be_renewed_has_lapsed_after_its_length() -> None:
    watch = LeaseWatch()
    assert looked(watch, lease(7, 0), 0) == "desk has not renewed it since this session began"
    assert looked(watch, lease(7, 0), 10) == "desk has not renewed it since this session began"
    assert looked(watch, lease(7, 0), 10.01) == "desk has not renewed it for 10 s"


def test_one_that_is_seen_to_appear_holds_and_lapses_as_any_other() -> None:
    watch = LeaseWatch()
    looked(watch, None, 0)
    assert looked(watch, lease(1, 1), 1) == ""
    assert looked(watch, lease(1, 1), 11) == ""
    assert looked(watch, lease(1, 1), 11.01) == "desk has not renewed it for 10 s"


def test_one_that_is_put_back_as_it_once_was_does_not_hold() -> None:
    watch = LeaseWatch()
    looked(watch, None, 100)
    assert looked(watch, lease(1, 1), 101) == "desk has not renewed it for 10 s"


def test_ten_seconds_without_a_renewal_end_it_and_the_next_one_brings_it_back() -> None:
    watch = LeaseWatch()
    looked(watch, lease(1, 0), 0)
    assert looked(watch, lease(2, 1), 1) == ""
    assert looked(watch, lease(2, 1), 11) == ""
    assert looked(watch, lease(2, 1), 11.01) == "desk has not renewed it for 10 s"
    assert looked(watch, lease(3, 30), 30) == ""


def test_a_lease_that_was_ended_asks_for_nothing_any_more() -> None:
    watch = LeaseWatch()
    looked(watch, lease(1, 0), 0)
    assert looked(watch, None, 100) == ""
    assert looked(watch, lease(2, 101), 101) == "", "a new one was written under its eyes"
    assert looked(watch, lease(2, 101), 111.01) != ""


@given(
    renewals=st.lists(st.floats(0.1, 40), max_size=8),
    silence_s=st.floats(10.01, 10_000),
    clock_ahead_s=st.floats(-100_000, 100_000),
)
def test_no_clock_that_is_set_makes_silence_longer_than_the_lease(renewals, silence_s, clock_ahead_s) -> None:
    watch, at_s = LeaseWatch(), 0.0
    for number, pause_s in enumerate(renewals):
        at_s += pause_s
        looked(watch, lease(number, at_s), at_s)
    last = lease(len(renewals), at_s)
    looked(watch, last, at_s)
    assert looked(watch, last, at_s + silence_s, clock_ahead_s=clock_ahead_s) != ""


def test_a_night_in_a_sleeping_machine_ends_it_though_its_own_seconds_stood_still() -> None:
    watch = LeaseWatch()
    looked(watch, lease(1, 0), 0)
    assert looked(watch, lease(2, 1), 1) == ""
    assert looked(watch, lease(2, 1), 2, clock_ahead_s=8 * 3600) != ""


def test_what_is_written_is_read_again() -> None:
    assert Lease.parsed(lease(3, 5).written(), name="lease.json") == lease(3, 5)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"number": 1, "for_s": 1e9, "by": "a", "at": "2026-01-20T14:30:00+00:00"}',
                b'{"number": 1, "for_s": 10, "by": "a", "at": "2026-01-20T14:30:00"}', b"null"],
)  # fmt: skip
def test_what_is_no_lease_is_refused(content: bytes) -> None:
    with pytest.raises(AskOperator, match=r"lease\.json cannot be read"):
        Lease.parsed(content, name="lease.json")
