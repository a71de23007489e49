"""What a vendor left out, and whether anything explains it."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from magellan.archive.dataset import DateRange
from magellan.archive.returned_range import Absent, absent, settled

FIRST_ON = date(2025, 9, 1)


def on(*days: int) -> tuple[date, ...]:
    return tuple(FIRST_ON + timedelta(days=day) for day in days)


def found(sessions, present=(), traded=(), known=()) -> Absent:
    return absent(on(*sessions), frozenset(on(*present)), frozenset(on(*traded)), frozenset(on(*known)))


def test_nothing_is_absent_where_every_session_has_a_bar():
    assert not found(range(5), present=range(5))


def test_a_session_with_a_trade_but_no_bar_is_lost():
    assert found(range(5), present=(0, 1, 4), traded=range(5)).lost == on(2, 3)


def test_sessions_without_a_trade_are_told_apart_by_where_they_lie():
    missing = found(range(9), present=(3, 6), traded=(3, 6))
    assert (missing.before, missing.between, missing.after) == (on(0, 1, 2), on(4, 5), on(7, 8))


def test_what_the_archive_holds_already_moves_the_edges():
    missing = found(range(9), present=(3, 6), traded=(3, 6), known=(-40, 40))
    assert (missing.before, missing.between, missing.after) == ((), on(0, 1, 2, 4, 5, 7, 8), ())


def test_where_nobody_ever_saw_a_trade_every_session_lies_before_the_first():
    assert found(range(3)).before == on(0, 1, 2)


def test_days_at_an_edge_are_left_to_be_asked_for_again():
    asked = DateRange(first_on=on(0)[0], last_on=on(9)[0])
    missing = found(range(10), present=(2, 5), traded=(2, 5))
    assert settled(asked, missing) == DateRange(first_on=on(2)[0], last_on=on(5)[0])
    assert settled(asked, found(range(10))) is None
    assert settled(asked, found(range(10), present=range(10))) == asked


days = st.frozensets(st.integers(0, 30))


@given(sessions=days, present=days, traded=days, known=st.frozensets(st.integers(-9, 39)))
def test_every_absent_session_is_in_one_group_and_no_present_one_is_in_any(sessions, present, traded, known):
    missing = found(sorted(sessions), present, traded, known)
    groups = (missing.lost, missing.before, missing.between, missing.after)
    assert sorted(day for group in groups for day in group) == sorted(on(*(sessions - present)))
    assert set(missing.lost) == set(on(*((sessions - present) & traded)))
    asked = DateRange(first_on=on(0)[0], last_on=on(30)[0])
    kept = settled(asked, missing)
    if kept is not None:
        edges = {*missing.before, *missing.after}
        assert not any(kept.first_on <= day <= kept.last_on for day in edges)
        assert all(kept.first_on <= day <= kept.last_on for day in on(*(sessions & present)))
