"""Sessions: exchange dates and times of day, through clock changes and half days."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magellan.adapters.exchange_calendar import load_calendar
from magellan.errors import FixInput
from magellan.trading.bar import Bars, nanoseconds
from magellan.trading.session import (
    EXCHANGE_ZONE,
    SessionClock,
    day_date,
    exchange_date,
    exchange_midnight,
    exchange_offset_ns,
    session_columns,
)
from magellan.trading.timeframe import DAY, HOUR, MINUTE, Timeframe


def bars_at(instants: list[datetime], timeframe: Timeframe = MINUTE) -> Bars:
    n = len(instants)
    ones = np.ones(n)
    return Bars(
        symbol="ALFA",
        timeframe=timeframe,
        opened_at_ns=np.array([nanoseconds(at) for at in instants], dtype=np.int64),
        open=ones,
        high=ones,
        low=ones,
        close=ones,
        volume=ones,
    )


@given(st.datetimes(datetime(1990, 1, 1), datetime(2037, 12, 31), timezones=st.just(UTC)))
def test_the_exchange_offset_is_that_of_the_time_zone_data_at_every_instant(at):
    expected = at.astimezone(EXCHANGE_ZONE).utcoffset()
    offset = exchange_offset_ns(np.array([nanoseconds(at)], dtype=np.int64))
    assert timedelta(microseconds=int(offset[0]) // 1000) == expected


@pytest.mark.parametrize(
    ("opened_at", "on", "minute"),
    [
        (datetime(2024, 3, 8, 14, 30, tzinfo=UTC), date(2024, 3, 8), 9 * 60 + 30),  # winter
        (
            datetime(2024, 3, 11, 13, 30, tzinfo=UTC),
            date(2024, 3, 11),
            9 * 60 + 30,
        ),  # the Monday after spring
        (
            datetime(2024, 11, 4, 14, 30, tzinfo=UTC),
            date(2024, 11, 4),
            9 * 60 + 30,
        ),  # the Monday after autumn
        (datetime(2024, 1, 4, 0, 30, tzinfo=UTC), date(2024, 1, 3), 19 * 60 + 30),  # a winter evening
        (
            datetime(2024, 3, 10, 6, 59, tzinfo=UTC),
            date(2024, 3, 10),
            119,
        ),  # the minute before the clock jumps
        (datetime(2024, 3, 10, 7, 0, tzinfo=UTC), date(2024, 3, 10), 180),  # the minute it has jumped to
    ],
)
def test_incident_6_dates_and_times_are_the_exchanges_through_clock_changes(opened_at, on, minute):
    columns = session_columns(bars_at([opened_at]))
    assert day_date(int(columns.day[0])) == on
    assert columns.minute[0] == minute


def test_the_utc_clock_reads_another_day_in_the_evening():
    evening = bars_at([datetime(2024, 1, 4, 0, 30, tzinfo=UTC)])
    assert day_date(int(session_columns(evening, SessionClock.UTC).day[0])) == date(2024, 1, 4)


def test_first_and_last_bars_of_a_day_are_marked():
    evening, morning = datetime(2024, 1, 3, 20, 59, tzinfo=UTC), datetime(2024, 1, 4, 14, 30, tzinfo=UTC)
    columns = session_columns(bars_at([evening - timedelta(minutes=1), evening, morning]))
    assert columns.first.tolist() == [True, False, True]
    assert columns.last.tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("on", "closes_at_utc_hour"),
    [
        (date(2024, 11, 29), 18),  # the day after Thanksgiving: 13:00 New York, in winter
        (date(2024, 7, 3), 17),  # the day before Independence Day: 13:00 New York, in summer
        (date(2024, 7, 5), 20),
    ],
)
def test_half_days_close_early(on, closes_at_utc_hour):
    hours = load_calendar("XNYS").hours(on)
    assert hours is not None
    assert hours[1].hour == closes_at_utc_hour


@pytest.mark.parametrize("on", [date(2024, 11, 28), date(2025, 1, 9), date(2024, 7, 6)])
def test_holidays_mourning_and_weekends_are_no_sessions(on):
    assert load_calendar("XNYS").hours(on) is None


def test_minutes_after_a_half_days_close_are_not_regular():
    close = datetime(2024, 11, 29, 18, 0, tzinfo=UTC)
    minutes = bars_at([close - timedelta(minutes=1), close, close + timedelta(hours=1)])
    assert load_calendar("XNYS").regular(minutes).tolist() == [True, False, False]


def test_an_hourly_bar_is_regular_when_any_part_of_it_is():
    hours = bars_at([datetime(2024, 3, 8, h, 0, tzinfo=UTC) for h in (13, 14, 20, 21)], HOUR)
    assert load_calendar("XNYS").regular(hours).tolist() == [False, True, True, False]


def test_a_daily_bar_is_regular_when_its_date_is_a_session():
    days = bars_at([datetime(2024, 11, d, tzinfo=UTC) for d in (27, 28, 29, 30)], DAY)
    assert load_calendar("XNYS").regular(days).tolist() == [True, False, True, False]


def test_a_date_outside_the_calendar_is_refused_with_what_it_covers():
    with pytest.raises(FixInput, match="covers"):
        load_calendar("XNYS").hours(date(1901, 1, 2))


def test_exchange_midnight_and_date_are_inverse_at_the_edge():
    for on in (date(2024, 3, 10), date(2024, 11, 3), date(2024, 7, 1)):
        assert exchange_date(exchange_midnight(on)) == on
        assert exchange_date(exchange_midnight(on) - timedelta(seconds=1)) == on - timedelta(days=1)
