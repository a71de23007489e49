"""What the shown market answers at an instant, and that no answer knows a later one."""

from dataclasses import replace
from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.market.sample_market import HALF_DAY, HOLIDAY, MONDAY, at, bars_of, fresh, generated, new_york
from magellan.errors import FixInput
from magellan.exchange.market.asset import AssetClass
from magellan.exchange.market.bar_span import BarSpan
from magellan.exchange.market.generated_bars import GeneratedBars
from magellan.exchange.market.halt import Halt
from magellan.exchange.market.instant import InstantKind
from magellan.exchange.market.market import Market
from magellan.trading.timeframe import DAY, DAY_NS, HOUR, MINUTE_NS, SECOND_NS

MINUTE_SPAN = BarSpan.parse("1Min")


def one_bar(open_=100.0, high=106.0, low=98.0, close=103.0, volume=1300.0):
    return Market(
        {"AAA": bars_of("AAA", [at(MONDAY, 9, 30)], [(open_, high, low, close, volume)])}, new_york()
    )


@pytest.mark.parametrize(
    ("close", "second", "expected"),
    [
        (103.0, 0, 100.0),
        (103.0, 20, 98.0),  # a rising bar falls to its low first
        (103.0, 30, 102.0),
        (103.0, 40, 106.0),
        (103.0, 50, 104.5),
        (99.0, 20, 106.0),  # a falling bar rises to its high first
        (99.0, 40, 98.0),
        (99.0, 50, 98.5),
    ],
)
def test_the_price_walks_through_the_bar_along_its_extremes(close, second, expected):
    assert one_bar(close=close).price("AAA", at(MONDAY, 9, 30, second)) == expected


def test_between_bars_the_price_is_the_last_close_and_before_the_first_there_is_none():
    market = one_bar()
    assert market.price("AAA", at(MONDAY, 9, 30) - 1) is None
    assert market.quote("AAA", at(MONDAY, 9, 30) - 1) is None
    assert market.price("AAA", at(MONDAY, 9, 31)) == 103.0
    assert market.bar("AAA", at(MONDAY, 9, 31)) is None
    assert market.price("AAA", at(date(2025, 7, 9), 12)) == 103.0


def test_a_foreign_symbol_is_an_error_and_not_a_price():
    with pytest.raises(KeyError):
        one_bar().price("ZZZ", at(MONDAY, 9, 30))
    assert one_bar().asset("ZZZ") is None


@given(second=st.floats(0, 60), open_=st.integers(9000, 11000), seed=st.integers(0, 5))
@settings(max_examples=60)
def test_a_quote_is_never_crossed_lies_around_the_price_and_is_no_younger_than_now(second, open_, seed):
    market = one_bar(open_=open_ / 100, high=112.0, low=88.0)
    now_ns = at(MONDAY, 9, 30, second)
    quote = market.quote("AAA", now_ns)
    assert quote.bid < quote.ask
    assert quote.at_ns <= now_ns
    assert quote.bid <= market.price("AAA", quote.at_ns) <= quote.ask
    assert quote.bid_size >= 100 and quote.ask_size >= 100


def test_the_instants_of_a_minute_come_in_the_order_of_work():
    market = generated("BBB", "AAA")
    opens_ns = market.session(MONDAY).opens_at_ns
    happened = [
        ((each.at_ns - opens_ns) / SECOND_NS, each.kind.name, each.symbols)
        for each in market.instants(opens_ns - 1, opens_ns + MINUTE_NS)
    ]
    both = ("BBB", "AAA")  # the market's own order
    assert [each for each in happened if each[1] != "BAR_CLOSED" or each[0] > 0] == [
        (0.0, "SESSION_OPEN", ()),
        (0.0, "OPEN", both),
        (30.0, "RANGE", both),
        (59.999, "CLOSE", both),
        (60.0, "BAR_CLOSED", both),
        (60.0, "OPEN", both),
    ]


@given(cuts=st.lists(st.integers(0, 3 * 24 * 60 * 60), max_size=6))
@settings(max_examples=25, deadline=None)
def test_instants_asked_for_in_parts_are_those_of_the_whole(cuts):
    market = generated("AAA", "BTC/USD")
    start_ns = at(HALF_DAY, 0)
    edges = sorted({0, 3 * 24 * 60 * 60, *cuts})
    parts = [
        each
        for first, last in pairwise(edges)
        for each in market.instants(start_ns + first * SECOND_NS, start_ns + last * SECOND_NS)
    ]
    assert parts == list(market.instants(start_ns, start_ns + edges[-1] * SECOND_NS))
    assert [each.at_ns for each in parts] == sorted(each.at_ns for each in parts)


def test_a_half_day_closes_early_and_a_holiday_has_no_session():
    market = generated("AAA")
    assert market.session(HALF_DAY).closes_at_ns == at(HALF_DAY, 13)
    assert market.session(HALF_DAY).extended_closes_at_ns == at(HALF_DAY, 17)
    assert market.session(HOLIDAY) is None
    assert not market.is_open(at(HALF_DAY, 13))
    assert market.is_open(at(HALF_DAY, 12, 59, 59))
    assert market.next_open(at(HALF_DAY, 13)) == at(MONDAY, 9, 30)
    assert market.next_close(at(MONDAY, 9, 30)) == at(MONDAY, 16)
    closes = [
        each.at_ns
        for each in market.instants(at(HALF_DAY, 9), at(MONDAY, 0))
        if each.kind is InstantKind.SESSION_CLOSE
    ]
    assert closes == [at(HALF_DAY, 13)]


