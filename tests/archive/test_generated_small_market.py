"""Small markets: a few sound bars for a test."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.archive.checksum import content_sha256
from magellan.archive.generated.small_market import small_market
from magellan.errors import FixInput
from magellan.trading.timeframe import DAY, HOUR, MINUTE, Timeframe

TIMEFRAMES = [MINUTE, Timeframe.parse("5Min"), HOUR, DAY]


@given(
    seed=st.integers(0, 2**32),
    n=st.integers(0, 900),
    timeframe=st.sampled_from(TIMEFRAMES),
    price_usd=st.floats(0.05, 5000),
    volatility=st.floats(0, 0.05),
)
@settings(max_examples=60, deadline=None)
def test_a_small_market_is_sound(seed, n, timeframe, price_usd, volatility):
    bars = small_market(seed, n, timeframe=timeframe, price_usd=price_usd, volatility=volatility).checked()
    assert len(bars) == n
    assert bars.timeframe == timeframe


@given(seed=st.integers(0, 1000), n=st.integers(1, 500), cut=st.integers(1, 500))
@settings(max_examples=40, deadline=None)
def test_fewer_bars_are_the_first_of_more(seed, n, cut):
    whole = small_market(seed, n)
    part = small_market(seed, min(cut, n))
    assert content_sha256(part) == content_sha256(whole.rows(slice(0, min(cut, n))))


def test_a_seed_gives_the_same_bytes():
    golden = "1d1830fd02f408c771239ae2fdb0703e9f3fd90ddacd292264c9416457e9d88e"
    assert content_sha256(small_market(1, 1000)) == golden


def test_bars_follow_sessions_from_monday_to_friday():
    bars = small_market(1, 1951)
    assert bars.bar(0).opened_at == datetime(2024, 1, 1, 14, 30, tzinfo=UTC)
    assert bars.bar(389).opened_at == datetime(2024, 1, 1, 20, 59, tzinfo=UTC)
    assert bars.bar(390).opened_at == datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
    assert bars.bar(1950).opened_at == datetime(2024, 1, 8, 14, 30, tzinfo=UTC)
    assert bars.bar(0).open == 100.0


def test_returns_have_fat_tails_and_the_volatility_asked_for():
    bars = small_market(1, 50_000, timeframe=DAY, volatility=0.01)
    values = np.diff(np.log(bars.close))
    assert values.std() == pytest.approx(0.01, rel=0.1)
    assert ((values - values.mean()) ** 4).mean() / values.var() ** 2 > 4


@pytest.mark.parametrize(("n", "price_usd"), [(-1, 100.0), (5, 0.0)])
def test_a_market_that_cannot_be_is_refused(n, price_usd):
    with pytest.raises(FixInput):
        small_market(1, n, price_usd=price_usd)
