"""REST: one HTTP request to its answer, with the faults that strike on the way."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from typing import Any

import orjson
from aiohttp import web

from magellan.exchange.data_api.data_api import DataApi
from magellan.exchange.data_api.entitlement import Entitlement
from magellan.exchange.data_api.reply import Reply as DataReply
from magellan.exchange.server.answers import REASONS, catalogued, drifted, replace_refused, skewed, too_many
from magellan.exchange.server.event_log import EventLog
from magellan.exchange.server.faults import wire
from magellan.exchange.server.faults.injector import FaultInjector, Occasion
from magellan.exchange.server.faults.plan import (
    CancelRefused,
    ClockSkew,
    ErrorAfterAccept,
    EventBeforeAnswer,
    FaultTerms,
    FillBeatsCancel,
    HtmlAfterAccept,
    HtmlPage,
    LateAnswer,
    LostAnswer,
    NoAnswer,
    PartialFillThenCancel,
    RateLimited,
    RefusedRequest,
    RejectedAfterAccept,
    RejectedOrder,
    ReplaceRefused,
    ResetBefore,
    SchemaDrift,
    Seam,
    ShortBody,
    SlowDrip,
    StaleReads,
    StuckPendingCancel,
    TruncatedJson,
)
from magellan.exchange.server.interventions import Interventions
from magellan.exchange.server.key_ring import KeyPair, KeyRing, Refusal, shown_pair
from magellan.exchange.server.rate_limit import ALPACA_PER_MINUTE, RateLimit
from magellan.exchange.server.timeline import Timeline
from magellan.exchange.server.trade_events import TradeEvents
from magellan.exchange.server.venue_past import VenuePast
from magellan.exchange.venue.venue import Venue
from magellan.exchange.venue.wire import Reply, Request
from magellan.trading.timeframe import SECOND_NS

BODY_MAX_BYTES = 1024 * 1024
_JSON_TYPE = "application/json; charset=UTF-8"
_STOCKS = "/v2/stocks"
_DATA_PREFIXES = (_STOCKS, "/v1beta1/", "/v1beta3/", "/v1/corporate-actions")
_KEYLESS = "/v1beta3/crypto/"  # market data of crypto is anybody's; clients ask for it without keys
_WRITES = frozenset({"POST", "PATCH", "PUT", "DELETE"})
_ORDER_PATH = "/v2/orders/"
_POSITION_PATH = "/v2/positions/"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """A request as the exchange reads it."""

    method: str
    path: str  # percent-decoded, with its version
    query: Mapping[str, list[str]]
    body: Any
    is_data: bool
    pair: KeyPair | None
    account_id: str

    @property
    def key_id(self) -> str:
        return self.pair.key_id if self.pair is not None else ""


class Rest:
    """Answers REST requests.

    release: passes on the trade updates that a request caused, to those who listen.
    feed:    what requests for share data get that name none; None: as Alpaca chooses.
    """

    def __init__(
        self,
        *,
        timeline: Timeline,
        venue: Venue,
        data: DataApi,
        entitlement: Entitlement,
        feed: str | None,
        keys: KeyRing,
        limit: RateLimit | None,
        faults: FaultInjector,
        interventions: Interventions,
        past: VenuePast,
        events: TradeEvents,
        log: EventLog,
        release: Callable[[], None],
        seed: int,
        wall_ns: Callable[[], int],
    ) -> None:
        self._timeline = timeline
        self._venue = venue
        self._data = data
        self._entitlement = entitlement
        self._feed = feed
        self._keys = keys
        self._limit = limit
        self._faults = faults
        self._interventions = interventions
        self._past = past
        self._events = events
        self._log = log
        self._release = release
        self._seed = seed
        self._wall_ns = wall_ns
        self._request_count = 0

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer, or a broken connection where a fault wants one."""
        self._request_count += 1
        request_id = hashlib.blake2b(
            f"{self._seed}/{self._request_count}".encode(), digest_size=16
        ).hexdigest()
        headers = {"X-Request-ID": request_id}
        raw = await request.read() if request.can_read_body else b""
        pair = shown_pair(request.headers)
        path = request.path
        is_data = path.startswith(_DATA_PREFIXES)
        account = "" if pair is None and path.startswith(_KEYLESS) else self._keys.account_of(pair)
        now_ns = self._timeline.now()
        if isinstance(account, Refusal):
            return self._response(catalogued(account.value), headers, now_ns)
        if self._limit is not None:
            allowance = self._limit.spend(pair.key_id if pair else "", self._wall_ns())
            headers.update(allowance.headers)
            if allowance.exceeded:
                return self._response(too_many(is_data), headers, now_ns)
        try:
            body = orjson.loads(raw) if raw else None
        except orjson.JSONDecodeError:
            return self._response(catalogued("malformed_body"), headers, now_ns)
        call = _Call(
            method=request.method,
            path=path,
            query={name: request.query.getall(name) for name in request.query},
            body=body,
            is_data=is_data,
            pair=pair,
            account_id=account,
        )

        is_faulty = any(self._faults.at(seam) for seam in _REST_SEAMS)
        occasion = self._occasion(call, now_ns) if is_faulty else None
        arrival = self._faults.first(Seam.ARRIVAL, occasion) if occasion else None
        if arrival is not None and isinstance(arrival.terms, ResetBefore):
            self._note(call, request_id, now_ns, status=0)
            wire.reset(request.transport)
            return web.Response(status=500)
        reply = self._at_arrival(arrival.terms, call, now_ns) if arrival else None
        if isinstance(reply, web.Response):
            self._note(call, request_id, now_ns, status=reply.status)
            return reply
        if reply is None:
            reply = self._carried_out(call, now_ns)
            if occasion and not reply.is_error:
                self._after_accept(call, reply, occasion)
        self._note(call, request_id, now_ns, status=reply.status)
        # Runs after the answer, which goes out without a pause.
        asyncio.get_running_loop().call_soon(self._settle)

        headers.update(reply.headers)
        if occasion is not None:
            struck = self._faults.first(Seam.ANSWER, occasion)
            if struck is not None:
                return await self._struck(request, struck.terms, reply, headers, now_ns)
        return self._response(reply, headers, now_ns)

    # -- the request itself --------------------------------------------------------------------------------

    def _carried_out(self, call: _Call, now_ns: int) -> Reply:
        if call.is_data:
            if call.method != "GET":
                return catalogued("endpoint_not_found")
            query = call.query
            if self._feed is not None and call.path.startswith(_STOCKS) and "/meta/" not in call.path:
                query = {"feed": [self._feed], **query}
            return _as_reply(self._data.answer(call.path, query, now_ns, self._entitlement))
        request = _venue_request(call)
        if request is None:
            return catalogued("endpoint_not_found")
        reply = self._venue.request(call.account_id, request, now_ns)
        if call.method in _WRITES:
            self._past.remember(now_ns)
        return reply

    def _settle(self) -> None:
        """What follows a request: its events are logged and told, and the next alarm is set."""
        self._timeline.collect()
        self._timeline.arm()
        self._release()

    def _note(self, call: _Call, request_id: str, now_ns: int, *, status: int) -> None:
        """Log a request. Keys are names, not secrets; secrets never get here."""
        self._log.write(
            now_ns,
            "request",
            id=request_id,
            key_id=call.key_id,
            method=call.method,
            path=call.path,
            query=call.query,
            body=call.body,
            status=status,
        )

    def _response(self, reply: Reply, headers: Mapping[str, str], now_ns: int) -> web.Response:
        body = reply.body
        told_ns = now_ns
        if self._faults.at(Seam.CLOCK):
            skew_s = self._skew_s(now_ns)
            told_ns += int(skew_s * SECOND_NS)
            if isinstance(body, dict) and "is_open" in body and "timestamp" in body:
                body = {**body, "timestamp": skewed(body["timestamp"], skew_s)}
        return web.Response(
            status=reply.status,
            body=b"" if body is None else orjson.dumps(body),
            headers={
                **headers,
                "Date": _http_date(told_ns // SECOND_NS),
                "Content-Type": _JSON_TYPE,
            },
        )

    # -- faults --------------------------------------------------------------------------------------------

    def _occasion(self, call: _Call, now_ns: int) -> Occasion:
        """What the request is to a fault's triggers; of a known order, the order's own terms as well."""
        about = call.body if isinstance(call.body, dict) else {}
        order_id, symbol = "", _text(about.get("symbol"))
        side, client_order_id = _text(about.get("side")), _text(about.get("client_order_id"))
        if call.path.startswith(_ORDER_PATH):
            order_id = call.path.removeprefix(_ORDER_PATH)
            order = self._events.order(order_id) or {}
            symbol, side = _text(order.get("symbol")), _text(order.get("side"))
            client_order_id = _text(order.get("client_order_id"))
        elif call.path.startswith(_POSITION_PATH):
            symbol = call.path.removeprefix(_POSITION_PATH)
        return Occasion(
            now_ns=now_ns,
            method=call.method,
            path=call.path,
            key_id=call.key_id,
            symbol=symbol,
            side=side,
            order_id=order_id,
            client_order_id=client_order_id,
        )

    def _at_arrival(self, terms: FaultTerms, call: _Call, now_ns: int) -> Reply | web.Response | None:
        """The answer to a request that a fault keeps from being carried out as asked; None: it goes on."""
        is_order = call.method == "POST" and call.path == "/v2/orders"
        order_id = call.path.removeprefix(_ORDER_PATH)
        is_cancel = call.method == "DELETE" and call.path.startswith(_ORDER_PATH)
        match terms:
            case RefusedRequest(status=status, code=code, message=message):
                return Reply(
                    status=status, body={"message": message} | ({} if code is None else {"code": code})
                )
            case RateLimited(reset_s=reset_s):
                at_s = int(self._wall_ns() / SECOND_NS + reset_s)
                limited = too_many(call.is_data)
                limit = str(ALPACA_PER_MINUTE)
                names = {"Limit": limit, "Remaining": "0", "Reset": str(at_s)}
                headers = {f"X-RateLimit-{name}": value for name, value in names.items()}
                return Reply(status=limited.status, body=limited.body, headers=headers)
            case HtmlPage(status=status):
                return wire.html_page(status)
            case RejectedOrder(reason=reason) if is_order:
                entry, values = REASONS[reason]
                symbol = call.body.get("symbol", "") if isinstance(call.body, dict) else ""
                return catalogued(entry, **{"symbol": symbol, **values})
            case CancelRefused(state=state) if is_cancel:
                return catalogued("not_cancelable", status=state)
            case ReplaceRefused(message=message) if call.method == "PATCH":
                return replace_refused(message)
            case StuckPendingCancel() if is_cancel:
                self._interventions.stick_cancel(call.account_id, order_id)
            case FillBeatsCancel() if is_cancel:
                self._interventions.fill_before_cancel(call.account_id, order_id, now_ns)
                return Reply(status=204)  # the cancel was accepted before anybody knew of the fill
            case StaleReads(lag_s=lag_s) if call.method == "GET" and not call.is_data:
                request = _venue_request(call)
                if request is None:
                    return None
                return self._past.request(call.account_id, request, now_ns, now_ns - int(lag_s * SECOND_NS))
        return None

    def _after_accept(self, call: _Call, reply: Reply, occasion: Occasion) -> None:
        """Faults that strike an order once it has been accepted."""
        if call.method != "POST" or call.path != "/v2/orders" or not isinstance(reply.body, dict):
            return
        order_id = reply.body["id"]
        known = Occasion(
            now_ns=occasion.now_ns,
            method=occasion.method,
            path=occasion.path,
            key_id=occasion.key_id,
            symbol=_text(reply.body.get("symbol")),
            side=_text(reply.body.get("side")),
            order_id=order_id,
            client_order_id=_text(reply.body.get("client_order_id")),
        )
        armed = self._faults.first(Seam.ACCEPTED, known)
        match armed.terms if armed else None:
            case RejectedAfterAccept():
                self._interventions.reject(call.account_id, order_id)
            case PartialFillThenCancel(fraction=fraction):
                self._interventions.fill_part_then_cancel(
                    call.account_id, order_id, fraction, occasion.now_ns
                )

    async def _struck(
        self,
        request: web.BaseRequest,
        terms: FaultTerms,
        reply: Reply,
        headers: Mapping[str, str],
        now_ns: int,
    ) -> web.StreamResponse:
        """The answer as a fault leaves it."""
        response = self._response(reply, headers, now_ns)
        whole = response.body if isinstance(response.body, bytes) else b""
        match terms:
            case LostAnswer():
                wire.reset(request.transport)
            case NoAnswer():
                await wire.silence(request.transport)
            case ErrorAfterAccept(status=status):
                error = catalogued("gateway_timeout" if status == 504 else "internal_error")
                return self._response(Reply(status=status, body=error.body), headers, now_ns)
            case HtmlAfterAccept():
                return wire.html_page(502)
            case TruncatedJson():
                return web.Response(
                    status=reply.status, body=whole[: len(whole) // 2], headers=response.headers
                )
            case ShortBody():
                return await wire.cut_short(request, response)
            case SlowDrip(bytes_per_s=bytes_per_s):
                return await wire.drip(request, response, bytes_per_s)
            case LateAnswer(delay_s=delay_s):
                await asyncio.sleep(delay_s)
            case EventBeforeAnswer():
                self._settle()
                await asyncio.sleep(0)  # lets what was released go out
            case SchemaDrift():
                body = drifted(reply.body, terms, is_top=True)
                return self._response(Reply(status=reply.status, body=body), headers, now_ns)
        return response

    def _skew_s(self, now_ns: int) -> float:
        armed = self._faults.first(Seam.CLOCK, Occasion(now_ns=now_ns))
        return armed.terms.skew_s if armed is not None and isinstance(armed.terms, ClockSkew) else 0.0


@lru_cache(maxsize=64)
def _http_date(at_s: int) -> str:
    return formatdate(at_s, usegmt=True)


_REST_SEAMS = (Seam.ARRIVAL, Seam.ANSWER, Seam.ACCEPTED)


def _venue_request(call: _Call) -> Request | None:
    """The call as the venue takes it; None for a path that is not the trading API's."""
    if call.path.startswith("/v2/"):
        path = call.path.removeprefix("/v2")
    elif call.path.startswith(("/v3/", "/v1/", "/v2beta1/")):
        path = call.path
    else:
        return None
    return Request(method=call.method, path=path, query=call.query, body=call.body)


def _as_reply(reply: DataReply) -> Reply:
    return Reply(status=reply.status, body=reply.body, headers=reply.headers)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
