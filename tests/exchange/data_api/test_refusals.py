"""What is refused, with which body; and who may see what."""

import json
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.data_api.asking import CALL, NOW_NS, api, ask, body
from exchange.market.sample_market import new_york
from magellan.exchange.data_api import stocks
from magellan.exchange.data_api.data_api import DataApi
from magellan.exchange.data_api.entitlement import BASIC, SIP_DELAY_NS, Feed, volume_share
from magellan.exchange.data_api.reply import error_catalogue
from magellan.exchange.data_api.wire_time import parse_instant, rfc3339
from magellan.exchange.market.generated_bars import GeneratedBars
from magellan.exchange.market.market import Market
from magellan.trading.timeframe import MINUTE_NS

BARS = {"symbols": "AAA", "timeframe": "1Min"}


@pytest.mark.parametrize(
    ("path", "query", "status", "message"),
    [
        ("/v2/stocks/bars", {**BARS, "timeframe": "60Min"}, 400, "invalid timeframe"),
        ("/v2/stocks/bars", {"symbols": "AAA"}, 400, "timeframe is required"),
        ("/v2/stocks/bars", {"timeframe": "1Min"}, 400, "symbols is required"),
        ("/v2/stocks/bars", {**BARS, "symbols": ","}, 400, "symbols is required"),
        ("/v2/stocks/bars", {**BARS, "symbols": "AAA,bad!"}, 400, "invalid symbol: bad!"),
        ("/v2/stocks/bars", {**BARS, "start": "yesterday"}, 400, "invalid start"),
        ("/v2/stocks/bars", {**BARS, "start": "2025-07-07T15:00:00"}, 400, "invalid start"),  # no zone
        ("/v2/stocks/bars", {**BARS, "end": "2025-02-30"}, 400, "invalid end"),
        (
            "/v2/stocks/bars",
            {**BARS, "start": "2025-07-07", "end": "2025-07-03"},
            400,
            "end should not be before start",
        ),
        ("/v2/stocks/bars", {**BARS, "limit": 0}, 400, "invalid limit: must be between 1 and 10000"),
        ("/v2/stocks/bars", {**BARS, "limit": 10_001}, 400, "invalid limit: must be between 1 and 10000"),
        ("/v2/stocks/bars", {**BARS, "limit": "ten"}, 400, "invalid limit: must be between 1 and 10000"),
        ("/v2/stocks/bars", {**BARS, "adjustment": "none"}, 400, "invalid adjustment"),
        ("/v2/stocks/bars", {**BARS, "feed": "delayed_sip"}, 400, "invalid feed: delayed_sip"),
        ("/v2/stocks/bars", {**BARS, "feed": "nyse"}, 400, "invalid feed: nyse"),
        ("/v2/stocks/bars", {**BARS, "feed": "otc"}, 403, "subscription does not permit querying OTC data"),
        ("/v2/stocks/bars", {**BARS, "sort": "up"}, 400, "invalid sort: up"),
        ("/v2/stocks/bars", {**BARS, "asof": "now"}, 400, "invalid asof"),
        ("/v2/stocks/bars", {**BARS, "currency": "EUR"}, 400, "invalid currency: EUR"),
        ("/v2/stocks/bars", {**BARS, "page_token": "?"}, 400, "invalid page_token"),
        ("/v2/stocks/bars", {**BARS, "page_token": "QUJD"}, 400, "invalid page_token"),
        ("/v2/stocks/bars", {**BARS, "colour": "red"}, 400, "unexpected parameter(s): colour"),
        ("/v2/stocks/ZZZ/bars/latest", {}, 404, "no bar found for ZZZ"),
        ("/v2/stocks/ZZZ/quotes/latest", {}, 404, "no quote found for ZZZ"),
        ("/v2/stocks/AAA/trades/latest", {"feed": "boats"}, 404, "no trade found for AAA"),
        ("/v2/stocks/ZZZ/snapshot", {}, 404, "no snapshot found for ZZZ"),
        (
            "/v1beta3/crypto/us/bars",
            {"symbols": "BTCUSD", "timeframe": "1Min"},
            400,
            "invalid symbol: BTCUSD",
        ),
        ("/v1beta3/crypto/mars/latest/bars", {"symbols": "BTC/USD"}, 400, "invalid location: mars"),
        ("/v1beta1/options/snapshots", {"symbols": "AAA"}, 400, "invalid symbol: AAA"),
        ("/v1beta1/options/snapshots/AAA", {"type": "straddle"}, 400, "invalid type"),
        ("/v1/corporate-actions", {"types": "party"}, 400, "invalid types"),
        (
            "/v1/corporate-actions",
            {"ids": "x", "symbols": "AAA"},
            400,
            "ids cannot be combined with other filters",
        ),
        ("/v1beta1/logos/AAA", {}, 404, "no logo found for AAA"),
        ("/v2/stocks/AAA/candles", {}, 404, "endpoint not found."),
    ],
)
def test_a_refusal_says_what_is_wrong(path, query, status, message):
    reply = ask(path, query)
    assert (reply.status, reply.body["message"]) == (status, message)


@pytest.mark.parametrize("symbol", ["S001", "SYMBOLS", "A-B"])
def test_what_trades_here_has_bars_however_it_is_called(symbol):
    served = DataApi(Market(GeneratedBars([symbol], new_york(), seed=7), new_york(), seed=7))
    listed = body("/v2/stocks/bars/latest", {"symbols": symbol}, over=served)["bars"]
    assert listed == {symbol: body(f"/v2/stocks/{symbol}/bars/latest", over=served)["bar"]}
    assert body(f"/v2/stocks/{symbol}/bars", {"timeframe": "1Min", "limit": 3}, over=served)["bars"]
    assert ask(f"/v2/stocks/{symbol}/bars/latest").status == 400


