"""Generated markets: the same bytes for a seed, on the calendar's sessions, whole however they are cut."""

from datetime import UTC, date, datetime, timedelta
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.adapters.exchange_calendar import load_calendar
from magellan.archive.checksum import content_sha256
from magellan.archive.discontinuity import discontinuities
from magellan.archive.generated.generate import Generated, generate
from magellan.archive.generated.market import Market
from magellan.archive.generated.style import Style
from magellan.errors import FixInput
from magellan.trading.bar import PRICE_COLUMNS, Bars, nanoseconds
from magellan.trading.session import ExchangeCalendar, Hours, session_columns
from magellan.trading.timeframe import DAY, HOUR, MINUTE, Timeframe

SPRING, AUTUMN = date(2025, 3, 9), date(2025, 11, 2)  # clocks change on these Sundays
HALF_DAYS = (date(2025, 11, 28), date(2025, 12, 24))


@cache
def xnys() -> ExchangeCalendar:
    return load_calendar(today=date(2026, 1, 15))


@cache
def made(
    style: Style,
    first_on: date,
    last_on: date,
    timeframe: Timeframe = MINUTE,
    hours: Hours = Hours.REGULAR,
    symbol: str = "URCHIN",
    listed_on: date | None = None,
    seed: int = 5,
) -> Generated:
    market = Market(
        symbol=symbol,
        style=style,
        first_on=first_on,
        last_on=last_on,
        timeframe=timeframe,
        hours=hours,
        listed_on=listed_on,
    )
    return generate(market, xnys(), seed=seed)


def same(one: Bars, other: Bars) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("opened_at_ns", *PRICE_COLUMNS, "volume")
    )


GOLDEN = {
    (Style.INDEX, DAY, Hours.REGULAR): "27fff3c01cf2fc02582b1d8d243ae5820d5aaf93ccf3782d8337be957f7e7cfc",
    (Style.LARGE_CAP, HOUR, Hours.ALL): "a37aa16d40e36a2228febc8cb0bb9d0487c119aa90dfa4306aca73a5f30d2681",
    (Style.SMALL_CAP, MINUTE, Hours.ALL): "e9e9374792a9df6a914292c7e77db7b720476d997a16d449f3bcf801dfce113a",
    (Style.THIN, MINUTE, Hours.REGULAR): "aa9f51db8f756d5a519c20f6fe2d1a9b005db3dc36cf3fa2872f41e55a7931bb",
}


@pytest.mark.parametrize(("style", "timeframe", "hours"), GOLDEN)
def test_a_seed_gives_the_same_bytes_on_every_machine(style, timeframe, hours):
    bars = made(style, date(2025, 10, 20), date(2025, 12, 5), timeframe, hours).bars()
    assert content_sha256(bars) == GOLDEN[style, timeframe, hours]


def test_another_seed_or_another_symbol_is_another_market():
    ours = made(Style.THIN, AUTUMN, HALF_DAYS[0])
    assert not same(ours.bars(), made(Style.THIN, AUTUMN, HALF_DAYS[0], seed=6).bars())
    assert not same(ours.bars(), made(Style.THIN, AUTUMN, HALF_DAYS[0], symbol="LIMPET").bars())


@given(
    style=st.sampled_from(Style),
    hours=st.sampled_from(Hours),
    timeframe=st.sampled_from([MINUTE, Timeframe.parse("5Min"), HOUR, DAY]),
    start=st.integers(0, 60),
    length=st.integers(7, 60),
)
@settings(max_examples=40, deadline=None)
def test_a_part_of_a_range_equals_that_part_of_the_whole(style, hours, timeframe, start, length):
    listed_on, whole_to = date(2025, 8, 1), date(2025, 12, 31)
    first_on = listed_on + timedelta(days=start)
    last_on = min(first_on + timedelta(days=length), whole_to)
    whole = made(style, listed_on, whole_to, timeframe, hours, listed_on=listed_on).rows
    part = made(style, first_on, last_on, timeframe, hours, listed_on=listed_on).bars()
    first, last = (np.datetime64(on).astype("datetime64[D]").astype(int) for on in (first_on, last_on))
    assert same(whole.chosen((whole.session_day >= first) & (whole.session_day <= last)).bars(), part)


