"""Every kind of fault as a plain client sees it. The last test says that none was forgotten."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from magellan.exchange.server.faults.plan_file import KINDS

TIMEOUT_S = 10
ORDERS = {"route": "POST /v2/orders"}
COVERED: set[str] = set()


def covers(*kinds: str) -> Callable:
    """Note that a test shows these kinds."""
    COVERED.update(kinds)
    return lambda function: function


def orders(client) -> list[dict[str, Any]]:
    return client.get("/v2/orders", status="all").json()


@contextmanager
def trade_updates(client) -> Iterator[ClientConnection]:
    with connect(client.ws + "/stream") as socket:
        socket.send(json.dumps({"action": "auth", "key": "PKTEST", "secret": "secret"}))
        socket.recv(timeout=TIMEOUT_S)
        socket.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
        socket.recv(timeout=TIMEOUT_S)
        yield socket


@contextmanager
def bars(client) -> Iterator[ClientConnection]:
    with connect(client.ws + "/v2/sip") as socket:
        socket.recv(timeout=TIMEOUT_S)
        socket.send(json.dumps({"action": "auth", "key": "PKTEST", "secret": "secret"}))
        socket.recv(timeout=TIMEOUT_S)
        socket.send(json.dumps({"action": "subscribe", "bars": ["*"], "quotes": ["AAPL"]}))
        socket.recv(timeout=TIMEOUT_S)
        yield socket


def updates(socket: ClientConnection, until: str = "fill") -> list[dict[str, Any]]:
    """Trade updates up to the first of that event."""
    found: list[dict[str, Any]] = []
    while not found or found[-1]["event"] != until:
        found.append(json.loads(socket.recv(timeout=TIMEOUT_S))["data"])
    return found


def is_silent(socket: ClientConnection) -> bool:
    try:
        socket.recv(timeout=0.2)
    except TimeoutError:
        return True
    return False


# --- answers that tell less than what happened ----------------------------------------------------------------


@covers("lost_answer")
def test_lost_answer_leaves_an_order_and_a_reset_connection(client) -> None:
    client.fault("lost_answer", when=ORDERS, count=1)
    with pytest.raises(requests.ConnectionError, match=r"reset|aborted"):
        client.buy(client_order_id="mine")
    assert [each["client_order_id"] for each in orders(client)] == ["mine"]


@covers("no_answer")
def test_no_answer_leaves_an_order_and_a_client_that_waits(client) -> None:
    client.fault("no_answer", when=ORDERS, count=1)
    with pytest.raises(requests.ReadTimeout):
        client.session.post(
            client.http + "/v2/orders",
            json={"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"},
            timeout=0.3,
        )
    assert len(orders(client)) == 1


@covers("error_after_accept")
@pytest.mark.parametrize("status", [500, 504])
def test_error_after_accept_leaves_an_order(client, status: int) -> None:
    client.fault("error_after_accept", when=ORDERS, count=1, status=status)
    answer = client.post(
        "/v2/orders", {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    )
    assert answer.status_code == status
    assert "message" in answer.json()
    assert len(orders(client)) == 1


@covers("html_after_accept")
def test_html_after_accept_leaves_an_order_and_a_page_that_is_no_json(client) -> None:
    client.fault("html_after_accept", when=ORDERS, count=1)
    answer = client.post(
        "/v2/orders", {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    )
    assert (answer.status_code, answer.text[:6]) == (502, "<html>")
    assert len(orders(client)) == 1


@covers("truncated_json")
def test_truncated_json_ends_in_the_middle(client) -> None:
    client.fault("truncated_json", when={"route": "GET /v2/account"}, count=1)
    answer = client.get("/v2/account")
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


@covers("short_body")
def test_short_body_is_less_than_was_promised(client) -> None:
    client.fault("short_body", when={"route": "GET /v2/account"}, count=1)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        client.get("/v2/account")


@covers("slow_drip")
def test_slow_drip_comes_a_few_bytes_at_a_time(client) -> None:
    client.fault("slow_drip", when={"route": "GET /v2/clock"}, count=1, bytes_per_s=1600)
    with client.session.get(client.http + "/v2/clock", stream=True, timeout=TIMEOUT_S) as answer:
        pieces = list(answer.iter_content(chunk_size=16))
    assert len(pieces) > 5
    assert "is_open" in json.loads(b"".join(pieces))


@covers("late_answer")
def test_late_answer_comes_after_its_events(client) -> None:
    client.fault("late_answer", when=ORDERS, count=1, delay_s=0.3)
    with trade_updates(client) as socket:
        began = time.monotonic()
        client.buy()
        assert time.monotonic() - began >= 0.3
        assert not is_silent(socket)


@covers("event_before_answer")
def test_event_before_answer_reaches_the_stream_before_the_client_knows_the_order(client) -> None:
    client.fault("event_before_answer", when=ORDERS, count=1)
    client.fault("late_answer", when={**ORDERS, "nth": 2})
    with trade_updates(client) as socket:
        client.buy()
        assert not is_silent(socket)
    assert client.fired() == ["event_before_answer"]


@covers("schema_drift")
def test_schema_drift_takes_fields_away_and_adds_some(client) -> None:
    client.fault(
        "schema_drift",
        when={"route": "GET /v2/account"},
        remove=["multiplier"],
        null=["buying_power"],
        add={"novelty": 1},
    )
    account = client.get("/v2/account").json()
    assert "multiplier" not in account
    assert (account["buying_power"], account["novelty"]) == (None, 1)


# --- requests that are not carried out ------------------------------------------------------------------------


@covers("refused_request")
@pytest.mark.parametrize("status", [401, 403, 500, 503, 504])
def test_refused_request_leaves_nothing(client, status: int) -> None:
    client.fault("refused_request", when=ORDERS, count=1, status=status, code=None, message="no")
    answer = client.post(
        "/v2/orders", {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    )
    assert (answer.status_code, answer.json()) == (status, {"message": "no"})
    assert orders(client) == []


@covers("reset_before")
def test_reset_before_leaves_nothing(client) -> None:
    client.fault("reset_before", when=ORDERS, count=1)
    with pytest.raises(requests.ConnectionError):
        client.buy()
    assert orders(client) == []


@covers("html_page")
def test_html_page_is_what_a_proxy_says(client) -> None:
    client.fault("html_page", when={"route": "GET /v2/account"}, count=1)
    answer = client.get("/v2/account")
    assert answer.status_code == 502
    assert answer.headers["Content-Type"].startswith("text/html")


@covers("rate_limited")
def test_rate_limited_is_a_burst_with_headers(client) -> None:
    client.fault("rate_limited", when=ORDERS, count=2)
    body = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    answers = [client.post("/v2/orders", body) for _ in range(3)]
    assert [each.status_code for each in answers] == [429, 429, 200]
    assert answers[0].json()["code"] == 42910000
    assert answers[0].headers["X-RateLimit-Remaining"] == "0"


@covers("rejected_order")
@pytest.mark.parametrize(
    ("reason", "status", "code"),
    [
        ("insufficient_buying_power", 403, 40310000),
        ("not_shortable", 422, 42210000),
        ("not_fractionable", 403, 40310000),
        ("inactive_asset", 422, 40010001),
        ("wash_trade", 403, 40310000),
        ("pattern_day_trading", 403, 40310100),
        ("trading_suspended", 403, 40310000),
        ("closing_only", 403, 40310000),
        ("hard_to_borrow", 422, 42210000),
    ],
)
def test_rejected_order_is_refused_for_one_of_alpacas_reasons(
    client, reason: str, status: int, code: int
) -> None:
    client.fault("rejected_order", when={**ORDERS, "symbol": "AAPL"}, reason=reason)
    answer = client.post(
        "/v2/orders", {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    )
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert orders(client) == []


def resting(client) -> str:
    """An order that rests far below the market; its id."""
    order = client.buy(type="limit", limit_price="1.00", client_order_id="resting")
    client.step(1)
    return order["id"]


@covers("cancel_refused")
def test_cancel_refused_leaves_the_order(client) -> None:
    id_ = resting(client)
    client.fault("cancel_refused", when={"client_order_id": "resting"}, count=1)
    answer = client.delete(f"/v2/orders/{id_}")
    assert (answer.status_code, answer.json()["message"]) == (422, 'order is already in "filled" state')
    assert client.get(f"/v2/orders/{id_}").json()["status"] == "new"


@covers("replace_refused")
def test_replace_refused_leaves_the_order(client) -> None:
    id_ = resting(client)
    client.fault("replace_refused", when={"order_id": id_}, count=1, message="order chain not fully replaced")
    answer = client.patch(f"/v2/orders/{id_}", {"qty": "5"})
    assert (answer.status_code, answer.json()["message"]) == (422, "order chain not fully replaced")


@covers("stuck_pending_cancel")
def test_stuck_pending_cancel_never_lands(client) -> None:
    id_ = resting(client)
    client.fault("stuck_pending_cancel", when={"symbol": "AAPL"}, count=1)
    assert client.delete(f"/v2/orders/{id_}").status_code == 204
    client.step(3600)
    assert client.get(f"/v2/orders/{id_}").json()["status"] == "pending_cancel"


@covers("fill_beats_cancel")
def test_fill_beats_cancel_is_told_by_the_stream_alone(client) -> None:
    id_ = resting(client)
    client.fault("fill_beats_cancel", when={"side": "buy"}, count=1)
    with trade_updates(client) as socket:
        assert client.delete(f"/v2/orders/{id_}").status_code == 204
        assert updates(socket)[-1]["order"]["id"] == id_
    assert client.get(f"/v2/orders/{id_}").json()["status"] == "filled"


@covers("stale_reads")
def test_stale_reads_show_how_things_were(client) -> None:
    client.get("/v2/account")
    client.fault("stale_reads", when={"route": "GET /v2/positions*"}, lag_s=5)
    client.step(10)
    client.buy()
    client.step(1)
    assert client.get("/v2/positions").json() == []
    assert client.get("/v2/orders", status="all").json()[0]["status"] == "filled"
    client.step(10)
    assert len(client.get("/v2/positions").json()) == 1


# --- orders that were accepted --------------------------------------------------------------------------------


@covers("rejected_after_accept")
def test_rejected_after_accept_is_told_by_an_event(client) -> None:
    client.fault("rejected_after_accept", when={"symbol": "AAPL"}, count=1)
    with trade_updates(client) as socket:
        order = client.buy()
        assert updates(socket, until="rejected")
    assert client.get(f"/v2/orders/{order['id']}").json()["status"] == "rejected"


@covers("partial_fill_then_cancel")
def test_partial_fill_then_cancel_leaves_part_of_a_position(client) -> None:
    client.fault("partial_fill_then_cancel", count=1, fraction=0.35)
    with trade_updates(client) as socket:
        order = client.buy()
        client.step(1)
        assert "partial_fill" in [each["event"] for each in updates(socket, until="canceled")]
    left = client.get(f"/v2/orders/{order['id']}").json()
    assert (left["status"], left["filled_qty"]) == ("canceled", "3")
    assert client.get("/v2/positions/AAPL").json()["qty"] == "3"


# --- trade updates --------------------------------------------------------------------------------------------


@covers("duplicate_event")
def test_duplicate_event_comes_with_one_execution_id(client) -> None:
    client.fault("duplicate_event", when={"event": "fill"}, copies=3)
    with trade_updates(client) as socket:
        client.buy()
        client.step(1)
        fills = [updates(socket)[-1], *(updates(socket)[-1] for _ in range(2))]
        assert len({each["execution_id"] for each in fills}) == 1
        assert is_silent(socket)


@covers("late_event")
def test_late_event_comes_when_its_time_has_passed(client) -> None:
    client.fault("late_event", when={"event": "fill"}, delay_s=30)
    with trade_updates(client) as socket:
        client.buy()
        client.step(10)
        before = updates(socket, until="new")
        assert is_silent(socket)
        client.step(25)
        assert updates(socket)[-1]["event"] == "fill"
        assert before[-1]["event"] == "new"


@covers("reordered_events")
def test_reordered_events_come_the_other_way_round(client) -> None:
    client.fault("reordered_events", when={"event": "new"}, count=1)
    with trade_updates(client) as socket:
        client.buy()
        client.step(1)
        events = [each["event"] for each in updates(socket, until="new")]
        assert events.index("fill") < events.index("new")


@covers("lost_event")
def test_lost_event_never_comes(client) -> None:
    client.fault("lost_event", when={"event": "fill"})
    with trade_updates(client) as socket:
        order = client.buy()
        client.step(1)
        assert updates(socket, until="new")
        assert is_silent(socket)
    assert client.get(f"/v2/orders/{order['id']}").json()["status"] == "filled"


@covers("replayed_events")
def test_replayed_events_are_old_ones_with_their_old_ids(client) -> None:
    client.fault("replayed_events", when={"event": "fill"}, count=1)
    with trade_updates(client) as socket:
        client.buy()
        client.step(1)
        first = updates(socket)
        again = updates(socket)
        assert [each.get("execution_id") for each in again] == [each.get("execution_id") for each in first]


# --- market data ----------------------------------------------------------------------------------------------


@covers("lost_data")
def test_lost_data_is_a_gap(client) -> None:
    client.fault("lost_data", when={"event": "bars", "symbol": "AAPL", "nth": 1})
    with bars(client) as socket:
        client.step(90)
        seen = bar_messages(socket, 3)
    assert [(each["S"], each["t"]) for each in seen] == [
        ("MSFT", "2024-03-11T13:31:00Z"),
        ("AAPL", "2024-03-11T13:32:00Z"),
        ("MSFT", "2024-03-11T13:32:00Z"),
    ]


@covers("late_data")
def test_late_data_comes_after_newer_data(client) -> None:
    client.fault("late_data", when={"event": "bars", "symbol": "AAPL", "nth": 1}, delay_s=45)
    with bars(client) as socket:
        client.step(30)
        client.step(60)
        seen = [each["t"] for each in bar_messages(socket, 4) if each["S"] == "AAPL"]
    assert sorted(seen) == ["2024-03-11T13:31:00Z", "2024-03-11T13:32:00Z"]
    assert next(each["at"] for each in client.log() if each["what"] == "bars") == "2024-03-11T13:32:00Z"


@covers("duplicate_data")
def test_duplicate_data_comes_twice(client) -> None:
    client.fault("duplicate_data", when={"event": "bars", "symbol": "AAPL"}, count=1)
    with bars(client) as socket:
        client.step(30)
        assert [each["S"] for each in bar_messages(socket, 3)] == ["AAPL", "AAPL", "MSFT"]


def bar_messages(socket: ClientConnection, count: int) -> list[dict[str, Any]]:
    """The next so many bars; quotes are passed over."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        found += [each for each in json.loads(socket.recv(timeout=TIMEOUT_S)) if each["T"] == "b"]
    return found


