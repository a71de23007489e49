"""How a failure is answered: problem+json (RFC 9457) with a code, the cause and what to do."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from magellan.archive.dataset import SetNotFound
from magellan.errors import AskOperator, FixInput, Interrupted, MagellanError, TryAgain
from magellan.ports.run_store import RunNotFound
from magellan.surfaces.cli.failure import failure_of
from magellan.usecases.configure_regime import ChangeNotFound
from magellan.usecases.named_account import AccountNotFound

PROBLEM_JSON: Final = "application/problem+json"

_STATUS: Final[tuple[tuple[type[MagellanError], HTTPStatus], ...]] = (
    (SetNotFound, HTTPStatus.NOT_FOUND),
    (RunNotFound, HTTPStatus.NOT_FOUND),
    (AccountNotFound, HTTPStatus.NOT_FOUND),
    (ChangeNotFound, HTTPStatus.NOT_FOUND),
    (FixInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (TryAgain, HTTPStatus.SERVICE_UNAVAILABLE),
    (AskOperator, HTTPStatus.CONFLICT),
    (Interrupted, HTTPStatus.CONFLICT),
)


class Problem(BaseModel):
    """Why something was not done."""

    type: str = Field(description="About this kind of problem.")
    title: str = Field(description="The kind, in words.")
    status: int = Field(description="The status of the answer.")
    code: str = Field(description="The kind, for programs: fix-input, try-again, ask-operator, ...")
    detail: str = Field(description="What happened.")
    kept: str = Field("", description="What is safe in spite of it.")
    fix: str = Field("", description="What to do now.")
    errors: list[dict[str, str]] = Field(
        default_factory=list,
        description="Of a request that is not well formed: each place and what is wrong.",
    )


class Refused(Exception):
    """A request that is not carried out, for a reason of HTTP's: no token, no scope, an ETag that is old."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        *,
        kept: str = "",
        fix: str = "",
        retry_after_s: float = 0,
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.kept, self.fix, self.retry_after_s = kept, fix, retry_after_s


def not_found(what: str, *, fix: str = "") -> Refused:
    """Of something that is named and is not there."""
    return Refused(HTTPStatus.NOT_FOUND, "not-found", what, fix=fix)


def problem_response(
    status: int, code: str, detail: str, *, kept: str = "", fix: str = "", errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:  # fmt: skip
    """The answer itself."""
    return _answered(_problem(status, code, detail, kept=kept, fix=fix, errors=errors), headers)


def problem_of(error: Refused | MagellanError) -> Problem:
    """Why something was not done, of an error that was foreseen."""
    if isinstance(error, Refused):
        return _problem(error.status, error.code, error.detail, kept=error.kept, fix=error.fix)
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    return _problem(status, error.code, error.message, kept=error.kept, fix=error.next_step)


def refusal(error: Refused) -> JSONResponse:
    """The answer to a request that is refused."""
    headers = {"Retry-After": str(max(1, round(error.retry_after_s)))} if error.retry_after_s else {}
    if error.status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return _answered(problem_of(error), headers)


def answer_problems(app: FastAPI) -> None:
    """Let every error of the app become such an answer."""

    @app.exception_handler(MagellanError)
    async def expected(request: Request, error: MagellanError) -> JSONResponse:
        headers = {"Retry-After": "5"} if isinstance(error, TryAgain) else None
        return _answered(problem_of(error), headers)

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        return refusal(error)

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        is_of_body = any(each["loc"] == ("body",) for each in error.errors())
        if is_of_body and kind != "application/json" and not kind.endswith("+json"):
            return problem_response(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "wrong-form", f"the body is said to be '{kind}'",
                fix="send JSON, with a header: Content-Type: application/json",
            )  # fmt: skip
        errors = [_malformed(each) for each in error.errors()]
        places = "; ".join(f"{each['place']}: {each['wrong']}" for each in errors[:3])
        return problem_response(
            HTTPStatus.UNPROCESSABLE_ENTITY, "malformed-request", f"the request is not well formed: {places}",
            fix="see the OpenAPI document, /api/openapi.json", errors=errors,
        )  # fmt: skip

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == HTTPStatus.BAD_REQUEST:  # FastAPI's, of a body that no parser gets through
            return problem_response(
                HTTPStatus.UNPROCESSABLE_ENTITY, "malformed-request", "the body is no JSON that can be read",
                fix="send an object as the OpenAPI document shows, /api/openapi.json",
            )  # fmt: skip
        code = {404: "not-found", 405: "wrong-method"}.get(error.status_code, "refused")
        return problem_response(
            error.status_code, code, f"{request.method} {request.url.path}: {error.detail}",
            fix="see the OpenAPI document, /api/openapi.json", headers=dict(error.headers or {}),
        )  # fmt: skip

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        failure = failure_of(
            error, command="serve"
        )  # writes the traceback to a file, and shows none of it here
        return problem_response(
            HTTPStatus.INTERNAL_SERVER_ERROR, "unexpected", "a defect of Magellan",
            fix="the traceback is in a file of the workspace, .magellan/crash: please report it",
            kept="everything that was recorded before" if failure.kept else "",
        )  # fmt: skip


def _problem(
    status: int, code: str, detail: str, *, kept: str = "", fix: str = "", errors: list[dict[str, str]] | None = None
) -> Problem:  # fmt: skip
    return Problem(
        type=f"https://magellan.invalid/problems/{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        kept=kept,
        fix=fix,
        errors=errors or [],
    )


def _answered(problem: Problem, headers: dict[str, str] | None) -> JSONResponse:
    return JSONResponse(
        problem.model_dump(), status_code=problem.status, media_type=PROBLEM_JSON, headers=headers
    )


def _malformed(error: dict[str, Any]) -> dict[str, str]:
    """One mistake of a request, in the words of the caller's side."""
    if error["type"] == "json_invalid":
        why = error.get("ctx", {}).get("error", "")
        return {"place": f"body, at character {error['loc'][-1]}", "wrong": f"it is no JSON: {why}"}
    wrong = str(error["msg"]).removeprefix("Value error, ")
    return {"place": ".".join(str(part) for part in error["loc"]), "wrong": wrong}
