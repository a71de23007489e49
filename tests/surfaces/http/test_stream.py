"""The live stream of regimes: server-sent events and a WebSocket."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from magellan.adapters.excel.workbook_files import ExcelWorkbookFiles
from magellan.ports.api_tokens import Scope
from magellan.regime.workbook.reading import template_values
from magellan.surfaces.http.app import create_app
from magellan.usecases.api_access import revoke_token
from magellan.usecases.regime_settings import REGIME_FILE


def test_a_stream_tells_the_reading_at_once(server: Any) -> None:
    told = server.ask("/api/market-regime/stream?symbol=ANCHOR&count=1")
    assert told.headers["Content-Type"].startswith("text/event-stream")
    event, data = told.body.decode().strip().split("\n")
    assert event == "event: reading"
    assert json.loads(data.removeprefix("data: "))["data"]["symbol"] == "ANCHOR"


def in_a_socket(server: Any, first: Any) -> tuple[Any, int | None]:
    """The first message of a WebSocket, and with what it is closed where that is a problem."""

    async def talk() -> tuple[Any, int | None]:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{server.url}/api/market-regime/ws") as ws,
        ):
            await (ws.send_str(first) if isinstance(first, str) else ws.send_json(first))
            told = json.loads(await ws.receive_str(timeout=30))
            return told, (await ws.receive(timeout=30)).data if "status" in told else None

    return asyncio.run(talk())


def test_a_socket_tells_the_reading_to_whoever_has_a_token(server: Any) -> None:
    told, _ = in_a_socket(server, {"token": server.token, "symbol": "ANCHOR"})
    assert told["source"] == "archive" and told["data"]["symbol"] == "ANCHOR"


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ({"token": "wrong", "symbol": "ANCHOR"}, "no-token"),
        ({"symbol": "ANCHOR"}, "malformed-request"),
        ({"symbol": "NOTHING"}, "set-not-found"),
        ({"symbol": "ANCHOR", "timeframe": "1Week"}, "fix-input"),
        ({"symbol": "é" * 500}, "malformed-request"),
        ({"symbol": ["ANCHOR"]}, "malformed-request"),
        ({"symbol": "\ud800"}, "malformed-request"),
        ("nonsense", "malformed-request"),
        ("[" * 10_000, "malformed-request"),
    ],
)
def test_a_socket_is_closed_with_the_problem_as_its_last_message(first: Any, code: str, server: Any) -> None:
    if isinstance(first, dict) and first != {"symbol": "ANCHOR"}:
        first = {"token": server.token, **first}
    told, closed_with = in_a_socket(server, first)
    assert (told["code"], closed_with) == (code, 1008)
    assert told["detail"] and told["fix"]


def test_a_revoked_token_ends_its_streams(workspace: Any, serve: Callable[..., Any]) -> None:
    server = serve(workspace)
    token = server.scoped(Scope.READ)
    first = {"token": token, "symbol": "ANCHOR"}

    async def talk() -> tuple[Any, str]:
        async with aiohttp.ClientSession() as session:
            url, headers = f"{server.url}/api/market-regime", {"Authorization": f"Bearer {token}"}
            async with (
                session.ws_connect(f"{url}/ws") as ws,
                session.get(f"{url}/stream?symbol=ANCHOR", headers=headers) as events,
            ):
                await ws.send_json(first)
                assert "data" in await ws.receive_json(timeout=60)
                assert (await events.content.readline()).startswith(b"event: reading")
                revoke_token("read", server.desk.tokens)
                return await ws.receive_json(timeout=60), (await events.content.read()).decode()

    told, events = asyncio.run(talk())
    assert told["code"] == "no-token"
    assert "event: problem" in events and "no-token" in events


def test_a_socket_whose_client_has_gone_is_asked_about_no_longer(server: Any) -> None:
    first = json.dumps({"token": server.token, "symbol": "ANCHOR"})
    said = [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": first},
        {"type": "websocket.disconnect", "code": 1006},
    ]
    told: list[Any] = []

    async def receive() -> Any:
        return said.pop(0)

    async def send(message: Any) -> None:
        told.append(message)  # which never fails: a client that has gone is not noticed by sending

    async def talk() -> None:
        scope = {
            "type": "websocket", "path": "/api/market-regime/ws", "query_string": b"", "subprotocols": [],
            "headers": [(b"host", b"127.0.0.1")], "client": ("127.0.0.1", 1),
        }  # fmt: skip
        await asyncio.wait_for(create_app(server.desk)(scope, receive, send), timeout=60)

    asyncio.run(talk())
    assert [each["type"] for each in told] == ["websocket.accept", "websocket.send"]


def test_a_new_config_is_told_in_the_stream(workspace: Any, serve: Callable[..., Any]) -> None:
    server = serve(workspace)
    first, _ = in_a_socket(server, {"token": server.token, "symbol": "ANCHOR"})
    ExcelWorkbookFiles().write(workspace / REGIME_FILE, template_values())
    again, _ = in_a_socket(server, {"token": server.token, "symbol": "ANCHOR"})
    assert first["data"]["config_sha256"] != again["data"]["config_sha256"]
