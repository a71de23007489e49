"""The data streams: `/v2/{feed}` and its kin over WebSockets, one publication shared by all who want it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from aiohttp import web

from magellan.exchange.data_api.entitlement import SIP_DELAY_NS, Entitlement, volume_share
from magellan.exchange.data_api.entitlement import Feed as DataFeed
from magellan.exchange.data_api.stream import publication
from magellan.exchange.data_api.stream.frame import Encoding as DataEncoding
from magellan.exchange.data_api.stream.frame import frames
from magellan.exchange.data_api.stream.message import Message
from magellan.exchange.data_api.stream.session import (
    AUTHENTICATE_WITHIN_NS,
    STREAM_ERRORS,
    Answer,
    Credentials,
    SessionState,
    StreamSession,
)
from magellan.exchange.data_api.stream.stream_kind import CRYPTO, NEWS, OPTIONS, STOCKS, StreamKind
from magellan.exchange.market.halt import Halt
from magellan.exchange.market.instant import Instant, InstantKind
from magellan.exchange.server.disturbed_market import DisturbedMarket
from magellan.exchange.server.encoding import Encoding
from magellan.exchange.server.event_log import EventLog
from magellan.exchange.server.faults.injector import FaultInjector, Occasion
from magellan.exchange.server.faults.plan import DuplicateData, LateData, LostData, Seam
from magellan.exchange.server.key_ring import KeyPair, KeyRing, Refusal, shown_pair
from magellan.exchange.server.packed_bars import PackedBars, packed_frames
from magellan.exchange.server.timeline import Timeline
from magellan.exchange.server.websocket import StreamConnection, StreamTerms, wants_msgpack
from magellan.trading.timeframe import SECOND_NS

TEST_SYMBOL = "FAKEPACA"  # of the test stream; it moves as the first symbol of the market does
_TICK_NS = SECOND_NS  # trades and quotes are published once in a second of exchange time
_TICKED = ("trades", "quotes", "orderbooks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One address of the data stream."""

    kind: StreamKind
    is_iex: bool = False
    is_empty: bool = False  # overnight feeds: these markets do not trade then
    is_test: bool = False
    delay_ns: int = 0
    needs_sip: bool = False
    needs_opra: bool = False

    def admits(self, entitlement: Entitlement) -> bool:
        """Whether a subscription includes this feed."""
        return (entitlement.recent_sip or not self.needs_sip) and (entitlement.opra or not self.needs_opra)


FEEDS: dict[str, Feed] = {
    "/v2/sip": Feed(kind=STOCKS, needs_sip=True),
    "/v2/iex": Feed(kind=STOCKS, is_iex=True),
    "/v2/delayed_sip": Feed(kind=STOCKS, delay_ns=SIP_DELAY_NS),
    "/v2/boats": Feed(kind=STOCKS, is_empty=True),
    "/v2/overnight": Feed(kind=STOCKS, is_empty=True),
    "/v2/test": Feed(kind=STOCKS, is_test=True),
    "/v1beta3/crypto/us": Feed(kind=CRYPTO),
    "/v1beta1/indicative": Feed(kind=OPTIONS),
    "/v1beta1/opra": Feed(kind=OPTIONS, needs_opra=True),
    "/v1beta1/news": Feed(kind=NEWS, is_empty=True),
}


def error_message(code: int) -> list[dict[str, Any]]:
    """An error as these streams tell it."""
    return [{"T": "error", "code": code, "msg": STREAM_ERRORS[code]}]


@dataclass(slots=True, eq=False)
class _Client:
    """One connection with its subscriptions."""

    feed: Feed
    session: StreamSession
    connection: StreamConnection

    def listens(self, channel: str) -> bool:
        return bool(self.session.subscriptions(channel))