@pytest.mark.parametrize("style", Style)
def test_the_regular_session_is_the_same_with_and_without_the_hours_around_it(style):
    every_hour = made(style, date(2025, 10, 20), date(2025, 12, 5), hours=Hours.ALL).bars()
    regular = made(style, date(2025, 10, 20), date(2025, 12, 5)).bars()
    assert same(every_hour.rows(xnys().regular(every_hour)), regular)
    assert len(every_hour) > len(regular)


@pytest.mark.parametrize("timeframe", [Timeframe.parse("5Min"), HOUR, DAY])
def test_longer_bars_are_put_together_from_the_minutes(timeframe):
    minutes = made(Style.SMALL_CAP, AUTUMN, HALF_DAYS[1]).rows
    longer = made(Style.SMALL_CAP, AUTUMN, HALF_DAYS[1], timeframe).bars()
    labels = minutes.opened_at_ns // timeframe.span_ns * timeframe.span_ns
    if timeframe.is_daily:
        labels = minutes.session_day.astype(np.int64) * timeframe.span_ns
    assert set(longer.opened_at_ns.tolist()) == set(labels.tolist())
    for row in range(0, len(longer), 7):
        inside = labels == longer.opened_at_ns[row]
        bar = longer.bar(row)
        assert bar.open == minutes.open[inside][0]
        assert bar.high == minutes.high[inside].max()
        assert bar.low == minutes.low[inside].min()
        assert bar.close == minutes.close[inside][-1]
        assert bar.volume == minutes.volume[inside].sum()


@pytest.mark.parametrize("hours", Hours)
def test_every_session_trades_and_no_other_day_does(hours):
    rows = made(Style.SMALL_CAP, date(2025, 1, 2), date(2025, 12, 31), hours=hours).rows
    days = sorted(set(np.asarray(rows.session_day, dtype="datetime64[D]").astype(date).tolist()))
    assert tuple(days) == xnys().sessions(date(2025, 1, 2), date(2025, 12, 31))


@pytest.mark.parametrize("change_on", [SPRING, AUTUMN])
def test_the_session_opens_at_half_past_nine_on_both_sides_of_a_clock_change(change_on):
    bars = made(Style.LARGE_CAP, change_on - timedelta(days=7), change_on + timedelta(days=7)).bars()
    columns = session_columns(bars)
    assert set(columns.minute[columns.first].tolist()) == {9 * 60 + 30}
    assert set(columns.minute[columns.last].tolist()) == {15 * 60 + 59}
    assert len(set((bars.opened_at_ns[columns.first] % DAY.span_ns).tolist())) == 2


@pytest.mark.parametrize("half_on", HALF_DAYS)
def test_a_half_day_closes_at_one_and_trades_after_hours_until_five(half_on):
    bars = made(Style.LARGE_CAP, half_on, half_on, hours=Hours.ALL).bars()
    columns = session_columns(bars)
    regular = xnys().regular(bars)
    assert columns.minute[regular].max() == 13 * 60 - 1
    assert columns.minute[~regular & (columns.minute > 12 * 60)].min() >= 13 * 60
    assert 16 * 60 < columns.minute.max() < 17 * 60


def test_extended_hours_lie_from_four_to_twenty_and_are_thin():
    bars = made(Style.SMALL_CAP, date(2025, 10, 1), date(2025, 12, 23), hours=Hours.ALL).bars()
    columns, regular = session_columns(bars), xnys().regular(bars)
    assert columns.minute.min() >= 4 * 60
    assert columns.minute.max() < 20 * 60
    assert bars.volume[~regular].sum() < 0.25 * bars.volume.sum()
    assert np.median(bars.volume[~regular]) < np.median(bars.volume[regular])


def test_prices_lie_on_a_tick_of_one_cent_and_volumes_are_whole_shares():
    for style in Style:
        bars = made(style, AUTUMN, HALF_DAYS[1], hours=Hours.ALL).bars()
        for name in PRICE_COLUMNS:
            ticks = getattr(bars, name) * 100
            assert np.allclose(ticks, np.rint(ticks), atol=1e-6)
        assert (bars.volume == np.rint(bars.volume)).all()
        assert bars.volume.min() >= 1


