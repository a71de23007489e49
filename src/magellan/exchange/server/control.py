"""The control API under `/_magellan/`: clock, faults, accounts, state, event log, market. Alpaca uses no such prefix.

It can move time and break things, and browsers can be made to send requests to addresses of their own machine; so a
request must come from the exchange's own page or from no page at all, and must call the server by a name of its own.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from magellan.errors import FixInput
from magellan.exchange.market.market import Market
from magellan.exchange.server.clock import RUNNING, ClockMode, ExchangeClock
from magellan.exchange.server.encoding import rfc3339
from magellan.exchange.server.event_log import EventLog
from magellan.exchange.server.faults.injector import ArmedFault, FaultInjector, Fired
from magellan.exchange.server.interventions import Interventions
from magellan.exchange.server.key_ring import KeyPair, KeyRing
from magellan.exchange.server.timeline import Timeline
from magellan.exchange.venue.venue import Venue
from magellan.exchange.venue.wire import Request
from magellan.trading.bar import nanoseconds
from magellan.trading.timeframe import SECOND_NS

PREFIX = "/_magellan/"
_OVERVIEW_ACCOUNTS = 20
_OVERVIEW_LINES = 100
_STEPS_MAX = 100_000
_SPAN_S_MAX = 1_000_000_000
_Handler = Callable[[web.BaseRequest, Mapping[str, Any]], Awaitable[web.StreamResponse]]


class Control:
    """Answers requests to the control API.

    own_hosts: the names under which the server may be called, with its port; None: any, for one that is exposed.
    arm:       puts a fault in force, those with an instant of their own included.
    flushed:   waits until clients have been sent what was published.
    """

    def __init__(
        self,
        *,
        timeline: Timeline,
        clock: ExchangeClock,
        market: Market,
        venue: Venue,
        keys: KeyRing,
        faults: FaultInjector,
        arm: Callable[[Any], ArmedFault],
        interventions: Interventions,
        log: EventLog,
        flushed: Callable[[], Awaitable[None]],
        release: Callable[[], None],
        streams: Callable[[], list[dict[str, Any]]],
    ) -> None:
        self._timeline = timeline
        self._clock = clock
        self._market = market
        self._venue = venue
        self._keys = keys
        self._faults = faults
        self._arm = arm
        self._interventions = interventions
        self._log = log
        self._flushed = flushed
        self._release = release
        self._streams = streams
        self.own_hosts: frozenset[str] | None = None
        self._routes: dict[tuple[str, str], _Handler] = {
            ("GET", ""): self._index,
            ("GET", "clock"): self._clock_shown,
            ("POST", "clock"): self._clock_changed,
            ("POST", "clock/step"): self._stepped,
            ("GET", "faults"): self._faults_listed,
            ("POST", "faults"): self._fault_added,
            ("GET", "faults/fired"): self._faults_fired,
            ("GET", "accounts"): self._accounts_listed,
            ("POST", "keys"): self._key_added,
            ("GET", "state"): self._state_shown,
            ("GET", "streams"): self._streams_listed,
            ("GET", "overview"): self._overview_shown,
            ("GET", "events"): self._events_listed,
            ("POST", "market/halt"): self._halted,
            ("POST", "market/resume"): self._resumed,
            ("POST", "market/order"): self._ordered,
        }

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to a request below the prefix."""
        foreign = self._foreign(request)
        if foreign:
            return _json({"message": foreign}, status=403)
        path = request.path.removeprefix(PREFIX).strip("/")
        try:
            if request.method == "DELETE" and path.startswith("faults/"):
                return await self._fault_removed(path.removeprefix("faults/"))
            if request.method == "DELETE" and path.startswith("keys/"):
                return await self._key_revoked(path.removeprefix("keys/"))
            handler = self._routes.get((request.method, path))
            if handler is None:
                known = [f"{method} {PREFIX}{route}" for method, route in self._routes]
                return _json(
                    {"message": f"there is no {request.method} {request.path}", "routes": known}, 404
                )
            return await handler(request, await _document(request))
        except FixInput as error:
            return _json({"message": error.message, "next_step": error.next_step}, status=422)

    def _foreign(self, request: web.BaseRequest) -> str:
        """Why a request is not trusted; "" for one that is."""
        host = request.headers.get("Host", "")
        if self.own_hosts is not None and host not in self.own_hosts:
            return f"the control API answers to {', '.join(sorted(self.own_hosts))}, not to {host}"
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return f"the control API is not open to pages of {origin}"
        return ""

    # -- clock ---------------------------------------------------------------------------------------------

    def _clock_document(self) -> dict[str, Any]:
        now_ns = self._timeline.now()
        return {
            "mode": self._clock.mode,
            "now": rfc3339(now_ns),
            "end": None if self._timeline.end_ns is None else rfc3339(self._timeline.end_ns),
            "speed": self._clock.speed,
            "is_open": self._market.is_open(now_ns),
            "next_open": rfc3339(self._market.next_open(now_ns)),
            "next_close": rfc3339(self._market.next_close(now_ns)),
        }

    async def _clock_shown(self, request: web.BaseRequest, body: Mapping[str, Any]) -> web.StreamResponse:
        return _json(self._clock_document())

    async def _clock_changed(self, request: web.BaseRequest, body: Mapping[str, Any]) -> web.StreamResponse:
        _only(body, ("mode", "speed"))
        try:
            mode = ClockMode(body.get("mode", self._clock.mode))
            speed = float(body.get("speed", 1.0))
        except (TypeError, ValueError):
            raise FixInput(
                f"a clock is {', '.join(ClockMode)}, with a speed above zero",
                next_step='{"mode": "paced", "speed": 60}',
            ) from None
        now_ns = self._timeline.now()
        self._clock.change(mode, speed=speed)
        self._log.write(now_ns, "clock", mode=mode, speed=self._clock.speed)
        self._timeline.clock_changed()
        return _json(self._clock_document())

    async def _stepped(self, request: web.BaseRequest, body: Mapping[str, Any]) -> web.StreamResponse:
        """To an instant, by a span, or to the next bar's close or the next happening, several times if wanted.

        seen: the newest line of the log that the client has read. It is told what has come since; time stands while
        there is something that it has not read, and passes over instants at which nothing was published.
        """
        _only(body, ("to", "by_s", "next", "times", "at_most", "seen"))
        if self._clock.mode in RUNNING:
            raise FixInput(
                f"a {self._clock.mode} clock runs by itself",
                next_step='POST /_magellan/clock {"mode": "stepped"}',
            )
        times = body.get("times", 1)
        if not isinstance(times, int) or not 1 <= times <= _STEPS_MAX:
            raise FixInput(f"times is a whole number from 1 to {_STEPS_MAX}, not {times!r}")
        before = self._log.last_number
        seen = body.get("seen", before)
        if not isinstance(seen, int):
            raise FixInput(f"seen is the number of a line of the log, not {seen!r}")
        for _ in range(times if seen >= before else 0):
            told = await self._step(body)
            while "seen" in body and "next" in body and told is False:
                told = await self._step(body)
        lines = [orjson.loads(line) for line in self._log.since(min(seen, before))]
        document = {
            "now": rfc3339(self._timeline.reached_ns),
            "events": Counter(line["what"] for line in lines),
            "last": self._log.last_number,
        }
        return _json(document | {"lines": lines} if "seen" in body else document)

    async def _step(self, body: Mapping[str, Any]) -> bool | None:
        """Whether anything was published; None when time does not go on."""
        target_ns, reached_ns = self._target(body), self._timeline.reached_ns
        if target_ns is None:
            return None
        self._log.write(reached_ns, "step", to=rfc3339(target_ns))
        before = self._log.last_number
        self._timeline.step_to(target_ns)
        self._release()
        await self._flushed()
        if self._log.last_number > before:
            return True
        is_over = self._timeline.reached_ns in (reached_ns, self._target(body))
        return None if is_over else False

    def _target(self, body: Mapping[str, Any]) -> int | None:
        """Where a step leads; None when nothing more will happen."""
        given = [name for name in ("to", "by_s", "next") if name in body]
        if len(given) != 1:
            raise FixInput(
                "a step says one of to, by_s and next", next_step='{"next": "bar"} or {"by_s": 60}'
            )
        if "to" in body:
            return _instant(body["to"], "to")
        if "by_s" in body:
            span_s = body["by_s"]
            is_number = isinstance(span_s, int | float) and not isinstance(span_s, bool)
            if not is_number or not 0 < span_s <= _SPAN_S_MAX:
                raise FixInput(
                    f"by_s is a number of seconds above zero, at most {_SPAN_S_MAX}, not {span_s!r}"
                )
            return self._timeline.reached_ns + int(span_s * SECOND_NS)
        match body["next"]:
            case "bar":
                return self._timeline.next_close_of_bar_ns()
            case "instant":
                return _earlier(self._timeline.next_due_ns(), body.get("at_most"))
        raise FixInput(f"next is 'bar' or 'instant', not {body['next']!r}")

    # -- faults --------------------------------------------------------------------------------------------

    async def _faults_listed(self, request: web.BaseRequest, body: Mapping[str, Any]) -> web.StreamResponse:
        return _json({"faults": [_fault_document(each) for each in self._faults.armed()]})

    async def _fault_added(self, request: web.BaseRequest, body: Mapping[str, Any]) -> web.StreamResponse:
        from magellan.exchange.server.faults.plan_file import read_fault

        terms = read_fault(dict(body), source="the fault")
        armed = self._arm(terms)
        self._log.write(self._timeline.now(), "fault_added", id=armed.id, name=armed.name, kind=armed.kind)
        self._timeline.arm()
        return _json(_fault_document(armed), status=201)

    async def _fault_removed(self, id_: str) -> web.StreamResponse:
        if not id_.isdecimal():
            raise FixInput(f"a fault's id is a number, not '{id_}'")
        armed = self._faults.disarm(int(id_))
        self._log.write(self._timeline.now(), "fault_removed", id=armed.id, name=armed.name, kind=armed.kind)
        return web.Response(status=204)

    async def _faults_fired(self, request: web.BaseRequest, body: Mapping[str, Any]) -> web.StreamResponse:
        return _json({"fired": [_fired_document(each) for each in self._faults.fired]})

    # -- accounts and state --------------------------------------------------------------------------------

    async def _accounts_listed(self, request: web.BaseRequest, body: Mapping[str, Any]) -> web.StreamResponse:
        now_ns = self._timeline.now()
        return _json(
            {"accounts": [self._account_document(*each, now_ns) for each in self._keys.accounts().items()]}
        )

    def _account_document(self, key_id: str, account_id: str, now_ns: int) -> dict[str, Any]:
        account = self._venue.request(account_id, Request(method="GET", path="/account"), now_ns).body
        shown = ("id", "account_number", "status", "equity", "cash", "buying_power", "long_market_value",
                 "short_market_value", "trading_blocked")  # fmt: skip
        return {"key_id": key_id, **{name: account[name] for name in shown}}

    async def _key_added(self, request: web.BaseRequest, body: Mapping[str, Any]) -> web.StreamResponse:
        """A second pair of an account, as its owner makes one before the first is revoked."""
        _only(body, ("beside", "key_id", "secret_key"))
        pair = KeyPair(key_id=_text(body, "key_id"), secret=_text(body, "secret_key"))
        account_id = self._keys.add(pair, beside=_text(body, "beside"))
        now_ns = self._timeline.now()
        self._log.write(now_ns, "key_added", key_id=pair.key_id, account_id=account_id)
        return _json(self._account_document(pair.key_id, account_id, now_ns), status=201)

    async def _key_revoked(self, key_id: str) -> web.StreamResponse:
        """Streams that were opened with it stay open, as the next request is where a client finds out."""
        account_id = self._keys.revoke(key_id)
        self._log.write(self._timeline.now(), "key_revoked", key_id=key_id, account_id=account_id)
        return web.Response(status=204)

    async def _state_shown(self, request: web.BaseRequest, body: Mapping[str, Any]) -> web.StreamResponse:
        self._timeline.now()
        return _json(self._venue.snapshot())

    async def _streams_listed(self, request: web.BaseRequest, body: Mapping[str, Any]) -> web.StreamResponse:
        return _json({"streams": self._streams()})

    async def _overview_shown(self, request: web.BaseRequest, body: Mapping[str, Any]) -> web.StreamResponse:
        """What the page shows, in one answer."""
        now_ns = self._timeline.now()
        accounts, newest_keys = [], {account: key_id for key_id, account in self._keys.accounts().items()}
        for account_id, key_id in list(newest_keys.items())[:_OVERVIEW_ACCOUNTS]:
            orders = Request(method="GET", path="/orders", query={"status": ["all"], "limit": ["50"]})
            accounts.append(
                {
                    **self._account_document(key_id, account_id, now_ns),
                    "positions": self._venue.request(
                        account_id, Request(method="GET", path="/positions"), now_ns
                    ).body,
                    "orders": self._venue.request(account_id, orders, now_ns).body,
                }
            )
        lines = self._log.since(max(0, self._log.last_number - _OVERVIEW_LINES))
        return _json(
            {
                "clock": self._clock_document(),
                "symbols": list(self._market.symbols),
                "accounts": accounts,
                "faults": [_fault_document(each) for each in self._faults.armed()],
                "fired": [_fired_document(each) for each in self._faults.fired[-20:]],
                "events": [orjson.loads(line) for line in reversed(lines)],
            }
        )

    async def _events_listed(self, request: web.BaseRequest, body: Mapping[str, Any]) -> web.StreamResponse:
        """The log as JSON lines, after the line `since`; with follow=1 as SSE, without end."""
        since = _whole(request.query.get("since", "0"), "since")
        self._timeline.now()
        if request.query.get("follow") in ("1", "true"):
            return await self._events_followed(request, since)
        limit = _whole(request.query["limit"], "limit") if "limit" in request.query else None
        lines = self._log.since(since, limit)
        return web.Response(
            body=b"".join(line + b"\n" for line in lines), content_type="application/jsonl", charset="utf-8"
        )

    async def _events_followed(self, request: web.BaseRequest, since: int) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        )
        waiting: asyncio.Queue[bytes] = asyncio.Queue()
        stop = self._log.follow(waiting.put_nowait)
        try:
            await response.prepare(request)
            for line in self._log.since(since):
                await response.write(b"data: " + line + b"\n\n")
            while True:
                await response.write(b"data: " + await waiting.get() + b"\n\n")
        except ConnectionError:
            return response  # the reader has left
        finally:
            stop()

    # -- market --------------------------------------------------------------------------------------------

    async def _halted(self, request: web.BaseRequest, body: Mapping[str, Any]) -> web.StreamResponse:
        _only(body, ("symbol", "reason"))
        now_ns = self._timeline.now()
        self._interventions.halt(self._symbol(body), _text(body, "reason", "T1"), now_ns)
        return self._intervened()

    async def _resumed(self, request: web.BaseRequest, body: Mapping[str, Any]) -> web.StreamResponse:
        _only(body, ("symbol",))
        self._interventions.resume(self._symbol(body), self._timeline.now())
        return self._intervened()

    async def _ordered(self, request: web.BaseRequest, body: Mapping[str, Any]) -> web.StreamResponse:
        """An order that somebody else enters in an account: by hand, or the broker itself."""
        _only(body, ("key_id", "symbol", "side", "qty"))
        account_id = self._keys.account_id(_text(body, "key_id"))
        side = _text(body, "side", "buy")
        if side not in ("buy", "sell"):
            raise FixInput(f"side is buy or sell, not {side}")
        try:
            qty = Decimal(str(body.get("qty", "1")))
        except InvalidOperation:
            raise FixInput(f"qty is a number above zero, not {body['qty']!r}") from None
        if not qty.is_finite() or qty <= 0:
            raise FixInput(f"qty is a number above zero, not {qty}")
        self._timeline.now()
        self._interventions.order(account_id, self._symbol(body), "buy" if side == "buy" else "sell", qty)
        return self._intervened()

    def _intervened(self) -> web.Response:
        self._timeline.collect()
        self._release()
        self._timeline.arm()
        return _json(self._clock_document())

    def _symbol(self, body: Mapping[str, Any]) -> str:
        symbol = _text(body, "symbol")
        if self._market.asset(symbol) is None:
            raise FixInput(f"'{symbol}' does not trade here; symbols: {', '.join(self._market.symbols[:20])}")
        return symbol

    async def _index(self, request: web.BaseRequest, body: Mapping[str, Any]) -> web.StreamResponse:
        routes = [f"{method} {PREFIX}{path}" for method, path in self._routes]
        return _json(
            {
                "routes": [*routes, f"DELETE {PREFIX}faults/ID", f"DELETE {PREFIX}keys/KEY_ID"],
                "guide": "docs/guides/exchange.md",
            }
        )


