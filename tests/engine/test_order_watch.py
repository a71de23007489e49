"""An order stream that listens and says nothing, seen from outside."""

from datetime import timedelta

from magellan.engine import events as e
from risk.small_session import OPEN, SmallSession


def bought_unheard(*, at_s: float = 30.0) -> SmallSession:
    """Buys at the close of the first minute; the stream says nothing of it, and the broker does when it is asked."""
    session = SmallSession().start(OPEN + timedelta(seconds=at_s))
    session.is_mute = True
    session.bar(100)
    assert len(session.bought) == 1
    session.broker_tells(after_s=1)
    return session


def test_a_stream_that_does_not_tell_an_execution_is_begun_anew_and_a_person_hears_of_it() -> None:
    session = bought_unheard()
    session.wait(9)
    assert session.listened_anew == [], "it may still come"
    session.wait(2)
    assert session.listened_anew == ["it listened, and did not tell an execution in AMC; it is begun anew"]
    session.tell(e.OrdersDown(at=session.now, why=session.listened_anew[0]))
    assert session.alerts[-1] == f"the order stream is down: {session.listened_anew[0]}"
    session.wait(60)
    assert len(session.listened_anew) == 1, "it is being done"


def test_it_is_begun_anew_as_often_as_it_falls_mute() -> None:
    session = bought_unheard()
    session.wait(11)
    session.tell(e.OrdersDown(at=session.now, why="begun anew"))
    session.tell(e.OrdersUp(at=session.now))
    session.tell(session.untold.popleft())
    session.bar(100)
    session.bar(100)  # sells what it holds
    assert len(session.sent) == 2
    session.broker_tells(after_s=1)
    session.wait(11)
    assert len(session.listened_anew) == 2


def test_an_execution_that_is_told_late_is_no_silence() -> None:
    session = bought_unheard()
    session.wait(5)
    session.tell(session.untold.popleft())
    session.wait(30)
    assert session.listened_anew == []


def test_one_of_several_that_is_still_missing_is() -> None:
    session = SmallSession(symbols=("AMC", "BB")).start(OPEN + timedelta(seconds=30))
    session.is_mute = True
    session.bar(100)
    session.broker_tells(after_s=1)
    session.tell(session.untold.popleft())
    session.wait(11)
    assert session.listened_anew == ["it listened, and did not tell an execution in BB; it is begun anew"]


def test_what_happened_before_it_listened_it_need_not_tell() -> None:
    session = bought_unheard(at_s=59)  # within what the broker's clock and ours may differ by
    session.wait(30)
    assert session.listened_anew == []


def test_nothing_is_expected_of_a_stream_that_is_down() -> None:
    session = bought_unheard()
    session.tell(e.OrdersDown(at=session.now, why="connection reset"))
    session.wait(30)
    assert session.listened_anew == []
