"""Columns that are kept from bar to bar: the same as those worked out from all bars each time."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.engine.history import History
from magellan.strategy.market_view import MarketView
from magellan.strategy.session_memory import SessionMemory
from magellan.trading.bar import Bar, instant
from magellan.trading.session import ExchangeCalendar, SessionClock
from magellan.trading.timeframe import DAY_NS, MINUTE_NS, Timeframe

FIRST_DAY = 19_787  # 2024-03-05; the exchange's clock changes on the Sunday after it
OPENS_NS, CLOSES_NS = 870 * MINUTE_NS, 1260 * MINUTE_NS
DAYS = [FIRST_DAY + each for each in (0, 1, 2, 3, 6, 7)]
CALENDAR = ExchangeCalendar(
    name="test",
    session_on=np.array(DAYS, dtype=np.int32),
    opens_at_ns=np.array([day * DAY_NS + OPENS_NS for day in DAYS]),
    closes_at_ns=np.array([day * DAY_NS + CLOSES_NS for day in DAYS]),
)
HALF_HOURS = st.integers(0, 48 * 8 - 1)  # around and between sessions, over the change of the clock


@settings(max_examples=60, deadline=None)
@given(st.lists(HALF_HOURS, unique=True, max_size=40), st.booleans())
def test_what_is_kept_equals_what_all_bars_say_whatever_comes_late(order: list[int], ascending: bool) -> None:
    timeframe = Timeframe.parse("30Min")
    history = History.empty("A", timeframe)
    memory = SessionMemory(SessionClock.EXCHANGE, CALENDAR)
    sparse, alike = History.empty("B", timeframe), SessionMemory(SessionClock.EXCHANGE, CALENDAR, like=memory)
    for each in sorted(order) if ascending else order:
        at_ns = FIRST_DAY * DAY_NS + each * timeframe.span_ns
        bar = Bar(opened_at=instant(at_ns), open=1.0, high=1.0, low=1.0, close=1.0, volume=1.0)
        history.add(bar)
        if each % 3:
            sparse.add(bar)
        for bars, remembered in ((history.bars, memory), (sparse.bars, alike)):
            kept = MarketView(bars, calendar=CALENDAR, memory=remembered)
            anew = MarketView(bars, calendar=CALENDAR)
            for name in ("day", "minute", "first", "last"):
                np.testing.assert_array_equal(getattr(kept.session, name), getattr(anew.session, name))
            np.testing.assert_array_equal(kept.minutes_to_close, anew.minutes_to_close)


def test_columns_that_were_handed_out_stay_as_they_were() -> None:
    timeframe = Timeframe.parse("30Min")
    history = History.empty("A", timeframe)
    memory = SessionMemory(SessionClock.EXCHANGE, CALENDAR)
    before = []
    for each in range(60):
        at_ns = FIRST_DAY * DAY_NS + each * timeframe.span_ns
        history.add(Bar(opened_at=instant(at_ns), open=1.0, high=1.0, low=1.0, close=1.0, volume=1.0))
        session = memory.session(history.bars)
        before.append((session, session.last.copy(), session.first.copy()))
    for session, last, first in before:
        np.testing.assert_array_equal(session.last, last)
        np.testing.assert_array_equal(session.first, first)
