"""How far our clock is from the broker's is read with everything that the broker tells, and holds entries back."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from magellan.engine.commands import WakeAt
from magellan.engine.events import ClockRead
from magellan.ledger.entries import AlertRaised, OrderDenied
from magellan.trading.bar import nanoseconds
from risk.small_session import OPEN, SESSION, SmallSession


def denied(session: SmallSession) -> list[str]:
    return [each.payload.rule for each in session.entries if isinstance(each.payload, OrderDenied)]


def alerts(session: SmallSession) -> list[str]:
    told = [each.payload for each in session.entries if isinstance(each.payload, AlertRaised)]
    return [each.text for each in told if "clock" in each.text]


@pytest.mark.parametrize("skew_s", [3600.0, 2.1, -2.1, -3600.0])
def test_a_clock_that_goes_wrong_during_a_session_refuses_entries_and_tells_once(skew_s: float) -> None:
    session = SmallSession().start()
    session.broker_tells(clock_skew_s=skew_s)
    session.broker_tells(clock_skew_s=skew_s)
    session.bar(100)
    assert session.bought == []
    assert denied(session) == ["clock_skew_s_max"]
    assert session.session.entries_refused == "our clock is not the broker's"
    (text,) = alerts(session)
    assert f"our clock is {skew_s:+.1f} s from the broker's" in text


def test_a_clock_that_is_right_again_lets_entries_in_again() -> None:
    session = SmallSession().start()
    session.broker_tells(clock_skew_s=30.0)
    session.broker_tells(clock_skew_s=1.9)
    session.bar(100)
    assert len(session.bought) == 1
    assert session.session.entries_refused is None
    assert alerts(session)[1] == "our clock agrees with the broker's again, within 2.0 s"


def test_an_exit_is_sent_by_a_clock_that_is_wrong() -> None:
    session = SmallSession().start()
    session.bar(100)
    session.bar(100)
    assert session.held["AMC"] > 0
    session.broker_tells(clock_skew_s=3600.0)
    session.bar(100)
    assert session.held["AMC"] == Decimal(0)


@pytest.mark.parametrize(
    ("after_open", "is_open", "told"),
    [
        (timedelta(hours=3), True, False),
        (timedelta(hours=-3), False, False),
        (timedelta(seconds=-30), True, False),  # the two need not agree to the second
        (timedelta(hours=-3), True, True),
        (timedelta(hours=-3), None, False),
    ],
)
def test_a_market_that_is_open_when_the_calendar_says_closed_is_told_once(
    after_open: timedelta, is_open: bool | None, told: bool
) -> None:
    session = SmallSession().start(OPEN + after_open)
    session.broker_tells(is_open=is_open)
    session.broker_tells(is_open=is_open)
    texts = [each.payload.text for each in session.entries if isinstance(each.payload, AlertRaised)]
    assert len([text for text in texts if "data.calendar" in text]) == told


CLOSE = OPEN + SESSION


@pytest.mark.parametrize(
    ("at", "is_open", "changes_at", "told"),
    [
        (OPEN + timedelta(hours=1), True, CLOSE, None),
        (OPEN + timedelta(hours=1), True, CLOSE - timedelta(seconds=40), None),
        (OPEN + timedelta(hours=1), True, CLOSE - timedelta(hours=3), "closes at 2026-03-02 "),  # a half day
        (
            OPEN + timedelta(hours=1),
            False,
            OPEN + timedelta(days=1),
            "its market is closed, and the calendar XNYS",
        ),
        (OPEN - timedelta(hours=1), False, OPEN, None),
        (
            OPEN - timedelta(hours=1),
            False,
            OPEN + timedelta(days=1),
            "opens at 2026-03-03 14:30Z, and by the",
        ),
        (OPEN + timedelta(hours=1), True, None, None),
    ],
)
def test_a_market_that_opens_or_closes_at_another_time_than_the_calendar_says_is_told_once(
    at: datetime, is_open: bool, changes_at: datetime | None, told: str | None
) -> None:
    session = SmallSession().start(at)
    session.broker_tells(is_open=is_open, changes_at=changes_at)
    session.broker_tells(is_open=is_open, changes_at=changes_at)
    alerted = [each.payload.text for each in session.entries if isinstance(each.payload, AlertRaised)]
    texts = [text for text in alerted if "data.calendar" in text]
    assert len(texts) == (told is not None)
    assert told is None or told in texts[0]


@pytest.mark.parametrize("is_open", [True, False])
def test_a_calendar_without_pauses_is_compared_with_no_clock_of_shares(
    is_open: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = SmallSession().start(OPEN + timedelta(hours=1))
    schedule = session.session._desk.schedule
    monkeypatch.setattr(schedule, "_closes", schedule._opens[1:])  # each day ends where the next one begins
    session.broker_tells(is_open=is_open, changes_at=OPEN + timedelta(hours=2))
    alerted = [each.payload.text for each in session.entries if isinstance(each.payload, AlertRaised)]
    assert not [text for text in alerted if "data.calendar" in text]


@pytest.mark.parametrize(
    ("asked_s", "told_s", "skew_s"),
    [
        (0.0, 0.0, 0.0),
        (-4.0, 5.0, 0.0),  # a slow answer is no wrong clock
        (3.0, 4.0, 3.0),  # ours is at least so far ahead
        (-9.0, -7.5, -7.5),  # or behind
    ],
)
def test_the_way_there_and_back_is_no_skew(asked_s: float, told_s: float, skew_s: float) -> None:
    read = ClockRead(
        asked_at=OPEN + timedelta(seconds=asked_s),
        broker_at=OPEN,
        told_at=OPEN + timedelta(seconds=told_s),
    )
    assert read.skew_s == skew_s


def test_a_wake_is_never_told_before_what_it_is_for() -> None:
    desk = SmallSession().start().session._desk
    desk.begin(desk.now)
    desk.due("something", due_ns := desk.now_ns + 1)
    (wake,) = [each for each in desk.finish() if isinstance(each, WakeAt)]
    assert nanoseconds(wake.at) >= due_ns
    desk.begin(wake.at)
    assert desk.is_due("something")
