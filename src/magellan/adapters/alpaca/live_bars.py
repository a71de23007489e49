"""Alpaca's live bars, through alpaca-py: the stream of minute bars, and their history over REST."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
from pydantic import SecretStr

from magellan.adapters.missing_extra import extra_missing
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
from magellan.trading.bar import Bar, Bars, instant, nanoseconds
from magellan.trading.session import exchange_offset_ns
from magellan.trading.timeframe import DAY_NS, MINUTE, Timeframe

STREAM_URL: Final = "wss://stream.data.alpaca.markets"
DATA_URL: Final = "https://data.alpaca.markets"
FEEDS: Final = ("iex", "sip")  # that alpaca-py streams

_PAGE: Final = 10_000
_HALTED: Final = frozenset({"H", "2", "P"})  # halt and pause, on either tape
_RESUMED: Final = frozenset({"T", "3"})
_STALE_S: Final = 180.0  # a socket that answers pings and tells nothing for so long is made anew

logging.getLogger("alpaca.data.live.websocket").addHandler(logging.NullHandler())  # we tell it as events


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
        self._history = self._new_history_client(base_url)
        self._told: asyncio.Queue[LiveBar | FeedUp | FeedDown | TradingStatus | FixInput | None] = (
            asyncio.Queue()
        )
        self._stream_client: Any = None
        self._task: asyncio.Task[None] | None = None

    @property
    def source(self) -> str:
        return f"alpaca/{self._feed}"

    async def history(
        self, symbols: Sequence[str], timeframe: Timeframe, start_at: datetime, end_at: datetime
    ) -> Mapping[str, Bars]:
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, self._read_history, tuple(symbols), timeframe, start_at, end_at
        )

    async def stream(
        self, symbols: Sequence[str]
    ) -> AsyncIterator[LiveBar | FeedUp | FeedDown | TradingStatus]:
        client = self._new_stream_client()
        client.subscribe_bars(self._take_bar, *symbols)
        client.subscribe_updated_bars(self._take_correction, *symbols)
        client.subscribe_trading_statuses(self._take_status, *symbols)
        self._stream_client = client
        self._task = asyncio.create_task(client._run_forever(), name="alpaca bar stream")
        self._task.add_done_callback(lambda _: self._told.put_nowait(None))
        while (event := await self._told.get()) is not None:
            if isinstance(event, FixInput):
                raise event
            yield event

    async def close(self) -> None:
        if self._stream_client is not None:
            await self._stream_client.stop_ws()
            await self._stream_client.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _take_bar(self, message: Any) -> None:
        self._told.put_nowait(self._bar_of(message, corrects=False))

    async def _take_correction(self, message: Any) -> None:
        self._told.put_nowait(self._bar_of(message, corrects=True))

    async def _take_status(self, message: Any) -> None:
        code = str(message.get("sc"))
        if code not in _HALTED | _RESUMED:
            return
        reason = " ".join(str(message.get(name) or "") for name in ("sm", "rc", "rm")).strip()
        self._told.put_nowait(
            TradingStatus(
                symbol=str(message["S"]),
                halted=code in _HALTED,
                reason=reason or code,
                at=self._clock(),
            )
        )

    def _bar_of(self, message: Any, *, corrects: bool) -> LiveBar | FeedDown:
        try:
            opened_at = message["t"]
            if not isinstance(opened_at, datetime):  # msgpack's own timestamp
                opened_at = opened_at.to_datetime()
            return LiveBar(
                symbol=str(message["S"]),
                timeframe=MINUTE,
                bar=Bar(
                    opened_at=opened_at.astimezone(UTC),
                    open=float(message["o"]),
                    high=float(message["h"]),
                    low=float(message["l"]),
                    close=float(message["c"]),
                    volume=float(message["v"]),
                ),
                source=self.source,
                received_at=self._clock(),
                corrects=corrects,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return FeedDown(
                at=self._clock(), why=f"a bar that cannot be read: {type(error).__name__}: {error}"
            )

    def _read_history(
        self, symbols: tuple[str, ...], timeframe: Timeframe, start_at: datetime, end_at: datetime
    ) -> Mapping[str, Bars]:
        found: dict[str, list[Any]] = {symbol: [] for symbol in symbols}
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
            body = self._history.get("/stocks/bars", query)
            for symbol, rows in body["bars"].items():
                if symbol not in found:
                    raise VendorUnreadable(f"Alpaca sent bars of {symbol}, which nobody asked for")
                found[symbol] += rows
            if not body.get("next_page_token"):
                break
            query = {**query, "page_token": body["next_page_token"]}
        end_ns, now_ns = nanoseconds(end_at), nanoseconds(self._clock())
        made = {}
        for symbol, rows in found.items():
            bars = _columns(symbol, timeframe, rows)
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

    def _new_history_client(self, base_url: str) -> Any:
        try:
            with warnings.catch_warnings():
                # alpaca-py imports a part of websockets that is deprecated; its users cannot help that.
                warnings.simplefilter("ignore", DeprecationWarning)
                from alpaca.data.historical.stock import StockHistoricalDataClient
                from requests import Session
                from requests.exceptions import RequestException
        except ImportError as error:
            raise extra_missing("alpaca", error) from error
        patience, secrets = self._patience, self._secrets

        class PatientSession(Session):
            """The library would wait for ever, and ask again by a rule of its own; so we do both."""

            def request(self, method: Any, url: Any, *args: Any, **options: Any) -> Any:
                timeout_s = patience.connect_timeout_s, patience.read_timeout_s
                return asked(
                    "Alpaca",
                    lambda: super(PatientSession, self).request(
                        method, url, *args, **{"timeout": timeout_s, **options}
                    ),
                    answer_of=lambda response: Answer(
                        status=response.status_code, headers=response.headers, body=response.content
                    ),
                    transport_errors=(RequestException,),
                    refusal=lambda answer: _refusal(answer, secrets),
                    content=_must_be_bars,
                    secrets=secrets,
                    patience=patience,
                )

        client = StockHistoricalDataClient(*self._secrets, raw_data=True, url_override=base_url)
        client._session = PatientSession()
        return client

    def _new_stream_client(self) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            from alpaca.data.live.stock import StockDataStream
        feed = self

        class ToldStream(StockDataStream):
            """Says when it listens and when it lost the connection; alpaca-py only logs both."""

            async def _send_subscribe_msg(self) -> None:
                await super()._send_subscribe_msg()
                feed._told.put_nowait(FeedUp(at=feed._clock()))

            async def _consume(self) -> bool:
                while True:
                    try:
                        return bool(await super()._consume())
                    except (ValueError, KeyError, TypeError, AttributeError) as error:
                        # alpaca-py logs a message that it cannot read, and goes on without it; it may have been a bar.
                        why = f"a message that cannot be read: {type(error).__name__}: {error}"
                        feed._told.put_nowait(FeedDown(at=feed._clock(), why=why))
                        feed._told.put_nowait(FeedUp(at=feed._clock()))

            async def _auth(self) -> None:
                try:
                    await super()._auth()
                except ValueError as error:
                    said = str(error)
                    if "auth" in said or "insufficient" in said:
                        feed._told.put_nowait(
                            FixInput(
                                f"Alpaca's data stream refuses the key: {own_words(said.encode(), feed._secrets)}",
                                next_step="check the key, and that its plan includes the feed",
                            )
                        )
                    raise

            async def _wait_before_reconnect(self, retries: int) -> None:
                feed._told.put_nowait(
                    FeedDown(
                        at=feed._clock(),
                        why=f"the connection to {urlsplit(feed._stream_url).netloc} was lost or refused "
                        f"(attempt {retries})",
                    )
                )
                await super()._wait_before_reconnect(retries)

        return ToldStream(*self._secrets, raw_data=True, url_override=self._stream_url, data_timeout=_STALE_S)


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
