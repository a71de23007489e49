"""What keeps an account from trading: breakers, and what a person asks: halt, resume, flatten."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from magellan.adapters.local.control_folder import new_request
from magellan.ledger.book import TrippedBreaker
from magellan.ports.operator import OperatorRequest
from magellan.surfaces.cli.flatten import flattened as flatten
from magellan.surfaces.cli.operate_options import Desk as AccountDesk
from magellan.surfaces.http.access import Desk, Flattener, Operator, Reader
from magellan.surfaces.http.answer import Answer, answer, example
from magellan.surfaces.http.desk import ApiDesk
from magellan.surfaces.http.problem import Refused
from magellan.surfaces.http.routes.trading import Account, account_status, told_at
from magellan.surfaces.http.words import Said
from magellan.usecases.named_account import named_account
from magellan.usecases.operate_session import Operated, halt, must_name, outcome_of, resume

router = APIRouter(prefix="/api", tags=["operate"])


class Safety(BaseModel):
    """What keeps entries from being made."""

    account: str
    switch: str = Field(description="running, or how it is halted.")
    halted_by: str | None
    halted_because: str | None
    breakers: tuple[TrippedBreaker, ...] = Field(description="Those that tripped and nobody has reset.")


class Asked(BaseModel):
    """Who asks, and why. Both are recorded."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "the feed looks wrong", "by": "jane"}]}
    )

    reason: Said = Field(max_length=500, description="Why, in one line. It is recorded.")
    by: Said | None = Field(None, max_length=100, description="Who; the token's name if left out.")
    account: str | None = Field(None, max_length=100, description="As in `GET /api/account`.")


class AskedToFlatten(Asked):
    """The same, and for how long it goes on."""

    within_s: float = Field(60.0, ge=1, le=300, description="Seconds until it gives up.")


@router.get(
    "/breakers", responses=example({"account": "alpaca-paper-PA1", "switch": "running", "breakers": []})
)
def breakers(desk: Desk, caller: Reader, account: Account = None) -> Answer[Safety]:
    """Show the kill switch, and the breakers that tripped."""
    status = account_status(desk, account)
    safety = Safety(
        account=status.account,
        switch=status.switch,
        halted_by=None if status.halt is None else status.halt.person or status.halt.source,
        halted_because=None if status.halt is None else status.halt.reason,
        breakers=status.breakers,
    )
    return answer(safety, source="ledger and heartbeat", as_of=told_at(status), now=desk.now())


@router.post("/halt", responses=example({"acted": "session", "account": "alpaca-paper-PA1"}))
def halted(desk: Desk, caller: Operator, asked: Asked) -> Answer[Operated]:
    """Enter nothing from now on. What is held stays, with its protection. `acted` says whether a session did it."""
    request = _request("halt", caller.name, asked)
    with _account(desk, asked) as account:
        return _told(asyncio.run(halt(account.account, request, account.around)), desk)


@router.post("/resume", responses=example({"acted": "session", "reset": ["daily_loss"]}))
def resumed(desk: Desk, caller: Operator, asked: Asked) -> Answer[Operated]:
    """Let entries in again, and reset the breakers that tripped."""
    request = _request("resume", caller.name, asked)
    with _account(desk, asked) as account:
        return _told(asyncio.run(resume(account.account, request, account.around)), desk)


@router.post(
    "/flatten",
    responses={
        **example({"acted": "broker", "account": "alpaca-paper-PA1", "flattened": {"flat": True}}),
        409: {"description": "It is not flat, or nobody knows; `detail` says what is left."},
    },
)
def flattened(desk: Desk, caller: Flattener, asked: AskedToFlatten) -> Answer[Operated]:
    """Cancel every order, leave every position at the market, and look until the broker shows neither.

    The answer comes when it is flat; 409 when it is not in that time. A session that runs is asked first; one that
    hangs is gone past. The account stays halted until it is resumed. It goes on although the caller hangs up.
    """
    request = _request("flatten", caller.name, asked)
    with _account(desk, asked) as account:
        operated = asyncio.run(flatten(account, request, within_s=asked.within_s))
    assert operated.flattened is not None, "a flatten has an outcome"
    if not operated.flattened.flat:
        outcome = outcome_of(operated.flattened, acted=operated.acted)
        raise Refused(
            HTTPStatus.CONFLICT, "not-flat", f"{operated.account}: {outcome}",
            kept=f"what was done is recorded in {operated.recorded_in}; the account is halted",
            fix="ask again, or look at the broker itself; a session that hangs has to be stopped",
        )  # fmt: skip
    return _told(operated, desk)


def _request(asks: str, token: str, asked: Asked) -> OperatorRequest:
    person = f"{asked.by} (token {token})" if asked.by else token
    must_name(person, asked.reason, f"a {asks}")
    return new_request(asks, person=person, reason=asked.reason, source="http")


@contextmanager
def _account(desk: ApiDesk, asked: Asked) -> Generator[AccountDesk]:
    with desk.ledger() as ledger:
        account = named_account(desk.workspace.settings, ledger, asked.account)
        yield AccountDesk(workspace=desk.workspace, ledger=ledger, account=account)


def _told(operated: Operated, desk: ApiDesk) -> Answer[Operated]:
    return answer(operated, source="ledger", as_of=desk.now(), now=desk.now())
