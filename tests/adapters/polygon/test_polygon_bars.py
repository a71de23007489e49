"""Polygon: what only Polygon does."""

import json
from datetime import date

import pytest

from magellan.adapters.polygon.bars import PolygonBars
from magellan.archive.dataset import Adjustment, DateRange
from magellan.errors import FixInput
from magellan.ports.vendor import VendorRefused, VendorUnreadable
from magellan.trading.session import Hours
from magellan.trading.timeframe import DAY, MINUTE, Timeframe

WEEK = DateRange(first_on=date(2025, 10, 28), last_on=date(2025, 11, 4))


def vendor_at(worlds, site, waits):
    return worlds["polygon"].new_vendor(site.url, waits.patience())


@pytest.mark.parametrize(("adjustment", "theirs"), [(Adjustment.RAW, "false"), (Adjustment.SPLIT, "true")])
def test_the_adjustment_is_asked_for(worlds, sites, waits, adjustment, theirs):
    site = sites(worlds["polygon"])
    vendor = vendor_at(worlds, site, waits)
    vendor.bars(vendor.set_id("LIMPET", DAY, feed=None, adjustment=adjustment, hours=None), WEEK)
    assert [each.query["adjusted"] for each in site.data_requests] == [theirs]


def test_following_pages_are_asked_for_at_the_address_that_was_set(worlds, sites, waits):
    """The answers name Polygon's own host; a key must not follow them anywhere."""
    site = sites(worlds["polygon"], page_bars=2)
    vendor = vendor_at(worlds, site, waits)
    bars = vendor.bars(vendor.set_id("LIMPET", DAY, feed=None, adjustment=None, hours=None), WEEK)
    assert len(bars) == 6
    assert [each.query.get("cursor") for each in site.data_requests] == [None, "2", "4"]


@pytest.mark.parametrize(
    ("timeframe", "theirs"),
    [("5Min", "5/minute"), ("1Hour", "1/hour"), ("4Hour", "4/hour"), ("1Day", "1/day")],
)
def test_timeframes_are_written_as_polygon_reads_them(worlds, sites, waits, timeframe, theirs):
    site = sites(worlds["polygon"])
    vendor = vendor_at(worlds, site, waits)
    set_id = vendor.set_id("NOSUCH", Timeframe.parse(timeframe), feed=None, adjustment=None, hours=None)
    vendor.bars(set_id, WEEK)
    assert f"/NOSUCH/range/{theirs}/" in site.data_requests[0].path


def test_fewer_bars_than_announced_are_refused(worlds, sites, waits, reply):
    site = sites(worlds["polygon"])
    vendor = vendor_at(worlds, site, waits)

    def fewer(request, truth):
        document = json.loads(truth.body)
        return reply.of(document | {"results": document["results"][:-1]})

    site.troubles.append(fewer)
    with pytest.raises(VendorUnreadable, match="announced 6 bars and sent 5"):
        vendor.bars(vendor.set_id("LIMPET", DAY, feed=None, adjustment=None, hours=None), WEEK)


def test_a_plan_that_is_too_small_is_told_in_polygons_words(worlds, sites, waits, reply):
    site = sites(worlds["polygon"])
    vendor = vendor_at(worlds, site, waits)
    document = {"status": "NOT_AUTHORIZED", "message": "Your plan doesn't include this data timeframe."}
    site.troubles.append(lambda request, truth: reply.of(document, 403))
    with pytest.raises(VendorRefused, match="doesn't include this data timeframe"):
        vendor.bars(vendor.set_id("LIMPET", MINUTE, feed=None, adjustment=None, hours=None), WEEK)


@pytest.mark.parametrize("missing", [{"v": None}, {"t": None}, {"o": None}])
def test_a_bar_without_a_price_a_volume_or_a_time_is_refused(worlds, sites, waits, reply, missing):
    site = sites(worlds["polygon"])
    vendor = vendor_at(worlds, site, waits)

    def broken(request, truth):
        document = json.loads(truth.body)
        document["results"][1] |= missing
        return reply.of(document)

    site.troubles.append(broken)
    with pytest.raises(VendorUnreadable, match="lack"):
        vendor.bars(vendor.set_id("LIMPET", DAY, feed=None, adjustment=None, hours=None), WEEK)


def test_a_key_under_the_companys_new_name_is_taken_and_none_is_refused():
    assert PolygonBars.from_environment({"MASSIVE_API_KEY": "key"}).name == "polygon"
    with pytest.raises(FixInput, match="POLYGON_API_KEY"):
        PolygonBars.from_environment({})


def test_what_polygon_does_not_deliver_is_refused_before_asking(worlds, sites, waits):
    site = sites(worlds["polygon"])
    vendor = vendor_at(worlds, site, waits)
    for timeframe, hours in ((MINUTE, Hours.REGULAR), (DAY, Hours.ALL)):
        with pytest.raises(VendorRefused, match="hours"):
            vendor.set_id("LIMPET", timeframe, feed=None, adjustment=None, hours=hours)
    assert site.requests == []
