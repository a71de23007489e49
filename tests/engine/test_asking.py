"""When a session asks the broker for its account, seen from outside."""

from dataclasses import replace
from datetime import timedelta

from risk.small_session import OPEN, SESSION, SmallSession

CLOSE = OPEN + SESSION


def asked_until(session: SmallSession, end_s: float) -> int:
    """How often the broker was asked meanwhile; it answers each time."""
    before = session.asked
    for _ in range(int(end_s // 30)):
        told = session.asked
        session.wait(30)
        if session.asked > told:
            session.broker_tells(after_s=0)
    return session.asked - before


def test_the_account_is_known_when_a_daily_bar_is_decided_on_some_minutes_after_the_close() -> None:
    session = SmallSession().start(CLOSE - timedelta(minutes=1))
    session.broker_tells()
    assert asked_until(session, 11 * 60) >= 9, (
        "an account that was told before the close is too old to size by"
    )


def test_nobody_is_asked_through_the_night_about_an_account_that_holds_nothing() -> None:
    session = SmallSession().start(CLOSE - timedelta(minutes=1))
    session.broker_tells()
    asked_until(session, 20 * 60)
    assert asked_until(session, 4 * 3600) == 0


def test_executions_that_the_broker_does_not_have_yet_are_asked_for_at_once_and_then_after_pauses() -> None:
    session = SmallSession().start()
    session.broker_tells()
    session.is_mute = True
    session.bar()
    (bought,) = session.untold
    execution = session.executions.pop()
    session.broker_tells()
    before = session.asked
    session.tell(replace(bought, at=session.now, event=replace(bought.event, execution=None)))
    assert session.asked == before + 1, "at once"
    for _ in range(300):  # it answers within a tenth of a second, each time without the execution
        session.broker_tells(after_s=0.1)
    assert before + 5 <= session.asked <= before + 9

    session.executions.append(execution)
    asked_until(session, 60)
    assert session.session.state.book.quantity("AMC") == 10
    assert asked_until(session, 10 * 60) <= 11, "nothing is missing: once a minute"
