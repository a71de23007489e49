"""Accounts: status, positions, orders, decisions, breakers; halt and resume."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from magellan.adapters.local.control_folder import new_request
from magellan.ledger.book import TrippedBreaker
from magellan.surfaces.cli.operate_options import watch_terms
from magellan.surfaces.http.access import Desk, Operator, Reader
from magellan.surfaces.http.answer import Answer, answer, example
from magellan.surfaces.http.desk import ApiDesk
from magellan.usecases.ledger_queries import (
    AccountLine,
    DecisionRow,
    ExecutionRow,
    account_lines,
    decisions,
    executions,
)
from magellan.usecases.named_account import named_account
from magellan.usecases.operate_session import Around, Operated, halt, must_name, resume
from magellan.usecases.session_status import Held, SessionStatus, Working, session_status
from magellan.usecases.watch_session import findings, seen_now
from magellan.wiring.market import session_calendar
from magellan.wiring.sessions import control_folder, heartbeat_file

router = APIRouter(prefix="/api", tags=["trading"])

Account = Annotated[
    str | None,
    Query(
        max_length=100,
        description="In magellan.toml or in the ledger; otherwise the one whose session runs, or the only one.",
        examples=["local"],
    ),
]
Last = Annotated[int, Query(ge=1, le=1000, description="So many of the newest.")]


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

    reason: str = Field(min_length=1, max_length=500, pattern=r"\S", description="Why. It is recorded.")
    by: str | None = Field(
        None, min_length=1, max_length=100, pattern=r"\S", description="Who; the token's name if left out."
    )
    account: str | None = Field(None, max_length=100, description="As in `GET /api/account`.")


@router.get("/accounts", responses=example([{"account": "alpaca-paper-PA1", "positions": {"AMC": "120"}}]))
def accounts(desk: Desk, caller: Reader) -> Answer[tuple[AccountLine, ...]]:
    """List the ledger's accounts, each at a glance."""
    with desk.ledger() as ledger:
        lines = account_lines(ledger)
    newest = max((each.last_at for each in lines if each.last_at is not None), default=None)
    return answer(lines, source="ledger", as_of=newest, now=desk.now())


@router.get(
    "/account", responses=example({"account": "alpaca-paper-PA1", "running": "running", "switch": "running"})
)
def account(desk: Desk, caller: Reader, account: Account = None) -> Answer[SessionStatus]:
    """Show an account whole: session, positions, orders, today's profit, breakers, health, each with its age."""
    status = _status(desk, account)
    return answer(status, source="ledger and heartbeat", as_of=status.asked_at, now=desk.now())


@router.get(
    "/positions",
    responses=example([{"symbol": "AMC", "quantity": "120", "price": "3.11", "price_age_s": 4.2}]),
)
def positions(desk: Desk, caller: Reader, account: Account = None) -> Answer[tuple[Held, ...]]:
    """List what is held, with prices and the profit at them."""
    status = _status(desk, account)
    return answer(status.positions, source="ledger and heartbeat", as_of=status.asked_at, now=desk.now())


@router.get(
    "/orders",
    responses=example([{"client_order_id": "bt-1", "symbol": "AMC", "side": "buy", "status": "new"}]),
)
def orders(desk: Desk, caller: Reader, account: Account = None) -> Answer[tuple[Working, ...]]:
    """List orders that may still fill."""
    status = _status(desk, account)
    return answer(status.orders, source="ledger and heartbeat", as_of=status.asked_at, now=desk.now())


@router.get(
    "/executions", responses=example([{"symbol": "AMC", "side": "buy", "quantity": "120", "price": "3.10"}])
)
def executed(
    desk: Desk, caller: Reader, account: Account = None, last: Last = 50
) -> Answer[tuple[ExecutionRow, ...]]:
    """List executions, the newest at the end."""
    with desk.ledger() as ledger:
        named = named_account(desk.workspace.settings, ledger, account)
        rows = tuple(deque(executions(ledger, named.ledger), maxlen=last))
    return answer(rows, source="ledger", as_of=rows[-1].at if rows else None, now=desk.now())


@router.get(
    "/decisions",
    responses=example([{"symbol": "AMC", "action": "enter_long", "reasoning": "fast above slow"}]),
)
def decided(
    desk: Desk, caller: Reader, account: Account = None, last: Last = 50
) -> Answer[tuple[DecisionRow, ...]]:
    """List what sessions decided and why, the newest at the end."""
    with desk.ledger() as ledger:
        named = named_account(desk.workspace.settings, ledger, account)
        rows = tuple(deque(decisions(ledger, named.ledger), maxlen=last))
    return answer(rows, source="ledger", as_of=rows[-1].at if rows else None, now=desk.now())


@router.get(
    "/breakers", responses=example({"account": "alpaca-paper-PA1", "switch": "running", "breakers": []})
)
def breakers(desk: Desk, caller: Reader, account: Account = None) -> Answer[Safety]:
    """Show the kill switch, and the breakers that tripped."""
    status = _status(desk, account)
    safety = Safety(
        account=status.account,
        switch=status.switch,
        halted_by=None if status.halt is None else status.halt.person or status.halt.source,
        halted_because=None if status.halt is None else status.halt.reason,
        breakers=status.breakers,
    )
    return answer(safety, source="ledger", as_of=status.asked_at, now=desk.now())


@router.post("/halt", responses=example({"acted": "session", "account": "alpaca-paper-PA1"}))
def halted(desk: Desk, caller: Operator, asked: Asked) -> Answer[Operated]:
    """Enter nothing from now on. What is held stays, with its protection. `acted` says whether a session did it."""
    return _operate(desk, caller.name, asked, "halt")


@router.post("/resume", responses=example({"acted": "session", "reset": ["daily_loss"]}))
def resumed(desk: Desk, caller: Operator, asked: Asked) -> Answer[Operated]:
    """Let entries in again, and reset the breakers that tripped."""
    return _operate(desk, caller.name, asked, "resume")


def _operate(desk: ApiDesk, token: str, asked: Asked, asks: str) -> Answer[Operated]:
    person = f"{asked.by} (token {token})" if asked.by else token
    must_name(person, asked.reason, f"a {asks}")
    request = new_request(asks, person=person, reason=asked.reason, source="http")
    with desk.ledger() as ledger:
        named = named_account(desk.workspace.settings, ledger, asked.account)
        around = Around(ledger=ledger, desk=control_folder(desk.workspace, named.ledger), now=desk.now)
        operated = asyncio.run((halt if asks == "halt" else resume)(named, request, around))
    return answer(operated, source="ledger", as_of=desk.now(), now=desk.now())


def _status(desk: ApiDesk, named: str | None) -> SessionStatus:
    with desk.ledger() as ledger:
        account = named_account(desk.workspace.settings, ledger, named)
        beats = heartbeat_file(desk.workspace, account.ledger)
        seen = seen_now(account.ledger, ledger, beats.newest(), desk.now())
        silent: tuple[str, ...] = ()
        if seen.session is not None:
            terms, reconcile_every_s = watch_terms(account)
            calendar = session_calendar(desk.workspace, seen.session.began)
            silent = tuple(findings(seen, terms, calendar, reconcile_every_s=reconcile_every_s).values())
        return session_status(account, ledger, seen, silent=silent, look=None)
