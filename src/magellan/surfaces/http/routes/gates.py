"""Gates: the newest verdicts, one with all its evidence, and a new one."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from magellan.adapters.local.gate_records import GateRecordFiles
from magellan.surfaces.http.access import Desk, Reader, Researcher
from magellan.surfaces.http.answer import Answer, answer, example
from magellan.surfaces.http.job_work import GateWork
from magellan.surfaces.http.jobs import Job
from magellan.surfaces.http.problem import not_found
from magellan.surfaces.http.routes.research import must_be_in_order

router = APIRouter(prefix="/api", tags=["gates"])


class Gates(BaseModel):
    """The newest verdict on a strategy."""

    strategy: str
    answer: str | None = Field(description="open or shut; null where the gates were never asked.")
    judged_at: datetime | None
    not_open: list[str] = Field(description="Criteria that are not open.")


class WantedVerdict(BaseModel):
    """On what the gates are asked."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"strategy": "bear_trap"}]})

    strategy: str = Field(min_length=1, max_length=100, description="One of `GET /api/strategies`.")
    from_on: date | None = Field(None, description="First exchange date of the backtest.")
    to_on: date | None = Field(None, description="Last exchange date, included.")


@router.get(
    "/gates",
    responses=example([{"strategy": "prod/bear_trap", "answer": "open", "not_open": []}], source="gates"),
)
def gates(desk: Desk, caller: Reader) -> Answer[list[Gates]]:
    """List the newest verdict of the gates on every strategy."""
    records = GateRecordFiles(desk.workspace)
    found = [_gates(each.label, records.newest_verdict(each)) for each in desk.workspace.strategies()]
    newest = max((each.judged_at for each in found if each.judged_at is not None), default=None)
    return answer(found, source="gates", as_of=newest, now=desk.now())


@router.get(
    "/gates/verdict",
    responses=example(
        {"answer": "shut", "criteria": [{"name": "trades_min", "answer": "shut"}]}, source="gates"
    ),
)
def verdict(
    desk: Desk,
    caller: Reader,
    strategy: Annotated[
        str,
        Query(
            min_length=1, max_length=100, description="One of `GET /api/strategies`.", examples=["bear_trap"]
        ),
    ],
) -> Answer[dict[str, Any]]:
    """Show the newest verdict on a strategy whole: every criterion with its reason, and all evidence."""
    folder = desk.strategy(strategy)
    kept = GateRecordFiles(desk.workspace).newest_verdict(folder)
    if kept is None:
        raise not_found(
            f"the gates were never asked about {folder.label}", fix="ask them with POST /api/gates"
        )
    document = json.loads(kept)
    judged_at = datetime.fromisoformat(document["judged_at"])
    return answer(document, source="gates", as_of=judged_at, now=desk.now())


@router.post(
    "/gates",
    status_code=202,
    responses={202: example({"job_id": "4f1c2a9b8d7e6f50", "state": "waiting"}, source="this process")[200]},
)
def ask(desk: Desk, caller: Researcher, wanted: WantedVerdict) -> Answer[Job]:
    """Let all evidence on a strategy be gathered and judged. Watch it with `GET /api/jobs/{job_id}`.

    Nothing is accepted and nothing opened by asking: accepting a run is done by a person at the command line.
    """
    folder = desk.strategy(wanted.strategy)
    must_be_in_order(wanted.from_on, wanted.to_on)
    work = GateWork(
        root=desk.workspace.root, strategy=folder.label, from_on=wanted.from_on, to_on=wanted.to_on
    )
    job = desk.start("gate", folder.label, caller.name, work)
    return answer(job, source="this process", as_of=desk.now(), now=desk.now())


def _gates(label: str, kept: bytes | None) -> Gates:
    if kept is None:
        return Gates(strategy=label, answer=None, judged_at=None, not_open=[])
    document = json.loads(kept)
    return Gates(
        strategy=label,
        answer=document["answer"],
        judged_at=datetime.fromisoformat(document["judged_at"]),
        not_open=[each["name"] for each in document["criteria"] if each["answer"] != "open"],
    )
