"""Alpaca: what only Alpaca does."""

import json
from datetime import date

import pytest

from magellan.adapters.alpaca.bars import AlpacaBars
from magellan.archive.dataset import Adjustment, DateRange
from magellan.errors import FixInput
from magellan.ports.vendor import VendorRefused, VendorUnreadable
from magellan.trading.session import Hours
from magellan.trading.timeframe import DAY, MINUTE, Timeframe

WEEK = DateRange(first_on=date(2025, 10, 28), last_on=date(2025, 11, 4))


def test_feed_and_adjustment_are_asked_for_and_part_of_the_set(worlds, sites, waits):
    """Incident 5: the free IEX feed where the consolidated tape was meant."""
    site = sites(worlds["alpaca"])
    vendor = worlds["alpaca"].new_vendor(site.url, waits.patience())
    wanted = vendor.set_id("LIMPET", DAY, feed="iex", adjustment=Adjustment.SPLIT, hours=None)
    assert wanted.slug == "alpaca/iex/split/regular/LIMPET/1Day"
    vendor.bars(wanted, WEEK)
    usual = vendor.set_id("LIMPET", DAY, feed=None, adjustment=None, hours=None)
    assert usual.slug == "alpaca/sip/raw/regular/LIMPET/1Day"
    vendor.bars(usual, WEEK)
    sent = [(each.query["feed"], each.query["adjustment"]) for each in site.data_requests]
    assert sent == [("iex", "split"), ("sip", "raw")]


def test_a_feed_outside_the_plan_names_one_inside(worlds, sites, waits):
    site = sites(worlds["alpaca"], feeds=("iex",))
    vendor = worlds["alpaca"].new_vendor(site.url, waits.patience())
    with pytest.raises(VendorRefused, match="subscription does not permit") as refused:
        vendor.bars(vendor.set_id("LIMPET", MINUTE, feed="sip", adjustment=None, hours=None), WEEK)
    assert "--feed iex" in refused.value.next_step


def test_a_limit_without_a_named_wait_ends_at_the_reset_that_alpaca_tells(worlds, sites, waits, reply):
    site = sites(worlds["alpaca"])
    vendor = worlds["alpaca"].new_vendor(site.url, waits.patience())
    reset = str(1768478400 + 33)  # 33 s after 2026-01-15T12:00Z
    busy = reply.of({"message": "too many requests."}, 429, X_RateLimit_Reset=reset)
    site.troubles.append(lambda request, truth: busy)
    vendor.bars(vendor.set_id("LIMPET", DAY, feed=None, adjustment=None, hours=None), WEEK)
    assert waits.slept == [33.0]


@pytest.mark.parametrize(
    ("timeframe", "theirs"),
    [("1Min", "1Min"), ("15Min", "15Min"), ("1Hour", "1Hour"), ("4Hour", "4Hour"), ("1Day", "1Day")],
)
def test_timeframes_are_written_as_alpaca_reads_them(worlds, sites, waits, reply, timeframe, theirs):
    site = sites(worlds["alpaca"])
    vendor = worlds["alpaca"].new_vendor(site.url, waits.patience())
    nothing = reply.of({"bars": {}, "next_page_token": None})
    set_id = vendor.set_id("NOSUCH", Timeframe.parse(timeframe), feed=None, adjustment=None, hours=None)
    site.troubles.append(lambda request, truth: nothing)
    vendor.bars(set_id, WEEK)
    assert site.data_requests[0].query["timeframe"] == theirs


def test_what_alpaca_does_not_deliver_is_refused_before_asking(worlds, sites, waits):
    site = sites(worlds["alpaca"])
    vendor = worlds["alpaca"].new_vendor(site.url, waits.patience())
    for timeframe, hours in (("90Min", None), ("1Min", Hours.REGULAR), ("1Day", Hours.ALL)):
        with pytest.raises(VendorRefused):
            vendor.set_id("LIMPET", Timeframe.parse(timeframe), feed=None, adjustment=None, hours=hours)
    assert site.requests == []


@pytest.mark.parametrize("missing", ["APCA_API_KEY_ID", "APCA_API_SECRET_KEY"])
def test_a_missing_key_is_named(missing):
    environment = {"APCA_API_KEY_ID": "id", "APCA_API_SECRET_KEY": "secret"}
    environment[missing] = ""
    with pytest.raises(FixInput, match=missing):
        AlpacaBars.from_environment(environment)


def test_two_bars_of_one_instant_that_differ_are_refused(worlds, sites, waits, reply):
    site = sites(worlds["alpaca"])
    vendor = worlds["alpaca"].new_vendor(site.url, waits.patience())

    def doubled(request, truth, change):
        document = json.loads(truth.body)
        rows = document["bars"]["LIMPET"]
        rows.append(rows[0] | change)
        return reply.of(document)

    set_id = vendor.set_id("LIMPET", DAY, feed=None, adjustment=None, hours=None)
    site.troubles.append(lambda request, truth: doubled(request, truth, {}))
    assert len(vendor.bars(set_id, WEEK)) == 6
    site.troubles.append(lambda request, truth: doubled(request, truth, {"c": 1.0}))
    with pytest.raises(VendorUnreadable, match="they differ"):
        vendor.bars(set_id, WEEK)
