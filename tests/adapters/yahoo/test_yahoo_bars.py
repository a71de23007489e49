"""Yahoo: what only Yahoo does."""

import json
from datetime import UTC, date, datetime

import numpy as np
import pytest

from magellan.archive.dataset import Adjustment, DateRange
from magellan.ports.vendor import VendorRefused
from magellan.trading.session import Hours
from magellan.trading.timeframe import DAY, MINUTE, Timeframe

WEEK = DateRange(first_on=date(2025, 10, 28), last_on=date(2025, 11, 4))
WEEK_OVER_AT = datetime(2025, 11, 5, tzinfo=UTC)


@pytest.fixture
def yahoo(worlds, sites, waits, tmp_path):
    yfinance = pytest.importorskip("yfinance")
    yfinance.set_tz_cache_location(str(tmp_path))
    site = sites(worlds["yahoo"])
    return worlds["yahoo"].new_vendor(site.url, waits.patience()), site


def test_every_request_goes_to_the_address_that_was_set(yahoo):
    """Cookies and crumbs too: they live on other hosts of Yahoo's."""
    vendor, site = yahoo
    vendor.bars(vendor.set_id("LIMPET", DAY, feed=None, adjustment=None, hours=None), WEEK)
    asked = [each.path for each in site.requests]
    assert "/v1/test/getcrumb" in asked
    assert any(path.startswith("/v8/finance/chart/LIMPET") for path in asked)


def test_hours_are_regular_unless_all_are_asked_for(yahoo, calendar):
    vendor, _ = yahoo
    regular = vendor.set_id("LIMPET", MINUTE, feed=None, adjustment=None, hours=None)
    every = vendor.set_id("LIMPET", MINUTE, feed=None, adjustment=None, hours=Hours.ALL)
    assert (regular.hours, every.hours) == (Hours.REGULAR, Hours.ALL)
    dates = DateRange(first_on=date(2025, 11, 3), last_on=date(2025, 11, 5))
    session, whole = vendor.bars(regular, dates), vendor.bars(every, dates)
    assert calendar.regular(session).all()
    assert len(whole) > len(session)
    assert np.array_equal(whole.opened_at_ns[calendar.regular(whole)], session.opened_at_ns)


def test_a_range_that_yahoo_no_longer_holds_is_told_in_its_words(yahoo, reply):
    vendor, site = yahoo
    said = "1m data not available. The requested range must be within the last 30 days."
    document = {"chart": {"result": None, "error": {"code": "Unprocessable Entity", "description": said}}}
    site.troubles.extend([lambda request, truth: reply.of(document, 422)] * 2)
    with pytest.raises(VendorRefused, match="within the last 30 days"):
        vendor.bars(vendor.set_id("LIMPET", MINUTE, feed=None, adjustment=None, hours=None), WEEK)


def test_minutes_for_which_yahoo_has_no_price_are_left_out(yahoo, market, calendar, reply):
    vendor, site = yahoo

    def holes(request, truth):
        if "period1" not in request.query:
            return truth
        document = json.loads(truth.body)
        for values in document["chart"]["result"][0]["indicators"]["quote"][0].values():
            values[3] = values[7] = None
        return reply.of(document)

    site.troubles.extend([holes] * 2)
    set_id = vendor.set_id("LIMPET", MINUTE, feed=None, adjustment=None, hours=None)
    bars = vendor.bars(set_id, WEEK).checked()
    whole = market("LIMPET", "1Min").between(bars.bar(0).opened_at, WEEK_OVER_AT)
    whole = whole.rows(calendar.regular(whole))
    assert np.array_equal(bars.opened_at_ns, np.delete(whole.opened_at_ns, [3, 7]))


@pytest.mark.parametrize("timeframe", ["3Min", "4Hour"])
def test_a_timeframe_that_yahoo_has_not_is_refused(yahoo, timeframe):
    vendor, site = yahoo
    with pytest.raises(VendorRefused, match="Yahoo has no bars of"):
        vendor.set_id("LIMPET", Timeframe.parse(timeframe), feed=None, adjustment=None, hours=None)
    assert site.requests == []


def test_prices_are_adjusted_for_splits_unless_dividends_are_asked_for_too(yahoo):
    vendor, _ = yahoo
    usual = vendor.set_id("LIMPET", DAY, feed=None, adjustment=None, hours=None)
    assert usual.adjustment is Adjustment.SPLIT
    everything = vendor.set_id("LIMPET", DAY, feed=None, adjustment=Adjustment.ALL, hours=None)
    assert everything.adjustment is Adjustment.ALL
