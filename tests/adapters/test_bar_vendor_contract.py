"""Every vendor of bars keeps the port's promises: pages, patience, clear refusals, no secret shown."""

import json
import socket
import sys
from datetime import UTC, date, datetime

import numpy as np
import pytest

from magellan.adapters.parquet.bar_archive import ParquetBarArchive
from magellan.archive.dataset import Adjustment, DateRange, SetId
from magellan.errors import FixInput
from magellan.ports.vendor import VendorBusy, VendorRefused, VendorUnreachable, VendorUnreadable
from magellan.trading.bar import PRICE_COLUMNS, Bars
from magellan.trading.session import session_columns
from magellan.trading.timeframe import DAY, HOUR, MINUTE, Timeframe
from magellan.usecases.fetch_bars import ShortRange, fetch_bars
from magellan.wiring.market import bar_vendor

SYMBOL = "LIMPET"
KEYS = {"APCA_API_KEY_ID": "id", "APCA_API_SECRET_KEY": "secret", "POLYGON_API_KEY": "key"}
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
WEEK = DateRange(first_on=date(2025, 10, 28), last_on=date(2025, 11, 4))  # with the autumn clock change
DAYS = DateRange(first_on=date(2025, 10, 1), last_on=date(2025, 12, 31))


def asked_for(vendor, timeframe: Timeframe = DAY, symbol: str = SYMBOL) -> SetId:
    return vendor.set_id(symbol, timeframe, feed=None, adjustment=None, hours=None)


def expected(market_bars, calendar, set_id: SetId, dates: DateRange) -> Bars:
    bars = market_bars(set_id.symbol, str(set_id.timeframe))
    day = session_columns(bars).day
    wanted = (day >= np.datetime64(dates.first_on).astype("datetime64[D]").astype(int)) & (
        day <= np.datetime64(dates.last_on).astype("datetime64[D]").astype(int)
    )
    if set_id.hours == "regular":
        wanted &= calendar.regular(bars)
    return bars.rows(wanted)


