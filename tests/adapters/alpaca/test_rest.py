"""What the broker says is passed on as it said it, without the keys that it may repeat."""

from __future__ import annotations

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from magellan.adapters.alpaca.rest import AlpacaRest, Body
from magellan.ports.broker import Refused

SAID = "insufficient qty available for order (requested: 6, available: 0)"
ROUND = 20  # orders, as many as positions of 5 % each


class Refusing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        repeated = self.headers["APCA-API-SECRET-KEY"]
        body = json.dumps({"code": 40310000, "message": f"{SAID} {repeated}"}).encode()
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        return


@pytest.mark.parametrize(("secret", "shown"), [("s", "s"), ("canary-5417", "[hidden]")])
def test_a_refusal_keeps_its_words_and_loses_the_key(secret: str, shown: str) -> None:
    server = HTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    async def refusal() -> object:
        rest = AlpacaRest(
            ("PK1", secret),
            f"http://127.0.0.1:{server.server_address[1]}",
            connect_timeout_s=5,
            read_timeout_s=5,
        )
        try:
            return await rest.once("GET", "/v2/orders")
        finally:
            await rest.close()

    try:
        assert asyncio.run(refusal()) == Refused(code="40310000", message=f"{SAID} {shown}")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_twenty_orders_of_one_round_do_not_wait_for_each_others_answers() -> None:
    """Beyond eight they did: until answers had come, and everything else of the round had been done."""
    arrived = 0
    all_are_here = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal arrived
        await reader.readuntil(b"\r\n\r\n")
        arrived += 1
        if arrived == ROUND:
            all_are_here.set()
        await all_are_here.wait()
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        writer.close()

    async def submitted() -> list[object]:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            rest = AlpacaRest(("PK1", "s"), f"http://127.0.0.1:{port}", connect_timeout_s=5, read_timeout_s=5)
            try:
                orders = (rest.once("POST", "/v2/orders", body={"n": n}) for n in range(ROUND))
                return await asyncio.gather(*orders)
            finally:
                all_are_here.set()
                await rest.close()

    assert asyncio.run(submitted()) == [Body(None)] * ROUND
