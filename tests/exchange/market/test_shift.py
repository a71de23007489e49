"""Archived sessions on other dates: every minute of the session stays where it was."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.market.sample_market import HALF_DAY, HOLIDAY, MONDAY, at, new_york
from magellan.errors import FixInput
from magellan.exchange.market.generated_bars import GeneratedBars
from magellan.exchange.market.market import Market
from magellan.exchange.market.shift import Shift
from magellan.exchange.market.trading_hours import TradingHours, day_of
from magellan.trading.bar import instant, nanoseconds
from magellan.trading.corporate_action import CashDividend, Split
from magellan.trading.session import day_date
from magellan.trading.timeframe import MINUTE_NS

FIRST, LAST = (
    date(2025, 7, 2),
    date(2025, 7, 8),
)  # five days: a whole one, the half day, and two after the holiday
BARS = GeneratedBars(["AAA"], new_york(), seed=2).bars("AAA", at(FIRST, 0), at(date(2025, 7, 9), 0))


def minutes_of_the_session(calendar, bars):
    opens = {}
    for opened_ns in bars.opened_at_ns.tolist():
        row = int(calendar.closes_at_ns.searchsorted(opened_ns - 4 * 60 * MINUTE_NS, side="right"))
        opens.setdefault(row, []).append((opened_ns - int(calendar.opens_at_ns[row])) // MINUTE_NS)
    return list(opens.values())


@given(days=st.integers(1, 300))
@settings(max_examples=25, deadline=None)
def test_a_shift_onto_other_sessions_preserves_prices_and_minutes_of_the_session(days):
    sessions = new_york().sessions(date(2025, 8, 1), date(2026, 12, 31))
    shift = Shift.onto(new_york(), FIRST, LAST, new_york(), sessions[days])
    shown = shift.bars(BARS)
    assert shown.close.tolist() == BARS.close.tolist()
    assert minutes_of_the_session(shift.calendar, shown) == minutes_of_the_session(new_york(), BARS)
    assert [shift.shown(at_ns) for at_ns in BARS.opened_at_ns.tolist()] == shown.opened_at_ns.tolist()


@given(hour=st.integers(0, 23), minute=st.integers(0, 59), day=st.integers(1, 28), month=st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_shifted_to_now_the_market_is_open_and_calendar_and_bars_agree(hour, minute, day, month):
    now_ns = nanoseconds(datetime(2027, month, day, hour, minute, 17, tzinfo=UTC))
    shift = Shift.open_now(new_york(), FIRST, LAST, now_ns)
    market = Market({"AAA": shift.bars(BARS)}, shift.calendar)
    last_minutes = at(market.hours.last_session(now_ns).on, 23, 59)
    assert market.is_open(now_ns) or now_ns >= last_minutes
    if market.is_open(now_ns):
        assert market.bar("AAA", now_ns).in_regular_session
        opens_ns = market.hours.session_at(now_ns).opens_at_ns
        archived_ns = at(LAST, 9, 30) + (now_ns - now_ns % MINUTE_NS) - opens_ns
        row = BARS.opened_at_ns.tolist().index(archived_ns)
        assert market.bar("AAA", now_ns).open == BARS.open[row]
    for session_on in shift.calendar.session_on.tolist():
        session = market.session(date.fromordinal(date(1970, 1, 1).toordinal() + session_on))
        assert market.hours.session_at(session.opens_at_ns).on == session.on


def test_a_half_day_shown_on_a_whole_day_closes_early_there():
    shift = Shift.onto(new_york(), HALF_DAY, HALF_DAY, new_york(), MONDAY)
    assert shift.calendar.hours(MONDAY)[1] == instant(at(MONDAY, 13))
    assert shift.calendar.hours(LAST)[1] == instant(at(LAST, 16))


@pytest.mark.parametrize(
    ("first", "last", "onto", "match"),
    [
        (MONDAY, MONDAY, HALF_DAY, "longer than that"),
        (HOLIDAY, HOLIDAY, MONDAY, "no session"),
        (MONDAY, MONDAY, HOLIDAY, "no session of"),
    ],
)
def test_what_cannot_be_shown_there_is_refused(first, last, onto, match):
    with pytest.raises(FixInput, match=match):
        Shift.onto(new_york(), first, last, new_york(), onto)


def test_corporate_actions_move_with_their_sessions_and_others_are_left_out():
    actions = (
        Split(symbol="AAA", effective_at=instant(at(MONDAY, 0)), new_shares=2, old_shares=1),
        CashDividend(symbol="AAA", ex_at=instant(at(date(2024, 7, 1), 0)), amount_usd=Decimal(1)),
        CashDividend(symbol="AAA", ex_at=instant(at(date(2025, 8, 1), 0)), amount_usd=Decimal(1)),
    )
    shift = Shift.onto(new_york(), FIRST, LAST, new_york(), date(2025, 8, 12))
    (moved,) = shift.actions(actions)
    # Monday is the last session but one; its split counts before anything of the shown day trades.
    assert at(date(2025, 8, 8), 20) <= nanoseconds(moved.effective_at) <= at(date(2025, 8, 11), 4)
    assert (moved.new_shares, moved.old_shares) == (2, 1)


@pytest.mark.parametrize("hour", [0, 3, 12, 23])
def test_after_the_last_archived_session_the_clock_still_has_a_next_opening(hour):
    now_ns = nanoseconds(datetime(2027, 3, 13, hour, 30, tzinfo=UTC))
    shift = Shift.open_now(new_york(), FIRST, LAST, now_ns)
    hours = TradingHours(shift.calendar)
    today = hours.last_session(now_ns) or hours.session_at(now_ns)
    assert (
        today.opens_at_ns < hours.next_open_ns(today.closes_at_ns) < hours.next_close_ns(today.closes_at_ns)
    )
    assert shift.bars(BARS).opened_at_ns[-1] < hours.next_open_ns(today.closes_at_ns)


def test_a_session_that_is_shown_late_in_the_day_ends_on_that_day():
    now_ns = nanoseconds(datetime(2027, 3, 14, 3, 55, tzinfo=UTC))  # 22:55 in New York
    shift = Shift.open_now(new_york(), FIRST, LAST, now_ns)
    for session_on in shift.calendar.session_on[:5].tolist():
        session = TradingHours(shift.calendar).session(day_date(session_on))
        assert day_of(session.extended_closes_at_ns) == session.on
