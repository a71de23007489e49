"""One connection pool to Alpaca over HTTP. Each request is sent once, and what came of it is one of three things.

Everything is said in the loop that the session runs in: an order is on the wire as soon as it is asked for, without
waiting for a thread. alpaca-py is not used here: decision 0080.
"""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import orjson

import magellan
from magellan.ledger.known_secrets import KnownSecrets
from magellan.ports.broker import Refused, Unknown

if TYPE_CHECKING:
    import aiohttp

_CONNECTIONS: Final = 24  # a round that enters twenty positions, of 5 % each, and what is read meanwhile
_KEPT_S: Final = (
    300.0  # an idle connection; a minute passes between two bars, and a new one costs several round trips
)
_SHOWN_LETTERS: Final = 300


@dataclass(frozen=True, slots=True)
class Body:
    """What an answer with a status below 300 held; None: nothing."""

    value: Any


class AlpacaRest:
    """Requests with one key pair. Made in any thread; the pool begins with the first request, in its loop.

    connect_timeout_s, read_timeout_s: for a connection, and for each piece of an answer.
    """

    def __init__(
        self, secrets: tuple[str, str], base_url: str, *, connect_timeout_s: float, read_timeout_s: float
    ) -> None:
        self._secrets = secrets
        self._base_url = base_url
        self._timeout_s = (connect_timeout_s, read_timeout_s)
        self._pool: aiohttp.ClientSession | None = None

    async def once(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Any = None
    ) -> Body | Refused | Unknown:
        """Send a request once, and wait a bounded time. A request that is not sure to have been read is Unknown."""
        try:
            status, _, content = await self.raw(method, path, query=query, body=body)
        except transport_errors() as error:
            return Unknown(why=self._clean(f"{type(error).__name__}: {error}"))
        if not 200 <= status < 300:
            return self._classified(status, content)
        try:
            return Body(orjson.loads(content) if content else None)
        except ValueError as error:  # a body that is not JSON, under a status of 200
            return Unknown(why=self._clean(f"an answer that is not JSON: {error}"))

    async def raw(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Any = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of the answer. Raises one of `transport_errors` where there is no whole one."""
        if self._pool is None:
            self._pool = self._new_pool()
        data = None if body is None else orjson.dumps(body)
        headers = None if body is None else {"Content-Type": "application/json"}
        async with self._pool.request(
            method,
            self._base_url + path,
            params=query,
            data=data,
            headers=headers,
            allow_redirects=False,  # a key is not carried elsewhere
        ) as answer:
            return answer.status, answer.headers, await answer.read()

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()

    def _new_pool(self) -> aiohttp.ClientSession:
        import aiohttp

        connect_s, read_s = self._timeout_s
        pool = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_KEPT_S),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_s, sock_read=read_s),
            cookie_jar=aiohttp.DummyCookieJar(),  # the key says who we are, in every request
            proxy=proxy_for(self._base_url),
            headers={
                "APCA-API-KEY-ID": self._secrets[0],
                "APCA-API-SECRET-KEY": self._secrets[1],
                "User-Agent": user_agent(),
            },
        )
        # It sends what it takes to be harmless, a DELETE too, a second time when a connection turns out to be closed.
        # It has no other switch; tests/contracts/test_broker.py counts what arrives.
        pool._retry_connection = False
        return pool

    def _classified(self, status: int, content: bytes) -> Refused | Unknown:
        code, message = str(status), content.decode("utf-8", "replace")
        try:
            told = orjson.loads(content)
            code, message = str(told.get("code", status)), str(told.get("message", message))
        except (ValueError, AttributeError):
            if "<" in message[:200]:
                message = "a web page instead of an answer"
        is_known_there = "client_order_id must be unique" in message
        message = self._clean(message)
        if status == 429:
            return Refused(code=code, message=message, rate_limited=True)
        if 400 <= status < 500 and status != 408 and not is_known_there:
            return Refused(code=code, message=message)
        return Unknown(why=f"status {status}: {message}")

    def _clean(self, text: str) -> str:
        text = " ".join(KnownSecrets(self._secrets).hidden_in(text).split())
        return text if len(text) <= _SHOWN_LETTERS else text[:_SHOWN_LETTERS] + "…"


def user_agent() -> str:
    """Who we say that we are."""
    return f"magellan/{magellan.__version__}"


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for an address; None: go there directly."""
    parts = urlsplit(url)
    if parts.hostname is None or urllib.request.proxy_bypass(parts.hostname):
        return None
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    return urllib.request.getproxies().get(scheme)


def transport_errors() -> tuple[type[Exception], ...]:
    """What is raised where no whole answer came."""
    import aiohttp

    return aiohttp.ClientError, asyncio.TimeoutError, OSError
