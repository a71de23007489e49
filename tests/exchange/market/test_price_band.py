"""Price bands of Limit Up-Limit Down."""

import pytest

from exchange.market.sample_market import MONDAY, at, generated
from magellan.exchange.market.price_band import price_band
from magellan.trading.timeframe import HOUR_NS, MINUTE_NS


@pytest.mark.parametrize(
    ("reference", "tier_one", "before_close_ns", "down", "up"),
    [
        (100.0, True, HOUR_NS, 95.0, 105.0),
        (100.0, False, HOUR_NS, 90.0, 110.0),
        (2.0, True, HOUR_NS, 1.6, 2.4),
        (0.5, True, HOUR_NS, 0.35, 0.65),
        (0.1, True, HOUR_NS, 0.02, 0.18),  # 75 %
        (100.0, True, 25 * MINUTE_NS, 90.0, 110.0),  # doubled before the close
        (100.0, False, 25 * MINUTE_NS, 90.0, 110.0),  # but not for tier two above 3 USD
        (2.0, False, 25 * MINUTE_NS, 1.2, 2.8),
    ],
)
def test_the_band_follows_price_tier_and_time(reference, tier_one, before_close_ns, down, up):
    band = price_band(reference, 0, before_close_ns, tier_one=tier_one)
    assert (band.down, band.up) == (down, up)


def test_only_the_regular_session_has_bands():
    market = generated("AAA", "BTC/USD")
    assert market.band("AAA", at(MONDAY, 8)) is None
    assert market.band("BTC/USD", at(MONDAY, 12)) is None
    band = market.band("AAA", at(MONDAY, 12, 0, 30))
    assert band.down < market.price("AAA", at(MONDAY, 12, 0, 30)) < band.up
    assert band.at_ns == at(MONDAY, 12)
