"""Alpaca's live bars: the stream of minute bars, and their history over REST."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

import msgpack
import numpy as np
import orjson
from pydantic import SecretStr

from magellan.adapters.alpaca.rest import AlpacaRest, transport_errors
from magellan.adapters.alpaca.web_socket import AlpacaSocket, StreamLost, received
from magellan.adapters.vendor_request import (
    Answer,
    Patience,
    asked,
    checked_base_url,
    own_words,
)
from magellan.errors import FixInput
from magellan.ports.live_bars import FeedDown, FeedUp, LiveBar, TradingStatus
from magellan.ports.vendor import VendorRefused, VendorUnreadable
from magellan.trading.bar import PRICE_COLUMNS, Bar, Bars, instant, nanoseconds
from magellan.trading.session import exchange_offset_ns
from magellan.trading.timeframe import DAY_NS, MINUTE, Timeframe

STREAM_URL: Final = "wss://stream.data.alpaca.markets"
DATA_URL: Final = "https://data.alpaca.markets"
FEEDS: Final = ("iex", "sip")  # that alpaca-py streams

_PAGE: Final = 10_000
_HALTED: Final = frozenset({"H", "2", "P"})  # halt and pause, on either tape
_RESUMED: Final = frozenset({"T", "3"})
_STALE_S: Final = 180.0  # a socket that answers pings and tells nothing for so long is made anew
_SUBSCRIBED_AT_ONCE: Final = 500  # symbols; a message of more than 32 KB is refused

Told = LiveBar | FeedUp | FeedDown | TradingStatus


if TYPE_CHECKING:
    import aiohttp


class AlpacaLiveBars:
    """Keeps `ports.live_bars.LiveBars`.

    data_url: instead of Alpaca's own address for history; the local paper exchange's serves the stream too.
    """

    def __init__(
        self,
        key_id: SecretStr,
        secret_key: SecretStr,
        *,
        feed: str,
        data_url: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        patience: Patience | None = None,
    ) -> None:
        if feed not in FEEDS:
            raise FixInput(f"Alpaca streams no feed '{feed}'", next_step=f"choose one of {', '.join(FEEDS)}")
        base_url = checked_base_url(data_url or DATA_URL, "the data url")
        self._feed = feed
        self._clock = clock
        self._stream_url = f"{base_url.replace('http', 'ws', 1) if data_url else STREAM_URL}/v2/{feed}"
        self._secrets = (key_id.get_secret_value(), secret_key.get_secret_value())
        self._patience = patience or Patience(attempts=4, first_wait_s=0.5, longest_wait_s=30.0)
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="alpaca-bars")
        self._rest = AlpacaRest(
            self._secrets,
            f"{base_url}/v2",
            connect_timeout_s=self._patience.connect_timeout_s,
            read_timeout_s=self._patience.read_timeout_s,
        )
        self._socket: AlpacaSocket[Told] | None = None

    @property
    def source(self) -> str:
        return f"alpaca/{self._feed}"

    async def history(
        self, symbols: Sequence[str], timeframe: Timeframe, start_at: datetime, end_at: datetime
    ) -> Mapping[str, Bars]:
        loop = asyncio.get_running_loop()

        def page(query: Mapping[str, str]) -> Answer:
            return asyncio.run_coroutine_threadsafe(self._page(query), loop).result()

        # In a thread of its own: reading ten thousand rows holds up no bar and no order.
        return await loop.run_in_executor(
            self._pool, self._read_history, page, tuple(symbols), timeframe, start_at, end_at
        )

    async def stream(self, symbols: Sequence[str]) -> AsyncIterator[Told]:
        self._socket = AlpacaSocket(
            self._stream_url,
            _BarSpeech(tuple(symbols), self._secrets, self.source, self._clock),
            silent_s=_STALE_S,
        )
        async for each in self._socket.told():
            yield each

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()
        await self._rest.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _page(self, query: Mapping[str, str]) -> Answer:
        status, headers, body = await self._rest.raw("GET", "/stocks/bars", query=query)
        return Answer(status=status, headers=headers, body=body)

    def _read_history(
        self,
        page: Callable[[Mapping[str, str]], Answer],
        symbols: tuple[str, ...],
        timeframe: Timeframe,
        start_at: datetime,
        end_at: datetime,
    ) -> Mapping[str, Bars]:
        # Columns page by page: a bar as JSON takes twenty times the memory, which the process would never give back.
        found = {symbol: [_columns(symbol, timeframe, [])] for symbol in symbols}
        query = {
            "symbols": ",".join(symbols),
            "timeframe": str(timeframe),
            "start": _text(start_at),
            "end": _text(end_at),
            "adjustment": "split",
            "feed": self._feed,
            "limit": str(_PAGE),
            "sort": "asc",
        }
        while True:
            answer = asked(
                "Alpaca",
                partial(page, query),
                answer_of=lambda answer: answer,
                transport_errors=transport_errors(),
                refusal=lambda answer: _refusal(answer, self._secrets),
                content=_must_be_bars,
                secrets=self._secrets,
                patience=self._patience,
            )
            body = orjson.loads(answer.body)
            for symbol, rows in body["bars"].items():
                if symbol not in found:
                    raise VendorUnreadable(f"Alpaca sent bars of {symbol}, which nobody asked for")
                found[symbol].append(_columns(symbol, timeframe, rows))
            if not body.get("next_page_token"):
                break
            query = {**query, "page_token": body["next_page_token"]}
        end_ns, now_ns = nanoseconds(end_at), nanoseconds(self._clock())
        made = {}
        for symbol, pieces in found.items():
            bars = _joined(pieces)
            wanted = bars.opened_at_ns < end_ns  # the end is inclusive at Alpaca's
            if timeframe.is_daily:  # labelled with the exchange's midnight, and we label with UTC's
                midnight_ns = (bars.opened_at_ns + exchange_offset_ns(bars.opened_at_ns)) // DAY_NS * DAY_NS
                bars = replace(bars, opened_at_ns=midnight_ns)
            else:
                wanted &= (
                    bars.opened_at_ns + timeframe.span_ns <= now_ns
                )  # the running bar is sent like a closed one
            made[symbol] = bars.rows(wanted).checked()
        return made


class _BarSpeech:
    """Keeps `web_socket.Speech`: MessagePack, many messages to a frame."""

    headers: ClassVar[dict[str, str]] = {"Content-Type": "application/msgpack"}

    def __init__(
        self,
        symbols: tuple[str, ...],
        secrets: tuple[str, str],
        source: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._symbols = symbols
        self._secrets = secrets
        self._source = source
        self._clock = clock

    async def begin(self, socket: aiohttp.ClientWebSocketResponse) -> Iterable[Told]:
        _must_succeed(await received(socket), "connected")
        key_id, secret_key = self._secrets
        await socket.send_bytes(msgpack.packb({"action": "auth", "key": key_id, "secret": secret_key}))
        try:
            _must_succeed(await received(socket), "authenticated")
        except StreamLost as error:
            said = str(error)
            if "auth" in said or "insufficient" in said:
                raise FixInput(
                    f"Alpaca's data stream refuses the key: {own_words(said.encode(), self._secrets)}",
                    next_step="check the key, and that its plan includes the feed",
                ) from error
            raise
        for start in range(0, len(self._symbols), _SUBSCRIBED_AT_ONCE):
            some = self._symbols[start : start + _SUBSCRIBED_AT_ONCE]
            await socket.send_bytes(
                msgpack.packb({"action": "subscribe", "bars": some, "updatedBars": some, "statuses": some})
            )
        return (FeedUp(at=self._clock()),)

    def read(self, frame: bytes | str) -> Iterator[Told]:
        try:
            messages = _unpacked(frame)
        except StreamLost as error:
            yield from self._unread(str(error))
            return
        for message in messages:
            match message:
                case {"T": "b", "S": str(symbol)}:
                    yield from self._bar(symbol, message, corrects=False)
                case {"T": "u", "S": str(symbol)}:
                    yield from self._bar(symbol, message, corrects=True)
                case {"T": "s", "S": str(symbol)}:
                    yield from self._status(symbol, message)
                case {"T": "error", "msg": said}:
                    raise StreamLost(own_words(str(said).encode(), self._secrets))

    def lost(self, why: str) -> FeedDown:
        return FeedDown(at=self._clock(), why=why)

    def _bar(self, symbol: str, message: Mapping[str, Any], *, corrects: bool) -> Iterator[Told]:
        try:
            opened_at = message["t"]
            yield LiveBar(
                symbol=symbol,
                timeframe=MINUTE,
                bar=Bar(
                    opened_at=opened_at if isinstance(opened_at, datetime) else opened_at.to_datetime(),
                    open=float(message["o"]),
                    high=float(message["h"]),
                    low=float(message["l"]),
                    close=float(message["c"]),
                    volume=float(message["v"]),
                ),
                source=self._source,
                received_at=self._clock(),
                corrects=corrects,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            yield from self._unread(f"a bar that cannot be read: {type(error).__name__}: {error}")

    def _status(self, symbol: str, message: Mapping[str, Any]) -> Iterator[Told]:
        code = str(message.get("sc"))
        if code not in _HALTED | _RESUMED:
            return
        reason = " ".join(str(message.get(name) or "") for name in ("sm", "rc", "rm")).strip()
        yield TradingStatus(symbol=symbol, halted=code in _HALTED, reason=reason or code, at=self._clock())

    def _unread(self, why: str) -> Iterator[Told]:
        """What cannot be read may have been a bar: the history is asked for it."""
        yield FeedDown(at=self._clock(), why=why)
        yield FeedUp(at=self._clock())


def _unpacked(frame: bytes | str) -> list[Any]:
    """The messages of a frame. Raises StreamLost for one that holds none."""
    try:
        messages = msgpack.unpackb(frame if isinstance(frame, bytes) else frame.encode())
    except (ValueError, msgpack.UnpackException) as error:
        raise StreamLost(f"a message that cannot be read: {type(error).__name__}: {error}") from error
    if not isinstance(messages, list):
        raise StreamLost("a message that cannot be read: it is no list")
    return messages


def _must_succeed(frame: bytes | str, word: str) -> None:
    """Raises StreamLost, with the words of the stream, unless it tells this success."""
    match _unpacked(frame):
        case [{"T": "success", "msg": said}, *_] if said == word:
            return
        case [{"msg": said}, *_]:
            raise StreamLost(str(said))
    raise StreamLost(f"it never said '{word}'")


def _columns(symbol: str, timeframe: Timeframe, rows: list[Any]) -> Bars:
    try:
        opened_at_ns = np.array([row["t"].removesuffix("Z") for row in rows], dtype="datetime64[ns]")
        columns = {
            name: np.array([row[theirs] for row in rows], dtype=np.float64)
            for name, theirs in (("open", "o"), ("high", "h"), ("low", "l"), ("close", "c"), ("volume", "v"))
        }
    except (KeyError, ValueError, AttributeError, TypeError) as error:
        raise VendorUnreadable(f"Alpaca's bars of {symbol} have other fields: {error}") from error
    return Bars(symbol=symbol, timeframe=timeframe, opened_at_ns=opened_at_ns.astype(np.int64), **columns)


def _joined(pieces: list[Bars]) -> Bars:
    """Bars of one symbol that follow each other, as one."""
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(piece, name) for piece in pieces])
        for name in ("opened_at_ns", *PRICE_COLUMNS, "volume")
    }
    return replace(pieces[0], **columns)


def _refusal(answer: Answer, secrets: tuple[str, ...]) -> VendorRefused | None:
    said = own_words(answer.body, secrets)
    if answer.status in (401, 403):
        return VendorRefused(
            f"Alpaca refuses to tell bars (status {answer.status}): {said}",
            next_step="check the key, and that its plan includes the feed",
        )
    return None


def _must_be_bars(told: Any) -> None:
    if not isinstance(told, dict) or not isinstance(told.get("bars"), dict):
        raise VendorUnreadable(
            "Alpaca answered with JSON that holds no bars", next_step="check the data address"
        )


def _text(at: datetime) -> str:
    return instant(nanoseconds(at)).isoformat().replace("+00:00", "Z")
