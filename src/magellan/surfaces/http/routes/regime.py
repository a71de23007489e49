"""Market regimes: status, history, analyses and their quality."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from magellan.regime.reading import RegimeReading
from magellan.surfaces.http.access import Desk, Reader, Researcher
from magellan.surfaces.http.answer import Answer, answer, example
from magellan.surfaces.http.desk import timeframe_of
from magellan.surfaces.http.jobs import Job, Report
from magellan.surfaces.http.routes.research import JobId
from magellan.usecases.analyse_regime import analyse_regime
from magellan.usecases.evaluate_regime import evaluate_symbol
from magellan.usecases.regime_readings import LabelledBar

PREFIX = "/api/market-regime"
router = APIRouter(prefix=PREFIX, tags=["market regime"])

Symbol = Annotated[str, Query(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9._/-]+$", examples=["SPY"])]
TimeframeName = Annotated[str, Query(pattern=r"^[0-9]{1,3}(Min|Hour|Day|Week|Month)$", examples=["1Day"])]

_READING = {
    "symbol": "SPY",
    "regime": "Bullish_Low_Vol",
    "known_at": "2026-01-20T21:00:00Z",
    "no_regimes_here": False,
}


class History(BaseModel):
    """A page of labels."""

    symbol: str
    timeframe: str
    bars: int = Field(description="Of the whole history.")
    first: int = Field(description="The number of the first one shown; the oldest is 0.")
    labels: tuple[LabelledBar, ...] = Field(
        description="Oldest first. Each was known when its bar had closed."
    )


class WantedAnalysis(BaseModel):
    """What to analyse."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"symbol": "SPY", "timeframe": "1Day"}]}
    )

    symbol: str = Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9._/-]+$")
    timeframe: str = Field("1Day", pattern=r"^[0-9]{1,3}(Min|Hour|Day|Week|Month)$")


@router.get("/status", responses=example(_READING, source="archive"))
async def status(
    desk: Desk, caller: Reader, symbol: Symbol, timeframe: TimeframeName = "1Day"
) -> Answer[RegimeReading]:
    """Show in which regime a market is, how sure that is, and why. The first question about a market takes longer."""
    wanted = timeframe_of(timeframe)
    reading = desk.readings.kept_reading(symbol, wanted)
    if reading is None:
        reading = await run_in_threadpool(desk.readings.reading, symbol, wanted)
    return answer(reading, source="archive", as_of=reading.known_at, now=desk.now())


@router.get("/known", responses=example([_READING], source="archive"))
def known(desk: Desk, caller: Reader) -> Answer[tuple[RegimeReading, ...]]:
    """List the markets that were asked about since the server was started, as they were then."""
    readings = desk.readings.known()
    newest = max((each.known_at for each in readings), default=None)
    return answer(readings, source="archive", as_of=newest, now=desk.now())


@router.get(
    "/history",
    responses=example({"symbol": "SPY", "bars": 2520, "first": 2320, "labels": []}, source="archive"),
)
def history(
    desk: Desk,
    caller: Reader,
    symbol: Symbol,
    timeframe: TimeframeName = "1Day",
    first: Annotated[
        int | None, Query(ge=0, description="Number of the first bar; the newest page if left out.")
    ] = None,
    count: Annotated[int, Query(ge=1, le=10_000, description="Bars in the page.")] = 200,
) -> Answer[History]:
    """Show a page of labels, each as it was known when its bar had closed: nothing looks ahead."""
    wanted = timeframe_of(timeframe)
    reading = desk.readings.reading(symbol, wanted)
    bars, _ = desk.readings.history(symbol, wanted, first=0, last=0)
    begins = max(0, bars - count) if first is None else first
    _, labels = desk.readings.history(symbol, wanted, first=begins, last=begins + count)
    page = History(symbol=reading.symbol, timeframe=reading.timeframe, bars=bars, first=begins, labels=labels)
    return answer(page, source="archive", as_of=reading.known_at, now=desk.now())


@router.post(
    "/analyze",
    status_code=202,
    responses={202: example({"job_id": "4f1c2a9b8d7e6f50", "state": "waiting"}, source="this process")[200]},
)
def analyze(desk: Desk, caller: Researcher, wanted: WantedAnalysis) -> Answer[Job]:
    """Start an analysis of a market's whole history. Watch it with `GET /api/market-regime/jobs/{job_id}`."""
    timeframe = timeframe_of(wanted.timeframe)
    config = desk.regime_config()

    def work(report: Report) -> Any:
        return analyse_regime(desk.bars_of(wanted.symbol, timeframe), config, progress=report)

    job = desk.jobs.start("regime analysis", f"{wanted.symbol} {timeframe}", caller.name, work)
    return answer(job, source="this process", as_of=desk.now(), now=desk.now())


@router.post(
    "/evaluate",
    status_code=202,
    responses={202: example({"job_id": "4f1c2a9b8d7e6f50", "state": "waiting"}, source="this process")[200]},
)
def evaluate(desk: Desk, caller: Researcher, wanted: WantedAnalysis) -> Answer[Job]:
    """Start the tests of a market's labels: prefix law, price of the dial, money test with its percentile."""
    timeframe = timeframe_of(wanted.timeframe)
    config = desk.regime_config()

    def work(report: Report) -> Any:
        return evaluate_symbol(desk.bars_of(wanted.symbol, timeframe), config, progress=report)

    job = desk.jobs.start("regime evaluation", f"{wanted.symbol} {timeframe}", caller.name, work)
    return answer(job, source="this process", as_of=desk.now(), now=desk.now())


@router.get(
    "/evaluate",
    responses=example([{"job_id": "4f1c2a9b8d7e6f50", "kind": "regime evaluation"}], source="this process"),
)
def evaluations(desk: Desk, caller: Reader) -> Answer[list[Job]]:
    """List the evaluations since the server was started, with their results, newest first."""
    found = [each for each in desk.jobs.jobs() if each.kind == "regime evaluation"]
    return answer(found, source="this process", as_of=desk.now(), now=desk.now())


@router.get(
    "/jobs/{job_id}",
    responses=example(
        {"job_id": "4f1c2a9b8d7e6f50", "state": "running", "phase": "label"}, source="this process"
    ),
)
def job(desk: Desk, caller: Reader, job_id: JobId) -> Answer[Job]:
    """Show how an analysis or evaluation stands, and its result when it is done."""
    return answer(desk.jobs.job(job_id), source="this process", as_of=desk.now(), now=desk.now())


@router.delete(
    "/jobs/{job_id}",
    responses=example({"job_id": "4f1c2a9b8d7e6f50", "state": "cancelled"}, source="this process"),
)
def cancel(
    desk: Desk, caller: Researcher, job_id: Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]
) -> Answer[Job]:
    """Cancel an analysis or evaluation."""
    return answer(desk.jobs.cancel(job_id), source="this process", as_of=desk.now(), now=desk.now())