def assert_same(one: Bars, other: Bars) -> None:
    assert len(one) == len(other)
    for name in ("opened_at_ns", *PRICE_COLUMNS, "volume"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


@pytest.mark.parametrize(
    ("timeframe", "dates"), [(MINUTE, WEEK), (HOUR, DAYS), (DAY, DAYS)], ids=["1Min", "1Hour", "1Day"]
)
def test_pages_are_put_together_into_the_bars_of_those_dates(
    world, sites, waits, market, calendar, timeframe, dates
):
    site = sites(world, page_bars=250) if world.small_pages else sites(world)
    vendor = world.new_vendor(site.url, waits.patience())
    set_id = asked_for(vendor, timeframe)
    bars = vendor.bars(set_id, dates)
    assert_same(bars.checked(), expected(market, calendar, set_id, dates))
    if world.small_pages and timeframe == MINUTE:
        assert len(site.data_requests) > 3
    assert waits.slept == []


def test_the_set_says_who_delivered_what(world, sites, waits):
    vendor = world.new_vendor(sites(world).url, waits.patience())
    set_id = asked_for(vendor, MINUTE)
    assert (set_id.vendor, set_id.feed, set_id.timeframe) == (world.name, world.feed, MINUTE)
    assert asked_for(vendor, DAY).hours == "regular"


def test_a_range_without_a_trade_is_empty_and_no_error(world, sites, waits):
    vendor = world.new_vendor(sites(world).url, waits.patience())
    before_listing = DateRange(first_on=date(2025, 7, 1), last_on=date(2025, 7, 31))
    for timeframe in (DAY, HOUR):
        assert len(vendor.bars(asked_for(vendor, timeframe), before_listing)) == 0


def test_too_many_requests_waits_as_long_as_the_vendor_asks(world, sites, waits, market, calendar, reply):
    site = sites(world)
    vendor = world.new_vendor(site.url, waits.patience())
    busy = reply.of({"message": "too many requests."}, 429, Retry_After="17")
    site.troubles.extend([lambda request, truth: busy] * 2)
    set_id = asked_for(vendor)
    assert_same(vendor.bars(set_id, WEEK), expected(market, calendar, set_id, WEEK))
    assert waits.slept == [17.0, 17.0]
    assert "asked too often" in waits.told[0]
    assert "17 s" in waits.told[0]


def test_a_wait_may_be_given_as_a_date(world, sites, waits, reply):
    site = sites(world)
    vendor = world.new_vendor(site.url, waits.patience())
    busy = reply.of({}, 429, Retry_After="Thu, 15 Jan 2026 12:00:42 GMT")
    site.troubles.append(lambda request, truth: busy)
    vendor.bars(asked_for(vendor), WEEK)
    assert waits.slept == [42.0]


def test_a_vendor_that_asks_for_an_hour_is_told_to_the_user(world, sites, waits, reply):
    site = sites(world)
    vendor = world.new_vendor(site.url, waits.patience())
    site.troubles.append(lambda request, truth: reply.of({}, 429, Retry_After="3600"))
    with pytest.raises(VendorBusy, match="asks us to wait 3600 s") as refused:
        vendor.bars(asked_for(vendor), WEEK)
    assert refused.value.retry_after_s == 3600
    assert waits.slept == []


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_fault_at_the_vendor_is_asked_again_and_waits_longer_each_time(world, sites, waits, reply, status):
    site = sites(world)
    vendor = world.new_vendor(site.url, waits.patience())
    site.troubles.extend([lambda request, truth: reply.of({"message": "oops"}, status)] * 3)
    assert len(vendor.bars(asked_for(vendor), WEEK)) > 0
    first, second, third = waits.slept
    assert 1 <= first <= 2 <= second <= 3 <= third <= 5 + 1


def test_patience_ends(world, sites, waits, reply):
    site = sites(world)
    vendor = world.new_vendor(site.url, waits.patience(attempts=3))
    site.troubles.extend([lambda request, truth: reply.of({"message": "oops"}, 503)] * 9)
    with pytest.raises(VendorBusy, match="503") as refused:
        vendor.bars(asked_for(vendor), WEEK)
    assert "fetches only what is missing" in refused.value.next_step
    assert len(site.data_requests) == 3


@pytest.mark.parametrize("name", ["alpaca", "polygon"])
def test_a_wrong_key_is_said_once_and_never_shown(name, worlds, sites, waits):
    world = worlds[name]
    site = sites(world)
    vendor = world.new_vendor(site.url, waits.patience(), right_key=False)
    with pytest.raises(VendorRefused, match="does not accept the key") as refused:
        vendor.bars(asked_for(vendor), WEEK)
    assert "a-wrong-secret" not in str(refused.value)
    assert "KEY" in refused.value.next_step
    assert len(site.data_requests) == 1


@pytest.mark.parametrize("name", ["alpaca", "polygon"])
def test_a_vendor_that_repeats_the_key_does_not_make_us_print_it(name, worlds, sites, waits, reply):
    world = worlds[name]
    site = sites(world)
    vendor = world.new_vendor(site.url, waits.patience(attempts=1))
    secret = site.secret_key if name == "alpaca" else site.key
    site.troubles.append(lambda request, truth: reply.of({"message": f"bad key {secret}"}, 503))
    with pytest.raises(VendorBusy) as refused:
        vendor.bars(asked_for(vendor), WEEK)
    assert secret not in str(refused.value)
    assert "***" in str(refused.value)


def test_an_answer_that_ends_in_the_middle_is_asked_for_again(world, sites, waits, market, calendar):
    site = sites(world)
    vendor = world.new_vendor(site.url, waits.patience())
    cut = [
        lambda request, truth: type(truth)(body=truth.body, cut_after=len(truth.body) // 2),
        lambda request, truth: type(truth)(body=truth.body[: len(truth.body) // 2]),
    ]
    site.troubles.extend(cut)
    set_id = asked_for(vendor)
    assert_same(vendor.bars(set_id, WEEK), expected(market, calendar, set_id, WEEK))
    assert len(waits.slept) == 2


def test_an_answer_that_always_ends_in_the_middle_is_no_bars(world, sites, waits):
    site = sites(world)
    vendor = world.new_vendor(site.url, waits.patience(attempts=2))
    site.troubles.extend([lambda request, truth: type(truth)(body=truth.body[:-40])] * 5)
    with pytest.raises(VendorUnreachable, match="ends in the middle"):
        vendor.bars(asked_for(vendor), WEEK)


def test_a_web_page_is_no_bars(world, sites, waits, error_page, reply):
    site = sites(world)
    vendor = world.new_vendor(site.url, waits.patience())
    site.troubles.append(lambda request, truth: reply(body=error_page, headers={"Content-Type": "text/html"}))
    with pytest.raises(VendorUnreadable, match="web page") as refused:
        vendor.bars(asked_for(vendor), WEEK)
    assert "proxy" in refused.value.next_step


@pytest.mark.parametrize("document", [{}, [], {"hello": "world"}, None, 7, {"bars": None, "chart": None}])
def test_json_of_something_else_is_no_bars(world, sites, waits, reply, document):
    site = sites(world)
    vendor = world.new_vendor(site.url, waits.patience())
    site.troubles.append(lambda request, truth: reply.of(document))
    with pytest.raises(VendorUnreadable):
        vendor.bars(asked_for(vendor), WEEK)


def test_bars_of_another_symbol_are_refused(world, sites, waits, reply):
    """Incident 21: a vendor ignored the symbol filter."""
    site = sites(world)
    vendor = world.new_vendor(site.url, waits.patience())

    def of_another(request, truth):
        return reply.of(json.loads(truth.body.decode().replace(SYMBOL, "URCHIN")))

    site.troubles.extend([of_another] * 3)
    with pytest.raises(VendorUnreadable, match="URCHIN"):
        vendor.bars(asked_for(vendor), WEEK)


def test_a_symbol_that_nobody_knows(world, sites, waits):
    vendor = world.new_vendor(sites(world).url, waits.patience())
    set_id = asked_for(vendor, symbol="NOSUCH")
    if world.name == "yahoo":  # the others answer with nothing, and `fetch_bars` says so
        with pytest.raises(VendorRefused, match="does not know NOSUCH"):
            vendor.bars(set_id, WEEK)
    else:
        assert len(vendor.bars(set_id, WEEK)) == 0


def test_a_bad_request_shows_the_vendors_own_words(world, sites, waits, reply):
    site = sites(world)
    vendor = world.new_vendor(site.url, waits.patience())
    said = "end should not be before start"
    document = {"message": said, "chart": {"result": None, "error": {"code": "x", "description": said}}}
    site.troubles.extend([lambda request, truth: reply.of(document, 422)] * 3)
    with pytest.raises(VendorRefused, match=said):
        vendor.bars(asked_for(vendor), WEEK)
    assert waits.slept == []


def test_nobody_at_the_address(world, waits):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    vendor = world.new_vendor(f"http://127.0.0.1:{port}", waits.patience(attempts=3))
    with pytest.raises(VendorUnreachable, match="cannot be reached") as refused:
        vendor.bars(asked_for(vendor), WEEK)
    assert len(waits.slept) == 2
    assert "network" in refused.value.next_step


def test_a_vendor_that_never_answers_is_given_up(world, sites, waits, reply):
    site = sites(world)
    vendor = world.new_vendor(site.url, waits.patience(attempts=2, read_timeout_s=0.2))
    site.troubles.extend([lambda request, truth: reply(never=True)] * 4)
    with pytest.raises(VendorUnreachable, match="did not answer in time"):
        vendor.bars(asked_for(vendor), WEEK)
    assert len(waits.slept) == 1


@pytest.mark.parametrize("url", ["http://example.com", "ftp://127.0.0.1", "127.0.0.1:80", ""])
def test_a_key_is_not_sent_over_the_open_network(url):
    from magellan.adapters.vendor_request import checked_base_url

    with pytest.raises(FixInput, match="https"):
        checked_base_url(url, "ALPACA_DATA_URL")


def test_an_adjustment_or_feed_that_the_vendor_has_not_is_refused(world, sites, waits):
    vendor = world.new_vendor(sites(world).url, waits.patience())
    lacking = {"alpaca": None, "polygon": Adjustment.ALL, "yahoo": Adjustment.RAW}[world.name]
    if lacking is not None:
        with pytest.raises(VendorRefused, match="adjust"):
            vendor.set_id(SYMBOL, DAY, feed=None, adjustment=lacking, hours=None)
    with pytest.raises(VendorRefused, match="feed"):
        vendor.set_id(SYMBOL, DAY, feed="carrier-pigeon", adjustment=None, hours=None)


class Killed(BaseException):
    """The process is gone: nothing of it runs on."""


@pytest.mark.parametrize("killed_after", [1, 2])
def test_a_fetch_that_was_killed_goes_on_where_it_was(
    world, sites, waits, market, calendar, tmp_path, killed_after
):
    site = sites(world)
    dates = DateRange(first_on=date(2025, 9, 2), last_on=date(2025, 12, 31))
    if world.name == "yahoo":
        dates = DateRange(first_on=date(2025, 10, 28), last_on=date(2025, 11, 24))
    parts_done = 0

    def kill(phase: str, done: float, total: float) -> None:
        nonlocal parts_done
        parts_done += 1
        if parts_done == killed_after:
            raise Killed

    vendor = world.new_vendor(site.url, waits.patience())
    set_id = asked_for(vendor, MINUTE)
    terms = {"calendar": calendar, "set_id": set_id, "dates": dates, "now": NOW}
    with pytest.raises(Killed):
        fetch_bars(vendor, ParquetBarArchive(tmp_path), report=kill, **terms)
    before_kill = len(site.data_requests)

    vendor = world.new_vendor(site.url, waits.patience())
    fetched = fetch_bars(vendor, ParquetBarArchive(tmp_path), **terms)
    days = vendor.days_per_request(MINUTE)
    parts = -(-((dates.last_on - dates.first_on).days + 1) // days)
    assert fetched.requests == parts - killed_after
    assert len(site.data_requests) > before_kill
    assert fetched.rows_already_there == 0
    assert fetched.record.requested == (dates,)
    assert_same(ParquetBarArchive(tmp_path).read(set_id), expected(market, calendar, set_id, dates))

    again = fetch_bars(vendor, ParquetBarArchive(tmp_path), **terms)
    assert (again.requests, again.rows_added) == (0, 0)


def test_a_vendor_that_returns_a_shorter_range_fails(world, sites, waits, calendar, tmp_path, reply):
    """Incident 21: hourly bars of two years held only the last three months."""
    site = sites(world)
    vendor = world.new_vendor(site.url, waits.patience())
    set_id = asked_for(vendor, HOUR)
    dates = DateRange(first_on=date(2025, 9, 2), last_on=date(2025, 12, 31))

    def truncated(request, truth):
        if "hour" not in str(request).lower() and "1h" not in str(request):
            return truth
        return reply.of(json.loads(truth.body, object_hook=lambda document: newest(document, 60)))

    site.troubles.extend([truncated] * 9)
    with pytest.raises(ShortRange, match=r"left out \d+ sessions from 2025-09-02") as refused:
        fetch_bars(vendor, ParquetBarArchive(tmp_path), calendar, set_id, dates, now=NOW)
    assert "its own daily bars say that it traded" in refused.value.message
    assert f"holds no {set_id}" in refused.value.kept
    assert ParquetBarArchive(tmp_path).sets() == ()


def newest(document, bars: int):
    """Any vendor's document with only the newest bars in it."""
    if isinstance(document.get(SYMBOL), list):
        return {SYMBOL: document[SYMBOL][-bars:]}
    if isinstance(document.get("results"), list):
        rows = document["results"][-bars:]
        return document | {"results": rows, "resultsCount": len(rows)}
    for name in ("timestamp", "open", "high", "low", "close", "volume"):
        if isinstance(document.get(name), list):
            document[name] = document[name][-bars:]
    return document


@pytest.mark.parametrize(
    ("name", "library"),
    [("alpaca", "alpaca.data.historical.stock"), ("polygon", "massive"), ("yahoo", "yfinance")],
)
def test_a_missing_extra_says_how_to_install_it(worlds, waits, monkeypatch, name, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(FixInput, match=f"needs the extra '{name}'") as missing:
        bar_vendor(name, KEYS, notice=waits.told.append)
    assert f"magellan-trading[{name}]" in missing.value.next_step


def test_a_vendor_that_nobody_knows_names_those_that_we_do():
    with pytest.raises(FixInput, match="'bloomberg' is no vendor") as unknown:
        bar_vendor("bloomberg", {}, notice=print)
    assert "alpaca, polygon, yahoo" in unknown.value.next_step