def test_the_close_before_is_that_of_the_session_before_the_one_that_trades():
    market = generated("AAA")
    days = market.closed_bars(
        "AAA", BarSpan.parse("1Day"), 0, at(date(2025, 7, 9), 0), at(date(2025, 7, 9), 0)
    )
    closes = dict(zip(days.label_ns.tolist(), days.close.tolist(), strict=True))
    half_day, monday = closes[at(HALF_DAY, 0)], closes[at(MONDAY, 0)]
    assert market.previous_close("AAA", at(MONDAY, 4)) == half_day  # before the open it is Monday already
    assert market.previous_close("AAA", at(MONDAY, 12)) == half_day
    assert market.previous_close("AAA", at(date(2025, 7, 8), 4)) == monday
    assert market.previous_close("AAA", at(HOLIDAY, 12)) == closes[at(date(2025, 7, 2), 0)]


def test_an_hourly_bar_spans_the_part_of_its_hour_inside_the_session_and_a_daily_bar_the_session():
    hourly = Market({"AAA": bars_of("AAA", [at(MONDAY, 9)], [(10, 11, 9, 10, 100)], HOUR)}, new_york())
    live = hourly.bar("AAA", at(MONDAY, 9, 45))
    assert (live.start_ns, live.end_ns) == (at(MONDAY, 9, 30), at(MONDAY, 10))
    assert hourly.bar("AAA", at(MONDAY, 9, 15)) is None
    label_ns = at(MONDAY, 0) - at(MONDAY, 0) % DAY_NS
    daily = Market({"AAA": bars_of("AAA", [label_ns], [(10, 11, 9, 10, 100)], DAY)}, new_york())
    live = daily.bar("AAA", at(MONDAY, 12))
    assert (live.start_ns, live.end_ns) == (at(MONDAY, 9, 30), at(MONDAY, 16))
    closed = daily.closed_bars("AAA", BarSpan.parse("1Day"), 0, at(MONDAY, 20), at(MONDAY, 16))
    assert closed.label_ns.tolist() == [at(MONDAY, 0)]
    assert len(daily.closed_bars("AAA", BarSpan.parse("1Day"), 0, at(MONDAY, 20), at(MONDAY, 16) - 1)) == 0
    assert len(daily.closed_bars("AAA", MINUTE_SPAN, 0, at(MONDAY, 20), at(MONDAY, 20))) == 0


def test_bars_outside_the_regular_session_say_so():
    market = generated("AAA")
    first_ns = int(market.ticks("AAA", MONDAY).at_ns[0])
    early = market.bar("AAA", first_ns)
    assert not early.in_regular_session
    assert early.end_ns <= market.session(MONDAY).opens_at_ns
    assert market.bar("AAA", at(MONDAY, 9, 30)).in_regular_session


def test_a_halt_covers_its_symbol_and_its_time_only():
    market = fresh("AAA", "BBB")
    market.halt(Halt(symbol="AAA", from_ns=at(MONDAY, 10), until_ns=at(MONDAY, 11)))
    assert market.halted("AAA", at(MONDAY, 10)) is not None
    assert market.halted("AAA", at(MONDAY, 11)) is None
    assert market.halted("BBB", at(MONDAY, 10)) is None


def test_crypto_trades_on_holidays_in_fractions():
    market = generated("AAA", "BTC/USD")
    assert market.bar("AAA", at(HOLIDAY, 12)) is None
    assert market.bar("BTC/USD", at(HOLIDAY, 12)) is not None
    assert market.asset("BTC/USD").asset_class is AssetClass.CRYPTO
    day = market.closed_bars("BTC/USD", BarSpan.parse("1Day"), at(HOLIDAY, 0), at(MONDAY, 0), at(MONDAY, 0))
    assert (day.label_ns % DAY_NS == 0).all()
    assert (day.volume % 1.0 != 0.0).any()


def test_bars_of_two_timeframes_are_refused():
    minute = bars_of("AAA", [at(MONDAY, 9, 30)], [(1, 1, 1, 1, 1)])
    hour = bars_of("BBB", [at(MONDAY, 9)], [(1, 1, 1, 1, 1)], HOUR)
    with pytest.raises(FixInput, match="1Min and 1Hour"):
        Market({"AAA": minute, "BBB": hour}, new_york())


@given(minute=st.integers(0, 14 * 60), second=st.integers(0, 59), change=st.integers(1, 10_000))
@settings(max_examples=40, deadline=None)
def test_no_price_quote_bar_or_band_knows_a_bar_that_has_not_begun(minute, second, change):
    now_ns = at(MONDAY, 6) + minute * MINUTE_NS + second * SECOND_NS
    source = GeneratedBars(["AAA"], new_york(), seed=7)
    bars = source.bars("AAA", at(HALF_DAY, 0), at(date(2025, 7, 8), 0))
    later = bars.opened_at_ns > now_ns
    names = ("open", "high", "low", "close", "volume")
    other = {name: np.where(later, getattr(bars, name) + change, getattr(bars, name)) for name in names}
    before, after = (Market({"AAA": each}, new_york(), seed=7) for each in (bars, replace(bars, **other)))
    answers = [
        (
            market.price("AAA", now_ns),
            market.quote("AAA", now_ns),
            market.last_trade("AAA", now_ns),
            market.band("AAA", now_ns),
            market.option_state("AAA250711C00100000", now_ns),
            [
                market.closed_bars("AAA", BarSpan.parse(span), 0, at(MONDAY, 23), now_ns).close.tolist()
                for span in ("1Min", "7Min", "1Hour", "1Day", "1Week")
            ],
        )
        for market in (before, after)
    ]
    assert answers[0] == answers[1]
