"""When nothing goes to where real money trades. Times in the tables are New York's."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magellan.adapters.exchange_calendar import load_calendar
from magellan.deploy.freeze import (
    DatedEvent,
    EventList,
    FreezeAnswer,
    FreezeRules,
    Frozen,
    Open,
    freeze_at,
)
from magellan.deploy.freeze_override import Override, override_of
from magellan.errors import FixInput
from magellan.release.signature import SigningKey
from magellan.workspace.freeze_terms import FreezeTerms

NEW_YORK = ZoneInfo("America/New_York")
CALENDAR = load_calendar("XNYS", today=date(2026, 1, 21))
FOMC = EventList(
    file="fomc.csv",
    events=(
        DatedEvent(name="FOMC", first_on=date(2026, 1, 27), last_on=date(2026, 1, 28)),
        DatedEvent(name="FOMC", first_on=date(2026, 12, 8), last_on=date(2026, 12, 9)),
    ),
)
EARNINGS = EventList(
    file="earnings.csv",
    events=(
        # A Monday: the session before it is Friday's.
        DatedEvent(
            name="NVDA earnings", first_on=date(2026, 2, 23), last_on=date(2026, 2, 23), symbol="NVDA"
        ),
        DatedEvent(name="AMC earnings", first_on=date(2026, 11, 4), last_on=date(2026, 11, 4), symbol="AMC"),
    ),
)


def rules(events: EventList | None = None, earnings: EventList | None = None, **terms: object) -> FreezeRules:
    return FreezeRules(
        terms=FreezeTerms.model_validate(terms), calendar=CALENDAR, events=events, earnings=earnings
    )


def new_york(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(UTC)


def told(answer: FreezeAnswer) -> tuple[tuple[str, ...], str]:
    """The windows that hold, and New York's time at which they are over."""
    assert isinstance(answer, Frozen)
    until = "" if answer.until_at is None else f"{answer.until_at.astimezone(NEW_YORK):%Y-%m-%d %H:%M}"
    return tuple(each.name for each in answer.windows), until


OPEN_AT = [
    ("2026-01-20 10:00", "a Tuesday"),
    ("2026-01-23 13:59", "a Friday before two"),
    ("2026-01-26 00:00", "the Monday after it"),
    ("2025-11-28 10:59", "a half day two hours before its close"),
    ("2025-12-19 13:59", "the last Friday before the year's end"),
    ("2026-04-02 13:59", "the Thursday before Good Friday, before two"),
    ("2026-01-05 00:00", "the first Monday of the year"),
]
FROZEN_AT = [
    # at, windows, until
    ("2026-01-23 14:00", ("the week's end",), "2026-01-26 00:00"),
    ("2026-01-24 12:00", ("the week's end",), "2026-01-26 00:00"),
    ("2026-01-25 23:59", ("the week's end",), "2026-01-26 00:00"),
    ("2025-11-28 11:00", ("the week's end",), "2025-12-01 00:00"),  # closes at one
    ("2026-04-02 14:00", ("the week's end",), "2026-04-06 00:00"),  # Good Friday follows
    ("2026-03-06 14:00", ("the week's end",), "2026-03-09 00:00"),  # clocks go forward on Sunday
    ("2025-10-31 14:00", ("the week's end",), "2025-11-03 00:00"),  # and back
    # What touches is one freeze: a Friday, the year's end, and the week's end of its last day.
    ("2025-12-19 14:00", ("the week's end",), "2026-01-05 00:00"),
    ("2025-12-22 11:00", ("20 Dec to 02 Jan",), "2026-01-05 00:00"),
    ("2026-01-02 10:00", ("20 Dec to 02 Jan",), "2026-01-05 00:00"),
]


@pytest.mark.parametrize(("at", "what"), OPEN_AT, ids=[what for _, what in OPEN_AT])
def test_it_is_open(at: str, what: str) -> None:
    assert isinstance(freeze_at(new_york(at), rules()), Open)


@pytest.mark.parametrize(("at", "windows", "until"), FROZEN_AT, ids=[at for at, _, _ in FROZEN_AT])
def test_it_is_frozen_by_these_windows_until_then(at: str, windows: tuple[str, ...], until: str) -> None:
    assert told(freeze_at(new_york(at), rules())) == (windows, until)


def test_friday_at_two_is_another_instant_in_summer_than_in_winter() -> None:
    for on, hour in (("2026-01-23", 19), ("2026-07-17", 18)):
        at = datetime.fromisoformat(f"{on} {hour}:00").replace(tzinfo=UTC)
        assert isinstance(freeze_at(at, rules()), Frozen)
        assert isinstance(freeze_at(at - timedelta(seconds=1), rules()), Open)


def test_an_event_of_the_whole_market_freezes_its_dates_for_everybody() -> None:
    both = rules(FOMC)
    assert told(freeze_at(new_york("2026-01-27 00:00"), both)) == (("FOMC",), "2026-01-29 00:00")
    assert isinstance(freeze_at(new_york("2026-01-29 10:00"), both), Open)
    before = rules(FOMC, event_sessions_before=1)
    assert told(freeze_at(new_york("2026-01-26 10:00"), before)) == (("FOMC",), "2026-01-29 00:00")


def test_earnings_freeze_only_what_holds_or_trades_the_symbol_from_the_session_before_to_the_one_after() -> (
    None
):
    both = rules(earnings=EARNINGS)
    friday, tuesday = new_york("2026-02-20 10:00"), new_york("2026-02-24 10:00")
    assert isinstance(freeze_at(friday, both, symbols=("AMC",)), Open)
    assert told(freeze_at(friday, both, symbols=("AMC", "NVDA"))) == (("NVDA earnings",), "2026-02-25 00:00")
    assert told(freeze_at(tuesday, both, symbols={"NVDA"})) == (("NVDA earnings",), "2026-02-25 00:00")


