"""The control API: clock, faults, accounts, market, log, page; and who may use it."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
import requests

from magellan.adapters.exchange_calendar import load_calendar
from magellan.exchange.market.generated_bars import GeneratedBars
from magellan.exchange.server.background import exchange_in_background
from magellan.exchange.server.clock import ClockMode
from magellan.exchange.server.exchange_server import ExchangeServer
from magellan.exchange.server.options import ServerOptions
from magellan.exchange.server.served_market import archived_now
from magellan.trading.bar import nanoseconds

TIMEOUT_S = 20


@pytest.mark.parametrize(
    ("asked", "reached"),
    [
        ({"by_s": 60}, "2024-03-11T13:32:30Z"),
        ({"to": "2024-03-11T15:00:00Z"}, "2024-03-11T15:00:00Z"),
        ({"to": "2024-03-11T11:00:00-04:00"}, "2024-03-11T15:00:00Z"),
        ({"next": "bar"}, "2024-03-11T13:32:00Z"),
        ({"next": "bar", "times": 3}, "2024-03-11T13:34:00Z"),
        ({"next": "instant"}, "2024-03-11T13:31:59.999Z"),
    ],
)
def test_a_step_leads_to_an_instant_by_a_span_or_to_the_next_happening(
    client, asked: Any, reached: str
) -> None:
    assert client.post("/_magellan/clock/step", asked).json()["now"] == reached
    assert client.get("/_magellan/clock").json()["now"] == reached


def test_a_step_says_what_happened(client) -> None:
    client.buy()
    answer = client.step(60)
    assert answer["events"]["bars"] == 1
    assert answer["events"]["trade_update"] >= 1
    assert answer["last"] == client.log()[-1]["n"]


def test_time_stands_for_a_client_that_has_not_read_the_log_and_passes_until_there_is_news_for_one_that_has(
    client,
) -> None:
    before = client.log()[-1]["n"] if client.log() else 0
    client.buy()
    step = {"next": "instant", "at_most": "2024-03-11T14:00:00Z"}
    stands = client.post("/_magellan/clock/step", {**step, "seen": before}).json()
    assert stands["now"] == "2024-03-11T13:31:30Z"
    assert [line["n"] for line in stands["lines"]] == list(range(before + 1, stands["last"] + 1))
    assert "step" not in stands["events"]
    seen = stands["last"]
    while True:
        told = client.post("/_magellan/clock/step", {**step, "seen": seen}).json()
        assert any(line["what"] != "step" for line in told["lines"])
        seen = told["last"]
        if "bars" in told["events"]:
            break
    assert told["now"] == "2024-03-11T13:32:00Z"


def test_the_last_step_ends_at_the_end_of_the_data(client) -> None:
    client.post("/_magellan/clock/step", {"by_s": 10 * 24 * 3600})
    assert client.get("/_magellan/clock").json()["now"] == "2024-03-11T20:05:00Z"
    assert client.post("/_magellan/clock/step", {"next": "bar"}).json()["now"] == "2024-03-11T20:05:00Z"


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("clock/step", {}, "a step says one of to, by_s and next"),
        ("clock/step", {"by_s": 1, "next": "bar"}, "a step says one of"),
        ("clock/step", {"by_s": -1}, "by_s is a number of seconds above zero"),
        ("clock/step", {"by_s": 1e300}, "by_s is a number of seconds above zero, at most 1000000000"),
        ("clock/step", {"to": "noon"}, "to is a time in RFC 3339"),
        ("clock/step", {"to": "2024-03-11T09:00:00Z"}, "cannot go back from 2024-03-11T13:3"),
        ("clock/step", {"next": "year"}, "next is 'bar' or 'instant'"),
        ("clock/step", {"next": "bar", "times": 0}, "times is a whole number"),
        ("clock/step", {"next": "bar", "seen": "all"}, "seen is the number of a line of the log"),
        ("clock", {"mode": "swift"}, "a clock is shifted, paced, fast, stepped, frozen"),
        ("clock", {"mode": "paced", "speed": 0}, "above zero"),
        ("clock", {"mode": "paced", "speed": 1e300}, "at most 1,000,000"),
        ("clock", {"moode": "paced"}, "there is no key 'moode' here; accepted are mode, speed"),
        ("faults", {"kind": "gremlin"}, "'gremlin' is no kind of fault; the kinds are"),
        ("faults", {"kind": "halted_symbol", "symbol": "ZZZZ", "at_s": 1}, "ZZZZ, which does not trade here"),
        ("market/halt", {"symbol": "ZZZZ"}, "'ZZZZ' does not trade here; symbols: AAPL, MSFT"),
        ("market/order", {"key_id": "PKNONE", "symbol": "AAPL"}, "no account has the key id 'PKNONE'"),
        (
            "keys",
            {"beside": "PKNONE", "key_id": "PK2", "secret_key": "s"},
            "no account has the key id 'PKNONE'",
        ),
        ("keys", {"beside": "PKTEST", "key_id": "PKTEST", "secret_key": "s"}, "was given to a pair before"),
        ("keys", {"beside": "PKTEST", "key_id": "PK2"}, "secret_key is missing"),
        ("market/order", {"key_id": "PKTEST", "symbol": "AAPL", "qty": "-1"}, "qty is a number above zero"),
    ],
)
def test_a_mistake_is_told_with_what_would_be_accepted(client, path: str, body: Any, said: str) -> None:
    client.get("/v2/account")
    answer = client.post(f"/_magellan/{path}", body)
    assert answer.status_code == 422
    assert said in answer.json()["message"]


def test_a_running_clock_is_not_stepped(start: Callable) -> None:
    client = start(mode=ClockMode.PACED, speed=1.0)
    assert client.post("/_magellan/clock/step", {"by_s": 1}).status_code == 422


def test_a_paced_clock_is_frozen_and_stepped_on_request(start: Callable) -> None:
    client = start(mode=ClockMode.PACED, speed=1.0)
    frozen = client.post("/_magellan/clock", {"mode": "frozen"}).json()
    assert client.get("/_magellan/clock").json()["now"] == frozen["now"]
    assert client.step(60)["now"] > frozen["now"]


def test_a_fault_is_added_listed_and_removed(client) -> None:
    id_ = client.fault("refused_request", when={"route": "GET /v2/account", "nth": [1, 3]}, name="grumpy")
    assert [client.get("/v2/account").status_code for _ in range(2)] == [500, 200]
    (listed,) = client.get("/_magellan/faults").json()["faults"]
    assert (listed["id"], listed["name"], listed["matched"], listed["fired"]) == (id_, "grumpy", 2, 1)
    assert client.delete(f"/_magellan/faults/{id_}").status_code == 204
    assert client.get("/v2/account").status_code == 200
    assert client.delete(f"/_magellan/faults/{id_}").status_code == 422


def test_an_order_by_hand_appears_in_the_account(client) -> None:
    client.get("/v2/account")
    client.post("/_magellan/market/order", {"key_id": "PKTEST", "symbol": "MSFT", "side": "sell", "qty": "3"})
    client.step(1)
    assert client.get("/v2/positions/MSFT").json()["qty"] == "-3"


def test_the_log_is_read_from_any_line_on(client) -> None:
    client.buy()
    client.step(60)
    whole = client.log()
    assert [each["n"] for each in whole] == list(range(1, len(whole) + 1))
    rest = client.get("/_magellan/events", since=3, limit=2).text.splitlines()
    assert [json.loads(line)["n"] for line in rest] == [4, 5]


def test_the_log_is_followed(client) -> None:
    with client.session.get(
        client.http + "/_magellan/events?follow=1", stream=True, timeout=TIMEOUT_S
    ) as answer:
        lines = (line for line in answer.iter_lines() if line)
        assert b'"what":"start"' in next(lines)


def test_the_state_is_plain_data(client) -> None:
    client.buy()
    client.step(1)
    (account,) = client.get("/_magellan/state").json()["accounts"].values()
    assert account["positions"]["AAPL"]["qty"] == "10"


def test_an_account_is_given_a_second_pair_and_the_first_is_revoked_as_in_a_rotation(client) -> None:
    client.buy()
    second = {"APCA-API-KEY-ID": "PKSECOND", "APCA-API-SECRET-KEY": "the second one's"}
    asked = {"beside": "PKTEST", "key_id": "PKSECOND", "secret_key": "the second one's"}
    given = client.post("/_magellan/keys", asked)
    assert given.status_code == 201
    number = client.get("/v2/account").json()["account_number"]
    assert given.json()["account_number"] == number
    assert [each["account_number"] for each in client.get("/_magellan/overview").json()["accounts"]] == [
        number
    ]
    assert client.delete("/_magellan/keys/PKTEST").status_code == 204
    assert client.get("/v2/orders").status_code == 403
    orders = requests.get(client.http + "/v2/orders?status=all", headers=second, timeout=TIMEOUT_S)
    assert len(orders.json()) == 1
    assert client.delete("/_magellan/keys/PKTEST").status_code == 422
    kept = [line["what"] for line in client.log() if line["what"].startswith("key")]
    assert kept == ["key_added", "key_revoked"]
    assert "the second one's" not in requests.get(client.http + "/_magellan/events", timeout=TIMEOUT_S).text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:8931", "Origin": "http://evil.example:8931"}, 403),
    ],
)
def test_the_control_api_is_closed_to_foreign_pages(client, headers: dict[str, str], status: int) -> None:
    answer = requests.get(client.http + "/_magellan/clock", headers=headers, timeout=TIMEOUT_S)
    assert answer.status_code == status


def test_a_form_on_a_foreign_page_changes_nothing(client) -> None:
    answer = requests.post(
        client.http + "/_magellan/clock/step",
        data='{"by_s": 60}',
        headers={"Content-Type": "text/plain"},
        timeout=TIMEOUT_S,
    )
    assert answer.status_code == 422
    assert client.get("/_magellan/clock").json()["now"] == "2024-03-11T13:31:30Z"


def test_an_unknown_route_lists_the_known_ones(client) -> None:
    answer = client.get("/_magellan/nothing")
    assert answer.status_code == 404
    assert "POST /_magellan/clock/step" in answer.json()["routes"]


def test_the_page_loads_nothing_from_elsewhere_and_writes_no_html(client) -> None:
    answer = requests.get(client.http + "/", timeout=TIMEOUT_S)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    for forbidden in ("innerHTML", "insertAdjacentHTML", "document.write", "http://", "https://", "//cdn"):
        assert forbidden not in answer.text
    assert 'name="viewport"' in answer.text
    assert "prefers-color-scheme: dark" in answer.text


def test_the_page_gets_everything_in_one_answer(client) -> None:
    client.buy(client_order_id="<script>alert(1)</script>")
    client.fault("lost_event")
    client.step(60)
    overview = client.get("/_magellan/overview").json()
    assert overview.keys() == {"clock", "symbols", "accounts", "faults", "fired", "events"}
    assert overview["accounts"][0]["orders"][0]["client_order_id"] == "<script>alert(1)</script>"
    assert overview["accounts"][0]["positions"][0]["symbol"] == "AAPL"


@pytest.mark.parametrize("hour", [0, 12])
def test_an_archived_market_that_is_open_now_tells_clocks_calendar_and_page(hour: int) -> None:
    calendar, on = load_calendar(), date(2024, 3, 11)
    now_ns = nanoseconds(datetime(2026, 11, 22, hour, 57, tzinfo=UTC))
    bars = GeneratedBars(["AAPL"], calendar, seed=3).bars(
        "AAPL", nanoseconds(datetime(2024, 3, 7, tzinfo=UTC)), nanoseconds(datetime(2024, 3, 12, tzinfo=UTC))
    )

    def make() -> ExchangeServer:
        served = archived_now({"AAPL": bars}, calendar, (), date(2024, 3, 7), on, seed=3, now_ns=now_ns)
        options = ServerOptions(seed=3, mode=ClockMode.FROZEN, start_ns=now_ns, api_as_of=date(2026, 11, 2))
        return ExchangeServer(served.market, options)

    with exchange_in_background(make) as exchange:
        keys = {"APCA-API-KEY-ID": "PKTEST", "APCA-API-SECRET-KEY": "secret"}
        for path in ("/v2/clock", "/v3/clock", "/v2/calendar", "/_magellan/overview"):
            answer = requests.get(exchange.http + path, headers=keys, timeout=TIMEOUT_S)
            assert answer.status_code == 200, path
        clock = requests.get(exchange.http + "/v2/clock", headers=keys, timeout=TIMEOUT_S).json()
        assert clock["timestamp"] < clock["next_close"] < clock["next_open"]
        for day in requests.get(exchange.http + "/v2/calendar", headers=keys, timeout=TIMEOUT_S).json():
            assert day["session_open"] < day["open"].replace(":", "") < day["session_close"]
