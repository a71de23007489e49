"""Releases, what runs where, and the audit log."""

from __future__ import annotations

from collections import deque
from dataclasses import fields
from typing import Annotated, Any

from fastapi import APIRouter, Query

from magellan.ledger.chain import Sound
from magellan.release.stored import StoredRelease
from magellan.surfaces.http.access import Desk, Reader
from magellan.surfaces.http.answer import Answer, answer, example
from magellan.usecases.audit import ChangeRow, change_rows
from magellan.usecases.deployments import OutOfReach, deployments

router = APIRouter(prefix="/api", tags=["releases and audit"])


@router.get(
    "/releases",
    responses=example(
        [{"strategy": "bear_trap", "number": 7, "release_id": "1f3a90c2d4e5"}], source="releases"
    ),
)
def releases(desk: Desk, caller: Reader) -> Answer[list[StoredRelease]]:
    """List releases of all strategies, oldest first."""
    from magellan.wiring.releases import release_store

    store = release_store(desk.workspace)
    found = [release for name in store.strategies() for release in store.releases(name)]
    newest = max((each.stored_at for each in found), default=None)
    return answer(found, source="releases", as_of=newest, now=desk.now())


@router.get(
    "/deployments",
    responses=example([{"host": "local", "strategy": "bear_trap", "armed": True}], source="targets"),
)
async def deployed(desk: Desk, caller: Reader) -> Answer[list[dict[str, Any]]]:
    """Ask every target what it runs. One that does not tell is named with the reason."""
    from magellan.wiring.hosts import host

    found = await deployments(
        desk.workspace.settings, lambda name: host(desk.workspace, name, desk.environment)
    )
    rows: list[dict[str, Any]] = []
    for each in found:
        if isinstance(each, OutOfReach):
            rows.append({"host": each.host, "out_of_reach": each.why})
        else:
            rows.append(
                {
                    "host": each.host,
                    "instance": each.instance.key,
                    "strategy": each.instance.strategy,
                    "stage": each.instance.stage,
                    "account": each.instance.account,
                    "release_id": each.instance.release_id,
                    "armed": each.is_armed,
                    "process": str(each.look.process),
                    "drift": list(each.installed.drift),
                }
            )
    return answer(rows, source="targets", as_of=desk.now(), now=desk.now())


@router.get(
    "/audit",
    responses=example(
        [{"number": 12, "person": "jane", "action": "deploy", "result": "done"}], source="audit log"
    ),
)
def audit(
    desk: Desk,
    caller: Reader,
    last: Annotated[int, Query(ge=1, le=1000, description="So many of the newest.")] = 50,
) -> Answer[tuple[ChangeRow, ...]]:
    """List changes: deployments, roll-backs, rotations, and what was asked of this API."""
    rows = tuple(deque(change_rows(desk.changes), maxlen=last))
    return answer(rows, source="audit log", as_of=rows[-1].at if rows else None, now=desk.now())


@router.get("/audit/verify", responses=example({"sound": True, "entries": 12}, source="audit log"))
def verify(desk: Desk, caller: Reader) -> Answer[dict[str, Any]]:
    """Walk the chain of the audit log, and say where it breaks if it does."""
    found = desk.changes.verify()
    told = {each.name: getattr(found, each.name) for each in fields(found)}
    return answer(
        {"sound": isinstance(found, Sound), **_plain(told)},
        source="audit log",
        as_of=desk.now(),
        now=desk.now(),
    )


def _plain(told: dict[str, Any]) -> dict[str, Any]:
    from magellan.surfaces.cli.output import jsonable

    plain: dict[str, Any] = jsonable(told)
    return plain