def test_after_the_newest_date_of_a_file_nobody_knows_so_it_is_frozen_until_somebody_says_more() -> None:
    at = new_york("2026-12-10 10:00")
    assert told(freeze_at(at, rules(FOMC))) == (("fomc.csv says nothing after 2026-12-09",), "")
    assert isinstance(freeze_at(at, rules(earnings=EARNINGS)), Open)  # nothing is held
    assert told(freeze_at(at, rules(earnings=EARNINGS), symbols={"AMC"}))[1] == ""
    empty = rules(EventList(file="fomc.csv", events=()))
    assert told(freeze_at(at, empty)) == (("fomc.csv holds no date",), "")


def test_windows_can_be_taken_away_and_others_written() -> None:
    never = rules(friday_after="", yearly=[])
    assert isinstance(freeze_at(new_york("2026-01-23 15:00"), never), Open)
    summer = rules(yearly=["08-01/08-15"])
    assert told(freeze_at(new_york("2026-08-03 10:00"), summer)) == (
        ("01 Aug to 15 Aug",),
        "2026-08-17 00:00",
    )


@pytest.mark.parametrize("span", ["13-01/01-02", "12-20", "12-32/01-02", "20-12/02-01"])
def test_a_span_that_is_none_is_refused(span: str) -> None:
    with pytest.raises(ValueError, match="yearly"):
        FreezeTerms.model_validate({"yearly": [span]})


def test_outside_the_recommended_hours_it_is_open_and_advised_against_incident_23() -> None:
    """Deployments went out at any time of day, positions and all."""
    cases = {
        "2026-01-20 11:00": (),
        "2026-01-20 09:45": ("better between 10:00 and 14:00",),
        "2026-01-20 15:00": ("better between 10:00 and 14:00",),
        "2025-12-03 20:00": ("better between",),
        "2025-11-27 11:00": ("the exchange is closed on 2025-11-27",),  # Thanksgiving
    }
    for at, expected in cases.items():
        answer = freeze_at(new_york(at), rules())
        assert isinstance(answer, Open)
        assert len(answer.advice) == len(expected)
        assert all(advice.startswith(start) for advice, start in zip(answer.advice, expected, strict=True))


KEY, OTHERS = SigningKey.new(), SigningKey.new()
TRUSTED = {"Ada": KEY.public_key}


def granted(**changed: Any) -> Override:
    terms: dict[str, Any] = {
        "subject": "prod/bear_trap",
        "by": "Ada",
        "reason": "a stop that is never sent",
        "hours": 2.0,
        "key": KEY,
        "trusted": TRUSTED,
        "at": new_york("2026-01-23 15:00"),
        **changed,
    }
    return override_of(FreezeTerms(), **terms)


def test_an_override_lets_its_subject_through_until_it_ends_and_the_freeze_is_still_told() -> None:
    at, override = new_york("2026-01-23 15:00"), granted()

    def answer(subject: str, hours: float) -> Frozen:
        found = freeze_at(at + timedelta(hours=hours), rules(), subject=subject, overrides=(override,))
        assert isinstance(found, Frozen)
        return found

    assert answer("prod/bear_trap", 0).override == override
    assert answer("prod/bear_trap", 1.99).override == override
    assert answer("prod/bear_trap", 2).override is None
    assert answer("prod/bear_trap", -0.5).override is None
    assert answer("prod/daily_trend", 0).override is None


@pytest.mark.parametrize(
    "changed",
    [
        {"by": ""},
        {"by": "Bob"},
        {"reason": " "},
        {"hours": 0},
        {"hours": 25},
        {"hours": float("nan")},
        {"key": None},
        {"key": OTHERS},
        {"trusted": {}},
    ],
)
def test_an_override_needs_a_person_with_a_key_and_a_reason_and_ends(changed: dict[str, Any]) -> None:
    with pytest.raises(FixInput):
        granted(**changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"subject": "prod/daily_trend"},
        {"by": "Bob"},
        {"reason": "nothing"},
        {"granted_at": new_york("2026-01-24 15:00")},
        {"until_at": new_york("2026-02-24 15:00")},
        {"signature": OTHERS.sign_statement(b"something else")},
    ],
)
def test_an_override_that_was_changed_in_any_way_is_not_the_persons(changed: dict[str, Any]) -> None:
    assert granted().problem(TRUSTED) is None
    assert replace(granted(), **changed).problem(TRUSTED) is not None


@given(
    minutes=st.integers(0, 500 * 24 * 60),
    symbols=st.sets(st.sampled_from(["NVDA", "AMC", "GME"])),
)
def test_a_freeze_is_over_when_it_says_and_not_before(minutes: int, symbols: set[str]) -> None:
    at = datetime(2025, 3, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    all_of_it = rules(FOMC, EARNINGS, event_sessions_before=1, event_sessions_after=1)
    answer = freeze_at(at, all_of_it, symbols=symbols)
    if isinstance(answer, Frozen) and answer.until_at is not None:
        assert answer.until_at > at
        assert isinstance(freeze_at(answer.until_at, all_of_it, symbols=symbols), Open)
        last = freeze_at(answer.until_at - timedelta(seconds=1), all_of_it, symbols=symbols)
        assert isinstance(last, Frozen)
        assert last.until_at == answer.until_at


@given(minutes=st.integers(0, 400 * 24 * 60))
def test_every_friday_afternoon_and_weekend_is_frozen(minutes: int) -> None:
    at = datetime(2025, 3, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    here = at.astimezone(NEW_YORK)
    if here.weekday() > 4 or (here.weekday() == 4 and here.hour >= 14):
        assert isinstance(freeze_at(at, rules()), Frozen)
