"""What features may read: sessions, other symbols and longer timeframes, never ahead of the bar that has closed."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magellan.errors import FixInput
from magellan.strategy.market_view import MarketView
from magellan.trading.bar import Bars, nanoseconds
from magellan.trading.session import ExchangeCalendar, day_number
from magellan.trading.timeframe import MINUTE, MINUTE_NS, Timeframe

MONDAY = date(2024, 3, 4)
OPEN_AT = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)  # 09:30 New York


def minutes(opened: list[int], symbol: str = "ALFA") -> Bars:
    """Bars that open so many minutes after Monday's opening; closes count up from 1."""
    n = len(opened)
    close = np.arange(1.0, n + 1)
    return Bars(
        symbol=symbol,
        timeframe=MINUTE,
        opened_at_ns=np.array([nanoseconds(OPEN_AT) + m * MINUTE_NS for m in opened], dtype=np.int64),
        open=close,
        high=close + 0.5,
        low=close - 0.5,
        close=close,
        volume=np.full(n, 10.0),
    )


def calendar() -> ExchangeCalendar:
    """Monday to Friday of one week, 09:30 to 16:00 New York."""
    days = [MONDAY + timedelta(days=d) for d in range(-2, 6)]
    opens = [nanoseconds(OPEN_AT + timedelta(days=d)) for d in range(-2, 6)]
    return ExchangeCalendar(
        name="TEST",
        session_on=np.array([day_number(d) for d in days], dtype=np.int32),
        opens_at_ns=np.array(opens, dtype=np.int64),
        closes_at_ns=np.array([o + 390 * MINUTE_NS for o in opens], dtype=np.int64),
    )


def test_an_hourly_value_is_known_when_the_hour_has_ended_and_not_before():
    view = MarketView(minutes(list(range(95))))  # 09:30 to 11:04
    hourly = view.higher("1Hour", lambda bars: bars.close)
    assert np.isnan(hourly[:29]).all()  # until 10:00 no hour is complete
    assert hourly[29] == 30.0  # the bar 09:59 closes at 10:00
    assert (hourly[29:89] == 30.0).all()
    assert hourly[89] == 90.0


def test_an_hour_whose_last_minute_never_traded_is_known_with_the_next_bar():
    view = MarketView(minutes([0, 10, 28, 31, 32]))  # 09:58 is the last bar before 10:00
    hourly = view.higher("1Hour", lambda bars: bars.close)
    assert np.isnan(hourly[:3]).all()
    assert (hourly[3:] == 3.0).all()


def test_a_daily_value_is_known_at_the_close_of_the_session():
    two_days = [*range(390), *range(24 * 60, 24 * 60 + 390)]
    view = MarketView(minutes(two_days), calendar=calendar())
    daily = view.higher("1Day", lambda bars: bars.high)
    assert np.isnan(daily[:389]).all()
    assert (daily[389:779] == 390.5).all()
    assert daily[779] == 780.5


def test_bars_after_the_close_are_in_no_day():
    view = MarketView(minutes([*range(392), 24 * 60]), calendar=calendar())
    daily = view.higher("1Day", lambda bars: bars.close)
    assert np.isnan(daily[:389]).all()
    assert (daily[389:] == 390.0).all()


def test_without_a_calendar_a_day_is_known_to_be_over_when_the_next_begins():
    view = MarketView(minutes([*range(390), 24 * 60]))
    daily = view.higher("1Day", lambda bars: bars.close)
    assert np.isnan(daily[:390]).all()
    assert daily[390] == 390.0


@given(st.sets(st.integers(0, 400) | st.integers(380, 400), min_size=2, max_size=120), st.data())
def test_longer_bars_seen_on_a_prefix_are_those_seen_on_the_whole(opened, data):
    bars = minutes(sorted(opened))
    cut = data.draw(st.integers(1, len(bars)))
    for timeframe in ("5Min", "1Hour", "1Day"):
        whole = MarketView(bars, calendar=calendar()).higher(timeframe, lambda b: b.close + b.volume)
        prefix = MarketView(bars.rows(slice(0, cut)), calendar=calendar()).higher(
            timeframe, lambda b: b.close + b.volume
        )
        np.testing.assert_array_equal(prefix, whole[:cut])


def test_another_symbols_value_is_the_newest_that_had_closed():
    other = minutes([0, 5], symbol="BRVO")
    view = MarketView(minutes([0, 1, 4, 5, 6]), others={"BRVO": other})
    assert view.other("BRVO", lambda bars: bars.close).tolist() == [1.0, 1.0, 1.0, 2.0, 2.0]


def test_a_symbol_that_is_not_part_of_the_run_is_named_with_what_to_do():
    with pytest.raises(FixInput, match="reference_symbols"):
        MarketView(minutes([0])).other("SPY", lambda bars: bars.close)


def test_minutes_to_the_close_need_a_calendar():
    with pytest.raises(FixInput, match="exchange calendar"):
        _ = MarketView(minutes([0])).minutes_to_close
    assert MarketView(minutes([0, 385]), calendar=calendar()).minutes_to_close.tolist() == [390.0, 5.0]


def test_longer_bars_cannot_be_made_of_longer_ones():
    with pytest.raises(FixInput, match="cannot be made"):
        MarketView(minutes([0])).higher(Timeframe.parse("1Min"), lambda bars: bars.close)