# --- WebSockets -----------------------------------------------------------------------------------------------


@covers("upgrade_refused")
@pytest.mark.parametrize("path", ["/stream", "/v2/sip"])
def test_upgrade_refused_is_an_http_error(client, path: str) -> None:
    client.fault("upgrade_refused", count=1)
    with pytest.raises(InvalidStatus) as refused, connect(client.ws + path):
        pass
    assert refused.value.response.status_code == 429
    with connect(client.ws + path):
        pass


@covers("disconnect")
@pytest.mark.parametrize(("code", "seen"), [(1001, 1001), (1011, 1011), (4000, 4000), (1006, 1006)])
def test_disconnect_closes_with_its_code_after_so_many_messages(client, code: int, seen: int) -> None:
    client.fault("disconnect", after_messages=2, code=code, when={"stream": "trades"})
    with trade_updates(client) as socket:
        client.buy()
        client.step(1)
        socket.recv(timeout=TIMEOUT_S)
        socket.recv(timeout=TIMEOUT_S)
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=TIMEOUT_S)
        assert (socket.close_code or 1006) == seen


@covers("close_without_frame")
def test_close_without_frame_is_an_abnormal_end(client) -> None:
    client.fault("close_without_frame", after_messages=1, count=1)
    with trade_updates(client) as socket:
        client.buy()
        client.step(1)
        socket.recv(timeout=TIMEOUT_S)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=TIMEOUT_S)
        assert closed.value.rcvd is None
    with trade_updates(client):
        pass  # and the next connection is served


