"""The exchange's server: one process, one port, everything wired together around one timeline."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Callable, Coroutine
from typing import IO, Any

import orjson
from aiohttp import web

from magellan.errors import AskOperator, FixInput
from magellan.exchange.data_api.data_api import DataApi
from magellan.exchange.market.instant import Instant
from magellan.exchange.server import event_source
from magellan.exchange.server.answers import catalogued
from magellan.exchange.server.clock import ClockMode, ExchangeClock
from magellan.exchange.server.control import PREFIX, Control
from magellan.exchange.server.disturbed_market import DisturbedMarket
from magellan.exchange.server.encoding import Encoding, to_keep
from magellan.exchange.server.event_log import EventLog
from magellan.exchange.server.faults.happenings import Happenings
from magellan.exchange.server.faults.injector import ArmedFault, FaultInjector, Fired, Occasion
from magellan.exchange.server.faults.plan import FaultTerms, Seam, StaleReads, UpgradeRefused
from magellan.exchange.server.interventions import Interventions
from magellan.exchange.server.key_ring import KeyPair, KeyRing, Refusal, shown_pair
from magellan.exchange.server.market_streams import MarketStreams
from magellan.exchange.server.options import ServerOptions
from magellan.exchange.server.page import page_response
from magellan.exchange.server.rate_limit import RateLimit
from magellan.exchange.server.rest import Rest
from magellan.exchange.server.timeline import Timeline
from magellan.exchange.server.trade_events import TradeEvent, TradeEvents
from magellan.exchange.server.trade_stream import TradeStream
from magellan.exchange.server.trade_stream import error_message as trade_error
from magellan.exchange.server.venue_past import VenuePast
from magellan.exchange.server.websocket import HEARTBEAT_S, StreamConnection, wants_msgpack
from magellan.exchange.venue.venue import Venue
from magellan.exchange.venue.wire import EventKind, Reply, VenueEvent

_TRADE_STREAM_PATHS = frozenset({"/stream", "/stream/"})
_FLUSH_LOG_EVERY_S = 1.0
_MOMENT_S = 0.01  # longer than an order takes from its request to its fill
_SHUTDOWN_S = 1.0


class ExchangeServer:
    """Serves one market and one venue. Made and used in one event loop.

    wall_ns: the wall clock, for the shifted and paced clocks and the rate limit.
    """

    def __init__(
        self,
        market: DisturbedMarket,
        options: ServerOptions,
        *,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        venue = Venue(market, options.venue, seed=options.seed, api_as_of=options.api_as_of)
        self._market = market
        self._venue = venue
        self._options = options
        # A fast clock waits at the start until somebody listens: what nobody hears need not be hurried.
        self._starts_fast = options.mode is ClockMode.FAST
        mode = ClockMode.FROZEN if self._starts_fast else options.mode
        self.clock = ExchangeClock(mode, wall_ns=wall_ns, at_ns=options.start_ns, speed=options.speed)
        self.log = EventLog(_opened(options), later=_in_a_moment)
        self._unreleased: list[TradeEvent] = []
        self._trade_events = TradeEvents()
        self._trade_streams: set[TradeStream] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.faults = FaultInjector(seed=options.seed, start_ns=self.clock.now_ns(), tell=self._fault_fired)
        self._past = VenuePast(venue, market, is_wanted=self._reads_are_stale)
        self.timeline = Timeline(
            market=market,
            venue=venue,
            clock=self.clock,
            end_ns=options.end_ns,
            publish=self._instant,
            happened=self._happened,
            flushed=self.flushed,
        )
        self._keys = KeyRing(
            [
                (known.pair, venue.open_account(known.pair.key_id, known.terms, self.clock.now_ns()))
                for known in options.accounts or ()
            ],
            None if options.accounts is not None else self._open_account,
        )
        self._streams = MarketStreams(
            market,
            timeline=self.timeline,
            keys=self._keys,
            entitlement=options.entitlement,
            faults=self.faults,
            log=self.log,
            terms=options.streams,
            first_listener=self._first_listener,
        )
        interventions = Interventions(market, venue, tell_status=self._streams.status_changed)
        self._happenings = Happenings(
            timeline=self.timeline,
            market=market,
            interventions=interventions,
            keys=self._keys,
            faults=self.faults,
            refused=self._fault_refused,
            after=self._release,
        )
        limit = RateLimit(options.requests_per_minute) if options.requests_per_minute else None
        self._rest = Rest(
            timeline=self.timeline,
            venue=venue,
            data=DataApi(market),
            entitlement=options.entitlement,
            feed=options.feed,
            keys=self._keys,
            limit=limit,
            faults=self.faults,
            interventions=interventions,
            past=self._past,
            events=self._trade_events,
            log=self.log,
            release=self._release,
            seed=options.seed,
            wall_ns=wall_ns,
        )
        self._control = Control(
            timeline=self.timeline,
            clock=self.clock,
            market=market,
            venue=venue,
            keys=self._keys,
            faults=self.faults,
            arm=self.arm,
            interventions=interventions,
            log=self.log,
            flushed=self._all_flushed,
            release=self._release,
            streams=self.streams,
        )
        self._runner: web.ServerRunner | None = None
        self.port = options.port

    # -- life ----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen. Raises FixInput when the port is taken, or the host is none of this machine."""
        options = self._options
        # A handler whose client has left is cancelled: what it still waits for, nobody will read.
        server = web.Server(self._handle, access_log=None, handler_cancellation=True)
        self._runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=_SHUTDOWN_S)
        await self._runner.setup()
        site = web.TCPSite(self._runner, options.host, options.port, reuse_address=True)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise _not_listening(error, options) from error
        self.port = self._runner.addresses[0][1]
        self._control.own_hosts = (
            None if options.is_exposed else frozenset(f"{name}:{self.port}" for name in _OWN_NAMES)
        )
        if options.plan is not None:
            if options.plan.seed is not None:
                self.faults.reseed(options.plan.seed)
            for terms in options.plan.faults:
                self.arm(terms)
        self.log.write(self.clock.now_ns(), "start", seed=options.seed, symbols=len(self._market.symbols))
        if self._starts_fast:
            self._streams.prepare()
        self.timeline.clock_changed()
        if self._options.log_file is not None:
            self._go(self._flush_log())

    async def stop(self) -> None:
        """Close every connection and the log. Raises AskOperator where the log's file did not take every line."""
        self.timeline.stop()
        for connection in self._connections():
            connection.end(1001)
        for task in tuple(self._tasks):
            task.cancel()
        if self._runner is not None:
            await self._runner.cleanup()
        self.log.close()
        if self.log.cut_off is not None:
            number, error = self.log.cut_off
            raise AskOperator(
                f"the event log {self._options.log_file} is cut off at line {number}: {error.strerror}",
                kept="the lines before it; nothing else was lost, and no client has noticed",
                next_step="make room there, or name another place with --log",
            )

    # -- requests ------------------------------------------------------------------------------------------

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._upgraded(request, path)
        if path.startswith("/v"):
            if path in event_source.PATHS and request.method == "GET":
                return await self._events_over_sse(request)
            return await self._rest.answer(request)
        if path.startswith(PREFIX) or path == PREFIX.rstrip("/"):
            return await self._control.answer(request)
        if path == "/" and request.method in ("GET", "HEAD"):
            return page_response()
        return _answer(catalogued("endpoint_not_found"))

    async def _upgraded(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        is_trades = path in _TRADE_STREAM_PATHS
        if not is_trades and not self._streams.serves(path):
            return _answer(catalogued("endpoint_not_found"))
        stream = "trades" if is_trades else "data"
        shown = shown_pair(request.headers)
        occasion = Occasion(
            now_ns=self.timeline.now(),
            method="GET",
            path=path,
            key_id=shown.key_id if shown else "",
            stream=stream,
        )
        armed = self.faults.first(Seam.UPGRADE, occasion)
        if armed is not None and isinstance(armed.terms, UpgradeRefused):
            return _answer(Reply(status=armed.terms.status, body={"message": "too many requests."}))
        if is_trades and self._is_full(shown):
            return _answer(Reply(status=429, body={"message": "connection limit exceeded"}))
        terms = self._options.streams
        socket = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S, compress=terms.deflate, max_msg_size=4 * 1024 * 1024
        )
        await socket.prepare(request)
        if not is_trades:
            return await self._streams.serve(socket, request)
        connection = StreamConnection(
            socket,
            request,
            stream=stream,
            encoding=_trade_encoding(request, as_text=terms.trades_as_text),
            terms=terms,
            faults=self.faults,
            now_ns=self.timeline.now,
            error_message=trade_error,
        )
        trade_stream = TradeStream(
            connection,
            keys=self._keys,
            events=self._trade_events,
            faults=self.faults,
            later=self.timeline.later,
            is_taken=self._is_taken,
        )
        self._trade_streams.add(trade_stream)
        try:
            await trade_stream.serve()
        finally:
            self._trade_streams.discard(trade_stream)
        return socket

    def _is_full(self, shown: KeyPair | None) -> bool:
        """Whether a further trade stream is refused at its upgrade.

        A key is told in the first message, not in the upgrade, by most clients. Without one, whoever comes must be a
        second connection when every known key has its first.
        """
        if not self._options.streams.one_per_key:
            return False
        taken = {each.connection.key_id for each in self._trade_streams if each.connection.key_id}
        if shown is not None:
            return shown.key_id in taken
        return len(taken) > 0 and len(taken) >= len(self._keys.accounts())

    def _is_taken(self, key_id: str) -> bool:
        return self._options.streams.one_per_key and any(
            each.connection.key_id == key_id for each in self._trade_streams
        )

    async def _events_over_sse(self, request: web.BaseRequest) -> web.StreamResponse:
        account = self._keys.account_of(shown_pair(request.headers))
        if isinstance(account, Refusal):
            return _answer(catalogued(account.value))
        now_ns = self.timeline.now()
        try:
            wanted = event_source.Range(request.query)
        except ValueError as error:
            return _answer(event_source.wrong_range(error))
        return await event_source.serve_events(
            request, account, self._trade_events, wanted, now_ns=now_ns, later=self.timeline.later
        )

    # -- what happens --------------------------------------------------------------------------------------

    def arm(self, terms: FaultTerms) -> ArmedFault:
        """Put a fault in force."""
        armed = self.faults.arm(terms)
        if isinstance(terms, StaleReads):
            self._past.remember(self.clock.now_ns())
        if terms.seam is Seam.INSTANT:
            self._happenings.schedule(armed)
        if terms.seam is Seam.QUOTES:
            self._happenings.distort_quotes()
        return armed

    def _open_account(self, pair: KeyPair) -> str:
        account_id = self._venue.open_account(pair.key_id, self._options.opening, self.timeline.now())
        self.log.write(self.timeline.now(), "account", key_id=pair.key_id, account_id=account_id)
        return account_id

    def _happened(self, event: VenueEvent) -> None:
        written = to_keep(orjson.dumps(event.body))
        self.log.write(
            event.at_ns,
            event.kind,
            account_id=event.account_id,
            event_id=event.event_id,
            data=orjson.Fragment(written),
        )
        self._past.remember(event.at_ns)
        if event.kind is EventKind.TRADE_UPDATE:
            self._unreleased.append(
                TradeEvent(
                    account_id=event.account_id,
                    event_id=event.event_id,
                    at_ns=event.at_ns,
                    data=event.body,
                    json_data=written,
                )
            )
            if len(self._unreleased) == 1:
                asyncio.get_running_loop().call_soon(self._release)

    def _release(self) -> None:
        """Pass trade updates on to who listens: after the answer to the request that caused them."""
        events, self._unreleased = self._unreleased, []
        for event in events:
            self._trade_events.add(event)

    def _instant(self, instant: Instant) -> None:
        self._release()  # what happened before is told before
        self._streams.publish(instant)

    def _fault_fired(self, fired: Fired) -> None:
        on = {
            name: value
            for name in (
                "method",
                "path",
                "key_id",
                "symbol",
                "side",
                "order_id",
                "client_order_id",
                "event",
                "stream",
            )
            if (value := getattr(fired.occasion, name))
        }
        self.log.write(fired.at_ns, "fault", id=fired.id, name=fired.name, kind=fired.kind, on=on)

    def _fault_refused(self, armed: ArmedFault, at_ns: int, account_id: str, reason: str) -> None:
        self.log.write(
            at_ns, "fault_refused", id=armed.id, name=armed.name, account_id=account_id, reason=reason
        )

    def _first_listener(self) -> None:
        if self._starts_fast:
            self._starts_fast = False
            self.clock.change(ClockMode.FAST)
            self.timeline.clock_changed()

    def _reads_are_stale(self) -> bool:
        return any(isinstance(each.terms, StaleReads) for each in self.faults.at(Seam.ARRIVAL))

    def streams(self) -> list[dict[str, Any]]:
        """Every open stream: whose it is, and what it listens to."""
        trades = [
            {"stream": "trades", "key_id": each.connection.key_id, "listens": each.listens}
            for each in self._trade_streams
        ]
        return [*trades, *self._streams.described()]

    def _connections(self) -> list[StreamConnection]:
        return [*(each.connection for each in self._trade_streams), *self._streams.connections]

    # -- output --------------------------------------------------------------------------------------------

    def flushed(self) -> Coroutine[None, None, None] | None:
        """What to wait for until clients have taken what was sent; None when nothing waits."""
        waiting = [each for each in self._connections() if each.is_waiting]
        return self._all_flushed() if waiting else None

    async def _all_flushed(self) -> None:
        for connection in self._connections():
            if connection.is_waiting:
                await connection.drained()

    async def _flush_log(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_LOG_EVERY_S)
            self.log.flush()

    def _go(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


_OWN_NAMES = ("127.0.0.1", "localhost", "[::1]")


def _trade_encoding(request: web.BaseRequest, *, as_text: bool) -> Encoding:
    if wants_msgpack(request):
        return Encoding.MSGPACK
    return Encoding.JSON_TEXT if as_text else Encoding.JSON_BINARY


def _in_a_moment(do: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(_MOMENT_S, do)


def _answer(reply: Reply) -> web.Response:
    return web.Response(
        status=reply.status, body=orjson.dumps(reply.body), content_type="application/json", charset="utf-8"
    )


def _opened(options: ServerOptions) -> IO[bytes] | None:
    if options.log_file is None:
        return None
    try:
        return open(options.log_file, "wb")
    except OSError as error:
        raise FixInput(f"the event log {options.log_file} cannot be written: {error.strerror}") from error


def _not_listening(error: OSError, options: ServerOptions) -> FixInput:
    if error.errno == errno.EADDRINUSE:
        return FixInput(
            f"port {options.port} on {options.host} is taken",
            next_step=f"end what listens there, or choose another: --port {options.port + 1}",
        )
    if error.errno == errno.EACCES:
        return FixInput(
            f"port {options.port} may only be used by the system's administrator",
            next_step="choose a port from 1024 on",
        )
    return FixInput(f"{options.host}:{options.port} cannot be listened on: {error.strerror or error}")
