"""The time of a local exchange: what is no exchange is told in plain words, and nothing stays open."""

from __future__ import annotations

import asyncio
import gc
import socket

import pytest

from magellan.adapters.local.exchange_time import exchange_time
from magellan.errors import AskOperator
from one_answer import answering


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
