"""Accounts: status, positions, orders, executions, decisions."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from magellan.surfaces.cli.operate_options import watch_terms
from magellan.surfaces.http.access import Desk, Reader
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
    status = account_status(desk, account)
    return answer(status, source="ledger and heartbeat", as_of=told_at(status), now=desk.now())


@router.get(
    "/positions",
    responses=example([{"symbol": "AMC", "quantity": "120", "price": "3.11", "price_age_s": 4.2}]),
)
def positions(desk: Desk, caller: Reader, account: Account = None) -> Answer[tuple[Held, ...]]:
    """List what is held, with prices and the profit at them."""
    status = account_status(desk, account)
    return answer(status.positions, source="ledger and heartbeat", as_of=told_at(status), now=desk.now())


@router.get(
    "/orders",
    responses=example([{"client_order_id": "bt-1", "symbol": "AMC", "side": "buy", "status": "new"}]),
)
def orders(desk: Desk, caller: Reader, account: Account = None) -> Answer[tuple[Working, ...]]:
    """List orders that may still fill."""
    status = account_status(desk, account)
    return answer(status.orders, source="ledger and heartbeat", as_of=told_at(status), now=desk.now())


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


def account_status(desk: ApiDesk, named: str | None) -> SessionStatus:
    """How an account stands. Raises FixInput for one that there is not."""
    with desk.ledger() as ledger:
        account = named_account(desk.workspace.settings, ledger, named)
        beats = heartbeat_file(desk.workspace, account.ledger)
        seen = seen_now(account.ledger, ledger, beats.newest(), desk.now())
        silent: tuple[str, ...] = ()
        if seen.session is not None:
            terms, reconcile_every_s = watch_terms(account)
            calendar = session_calendar(desk.workspace, seen.session.began)
            silent = tuple(findings(seen, terms, calendar, reconcile_every_s=reconcile_every_s).values())
        asked = control_folder(desk.workspace, account.ledger).waiting()
        return session_status(account, ledger, seen, silent=silent, look=None, asked=asked)


def told_at(status: SessionStatus) -> datetime | None:
    """Of what instant a status tells: the newest sign of its session, or entry of its ledger; None: there is none.

    A session that has ended, or hangs, tells nothing of now, however soon the question is answered.
    """
    ages_s = [each for each in (status.health.beat_age_s, status.recorded_age_s) if each is not None]
    return status.asked_at - timedelta(seconds=max(0.0, min(ages_s))) if ages_s else None
