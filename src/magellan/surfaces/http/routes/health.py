"""Health and readiness: the only routes without a token; they tell nothing about what is traded."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

import magellan
from magellan.errors import MagellanError
from magellan.surfaces.http.access import Desk
from magellan.surfaces.http.answer import Answer, answer, example

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    version: str = Field(description="Of Magellan.")
    up_s: float = Field(description="Seconds since the server was started.")


class Ready(BaseModel):
    """Whether it can do its work."""

    ready: bool
    checks: dict[str, str] = Field(description="Each part: ok, or what is wrong with it.")


@router.get("/api/health", responses=example({"version": "0.1.0", "up_s": 512.4}, source="this process"))
async def health(desk: Desk) -> Answer[Alive]:
    """Say that the process answers; nothing else is asked."""
    now = desk.now()
    alive = Alive(version=magellan.__version__, up_s=(now - desk.started_at).total_seconds())
    return answer(alive, source="this process", as_of=now, now=now)


@router.get(
    "/api/ready",
    responses={
        **example(
            {"ready": True, "checks": {"ledger": "ok", "archive": "ok", "regime config": "ok"}},
            source="this process",
        ),
        503: {"model": Answer[Ready], "description": "Something is wrong; the answer says what."},
    },
)
def ready(desk: Desk, response: Response) -> Answer[Ready]:
    """Say whether ledger, archive and regime config can be read; 503 when one cannot."""
    from magellan.wiring.market import bar_archive

    checks = {}
    for name, look in {
        "ledger": lambda: _look_at_ledger(desk),
        "archive": lambda: bar_archive(desk.workspace).sets(),
        "regime config": desk.regime_config,
    }.items():
        try:
            look()
            checks[name] = "ok"
        except MagellanError as error:
            checks[name] = type(error).__name__  # what exactly is wrong is told to those with a token
    found = Ready(ready=set(checks.values()) == {"ok"}, checks=checks)
    response.status_code = 200 if found.ready else 503
    return answer(found, source="this process", as_of=desk.now(), now=desk.now())


def _look_at_ledger(desk: Desk) -> None:
    with desk.ledger() as ledger:
        ledger.accounts()