@covers("mute_stream")
def test_mute_stream_still_answers_pings(client) -> None:
    client.fault("mute_stream", after_messages=1, when={"stream": "data"})
    with bars(client) as socket:
        client.step(1)
        assert json.loads(socket.recv(timeout=TIMEOUT_S))
        client.step(60)
        assert is_silent(socket)
        assert socket.ping().wait(TIMEOUT_S)


@covers("half_open_stream")
def test_half_open_stream_answers_nothing(client) -> None:
    client.fault("half_open_stream", after_messages=1, when={"stream": "data"})
    with connect(client.ws + "/v2/sip", close_timeout=0.1) as socket:
        socket.recv(timeout=TIMEOUT_S)
        socket.send(json.dumps({"action": "auth", "key": "PKTEST", "secret": "secret"}))
        socket.recv(timeout=TIMEOUT_S)
        socket.send(json.dumps({"action": "subscribe", "bars": ["*"]}))
        socket.recv(timeout=TIMEOUT_S)
        client.step(30)
        assert json.loads(socket.recv(timeout=TIMEOUT_S))
        client.step(60)
        assert is_silent(socket)
        assert not socket.ping().wait(0.2)


@covers("broken_message")
def test_broken_message_cannot_be_parsed(client) -> None:
    client.fault("broken_message", after_messages=1, count=1)
    with bars(client) as socket:
        client.step(30)
        with pytest.raises(json.JSONDecodeError):
            json.loads(socket.recv(timeout=TIMEOUT_S))


