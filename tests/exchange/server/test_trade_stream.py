"""The trade stream as raw WebSocket messages."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgpack
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

TIMEOUT_S = 10
OLD_FORM = {"action": "authenticate", "data": {"key_id": "PKTEST", "secret_key": "secret"}}
NEW_FORM = {"action": "auth", "key": "PKTEST", "secret": "secret"}
LISTEN = {"action": "listen", "data": {"streams": ["trade_updates"]}}
AUTHORIZED = {"stream": "authorization", "data": {"status": "authorized", "action": "authenticate"}}
UNAUTHORIZED = {"stream": "authorization", "data": {"status": "unauthorized", "action": "authenticate"}}


def received(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(timeout=TIMEOUT_S))


@contextmanager
def listening(client, path: str = "/stream") -> Iterator[ClientConnection]:
    """A connection that gets trade updates."""
    with connect(client.ws + path) as socket:
        socket.send(json.dumps(OLD_FORM))
        assert received(socket) == AUTHORIZED
        socket.send(json.dumps(LISTEN))
        assert received(socket)["stream"] == "listening"
        yield socket


@pytest.mark.parametrize("path", ["/stream", "/stream/"])
@pytest.mark.parametrize(
    ("sent", "answers"),
    [
        (OLD_FORM, AUTHORIZED),
        (NEW_FORM, AUTHORIZED),
        ({"action": "auth", "key": "PKTEST", "secret": ""}, UNAUTHORIZED),
        ({"action": "authenticate", "data": {"key_id": 7}}, UNAUTHORIZED),
        ({"action": "authenticate", "data": []}, UNAUTHORIZED),
        (LISTEN, {"stream": "authorization", "data": {"status": "unauthorized", "action": "listen"}}),
        ({"action": "dance"}, {"stream": "error", "data": {"code": 400, "error": "invalid syntax"}}),
        ([1, 2], {"stream": "error", "data": {"code": 400, "error": "invalid syntax"}}),
    ],
)
def test_the_first_message_is_answered(client, path: str, sent: Any, answers: dict[str, Any]) -> None:
    with connect(client.ws + path) as socket:
        socket.send(json.dumps(sent))
        assert received(socket) == answers


def test_a_message_that_is_no_json_is_answered_and_the_connection_goes_on(client) -> None:
    with connect(client.ws + "/stream") as socket:
        socket.send("{broken")
        assert received(socket)["data"]["code"] == 400
        socket.send(json.dumps(OLD_FORM))
        assert received(socket) == AUTHORIZED


def test_updates_come_in_binary_frames_as_paper_accounts_get_them(client) -> None:
    with listening(client) as socket:
        order = client.buy()
        client.step(1)
        frames = [socket.recv(timeout=TIMEOUT_S) for _ in range(3)]
        assert all(isinstance(frame, bytes) for frame in frames)
        updates = [json.loads(frame)["data"] for frame in frames]
        assert updates[-1]["event"] == "fill"
        assert {each["order"]["id"] for each in updates} == {order["id"]}
        assert {"price", "qty", "position_qty", "timestamp", "execution_id"} <= updates[-1].keys()


def test_updates_come_in_text_frames_on_request(start: Callable) -> None:
    from magellan.exchange.server.websocket import StreamTerms

    client = start(streams=StreamTerms(trades_as_text=True))
    with listening(client) as socket:
        client.buy()
        assert isinstance(socket.recv(timeout=TIMEOUT_S), str)


def test_messagepack_is_spoken_to_clients_that_ask_for_it(client) -> None:
    with connect(client.ws + "/stream", additional_headers={"Content-Type": "application/msgpack"}) as socket:
        socket.send(msgpack.packb(OLD_FORM))
        assert msgpack.unpackb(socket.recv(timeout=TIMEOUT_S)) == AUTHORIZED
        socket.send(msgpack.packb(LISTEN))
        assert msgpack.unpackb(socket.recv(timeout=TIMEOUT_S))["data"] == {"streams": ["trade_updates"]}
        client.buy()
        assert msgpack.unpackb(socket.recv(timeout=TIMEOUT_S))["stream"] == "trade_updates"


def test_an_empty_list_stops_the_updates(client) -> None:
    with listening(client) as socket:
        socket.send(json.dumps({"action": "listen", "data": {"streams": []}}))
        assert received(socket)["data"]["streams"] == []
        client.buy()
        client.step(1)
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.2)


def test_an_account_hears_of_its_own_orders_only(client) -> None:
    with connect(client.ws + "/stream") as socket:
        socket.send(json.dumps({"action": "auth", "key": "PKOTHER", "secret": "s"}))
        received(socket)
        socket.send(json.dumps(LISTEN))
        received(socket)
        client.buy()
        client.step(1)
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.2)


def test_one_connection_per_key_where_that_is_the_rule(start: Callable) -> None:
    from magellan.exchange.server.websocket import StreamTerms

    client = start(streams=StreamTerms(one_per_key=True))
    with listening(client):
        with pytest.raises(InvalidStatus) as refused, connect(client.ws + "/stream"):
            pass
        assert refused.value.response.status_code == 429
        # Another account may come, and then may not use the key that is taken.
        client.session.get(
            client.http + "/v2/account", headers={"APCA-API-KEY-ID": "B", "APCA-API-SECRET-KEY": "b"}
        )
        with connect(client.ws + "/stream") as second:
            second.send(json.dumps(OLD_FORM))
            assert received(second)["data"]["code"] == 406
            with pytest.raises(ConnectionClosed):
                second.recv(timeout=TIMEOUT_S)


def test_an_upgrade_at_an_unknown_path_is_refused(client) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(client.ws + "/streams"):
        pass
    assert refused.value.response.status_code == 404
