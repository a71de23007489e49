"""Generated bars belong to a name, a seed and a date, and are there at once."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.market.sample_market import HALF_DAY, MONDAY, at, new_york
from magellan.errors import FixInput
from magellan.exchange.market.generated_bars import LISTED_ON, GeneratedBars, style_of
from magellan.exchange.market.market import Market
from magellan.exchange.market.shown_calendar import around_the_clock
from magellan.trading.session import Hours
from magellan.trading.timeframe import HOUR_NS, MINUTE_NS


def columns(bars):
    return [
        getattr(bars, name).tolist() for name in ("opened_at_ns", "open", "high", "low", "close", "volume")
    ]


@given(
    days=st.lists(st.integers(0, 700), min_size=1, max_size=3), others=st.sampled_from([(), ("ZZZ", "SPY")])
)
@settings(max_examples=15, deadline=None)
def test_a_symbols_bars_are_the_same_whatever_was_asked_before_and_beside(days, others):
    week = at(MONDAY, 0), at(date(2025, 7, 12), 0)
    fresh = GeneratedBars(["AAA"], new_york(), seed=3)
    asked = GeneratedBars([*others, "AAA"], new_york(), seed=3)
    for day in days:
        asked.bars("AAA", at(LISTED_ON, 0) + day * 24 * HOUR_NS, at(LISTED_ON, 0) + (day + 3) * 24 * HOUR_NS)
    assert columns(asked.bars("AAA", *week)) == columns(fresh.bars("AAA", *week))


def test_another_seed_and_another_name_give_other_bars():
    week = at(MONDAY, 0), at(date(2025, 7, 12), 0)
    first = GeneratedBars(["AAA", "BBB"], new_york(), seed=3)
    other = GeneratedBars(["AAA"], new_york(), seed=4)
    assert columns(first.bars("AAA", *week)) != columns(first.bars("BBB", *week))
    assert columns(first.bars("AAA", *week)) != columns(other.bars("AAA", *week))


def test_a_calendar_that_reaches_further_changes_no_bar():
    near, far = new_york(last_on=date(2025, 12, 31)), new_york()
    week = at(MONDAY, 0), at(date(2025, 7, 12), 0)
    assert columns(GeneratedBars(["AAA"], near).bars("AAA", *week)) == columns(
        GeneratedBars(["AAA"], far).bars("AAA", *week)
    )


def test_sessions_half_days_and_extended_hours_follow_the_calendar():
    source = GeneratedBars(["AAA"], new_york())
    opened = source.bars("AAA", at(HALF_DAY, 0), at(MONDAY, 0)).opened_at_ns
    assert opened[0] >= at(HALF_DAY, 4)
    assert at(HALF_DAY, 12, 59) in opened
    assert opened[-1] < at(HALF_DAY, 17)
    regular = GeneratedBars(["AAA"], new_york(), hours=Hours.REGULAR)
    opened = regular.bars("AAA", at(HALF_DAY, 0), at(MONDAY, 0)).opened_at_ns
    assert (opened[0], opened[-1], len(opened)) == (at(HALF_DAY, 9, 30), at(HALF_DAY, 12, 59), 210)


def test_crypto_never_pauses_and_has_no_gap_over_night():
    source = GeneratedBars(["ETH/USD"], new_york())
    midnight_ns = at(MONDAY, 20)  # UTC, in summer
    bars = source.bars("ETH/USD", midnight_ns - 3 * HOUR_NS, midnight_ns + 3 * HOUR_NS)
    assert (bars.opened_at_ns[1:] - bars.opened_at_ns[:-1]).max() <= 3 * MINUTE_NS
    first = int((bars.opened_at_ns >= midnight_ns).argmax())
    assert abs(bars.open[first] / bars.close[first - 1] - 1) < 0.002


def test_around_the_clock_it_is_open_at_every_hour_but_for_the_last_minute_of_a_day():
    calendar = around_the_clock(LISTED_ON, date(2025, 12, 31))
    market = Market(GeneratedBars(["AAA"], calendar), calendar)
    saturday = date(2025, 7, 5)
    for hour in range(24):
        assert market.is_open(at(saturday, hour))
        assert market.bar("AAA", at(saturday, hour, 30)) is not None
    assert market.is_open(at(saturday, 23, 58, 59))
    assert not market.is_open(at(saturday, 23, 59))
    assert market.next_open(at(saturday, 23, 59)) == at(date(2025, 7, 6), 0)


def test_days_on_which_clocks_change_stay_open_to_their_end():
    calendar = around_the_clock(LISTED_ON, date(2025, 12, 31))
    for on, hours in ((date(2025, 3, 9), 23), (date(2025, 11, 2), 25)):
        row = calendar.session_on.tolist().index((on - date(1970, 1, 1)).days)
        length_ns = calendar.closes_at_ns[row] - calendar.opens_at_ns[row]
        assert length_ns == hours * HOUR_NS - MINUTE_NS


@pytest.mark.parametrize(
    ("symbols", "seed", "match"),
    [
        (["DOGE/USD"], 0, "cannot be generated"),
        (["AAA"], -1, "0 or more"),
        ([], 0, "at least one symbol"),
        (["AA PL"], 0, "'AA PL' is no symbol"),
    ],
)
def test_what_cannot_be_generated_is_refused(symbols, seed, match):
    with pytest.raises(FixInput, match=match):
        GeneratedBars(symbols, new_york(), seed=seed)


def test_known_funds_move_like_an_index():
    assert style_of("SPY") != style_of("AAPL")
