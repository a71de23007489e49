"""The time of a local exchange: what is no exchange is told in plain words, and nothing stays open."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from magellan.adapters.local.exchange_time import exchange_time
from magellan.errors import AskOperator


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    """A server that answers every request with these bytes."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def begin(address: str) -> None:
    """Ask for the time there. A pool of connections that is left open is a warning, and warnings are errors."""
    asyncio.run(exchange_time(address, key_id="PK1", symbols=frozenset()))
    gc.collect()


@pytest.mark.parametrize(
    "body", [b"<html>Welcome to the hotel's network</html>", b"{}", b"[]", b'{"mode": "shifted", "now": 7}']
)
def test_what_answers_and_is_no_exchange_is_told_as_that(body: bytes) -> None:
    with answering(body) as address, pytest.raises(AskOperator, match="not like a paper exchange"):
        begin(address)
    gc.collect()


def test_an_address_where_nobody_listens_is_told_and_leaves_nothing_open() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(AskOperator, match="cannot be reached"):
        begin(address)
    gc.collect()
