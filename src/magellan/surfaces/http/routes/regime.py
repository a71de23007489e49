"""Market regimes: status, history, analyses and their quality."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from magellan.regime.reading import RegimeReading
from magellan.surfaces.http.access import Desk, Reader, Researcher
from magellan.surfaces.http.answer import Answer, answer, answer_of_json, example
from magellan.surfaces.http.desk import timeframe_of
from magellan.surfaces.http.job_work import AnalysisWork, EvaluationWork, ScenarioWork
from magellan.surfaces.http.jobs import Job
from magellan.surfaces.http.routes.research import JobId
from magellan.usecases.regime_readings import LabelledBar

PREFIX = "/api/market-regime"
router = APIRouter(prefix=PREFIX, tags=["market regime"])

_SYMBOL: Final = r"^[A-Za-z0-9._/-]+$"
_TIMEFRAME: Final = r"^[0-9]{1,3}(Min|Hour|Day|Week|Month)$"
SYMBOL: Final = Field(min_length=1, max_length=40, pattern=_SYMBOL)
TIMEFRAME: Final = Field(pattern=_TIMEFRAME)
Symbol = Annotated[str, SYMBOL, Query(examples=["SPY"])]
TimeframeName = Annotated[str, TIMEFRAME, Query(examples=["1Day"])]

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
        extra="forbid",
        json_schema_extra={"examples": [{"symbol": "SPY", "timeframe": "1Day", "others": ["QQQ", "IWM"]}]},
    )

    symbol: Annotated[str, SYMBOL]
    timeframe: Annotated[str, TIMEFRAME] = "1Day"
    others: list[Annotated[str, SYMBOL]] = Field(
        [],
        max_length=20,
        description="Symbols whose correlation with this one is a component of volatility.",
    )


class WantedEvaluation(BaseModel):
    """What to evaluate: a market, or scenarios."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"symbol": "SPY"}, {"scenarios": ["eq3", "null"], "seeds": 3}]},
    )

    symbol: Annotated[str, SYMBOL] | None = Field(None, description="Without one: scenarios.")
    timeframe: Annotated[str, TIMEFRAME] = "1Day"
    scenarios: list[Literal["vol2", "eq3", "eq3drift", "intra4", "null"]] = Field(
        ["vol2", "eq3", "eq3drift", "intra4", "null"], min_length=1, max_length=5
    )
    seeds: int = Field(3, ge=1, le=50, description="How many of each scenario.")


@router.get("/status", responses=example(_READING, source="archive"), response_model=Answer[RegimeReading])
async def status(desk: Desk, caller: Reader, symbol: Symbol, timeframe: TimeframeName = "1Day") -> Response:
    """Show in which regime a market is, how sure that is, and why. The first question about a market takes longer."""
    wanted = timeframe_of(timeframe)
    reading = desk.readings.kept_reading(symbol, wanted)
    if reading is None:
        reading = await run_in_threadpool(desk.readings.reading, symbol, wanted)
    return answer_of_json(
        desk.reading_json(reading), source="archive", as_of=reading.known_at, now=desk.now()
    )


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
    reading, bars, begins, labels = desk.readings.history(symbol, wanted, first=first, count=count)
    page = History(symbol=reading.symbol, timeframe=reading.timeframe, bars=bars, first=begins, labels=labels)
    return answer(page, source="archive", as_of=reading.known_at, now=desk.now())


@router.post(
    "/analyze",
    status_code=202,
    responses={202: example({"job_id": "4f1c2a9b8d7e6f50", "state": "waiting"}, source="this process")[200]},
)
def analyze(desk: Desk, caller: Researcher, wanted: WantedAnalysis) -> Answer[Job]:
    """Start an analysis of a market's whole history. Watch it with `GET /api/market-regime/jobs/{job_id}`."""
    timeframe = str(timeframe_of(wanted.timeframe))
    work = AnalysisWork(
        root=desk.workspace.root,
        symbol=wanted.symbol,
        timeframe=timeframe,
        config=desk.regime_config(),
        others=tuple(wanted.others),
    )
    job = desk.start("regime analysis", f"{wanted.symbol} {timeframe}", caller.name, work)
    return answer(job, source="this process", as_of=desk.now(), now=desk.now())


@router.post(
    "/evaluate",
    status_code=202,
    responses={202: example({"job_id": "4f1c2a9b8d7e6f50", "state": "waiting"}, source="this process")[200]},
)
def evaluate(desk: Desk, caller: Researcher, wanted: WantedEvaluation) -> Answer[Job]:
    """Start the tests of labels: of a market's, or of those of generated markets whose truth is known.

    Of a market: prefix law, price of the dial, money test with its percentile. Of scenarios: accuracy beside the
    oracle's, delay, wrong switches, calibration; of `null` the switches that should not be.
    """
    config = desk.regime_config()
    work: EvaluationWork | ScenarioWork
    if wanted.symbol is not None:
        timeframe = str(timeframe_of(wanted.timeframe))
        subject = f"{wanted.symbol} {timeframe}"
        work = EvaluationWork(
            root=desk.workspace.root, symbol=wanted.symbol, timeframe=timeframe, config=config
        )
    else:
        names = tuple(dict.fromkeys(wanted.scenarios))
        subject = ", ".join(names)
        work = ScenarioWork(names=names, seeds=wanted.seeds, config=config)
    job = desk.start("regime evaluation", subject, caller.name, work)
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
