"""What a session has to do comes when it is due, once, and in the order in which it was asked for."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from magellan.usecases.due_times import DueTimes

OPEN = datetime(2025, 3, 10, 13, 30, tzinfo=UTC)
ASKED = st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 5)), max_size=30)


@given(ASKED)
def test_a_name_is_due_once_at_the_instant_that_it_was_last_given(asked: list[tuple[str, int]]) -> None:
    times = DueTimes()
    for name, minutes in asked:
        times.set(name, OPEN + timedelta(minutes=minutes))

    told = []
    for minutes in range(6):
        now = OPEN + timedelta(minutes=minutes)
        while (name := times.due(now)) is not None:
            told.append((name, minutes))

    newest = dict(asked)
    in_order_of_asking = sorted(newest, key=lambda name: _last_asked(name, asked))
    assert told == sorted([(name, newest[name]) for name in in_order_of_asking], key=lambda each: each[1])
    assert times.next_at() is None


def test_nothing_is_due_before_its_instant() -> None:
    times = DueTimes()
    times.set("close", OPEN)

    assert times.due(OPEN - timedelta(microseconds=1)) is None
    assert times.next_at() == OPEN
    assert times.due(OPEN) == "close"
    assert times.due(OPEN) is None


def _last_asked(name: str, asked: list[tuple[str, int]]) -> int:
    return max(number for number, each in enumerate(asked) if each[0] == name)
