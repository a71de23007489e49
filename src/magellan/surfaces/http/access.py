"""Who may call what, and the line in the audit log for everything that changes something."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import Scope as HttpScope

from magellan.audit.change import Change, Result
from magellan.errors import MagellanError
from magellan.ports.api_tokens import Scope
from magellan.surfaces.http import words
from magellan.surfaces.http.desk import ApiDesk
from magellan.surfaces.http.problem import Refused, refusal
from magellan.usecases.api_access import Caller, caller_of

OPEN: Final = frozenset({"/api/health", "/api/ready", "/api/openapi.json"})
"""What is answered without a token. The page is, too, which lies outside of /api."""

BEARER = HTTPBearer(
    auto_error=False,
    description="A token of `magellan token issue`, or the one of BOT_API_AUTH_TOKEN.",
)


def desk_of(request: Request) -> ApiDesk:
    """The desk that the app was made with."""
    desk: ApiDesk = request.app.state.desk
    return desk


Desk = Annotated[ApiDesk, Depends(desk_of)]
Shown = Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]


def known_caller(desk: ApiDesk, shown: str, address: str) -> Caller:
    """Whoever shows that token. Raises Refused.

    address: that it is shown from. Wrong tokens are counted by it, so that nobody guesses on and on.
    """
    found = caller_of(shown, desk.tokens.tokens(), desk.environment_token, desk.now()) if shown else None
    if found is None:
        wait_s = desk.wrong_tokens.wait_s(address) if shown else 0.0
        if wait_s:
            raise Refused(
                HTTPStatus.TOO_MANY_REQUESTS, "too-many-tokens", "too many wrong tokens from this address",
                fix="wait, then show the right one", retry_after_s=wait_s,
            )  # fmt: skip
        raise Refused(
            HTTPStatus.UNAUTHORIZED, "no-token", "no token, or one that opens nothing",
            fix="send a header: Authorization: Bearer TOKEN",
        )  # fmt: skip
    return found


def caller(desk: ApiDesk, shown: str, scope: Scope, address: str) -> Caller:
    """Whoever shows that token, if it has the scope. Raises Refused."""
    found = known_caller(desk, shown, address)
    if scope not in found.scopes:
        raise Refused(
            HTTPStatus.FORBIDDEN, "no-scope", f"the token of {found.name} has not the scope {scope}",
            fix=f"issue one with it: magellan token issue {found.name} --scopes {scope},...",
        )  # fmt: skip
    return found


def door(desk: ApiDesk) -> Callable[[HttpScope, Headers], Response | None]:
    """What stops a request at the door, before anything of its body is read: no token that opens anything."""

    def let_in(scope: HttpScope, headers: Headers) -> Response | None:
        if scope["path"] in OPEN or not scope["path"].startswith("/api/"):
            return None
        kind, shown = get_authorization_scheme_param(headers.get("authorization"))
        try:
            known_caller(desk, shown if kind.lower() == "bearer" else "", address_of(HTTPConnection(scope)))
        except Refused as error:
            return refusal(error)
        except MagellanError:
            return None  # the route meets it again, and says so
        return None

    return let_in


async def reading(request: Request, desk: Desk, shown: Shown) -> Caller:
    """Whoever may read."""
    return caller(desk, shown.credentials if shown else "", Scope.READ, address_of(request))


def address_of(connection: HTTPConnection) -> str:
    """Where a request comes from."""
    return connection.client.host if connection.client else ""


def writing(scope: Scope, action: str) -> Callable[..., AsyncIterator[Caller]]:
    """Whoever may do something with that scope. The audit log has it before it is begun, and what came of it after."""

    async def recorded(request: Request, desk: Desk, shown: Shown) -> AsyncIterator[Caller]:
        found = caller(desk, shown.credentials if shown else "", scope, address_of(request))
        change = Change(
            at=desk.now(),
            by=desk.actor(found.name),
            action=f"api {action}",
            subject=request.url.path,
            where="api",
            why=words.shown(words.as_sent(request.headers.get("x-reason", "")))[:200],
            result=Result.BEGUN,
        )
        await run_in_threadpool(desk.changes.append, change)
        note, result = "", Result.FAILED
        try:
            yield found
            result = Result.DONE
        except Refused as error:
            note, result = error.detail, Result.REFUSED
            raise
        except MagellanError as error:
            note = error.message
            raise
        finally:
            await run_in_threadpool(
                desk.changes.append, replace(change, at=desk.now(), result=result, note=note)
            )

    return recorded


Reader = Annotated[Caller, Depends(reading)]
Operator = Annotated[Caller, Depends(writing(Scope.OPERATE, "operate"))]
Researcher = Annotated[Caller, Depends(writing(Scope.RESEARCH, "research"))]
Configurer = Annotated[Caller, Depends(writing(Scope.CONFIGURE, "configure"))]
Flattener = Annotated[Caller, Depends(writing(Scope.FLATTEN, "flatten"))]