def test_minutes_without_a_trade_have_no_row():
    thin = made(Style.THIN, date(2025, 10, 1), date(2025, 12, 23))
    sessions = len(xnys().sessions(date(2025, 10, 1), date(2025, 12, 23)))
    assert 0.3 < len(thin.rows) / (390 * sessions) < 0.7
    liquid = made(Style.LARGE_CAP, date(2025, 10, 1), date(2025, 12, 23))
    assert len(liquid.rows) == 390 * sessions - 180  # one half day


def test_a_sound_market_never_jumps_like_a_split():
    for style in Style:
        for timeframe in (DAY, MINUTE):
            bars = made(style, date(2024, 1, 2), date(2025, 12, 31), timeframe).bars()
            assert discontinuities(bars, ()) == ()


def test_a_price_starts_at_its_listing_wherever_the_range_begins():
    market = Market(
        symbol="URCHIN",
        style=Style.LARGE_CAP,
        first_on=date(2025, 1, 2),
        last_on=date(2025, 1, 2),
        timeframe=DAY,
        first_price_usd=77.0,
    )
    bars = generate(market, xnys(), seed=5).bars()
    assert len(bars) == 1
    assert abs(np.log(bars.open[0] / 77.0)) < 0.1


REFUSED = {
    "a range without a session": lambda: Market(
        symbol="A", style=Style.THIN, first_on=date(2025, 11, 1), last_on=date(2025, 11, 2)
    ),
    "a range outside the calendar": lambda: Market(
        symbol="A", style=Style.THIN, first_on=date(2031, 11, 1), last_on=date(2031, 11, 2)
    ),
    "a range before days are counted": lambda: Market(
        symbol="A", style=Style.THIN, first_on=date(1970, 3, 1), last_on=date(1970, 4, 2)
    ),
    "a range that ends before it begins": lambda: Market(
        symbol="A", style=Style.THIN, first_on=date(2025, 11, 2), last_on=date(2025, 11, 1)
    ),
    "a listing after the first bar": lambda: Market(
        symbol="A",
        style=Style.THIN,
        first_on=date(2025, 11, 3),
        last_on=date(2025, 11, 4),
        listed_on=date(2025, 11, 4),
    ),
    "a price of nothing": lambda: Market(
        symbol="A",
        style=Style.THIN,
        first_on=date(2025, 11, 3),
        last_on=date(2025, 11, 4),
        first_price_usd=0.0,
    ),
    "bars that do not fit a day": lambda: Market(
        symbol="A",
        style=Style.THIN,
        first_on=date(2025, 11, 3),
        last_on=date(2025, 11, 4),
        timeframe=Timeframe.parse("7Min"),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_generated_is_refused(what):
    with pytest.raises(FixInput):
        generate(REFUSED[what](), xnys(), seed=5)


def test_a_negative_seed_is_refused():
    market = Market(symbol="A", style=Style.THIN, first_on=date(2025, 11, 3), last_on=date(2025, 11, 4))
    with pytest.raises(FixInput, match="seed"):
        generate(market, xnys(), seed=-1)


def test_a_calendar_that_never_closes_has_no_room_for_extended_hours():
    first_ns = nanoseconds(datetime(2025, 1, 1, tzinfo=UTC))
    midnights = first_ns + np.arange(40, dtype=np.int64) * DAY.span_ns
    always = ExchangeCalendar(
        name="24/7",
        session_on=(midnights // DAY.span_ns).astype(np.int32),
        opens_at_ns=midnights,
        closes_at_ns=midnights + DAY.span_ns,
    )
    span = {"first_on": date(2025, 1, 2), "last_on": date(2025, 1, 9)}
    assert len(generate(Market(symbol="A", style=Style.LARGE_CAP, **span), always, seed=1).bars()) == 8 * 1440
    with pytest.raises(FixInput, match="no room"):
        generate(Market(symbol="A", style=Style.LARGE_CAP, hours=Hours.ALL, **span), always, seed=1)
