"""A message of a data stream: encoded at most once per format, and shared by everybody who gets it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgpack
import orjson

from magellan.exchange.data_api.stream.stream_kind import LETTERS
from magellan.exchange.data_api.wire_time import rfc3339
from magellan.trading.timeframe import SECOND_NS

_packer = msgpack.Packer(autoreset=True)


class Message:
    """One message about one symbol. Instants are RFC 3339 text in JSON and the timestamp extension in MessagePack."""

    __slots__ = ("_body", "_json", "_msgpack", "at_ns", "channel", "symbol")

    def __init__(self, channel: str, symbol: str, at_ns: int, fields: Mapping[str, Any]) -> None:
        """fields: everything but the type (T), the symbol (S) and the instant (t), which come from the others."""
        self.channel = channel
        self.symbol = symbol
        self.at_ns = at_ns
        self._body: dict[str, Any] = {"T": LETTERS[channel], "S": symbol, **fields, "t": None}
        self._json: bytes | None = None
        self._msgpack: bytes | None = None

    @property
    def json(self) -> bytes:
        """The message as JSON."""
        if self._json is None:
            self._body["t"] = _text(self.at_ns)
            self._json = orjson.dumps(self._body)
        return self._json

    @property
    def msgpack(self) -> bytes:
        """The message as MessagePack."""
        if self._msgpack is None:
            self._body["t"] = _timestamp(self.at_ns)
            self._msgpack = _packer.pack(self._body)
        return self._msgpack

    @property
    def value(self) -> dict[str, Any]:
        """The message as it stands in JSON."""
        return self._body | {"t": _text(self.at_ns)}


@lru_cache(maxsize=1024)
def _text(at_ns: int) -> str:
    return rfc3339(at_ns)


@lru_cache(maxsize=1024)
def _timestamp(at_ns: int) -> msgpack.Timestamp:
    return msgpack.Timestamp(at_ns // SECOND_NS, at_ns % SECOND_NS)
