"""Frames: many messages in one WebSocket message, without encoding any of them again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any

import msgpack
import orjson

from magellan.exchange.data_api.stream.message import Message

# Clients refuse longer WebSocket messages: the websockets library from 1 MiB on, unless told otherwise.
LONGEST_FRAME = 256 * 1024


class Encoding(StrEnum):
    """How a data stream writes: text frames of JSON, or binary frames of MessagePack."""

    JSON = "json"
    MSGPACK = "msgpack"


def encode(value: Any, encoding: Encoding) -> bytes:
    """A control message: a list of plain values."""
    if encoding is Encoding.JSON:
        return orjson.dumps(value)
    packed: bytes = msgpack.packb(value)
    return packed


def decode(data: str | bytes) -> Any:
    """What a client sent, in either format. Raises ValueError when it is neither."""
    raw = data.encode() if isinstance(data, str) else data
    # A JSON document starts with a bracket, which as MessagePack would be a small number: never a request.
    if raw.lstrip()[:1] in (b"{", b"["):
        return orjson.loads(raw)
    try:
        return msgpack.unpackb(raw)
    except (msgpack.exceptions.UnpackException, msgpack.exceptions.ExtraData) as error:
        raise ValueError(f"neither JSON nor MessagePack: {error}") from None


def frames(messages: Sequence[Message], encoding: Encoding) -> Iterator[bytes]:
    """The messages as few frames, none longer than LONGEST_FRAME unless a single message is."""
    json = encoding is Encoding.JSON
    batch: list[bytes] = []
    size = 0
    for message in messages:
        encoded = message.json if json else message.msgpack
        if batch and size + len(encoded) >= LONGEST_FRAME:
            yield _joined(batch, json)
            batch, size = [], 0
        batch.append(encoded)
        size += len(encoded) + 1
    if batch:
        yield _joined(batch, json)


def _joined(batch: list[bytes], json: bool) -> bytes:
    if json:
        return b"[" + b",".join(batch) + b"]"
    header: bytes = msgpack.Packer().pack_array_header(len(batch))
    return header + b"".join(batch)