@covers("stream_error")
@pytest.mark.parametrize(("code", "closes"), [(406, False), (407, True), (500, True)])
def test_stream_error_is_told_and_some_close(client, code: int, closes: bool) -> None:
    client.fault("stream_error", after_messages=1, count=1, code=code)
    with bars(client) as socket:
        client.step(30)
        found: list[Any] = []
        while not any(each["T"] == "error" for each in found):
            found += json.loads(socket.recv(timeout=TIMEOUT_S))
        assert next(each for each in found if each["T"] == "error")["code"] == code
        if closes:
            with pytest.raises(ConnectionClosed):
                while True:
                    socket.recv(timeout=TIMEOUT_S)


# --- market, quotes, accounts ---------------------------------------------------------------------------------


@covers("halted_symbol")
def test_halted_symbol_fills_nothing_until_it_is_resumed(client) -> None:
    client.fault("halted_symbol", at_s=5, symbol="AAPL", duration_s=600)
    client.step(10)
    order = client.buy()
    client.step(300)
    assert client.get(f"/v2/orders/{order['id']}").json()["filled_qty"] == "0"
    client.step(400)
    assert client.get(f"/v2/orders/{order['id']}").json()["status"] == "filled"


@covers("split_overnight")
def test_split_overnight_changes_the_position_and_leaves_an_activity(client) -> None:
    client.buy()
    client.step(1)
    client.fault("split_overnight", at_s=60, symbol="AAPL", new_shares=2, old_shares=1)
    client.step(120)
    assert client.get("/v2/positions/AAPL").json()["qty"] == "20"
    assert [each["activity_type"] for each in client.get("/v2/account/activities/SPLIT").json()] == ["SPLIT"]


