"""Limits on requests: how many, how large, and by which name the server is called."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from magellan.surfaces.http.problem import problem_response

_CALLERS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a caller may ask for."""

    per_second: float = 50.0
    burst: int = 200  # requests at once, after a pause
    body_bytes_max: int = 10_000_000
    too_large_s: float = 10.0  # for which the rest of a body that is too large is still taken in
    hosts: frozenset[str] = frozenset({"127.0.0.1", "localhost", "[::1]"})  # names in the Host header


class Buckets:
    """One bucket of requests for each caller, which fills at a steady rate."""

    def __init__(self, *, per_second: float, burst: int, clock: Callable[[], float]) -> None:
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, caller: str) -> float:
        """Take one request; 0 where it may go on, otherwise the seconds until there is one again."""
        now = self._clock()
        left, at = self._left.pop(caller, (float(self._burst), now))
        left = min(self._burst, left + (now - at) * self._per_second)
        allowed = left >= 1.0
        self._left[caller] = (left - 1.0 if allowed else left, now)
        while len(self._left) > _CALLERS_MAX:
            self._left.popitem(last=False)
        return 0.0 if allowed else (1.0 - left) / self._per_second


class Limiting:
    """The door of the app: what is refused here reaches no route."""

    def __init__(
        self,
        app: ASGIApp,
        limits: Limits,
        let_in: Callable[[Scope, Headers], Response | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """let_in: the answer to a request of which nothing more is to be read; None: it may go on."""
        self._app, self._limits, self._let_in = app, limits, let_in
        self._buckets = Buckets(per_second=limits.per_second, burst=limits.burst, clock=clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "").rpartition(":")[0] or headers.get("host", "")
        if (
            host.lower() not in self._limits.hosts
            and headers.get("host", "").lower() not in self._limits.hosts
        ):
            # A page in a browser can make its own name point here; the name gives it away.
            await self._refuse(
                scope,
                receive,
                send,
                HTTPStatus.MISDIRECTED_REQUEST,
                "wrong-host",
                f"'{host}' is not this server",
                f"call it by one of {', '.join(sorted(self._limits.hosts))}, or start it with --name {host or 'HOST'}",
            )
            return
        wait_s = self._buckets.wait_s(_caller(scope, headers))
        if wait_s:
            await self._refuse(scope, receive, send, HTTPStatus.TOO_MANY_REQUESTS, "too-many-requests",
                               f"more than {self._limits.per_second:g} requests a second", "ask less often",
                               wait_s)  # fmt: skip
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        refused = self._let_in(scope, headers)
        if refused is not None:
            await refused(scope, receive, _with_headers(send))
            return
        body = await self._body(headers, receive)
        if body is None:
            await self._let_pass(headers, receive)
            await self._refuse(scope, receive, send, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large",
                               f"a body has {self._limits.body_bytes_max:,} bytes at most",
                               "send less; a workbook with every table filled has a few 100,000")  # fmt: skip
            return
        await self._app(scope, _replay(body, receive), _with_headers(send))

    async def _body(self, headers: Headers, receive: Receive) -> bytes | None:
        """The whole body, since a length that is announced may be a lie; None: too large."""
        announced = headers.get("content-length", "0")
        if announced.isdecimal() and int(announced) > self._limits.body_bytes_max:
            return None
        if announced == "0" and "transfer-encoding" not in headers:
            return b""
        parts, length = [], 0
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return b""
            parts.append(message.get("body", b""))
            length += len(parts[-1])
            if length > self._limits.body_bytes_max:
                return None
            if not message.get("more_body", False):
                return b"".join(parts)

    async def _let_pass(self, headers: Headers, receive: Receive) -> None:
        """Take in the rest, and keep nothing: whoever is cut off while sending never sees the answer."""
        if "expect" in headers and "content-length" in headers:
            return  # nothing was asked for yet, and so nothing is sent
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.too_large_s):
                while (await receive()).get("more_body", False):
                    pass

    async def _refuse(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        status: HTTPStatus,
        code: str,
        detail: str,
        fix: str,
        wait_s: float = 0,
    ) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": detail})
            return
        headers = {"Retry-After": str(max(1, round(wait_s)))} if wait_s else None
        response = problem_response(status, code, detail, fix=fix, headers=headers)
        await response(scope, receive, _with_headers(send))


def _caller(scope: Scope, headers: Headers) -> str:
    shown = headers.get("authorization")
    if shown:
        return hashlib.sha256(shown.encode("latin-1", "replace")).hexdigest()
    client = scope.get("client")
    return client[0] if client else ""


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()  # what comes now is that the client has gone
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                *message["headers"],
                (b"x-content-type-options", b"nosniff"),
                (b"cache-control", b"private, no-cache"),
                (b"referrer-policy", b"no-referrer"),
            ]
        await send(message)

    return sending