def test_a_parameter_given_twice_is_refused():
    reply = api().answer("/v2/stocks/AAA/bars", {"timeframe": ["1Min", "5Min"]}, NOW_NS, BASIC)
    assert reply.status == 400


@given(
    name=st.sampled_from(sorted(stocks.BARS | stocks.SYMBOLS | {"unknown"})),
    value=st.text(max_size=12),
    path=st.sampled_from(
        ["/v2/stocks/bars", "/v1beta3/crypto/us/bars", "/v1beta1/options/bars", "/v2/stocks/quotes"]
    ),
)
@settings(max_examples=150, deadline=None)
def test_no_parameter_breaks_the_api(name, value, path):
    assert ask(path, BARS | {name: value, "limit": "5"} | {name: value}).status in (200, 400, 403)


@given(path=st.text(max_size=30))
def test_no_path_breaks_the_api(path):
    assert ask("/" + path).status in (200, 400, 403, 404)


def test_a_symbol_without_data_is_absent_from_a_list_and_empty_alone():
    assert body("/v2/stocks/bars", {**BARS, "symbols": "ZZZ"}) == {"bars": {}, "next_page_token": None}
    assert body("/v2/stocks/ZZZ/bars", {"timeframe": "1Min"})["bars"] == []
    assert body("/v2/stocks/quotes/latest", {"symbols": "ZZZ"}) == {"quotes": {}}
    assert body("/v2/stocks/bars/latest", {"symbols": "AAA", "feed": "boats"}) == {"bars": {}}
    assert body("/v1beta1/options/quotes/latest", {"symbols": "ZZZ250711C00245000"}) == {"quotes": {}}


def test_without_the_subscription_the_last_quarter_of_an_hour_of_sip_is_closed():
    sip = {**BARS, "start": "2025-07-07T13:30:00Z"}
    allowed = body("/v2/stocks/bars", sip, entitlement=BASIC)["bars"]["AAA"]
    assert parse_instant(allowed[-1]["t"], utc=True) <= NOW_NS - SIP_DELAY_NS
    assert (
        ask("/v2/stocks/bars", sip | {"end": rfc3339(NOW_NS - SIP_DELAY_NS)}, entitlement=BASIC).status == 200
    )
    reply = ask("/v2/stocks/bars", sip | {"end": rfc3339(NOW_NS - SIP_DELAY_NS + 1)}, entitlement=BASIC)
    assert (reply.status, reply.body) == (
        403,
        {"message": "subscription does not permit querying recent SIP data"},
    )
    assert ask("/v2/stocks/AAA/trades/latest", {"feed": "sip"}, entitlement=BASIC).status == 403
    assert (
        ask("/v2/stocks/bars", sip | {"end": rfc3339(NOW_NS), "feed": "iex"}, entitlement=BASIC).status == 200
    )
    newest = body("/v2/stocks/bars", sip)["bars"]["AAA"][-1]["t"]
    assert parse_instant(newest, utc=True) > NOW_NS - 2 * MINUTE_NS


def test_the_newest_data_come_from_the_best_feed_of_the_subscription():
    assert body("/v2/stocks/AAA/trades/latest", entitlement=BASIC)["trade"]["x"] == "V"  # IEX
    assert body("/v2/stocks/AAA/trades/latest")["trade"]["x"] == "Q"
    delayed = body("/v2/stocks/AAA/quotes/latest", {"feed": "delayed_sip"}, entitlement=BASIC)["quote"]["t"]
    assert NOW_NS - SIP_DELAY_NS - MINUTE_NS < parse_instant(delayed, utc=True) <= NOW_NS - SIP_DELAY_NS


def test_options_without_opra_are_late_and_opra_is_refused():
    late = body("/v1beta1/options/trades/latest", {"symbols": CALL}, entitlement=BASIC)["trades"][CALL]
    assert parse_instant(late["t"], utc=True) <= NOW_NS - SIP_DELAY_NS
    reply = ask("/v1beta1/options/trades/latest", {"symbols": CALL, "feed": "opra"}, entitlement=BASIC)
    assert reply.status == 403


def test_iex_sees_a_steady_part_of_the_same_bars():
    query = {**BARS, "start": "2025-07-07T13:30:00Z"}
    whole = {row["t"]: row for row in body("/v2/stocks/bars", query | {"feed": "sip"})["bars"]["AAA"]}
    share = volume_share(Feed.IEX, "AAA")
    for row in body("/v2/stocks/bars", query | {"feed": "iex"})["bars"]["AAA"]:
        assert row["v"] == int(whole[row["t"]]["v"] * share)
        assert (row["o"], row["h"], row["l"], row["c"]) == tuple(whole[row["t"]][name] for name in "ohlc")


def test_every_entry_of_the_catalogue_says_where_it_is_from():
    for name, entry in error_catalogue().items():
        assert set(entry) == {"status", "code", "message", "source"}, name
        assert entry["source"] in ("observed", "documented", "ours"), name
    text = files("magellan.exchange.data_api").joinpath("error_catalogue.json").read_text(encoding="utf-8")
    assert list(json.loads(text)) == ["about", "errors"]