@covers("external_order")
def test_external_order_appears_in_the_account(client) -> None:
    client.get("/v2/account")
    client.fault("external_order", at_s=5, symbol="MSFT", side="buy", qty=4, key_id="PK*")
    client.step(10)
    assert client.get("/v2/positions/MSFT").json()["qty"] == "4"


def test_an_external_order_that_one_account_may_not_have_is_logged_and_time_goes_on(client) -> None:
    client.get("/v2/account")
    other = {"APCA-API-KEY-ID": "PKOTHER", "APCA-API-SECRET-KEY": "secret"}
    sale = {"symbol": "MSFT", "qty": "1", "side": "sell", "type": "limit", "limit_price": "9000"}
    rested = client.session.post(
        f"{client.http}/v2/orders", json={**sale, "time_in_force": "day"}, headers=other, timeout=TIMEOUT_S
    )
    assert rested.status_code == 200, rested.text  # a purchase of MSFT beside it would be a wash trade
    client.fault("external_order", at_s=5, symbol="MSFT", side="buy", qty=4)
    assert client.step(120)["events"]["bars"] == 2
    assert client.get("/v2/positions/MSFT").json()["qty"] == "4"
    refused = [each for each in client.log() if each["what"] == "fault_refused"]
    assert [each["name"] for each in refused] == ["external_order"]
    assert "wash trade" in refused[0]["reason"]


