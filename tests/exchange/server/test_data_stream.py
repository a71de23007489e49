"""The data streams as raw WebSocket messages."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgpack
import pytest
from websockets.sync.client import ClientConnection, connect

from magellan.exchange.server import websocket

TIMEOUT_S = 10
AUTH = {"action": "auth", "key": "PKTEST", "secret": "secret"}


def received(socket: ClientConnection) -> list[dict[str, Any]]:
    return json.loads(socket.recv(timeout=TIMEOUT_S))


@contextmanager
def subscribed(client, path: str = "/v2/sip", **channels: list[str]) -> Iterator[ClientConnection]:
    with connect(client.ws + path) as socket:
        assert received(socket) == [{"T": "success", "msg": "connected"}]
        socket.send(json.dumps(AUTH))
        assert received(socket) == [{"T": "success", "msg": "authenticated"}]
        socket.send(json.dumps({"action": "subscribe", **channels}))
        assert received(socket)[0]["T"] == "subscription"
        yield socket


def test_closed_bars_arrive_at_the_end_of_their_minute(client) -> None:
    with subscribed(client, bars=["AAPL"]) as socket:
        client.step(29)
        client.step(1)
        (bar,) = received(socket)
        assert (bar["T"], bar["S"], bar["t"]) == ("b", "AAPL", "2024-03-11T13:31:00Z")
        over_rest = client.get("/v2/stocks/AAPL/bars", timeframe="1Min", start="2024-03-11T13:31:00Z").json()[
            "bars"
        ][0]
        assert {name: bar[name] for name in "tohlcvn"} == {name: over_rest[name] for name in "tohlcvn"}


def test_all_symbols_of_an_instant_come_in_one_message(client) -> None:
    with subscribed(client, bars=["*"]) as socket:
        client.step(30)
        assert [each["S"] for each in received(socket)] == ["AAPL", "MSFT"]


def test_trades_and_quotes_come_every_second_and_are_never_ahead_of_time(client) -> None:
    with subscribed(client, trades=["AAPL"], quotes=["MSFT"]) as socket:
        client.step(10)
        found: list[dict[str, Any]] = []
        while {each["T"] for each in found} != {"t", "q"}:
            found += received(socket)
        assert {each["S"] for each in found if each["T"] == "t"} == {"AAPL"}
        assert all(each["t"] <= "2024-03-11T13:31:40Z" for each in found)


def test_messagepack_carries_times_in_its_own_form(client) -> None:
    with connect(client.ws + "/v2/sip", additional_headers={"Content-Type": "application/msgpack"}) as socket:
        assert msgpack.unpackb(socket.recv(timeout=TIMEOUT_S))[0]["msg"] == "connected"
        socket.send(msgpack.packb(AUTH))
        socket.recv(timeout=TIMEOUT_S)
        whole = msgpack.packb({"action": "subscribe", "bars": ["AAPL"]})
        socket.send(iter([whole[:5], whole[5:9], whole[9:]]))  # one message in three frames
        assert msgpack.unpackb(socket.recv(timeout=TIMEOUT_S))[0]["bars"] == ["AAPL"]
        client.step(30)
        (bar,) = msgpack.unpackb(socket.recv(timeout=TIMEOUT_S))
        assert isinstance(bar["t"], msgpack.Timestamp)


def test_keys_in_the_request_let_a_client_in(client) -> None:
    headers = {"APCA-API-KEY-ID": "PKTEST", "APCA-API-SECRET-KEY": "secret"}
    with connect(client.ws + "/v2/sip", additional_headers=headers) as socket:
        assert received(socket)[0]["msg"] == "connected"
        assert received(socket)[0]["msg"] == "authenticated"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"action": "subscribe", "bars": ["AAPL"]}, 401),
        ({"action": "auth", "key": "PKTEST", "secret": ""}, 402),
        ("nonsense", 401),
    ],
)
def test_a_client_that_was_not_let_in_gets_an_error(client, sent: Any, code: int) -> None:
    with connect(client.ws + "/v2/sip") as socket:
        received(socket)
        socket.send(json.dumps(sent))
        assert received(socket)[0]["code"] in (code, 400)


def test_compression_is_agreed_to_where_it_is_allowed(start: Callable) -> None:
    from magellan.exchange.server.websocket import StreamTerms

    for allowed in (True, False):
        client = start(streams=StreamTerms(deflate=allowed))
        with subscribed(client, bars=["*"]) as socket:
            agreed = "permessage-deflate" in socket.response.headers.get("Sec-WebSocket-Extensions", "")
            assert agreed is allowed
            client.step(30)
            assert len(received(socket)) == 2


def test_the_test_stream_knows_one_symbol_that_needs_no_subscription_plan(client) -> None:
    with subscribed(client, "/v2/test", bars=["FAKEPACA"]) as socket:
        client.step(30)
        assert [each["S"] for each in received(socket)] == ["FAKEPACA"]


def test_the_delayed_feed_is_fifteen_minutes_late(client) -> None:
    with subscribed(client, "/v2/delayed_sip", bars=["AAPL"]) as socket:
        client.step(30 + 14 * 60)
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.1)
        client.step(60)
        assert received(socket)[0]["t"] == "2024-03-11T13:31:00Z"


def test_a_basic_plan_has_no_sip_stream(start: Callable) -> None:
    from magellan.exchange.data_api.entitlement import BASIC

    client = start(entitlement=BASIC)
    with connect(client.ws + "/v2/sip") as socket:
        received(socket)
        socket.send(json.dumps(AUTH))
        assert received(socket)[0]["code"] == 409
    with subscribed(client, "/v2/iex", bars=["AAPL"]):
        pass


def test_a_halt_and_its_end_are_told_on_the_stream(client) -> None:
    with subscribed(client, statuses=["AAPL"]) as socket:
        client.post("/_magellan/market/halt", {"symbol": "AAPL", "reason": "T12"})
        (halt,) = received(socket)
        assert (halt["T"], halt["sc"], halt["rc"]) == ("s", "H", "T12")
        client.step(60)
        client.post("/_magellan/market/resume", {"symbol": "AAPL"})
        assert received(socket)[0]["sc"] == "T"


def test_a_client_that_takes_nothing_holds_up_time_no_longer_than_it_may(
    client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "TAKES_WITHIN_S", 0.2)
    with subscribed(client, bars=["*"]) as mute, subscribed(client, bars=["*"]) as socket:
        mute.close_timeout = 0.1  # nobody answers it

        def pile_up(server) -> None:
            for _ in range(40):  # more than the system takes for a client that reads nothing
                server._streams.connections[0].publish(b" " * 1_000_000)

        client.exchange.call(pile_up)
        client.step(60)
        assert [each["T"] for each in received(socket)] == ["b", "b"]
        assert len(client.get("/_magellan/streams").json()["streams"]) == 1


def test_a_client_that_does_not_read_is_told_and_dropped(start: Callable) -> None:
    from magellan.exchange.server.websocket import StreamTerms

    client = start(streams=StreamTerms(waiting_max_bytes=20_000))
    with subscribed(client, bars=["*"], trades=["*"], quotes=["*"]) as socket:
        # A client whose machine is too slow takes nothing out of its socket; so the pipe fills, then the outbox.
        def pile_up(server) -> None:
            (connection,) = server._streams.connections
            connection.publish(b"[" + b" " * 30_000 + b"]")
            connection.publish(b"[]")

        client.exchange.call(pile_up)
        assert received(socket)[0]["code"] == 407