async def _document(request: web.BaseRequest) -> Mapping[str, Any]:
    """The request's body, an object; empty where there is none. Raises FixInput for anything else."""
    if not request.can_read_body:
        return {}
    raw = await request.read()
    if not raw:
        return {}
    if request.content_type != "application/json":  # what a form on a foreign page cannot send
        raise FixInput("the control API takes JSON", next_step="send Content-Type: application/json")
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise FixInput(f"the body is no JSON: {error}") from None
    if not isinstance(document, dict):
        raise FixInput("the body is a JSON object")
    return document


def _only(body: Mapping[str, Any], accepted: tuple[str, ...]) -> None:
    for name in body:
        if name not in accepted:
            raise FixInput(f"there is no key '{name}' here; accepted are {', '.join(accepted)}")


def _text(body: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = body.get(name, default)
    if not isinstance(value, str) or not value:
        raise FixInput(f"{name} is missing, or no text")
    return value


def _whole(text: str, name: str) -> int:
    if not text.isdecimal():
        raise FixInput(f"{name} is a whole number, not '{text}'")
    return int(text)


def _earlier(due_ns: int | None, at_most: Any) -> int | None:
    """The next happening, or the instant up to which a client wants to wait for one."""
    if at_most is None:
        return due_ns
    most_ns = _instant(at_most, "at_most")
    return most_ns if due_ns is None else min(due_ns, most_ns)


def _instant(text: Any, name: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise FixInput(f"{name} is a time in RFC 3339, not {text!r}") from None
    return nanoseconds(at)


def _fault_document(armed: ArmedFault) -> dict[str, Any]:
    return {
        "id": armed.id,
        "name": armed.name,
        "matched": armed.matched,
        "fired": armed.fired,
        "is_spent": armed.is_spent,
        "fault": armed.terms.model_dump(mode="json", exclude_defaults=True) | {"kind": armed.kind},
    }


def _fired_document(fired: Fired) -> dict[str, Any]:
    occasion = {name: value for name, value in asdict(fired.occasion).items() if value and name != "now_ns"}
    return {
        "id": fired.id,
        "name": fired.name,
        "kind": fired.kind,
        "at": rfc3339(fired.at_ns),
        "on": occasion,
    }


def _json(document: Any, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        body=orjson.dumps(document, option=orjson.OPT_INDENT_2, default=str),
        content_type="application/json",
    )
