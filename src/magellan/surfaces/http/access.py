"""Who may call what, and the line in the audit log for everything that changes something."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from magellan.audit.change import Change, Result
from magellan.errors import MagellanError
from magellan.ports.api_tokens import Scope
from magellan.surfaces.http.desk import ApiDesk
from magellan.surfaces.http.problem import Refused
from magellan.usecases.api_access import Caller, caller_of

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


def caller(desk: ApiDesk, shown: str, scope: Scope, address: str) -> Caller:
    """Whoever shows that token, if it has the scope. Raises Refused.

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
    if scope not in found.scopes:
        raise Refused(
            HTTPStatus.FORBIDDEN, "no-scope", f"the token of {found.name} has not the scope {scope}",
            fix=f"issue one with it: magellan token issue {found.name} --scopes {scope},...",
        )  # fmt: skip
    return found


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
            why=request.headers.get("x-reason", "")[:200],
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