@covers("external_close")
def test_external_close_takes_a_position_away(client) -> None:
    client.buy()
    client.step(1)
    client.fault("external_close", at_s=30, symbol="AAPL")
    client.step(60)
    assert client.get("/v2/positions").json() == []


@covers("account_restricted")
def test_account_restricted_takes_no_order(client) -> None:
    client.get("/v2/account")
    client.fault("account_restricted", at_s=5, restriction="trading_blocked")
    client.step(10)
    assert client.get("/v2/account").json()["trading_blocked"] is True
    answer = client.post(
        "/v2/orders", {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    )
    assert answer.status_code == 403


@covers("wrong_quote")
@pytest.mark.parametrize(
    ("how", "is_so"),
    [
        ("crossed", lambda quote: quote["bp"] > quote["ap"]),
        ("zero", lambda quote: quote["bp"] == quote["ap"] == 0),
        ("stale", lambda quote: quote["t"] < "2024-03-11T13:31:45Z"),
    ],
)
def test_wrong_quote_is_shown(client, how: str, is_so: Callable[[dict[str, Any]], bool]) -> None:
    client.fault("wrong_quote", how=how, when={"symbol": "AAPL"})
    client.get("/v2/stocks/AAPL/quotes/latest")
    client.step(60)
    assert is_so(client.get("/v2/stocks/AAPL/quotes/latest").json()["quote"])
    assert not is_so(client.get("/v2/stocks/MSFT/quotes/latest").json()["quote"])
    assert client.fired() == ["wrong_quote"]


@covers("clock_skew")
def test_clock_skew_is_in_the_header_and_on_the_clock(client) -> None:
    client.fault("clock_skew", skew_s=-3600)
    answer = client.get("/v2/clock")
    assert answer.json()["timestamp"].startswith("2024-03-11T08:31:30")
    assert answer.headers["Date"] == "Mon, 11 Mar 2024 12:31:30 GMT"


def test_every_fault_that_fires_is_logged(client) -> None:
    client.fault("refused_request", when={"route": "GET /v2/account"}, count=1, name="grumpy")
    client.get("/v2/account")
    (line,) = [each for each in client.log() if each["what"] == "fault"]
    assert (line["name"], line["kind"], line["on"]["path"]) == ("grumpy", "refused_request", "/v2/account")


def test_every_kind_of_fault_has_been_seen_on_the_wire() -> None:
    assert set(KINDS) - COVERED == set()
