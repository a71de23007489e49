"""Bars put together: what is conserved, and where each span begins."""

from datetime import UTC, date, datetime
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exchange.market.sample_market import MONDAY, at, generated, new_york
from magellan.errors import FixInput
from magellan.exchange.market.bar_span import BarSpan
from magellan.exchange.market.generated_bars import GeneratedBars
from magellan.exchange.market.market import Market
from magellan.trading.bar import nanoseconds
from magellan.trading.session import Hours

START_NS, END_NS = at(date(2025, 6, 23), 0), at(date(2025, 7, 12), 0)
SPANS = st.one_of(
    st.integers(1, 59).map(lambda count: f"{count}Min"),
    st.integers(1, 23).map(lambda count: f"{count}Hour"),
    st.sampled_from(["1Day", "1Week", *(f"{count}Month" for count in (1, 2, 3, 4, 6, 12))]),
)


@cache
def three_weeks(symbol):
    source = GeneratedBars([symbol], new_york(), seed=7, hours=Hours.REGULAR)
    return Market({symbol: source.bars(symbol, START_NS, END_NS)}, new_york())


@given(text=SPANS, symbol=st.sampled_from(["AAA", "BTC/USD"]))
@settings(max_examples=40, deadline=None)
def test_any_span_conserves_volume_trades_and_extremes(text, symbol):
    market = three_weeks(symbol)
    minutes = market.closed_bars(symbol, BarSpan.parse("1Min"), 0, END_NS, END_NS)
    shown = market.closed_bars(symbol, BarSpan.parse(text), 0, END_NS, END_NS)
    assert shown.volume.sum() == pytest.approx(minutes.volume.sum())
    assert shown.trades.sum() == minutes.trades.sum()
    assert (shown.high.max(), shown.low.min()) == (minutes.high.max(), minutes.low.min())
    assert (shown.open[0], shown.close[-1]) == (minutes.open[0], minutes.close[-1])
    paid = (minutes.vwap * minutes.volume).sum()
    assert (shown.vwap * shown.volume).sum() == pytest.approx(paid, rel=1e-6)
    assert (np.diff(shown.label_ns) > 0).all()


@given(text=SPANS, moment=st.datetimes(datetime(2024, 2, 1), datetime(2026, 11, 1), timezones=st.just(UTC)))
@example(text="2Hour", moment=datetime(2024, 11, 3, 6, 30, tzinfo=UTC))  # clocks go back
@example(text="45Min", moment=datetime(2024, 11, 3, 6, 0, tzinfo=UTC))
@example(text="2Hour", moment=datetime(2025, 3, 9, 7, 30, tzinfo=UTC))  # and forward
@settings(max_examples=150)
def test_an_instant_lies_in_the_span_that_is_named_for_it(text, moment):
    span, at_ns = BarSpan.parse(text), nanoseconds(moment)
    for utc in (True, False):
        label_ns = int(span.labels(np.array([at_ns]), utc=utc)[0])
        following = span.next_label(label_ns, utc=utc)
        assert label_ns <= at_ns < following
        assert span.labels(np.array([label_ns, following - 1]), utc=utc).tolist() == [label_ns, label_ns]
        assert int(span.labels(np.array([following]), utc=utc)[0]) == following


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("1Min", "2025-07-09T17:44:00Z"),
        ("15T", "2025-07-09T17:30:00Z"),
        ("1H", "2025-07-09T17:00:00Z"),
        ("4Hour", "2025-07-09T16:00:00Z"),  # 12:00 on the exchange's clock
        ("1D", "2025-07-09T04:00:00Z"),
        ("1Week", "2025-07-07T04:00:00Z"),  # the Monday
        ("1M", "2025-07-01T04:00:00Z"),
        ("2Month", "2025-07-01T04:00:00Z"),
        ("3Month", "2025-07-01T04:00:00Z"),
        ("4Month", "2025-05-01T04:00:00Z"),
        ("12Month", "2025-01-01T05:00:00Z"),  # winter
    ],
)
def test_bars_are_labelled_with_the_start_of_their_span_on_the_exchanges_clock(text, label):
    at_ns = nanoseconds(datetime(2025, 7, 9, 17, 44, 31, tzinfo=UTC))
    expected = nanoseconds(datetime.fromisoformat(label))
    assert BarSpan.parse(text).labels(np.array([at_ns]), utc=False).tolist() == [expected]


@pytest.mark.parametrize(
    "text", ["", "0Min", "60Min", "24Hour", "2Day", "2Week", "5Month", "1min", "1", "Min"]
)
def test_other_timeframes_are_refused(text):
    with pytest.raises(FixInput):
        BarSpan.parse(text)


def test_a_days_prices_are_those_of_its_session_and_its_volume_that_of_all_hours():
    market = generated("AAA")
    now_ns = at(MONDAY, 23)
    (day,) = market.closed_bars("AAA", BarSpan.parse("1Day"), at(MONDAY, 0), now_ns, now_ns).close.tolist()
    shown = market.closed_bars("AAA", BarSpan.parse("1Day"), at(MONDAY, 0), now_ns, now_ns)
    minutes = market.closed_bars("AAA", BarSpan.parse("1Min"), at(MONDAY, 0), now_ns, now_ns)
    session = market.closed_bars("AAA", BarSpan.parse("1Min"), at(MONDAY, 0), now_ns, now_ns, extended=False)
    assert len(session) == 390 < len(minutes)
    assert shown.volume.tolist() == [minutes.volume.sum()]
    assert (shown.open[0], day) == (session.open[0], session.close[-1])
    assert (shown.high[0], shown.low[0]) == (session.high.max(), session.low.min())


def test_before_the_open_the_day_has_no_bar_yet():
    market = generated("AAA")
    now_ns = at(MONDAY, 9)
    assert len(market.closed_bars("AAA", BarSpan.parse("1Min"), at(MONDAY, 0), now_ns, now_ns)) > 0
    assert len(market.closed_bars("AAA", BarSpan.parse("1Day"), at(MONDAY, 0), now_ns, now_ns)) == 0


def test_the_newest_span_holds_what_has_closed_of_it():
    market = generated("AAA")
    now_ns = at(MONDAY, 10, 17)
    hour = market.closed_bars("AAA", BarSpan.parse("1Hour"), at(MONDAY, 10), now_ns, now_ns)
    minutes = market.closed_bars("AAA", BarSpan.parse("1Min"), at(MONDAY, 10), now_ns, now_ns)
    assert len(minutes) == 17
    assert hour.volume.tolist() == [minutes.volume.sum()]


@given(share=st.floats(0.001, 1.0))
@settings(max_examples=30, deadline=None)
def test_a_feed_that_sees_a_part_shows_no_more_than_there_is(share):
    market = generated("AAA", hours=Hours.REGULAR)
    now_ns = at(MONDAY, 16)
    span = BarSpan.parse("1Min")
    whole = market.closed_bars("AAA", span, at(MONDAY, 0), now_ns, now_ns)
    seen = market.closed_bars("AAA", span, at(MONDAY, 0), now_ns, now_ns, volume_share=share)
    volume = dict(zip(whole.label_ns.tolist(), whole.volume.tolist(), strict=True))
    assert all(
        0 < part <= volume[label]
        for label, part in zip(seen.label_ns.tolist(), seen.volume.tolist(), strict=True)
    )
    assert np.isin(seen.close, whole.close).all()
