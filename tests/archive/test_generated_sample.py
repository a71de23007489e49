"""The sample of `magellan init` and `magellan demo`: invented, labelled, sound, and enough to trade on."""

from datetime import UTC, date, datetime
from functools import cache
from hashlib import sha256

import numpy as np
import pytest

from magellan.adapters.exchange_calendar import load_calendar
from magellan.archive.checksum import content_sha256
from magellan.archive.discontinuity import discontinuities
from magellan.archive.generated.sample import (
    HOURLY_SYMBOLS,
    LARGE_CAPS,
    SMALL_CAPS,
    SPLIT_SYMBOL,
    Sample,
    sample_markets,
)
from magellan.errors import FixInput
from magellan.trading.corporate_action import Split
from magellan.trading.session import ExchangeCalendar, day_number, session_columns
from magellan.trading.timeframe import DAY, DAY_NS, HOUR, MINUTE

GOLDEN = "dd5329f215d449670b61eb4df26f4d6729d3c5c82bbd7c8d3b989e586ac3d21c"


@cache
def xnys() -> ExchangeCalendar:
    return load_calendar(today=date(2026, 1, 15))


@cache
def sample() -> Sample:
    return sample_markets(xnys())


def of(symbol: str, timeframe):
    (found,) = (each for each in sample().sets if each.id.symbol == symbol and each.id.timeframe == timeframe)
    return found


def test_the_sample_is_the_same_everywhere():
    every_set = "".join(f"{each.id} {content_sha256(each.bars)}\n" for each in sample().sets)
    assert sha256(every_set.encode()).hexdigest() == GOLDEN


def test_every_set_says_that_it_is_generated():
    for each in sample().sets:
        assert each.id.vendor == "generated"
        provenance = each.provenance(datetime(2026, 1, 15, tzinfo=UTC))
        assert provenance.generated
        assert provenance.source.rows == len(each.bars)
        assert provenance.source.sha256 == content_sha256(each.bars)
        assert "generated" in " ".join(provenance.source.assumptions)


def test_no_name_can_be_taken_for_a_listed_company():
    """Symbols listed in the United States have at most five letters before any suffix."""
    symbols = {each.id.symbol for each in sample().sets}
    assert all(len(symbol) == 6 and symbol.isalpha() and symbol.isupper() for symbol in symbols)


def test_the_sample_has_what_the_three_reference_strategies_trade():
    spans = {DAY: 4 * 365, HOUR: 2 * 365, MINUTE: 120}
    counts = {DAY: 0, HOUR: 0, MINUTE: 0}
    for each in sample().sets:
        counts[each.id.timeframe] += 1
        held = (each.bars.opened_at_ns[-1] - each.bars.opened_at_ns[0]) / DAY_NS
        assert held == pytest.approx(spans[each.id.timeframe], rel=0.05)
    assert counts == {DAY: 10, HOUR: 2, MINUTE: 8}
    assert {each.id.symbol for each in sample().sets if each.id.timeframe == HOUR} == set(HOURLY_SYMBOLS)


@pytest.mark.parametrize("symbol", SMALL_CAPS)
def test_every_small_cap_has_several_crash_days(symbol):
    bars = of(symbol, MINUTE).bars
    bars = bars.rows(xnys().regular(bars))
    first = np.flatnonzero(session_columns(bars).first)
    fallen = np.minimum.reduceat(bars.low, first) / bars.open[first] - 1
    assert 3 <= np.count_nonzero(fallen <= -0.15) <= 9
    assert bars.low.min() > 1.0  # no penny stock, whose tick would be a move


def test_the_one_split_is_explained_and_nothing_else_jumps():
    (action,) = sample().actions
    assert isinstance(action, Split)
    assert action.symbol == SPLIT_SYMBOL
    for each in sample().sets:
        assert discontinuities(each.bars, sample().actions) == ()
    (jump,) = discontinuities(of(SPLIT_SYMBOL, DAY).bars, ())
    assert jump.factor == pytest.approx(action.price_factor, rel=0.1)


@pytest.mark.parametrize("symbol", HOURLY_SYMBOLS)
def test_the_hours_of_a_symbol_agree_with_its_days(symbol):
    hours, days = of(symbol, HOUR).bars, of(symbol, DAY).bars
    columns = session_columns(hours)
    # The 15:00 bar ends with the session on a full day.
    last_hour = columns.minute == 15 * 60
    closing = dict(zip(columns.day[last_hour].tolist(), hours.close[last_hour].tolist(), strict=True))
    full_day = day_number(date(2024, 5, 15))
    row = int(np.searchsorted(days.opened_at_ns, full_day * DAY_NS))
    assert closing[full_day] == days.close[row]


@pytest.mark.parametrize("symbol", LARGE_CAPS)
def test_holding_a_large_cap_is_neither_ruin_nor_riches(symbol):
    bars = of(symbol, DAY).bars
    growth = bars.close[-1] / bars.open[0] * (4 if symbol == SPLIT_SYMBOL else 1)
    assert 0.4 < growth < 4


def test_a_calendar_that_is_too_short_is_refused():
    short = ExchangeCalendar(
        name="XNYS",
        session_on=xnys().session_on[:100],
        opens_at_ns=xnys().opens_at_ns[:100],
        closes_at_ns=xnys().closes_at_ns[:100],
    )
    with pytest.raises(FixInput, match="calendar"):
        sample_markets(short)
