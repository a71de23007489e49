"""Strategies, runs, backtests, and the jobs that all routes start."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from magellan.backtest.run_json import run_to_json
from magellan.errors import FixInput
from magellan.surfaces.http.access import Desk, Reader, Researcher
from magellan.surfaces.http.answer import Answer, answer, example
from magellan.surfaces.http.job_work import BacktestWork
from magellan.surfaces.http.jobs import Job

router = APIRouter(prefix="/api", tags=["research"])

JobId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", examples=["4f1c2a9b8d7e6f50"])]


class Strategy(BaseModel):
    """A strategy of the workspace."""

    label: str = Field(description="Stage and name: prod/bear_trap.")
    name: str
    stage: str | None


class Run(BaseModel):
    """One kept run at a glance."""

    run_id: str
    strategy: str
    timeframe: str
    first_on: date
    last_on: date
    trades: int
    return_fraction: float
    sharpe: float | None
    generated: bool = Field(description="Whether the bars were generated: such a run is no evidence.")
    kept_at: datetime


class WantedBacktest(BaseModel):
    """What to run."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"strategy": "bear_trap", "from_on": "2025-10-01", "to_on": "2025-12-31"}]
        },
    )

    strategy: str = Field(min_length=1, max_length=100, description="One of `GET /api/strategies`.")
    symbols: list[str] | None = Field(
        None, min_length=1, max_length=1000, description="Only these; those of the config if left out."
    )
    from_on: date | None = Field(None, description="First exchange date.")
    to_on: date | None = Field(None, description="Last exchange date, included.")


@router.get(
    "/strategies",
    responses=example(
        [{"label": "prod/bear_trap", "name": "bear_trap", "stage": "prod"}], source="workspace"
    ),
)
def strategies(desk: Desk, caller: Reader) -> Answer[list[Strategy]]:
    """List the strategies of the workspace, by stage."""
    found = [
        Strategy(label=each.label, name=each.name, stage=each.stage) for each in desk.workspace.strategies()
    ]
    return answer(found, source="workspace", as_of=desk.now(), now=desk.now())


@router.get(
    "/runs", responses=example([{"run_id": "7c1d0a", "strategy": "bear_trap", "trades": 41}], source="runs")
)
def runs(desk: Desk, caller: Reader, last: Annotated[int, Query(ge=1, le=1000)] = 50) -> Answer[list[Run]]:
    """List kept runs, newest first."""
    found = [
        Run(
            run_id=each.run_id, strategy=each.strategy, timeframe=each.timeframe, first_on=each.first_on,
            last_on=each.last_on, trades=each.trades, return_fraction=each.return_fraction, sharpe=each.sharpe,
            generated=each.generated, kept_at=each.kept_at,
        )
        for each in desk.runs.runs()[:last]
    ]  # fmt: skip
    return answer(found, source="runs", as_of=found[0].kept_at if found else None, now=desk.now())


@router.get(
    "/runs/{run_id}", responses=example({"run_id": "7c1d0a", "trades": [], "sessions": []}, source="runs")
)
def run(
    desk: Desk,
    caller: Reader,
    run_id: Annotated[str, Path(pattern=r"^([0-9A-Za-z]{4,80}|last)$", examples=["last"])],
) -> Answer[dict[str, Any]]:
    """Show a run whole: what it was made of, every trade, equity by session."""
    from magellan.surfaces.cli.output import jsonable

    found = desk.runs.read(run_id)
    kept_at = next((each.kept_at for each in desk.runs.runs() if each.run_id == found.run_id), None)
    return answer(jsonable(run_to_json(found)), source="runs", as_of=kept_at, now=desk.now())


@router.post(
    "/backtests",
    status_code=202,
    responses={202: example({"job_id": "4f1c2a9b8d7e6f50", "state": "waiting"})[200]},
)
def start_backtest(desk: Desk, caller: Researcher, wanted: WantedBacktest) -> Answer[Job]:
    """Start a backtest over archived bars. Watch it with `GET /api/jobs/{job_id}`; its result names the kept run."""
    folder = desk.strategy(wanted.strategy)
    must_be_in_order(wanted.from_on, wanted.to_on)
    work = BacktestWork(
        root=desk.workspace.root,
        strategy=folder.label,
        symbols=None if wanted.symbols is None else tuple(wanted.symbols),
        from_on=wanted.from_on,
        to_on=wanted.to_on,
    )
    job = desk.start("backtest", folder.label, caller.name, work)
    return answer(job, source="this process", as_of=desk.now(), now=desk.now())


@router.get(
    "/jobs", responses=example([{"job_id": "4f1c2a9b8d7e6f50", "state": "done"}], source="this process")
)
def jobs(desk: Desk, caller: Reader) -> Answer[tuple[Job, ...]]:
    """List jobs since the server was started, newest first."""
    return answer(desk.jobs.jobs(), source="this process", as_of=desk.now(), now=desk.now())


@router.get(
    "/jobs/{job_id}",
    responses=example(
        {"job_id": "4f1c2a9b8d7e6f50", "state": "running", "phase": "replay"}, source="this process"
    ),
)
def job(desk: Desk, caller: Reader, job_id: JobId) -> Answer[Job]:
    """Show how a job stands, and its result when it is done."""
    return answer(desk.jobs.job(job_id), source="this process", as_of=desk.now(), now=desk.now())


@router.delete(
    "/jobs/{job_id}",
    responses=example({"job_id": "4f1c2a9b8d7e6f50", "state": "cancelled"}, source="this process"),
)
def cancel_job(desk: Desk, caller: Researcher, job_id: JobId) -> Answer[Job]:
    """Cancel a job: it ends at its next report, and keeps nothing."""
    return answer(desk.jobs.cancel(job_id), source="this process", as_of=desk.now(), now=desk.now())


def must_be_in_order(from_on: date | None, to_on: date | None) -> None:
    """Raises FixInput where the first date is after the last."""
    if from_on is not None and to_on is not None and from_on > to_on:
        raise FixInput(f"from_on, {from_on}, is after to_on, {to_on}", next_step="exchange the two")
