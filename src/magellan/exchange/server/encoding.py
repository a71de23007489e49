"""What goes over the wire: JSON, and MessagePack with its timestamp extension."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

import msgpack
import orjson

from magellan.trading.timeframe import SECOND_NS

MSGPACK_TYPE = "application/msgpack"


class Encoding(StrEnum):
    """How a WebSocket's messages are written."""

    JSON_TEXT = "json in text frames"
    JSON_BINARY = "json in binary frames"
    MSGPACK = "msgpack in binary frames"


def to_json(value: Any) -> bytes:
    """`value` as compact JSON."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)


def to_keep(written: bytes) -> bytes:
    """What orjson wrote, in as many bytes as it has.

    orjson leaves a document in the buffer in which it was written: 16 KiB for a trade update of one. What is kept for
    long is copied out of it.
    """
    return bytes(memoryview(written))


def to_msgpack(value: Any) -> bytes:
    """`value` as MessagePack."""
    packed: bytes = msgpack.packb(value)
    return packed


def timestamp(at_ns: int) -> msgpack.Timestamp:
    """An instant as MessagePack's timestamp extension, to the nanosecond."""
    return msgpack.Timestamp(at_ns // SECOND_NS, at_ns % SECOND_NS)


def rfc3339(at_ns: int) -> str:
    """An instant as Alpaca writes it, for example 2024-03-11T13:30:00.5Z; trailing zeros are left out."""
    seconds, rest = divmod(at_ns, SECOND_NS)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{_to_the_second(seconds)}{fraction}Z"


@lru_cache(maxsize=1024)
def _to_the_second(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat()[:19]


def read_message(data: str | bytes) -> Any:
    """What a client sent in one WebSocket message, whichever of the two formats it chose.

    Raises: ValueError when it is neither.
    """
    if isinstance(data, str):
        return orjson.loads(data)
    # A JSON document starts with a bracket, which as MessagePack would be a small number: never a request.
    if data.lstrip()[:1] in (b"{", b"["):
        return orjson.loads(data)
    try:
        return msgpack.unpackb(data)
    except (msgpack.exceptions.UnpackException, msgpack.exceptions.ExtraData) as error:
        raise ValueError(f"neither JSON nor MessagePack: {error}") from None
