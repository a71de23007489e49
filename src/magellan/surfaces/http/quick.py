"""The quick way to what hundreds ask every second: the regime's status and the config in force.

Both are JSON that is written once. Going through routing, dependencies and validation would cost several times as much
as everything else about such an answer. Whatever is not plain (a token that opens nothing, a market that was not read
yet, an error) goes the ordinary way, whose answer is the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from fastapi import Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from magellan.errors import MagellanError
from magellan.ports.api_tokens import Scope as TokenScope
from magellan.surfaces.http.answer import answer_of_json
from magellan.surfaces.http.desk import ApiDesk
from magellan.trading.timeframe import Timeframe
from magellan.usecases.api_access import caller_of

_QUERY: Final = re.compile(rb"symbol=([A-Za-z0-9._-]{1,40})(?:&timeframe=([0-9]{1,3}(?:Min|Hour|Day)))?")


class Quick:
    """Answers what it can, and hands on the rest."""

    def __init__(self, app: ASGIApp, desk: ApiDesk) -> None:
        self._app, self._desk = app, desk
        self._ways: dict[str, Callable[[ApiDesk, bytes, Headers], Response | None]] = {
            "/api/market-regime/status": _status,
            "/api/market-regime/config": _config,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        response = None
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"] in self._ways:
            response = self._answered(scope)
        await (response or self._app)(scope, receive, send)

    def _answered(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        kind, _, shown = headers.get("authorization", "").partition(" ")
        desk = self._desk
        try:
            caller = caller_of(shown, desk.tokens.tokens(), desk.environment_token, desk.now())
            if kind.lower() != "bearer" or caller is None or TokenScope.READ not in caller.scopes:
                return None
            return self._ways[scope["path"]](desk, scope["query_string"], headers)
        except MagellanError:
            return None  # the ordinary way meets it again, and says so


def _status(desk: ApiDesk, query: bytes, headers: Headers) -> Response | None:
    asked = _market(query)
    reading = None if asked is None else desk.readings.kept_reading(*asked)
    if reading is None:
        return None
    return answer_of_json(
        desk.reading_json(reading), source="archive", as_of=reading.known_at, now=desk.now()
    )


def _config(desk: ApiDesk, query: bytes, headers: Headers) -> Response | None:
    etag = desk.regime_etag()
    if query or "if-none-match" in headers:
        return None
    now = desk.now()
    return answer_of_json(
        desk.regime_document(), source="workspace", as_of=now, now=now, headers={"ETag": etag}
    )


@lru_cache(maxsize=1000)
def _market(query: bytes) -> tuple[str, Timeframe] | None:
    match = _QUERY.fullmatch(query)
    if match is None:
        return None
    try:
        return match[1].decode(), Timeframe.parse((match[2] or b"1Day").decode())
    except ValueError:
        return None