class MarketStreams:
    """Serves every data stream.

    entitlement:    what all key pairs here may see.
    first_listener: called when somebody subscribes.
    """

    def __init__(
        self,
        market: DisturbedMarket,
        *,
        timeline: Timeline,
        keys: KeyRing,
        entitlement: Entitlement,
        faults: FaultInjector,
        log: EventLog,
        terms: StreamTerms,
        first_listener: Callable[[], None],
    ) -> None:
        self._market = market
        self._timeline = timeline
        self._keys = keys
        self._entitlement = entitlement
        self._faults = faults
        self._log = log
        self._terms = terms
        self._first_listener = first_listener
        self._packed = PackedBars(market)
        self._clients: list[_Client] = []
        self._ticked_ns = 0  # trades and quotes until then have been published
        self._ticks = False

    @property
    def connections(self) -> list[StreamConnection]:
        return [client.connection for client in self._clients]

    def described(self) -> list[dict[str, Any]]:
        """Every open connection: whose it is, and what it is subscribed to."""
        return [
            {
                "stream": "data",
                "key_id": client.connection.key_id,
                "channels": {
                    channel: list(client.session.subscriptions(channel))
                    for channel in client.feed.kind.channels
                    if client.listens(channel)
                },
            }
            for client in self._clients
        ]

    def serves(self, path: str) -> bool:
        """Whether there is a data stream at a path."""
        return path.rstrip("/") in FEEDS

    # -- one client ----------------------------------------------------------------------------------------

    async def serve(self, socket: web.WebSocketResponse, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a client until it leaves."""
        feed = FEEDS[request.path.rstrip("/")]
        is_packed = wants_msgpack(request)
        loop = asyncio.get_running_loop()
        session = StreamSession(
            feed.kind,
            DataEncoding.MSGPACK if is_packed else DataEncoding.JSON,
            self._authenticate,
            int(loop.time() * SECOND_NS),
            admits=feed.admits,
        )
        connection = StreamConnection(
            socket,
            request,
            stream="data",
            encoding=Encoding.MSGPACK if is_packed else Encoding.JSON_TEXT,
            terms=self._terms,
            faults=self._faults,
            now_ns=lambda: self._timeline.reached_ns,
            error_message=error_message,
        )
        client = _Client(feed, session, connection)
        self._clients.append(client)
        writing = loop.create_task(connection.write())
        waited_s = AUTHENTICATE_WITHIN_NS / SECOND_NS
        timer = loop.call_later(
            waited_s + 0.1, lambda: self._send(client, session.passed(int(loop.time() * SECOND_NS)))
        )
        try:
            self._send(client, session.greet())
            shown = shown_pair(request.headers)
            if shown is not None:
                self._send(client, self._let_in(client, shown))
            while (data := await connection.receive()) is not None:
                self._take(client, data)
        finally:
            timer.cancel()
            self._clients.remove(client)
            writing.cancel()
        return socket

    def _take(self, client: _Client, data: str | bytes) -> None:
        self._timeline.now()
        before = client.session.state
        answer = client.session.receive(data)
        if client.session.state is SessionState.AUTHENTICATED and before is SessionState.CONNECTED:
            answer = self._begun(client, answer)
            self._send(client, answer)
            client.connection.begin()
            return
        self._send(client, answer)
        if client.session.state is SessionState.AUTHENTICATED:
            self._listen()

    def _let_in(self, client: _Client, pair: KeyPair) -> Answer:
        answer = client.session.authenticate(Credentials(key=pair.key_id, secret=pair.secret))
        if client.session.state is SessionState.AUTHENTICATED:
            answer = self._begun(client, answer)
            client.connection.begin()
        return answer

    def _begun(self, client: _Client, answer: Answer) -> Answer:
        key_id = client.session.key or ""
        client.connection.key_id = key_id
        taken = any(other.session.key == key_id for other in self._clients if other is not client)
        return client.session.refuse(406) if self._terms.one_per_key and taken else answer

    def _send(self, client: _Client, answer: Answer) -> None:
        for frame in answer.frames:
            client.connection.answer_frame(frame)
        if answer.close:
            client.connection.end(1000)

    def _authenticate(self, credentials: Credentials) -> Entitlement | None:
        account = self._keys.account_of(KeyPair(key_id=credentials.key, secret=credentials.secret))
        return None if isinstance(account, Refusal) else self._entitlement

    # -- publication ---------------------------------------------------------------------------------------

    def publish(self, instant: Instant) -> None:
        """Tell the streams of an instant: bars that closed, sessions that began or ended."""
        if instant.kind is not InstantKind.BAR_CLOSED:
            self._log.write(instant.at_ns, instant.kind.name.lower())
            return
        self._log.write(instant.at_ns, "bars", symbols=len(instant.symbols))
        for feed, clients in self._by_feed().items():
            if feed.delay_ns:
                # Late to the feed, not to be seen by those who come to it later.
                self._timeline.later(instant.at_ns + feed.delay_ns, self._bars_later(feed, instant))
            else:
                self._publish_bars(feed, clients, instant)

    def _bars_later(self, feed: Feed, instant: Instant) -> Callable[[], None]:
        return lambda: self._publish_bars(feed, self._by_feed().get(feed, []), instant)

    def _publish_bars(self, feed: Feed, clients: Sequence[_Client], instant: Instant) -> None:
        at_ns, iex, market = instant.at_ns, feed.is_iex, self._market
        packed = [each for each in clients if self._takes_packed(each)]
        if packed:
            self._publish_packed(feed, packed, instant)
            clients = [each for each in clients if each not in packed]
        for channel in ("bars", "updatedBars", "dailyBars", "lulds"):
            symbols = self._wanted(feed, clients, channel, instant.symbols)
            if not symbols:
                continue
            match channel:
                case "bars":
                    messages = publication.bar_messages(market, symbols, at_ns, iex=iex)
                case "dailyBars":
                    messages = publication.daily_bar_messages(market, symbols, at_ns, iex=iex)
                case "lulds":
                    messages = publication.band_messages(market, symbols, at_ns)
                case _:
                    continue  # updated bars tell of late trades, and here no trade is ever late
            self._send_all(feed, clients, messages, at_ns)

    def _takes_packed(self, client: _Client) -> bool:
        """Whether a client's bars can be sent as they were packed: no other channel closes with them, no fault acts."""
        return (
            self._packed.can_pack
            and client.connection.encoding is Encoding.MSGPACK
            and not client.feed.is_test
            and client.feed.kind is STOCKS
            and client.listens("bars")
            and not (client.listens("dailyBars") or client.listens("lulds"))
            and not self._faults.at(Seam.DATA)
        )

    def _publish_packed(self, feed: Feed, clients: Sequence[_Client], instant: Instant) -> None:
        symbols = self._wanted(feed, clients, "bars", instant.symbols)
        closing = self._packed.closing(symbols, instant.at_ns, _iex_share if feed.is_iex else _whole)
        shared: dict[tuple[str, ...], list[bytes]] = {}
        for client in clients:
            asked = tuple(client.session.subscriptions("bars"))
            if asked not in shared:
                if "*" in asked:
                    chosen = [message for _, message in closing]
                else:
                    chosen = [message for symbol, message in closing if client.session.wants("bars", symbol)]
                shared[asked] = list(packed_frames(chosen))
            for frame in shared[asked]:
                client.connection.publish(frame)

    def prepare(self) -> None:
        """Pack the bars of the day beforehand: for a clock that will not wait for them."""
        if self._packed.can_pack:
            self._packed.prepare(self._timeline.reached_ns)

    def status_changed(self, symbol: str, now_ns: int, halt: Halt | None) -> None:
        """Tell of a halt, or of its end."""
        message = (
            publication.halt_message(self._market, halt)
            if halt is not None
            else publication.resume_message(self._market, symbol, now_ns)
        )
        self._log.write(now_ns, "status", symbol=symbol, halted=halt is not None)
        for feed, clients in self._by_feed().items():
            if feed.kind is STOCKS and not feed.is_empty:
                self._send_all(feed, clients, [message], now_ns)

    def _listen(self) -> None:
        """Somebody's subscriptions changed."""
        if any(client.listens(channel) for client in self._clients for channel in client.feed.kind.channels):
            self._first_listener()
        if not self._ticks and self._is_ticked():
            self._ticks = True
            now_ns = self._timeline.reached_ns
            self._ticked_ns = now_ns
            self._timeline.later(now_ns - now_ns % _TICK_NS + _TICK_NS, self._tick)

    def _is_ticked(self) -> bool:
        return any(client.listens(channel) for client in self._clients for channel in _TICKED)

    def _tick(self) -> None:
        """Publish the trades and quotes of the last second, and come again as long as somebody listens."""
        if not self._is_ticked():
            self._ticks = False
            return
        after_ns, until_ns = self._ticked_ns, self._timeline.reached_ns
        self._ticked_ns = until_ns
        self._timeline.later(until_ns + _TICK_NS, self._tick)
        for feed, clients in self._by_feed().items():
            after, until = after_ns - feed.delay_ns, until_ns - feed.delay_ns
            for channel in _TICKED:
                symbols = self._wanted(feed, clients, channel, self._market.symbols)
                if not symbols:
                    continue
                match channel:
                    case "trades":
                        found = publication.trade_messages(
                            self._market, symbols, after, until, iex=feed.is_iex
                        )
                    case "quotes":
                        found = publication.quote_messages(
                            self._market, symbols, after, until, iex=feed.is_iex
                        )
                    case _:
                        found = publication.orderbook_messages(self._market, symbols, until)
                self._send_all(feed, clients, found, until_ns)

    def _by_feed(self) -> dict[Feed, list[_Client]]:
        """Clients that were let in, by what they get."""
        found: dict[Feed, list[_Client]] = {}
        for client in self._clients:
            if client.session.state is SessionState.AUTHENTICATED and not client.feed.is_empty:
                found.setdefault(client.feed, []).append(client)
        return found

    def _wanted(
        self, feed: Feed, clients: Sequence[_Client], channel: str, symbols: Sequence[str]
    ) -> Sequence[str]:
        """Those of the symbols that anybody listens to, in the market's order; options by what was asked for."""
        asked = {symbol for client in clients for symbol in client.session.subscriptions(channel)}
        if not asked:
            return ()
        if feed.is_test:
            return symbols[:1] if asked & {TEST_SYMBOL, "*"} else ()
        if feed.kind is OPTIONS:
            return sorted(asked - {"*"})
        traded = [each for each in symbols if ("/" in each) is (feed.kind is CRYPTO)]
        return traded if "*" in asked else [symbol for symbol in traded if symbol in asked]

    def _send_all(
        self, feed: Feed, clients: Iterable[_Client], messages: Sequence[Message], now_ns: int
    ) -> None:
        if not messages:
            return
        if feed.is_test:
            messages = [_renamed(message) for message in messages]
        shared: dict[Encoding, list[bytes]] = {}
        for client in clients:
            chosen = client.session.select(messages)
            if not chosen:
                continue
            if self._faults.at(Seam.DATA):
                chosen = self._with_faults(client, chosen, now_ns)
            encoding = client.connection.encoding
            if chosen is messages:
                if encoding not in shared:
                    shared[encoding] = list(frames(messages, client.session.encoding))
                ready = shared[encoding]
            else:
                ready = list(frames(chosen, client.session.encoding))
            for frame in ready:
                client.connection.publish(frame)

    def _with_faults(self, client: _Client, messages: Sequence[Message], now_ns: int) -> Sequence[Message]:
        """The messages as faults leave them for one client."""
        left: list[Message] = []
        struck = False
        for message in messages:
            occasion = Occasion(
                now_ns=now_ns,
                key_id=client.connection.key_id,
                symbol=message.symbol,
                event=message.channel,
                stream="data",
            )
            armed = self._faults.first(Seam.DATA, occasion)
            match armed.terms if armed else None:
                case LostData():
                    struck = True
                case LateData(delay_s=delay_s):
                    struck = True
                    self._timeline.later(now_ns + int(delay_s * SECOND_NS), self._late(client, message))
                case DuplicateData():
                    struck = True
                    left += (message, message)
                case _:
                    left.append(message)
        return left if struck else messages

    def _late(self, client: _Client, message: Message) -> Callable[[], None]:
        def send() -> None:
            for frame in frames([message], client.session.encoding):
                client.connection.publish(frame)

        return send


@lru_cache(maxsize=65536)
def _iex_share(symbol: str) -> float:
    return volume_share(DataFeed.IEX, symbol)


def _whole(symbol: str) -> float:
    return 1.0


def _renamed(message: Message) -> Message:
    rest = {name: value for name, value in message.value.items() if name not in ("T", "S", "t")}
    return Message(message.channel, TEST_SYMBOL, message.at_ns, rest)
