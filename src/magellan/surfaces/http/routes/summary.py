"""Everything at a glance, in one call: for assistants, and for whoever opens the day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from magellan.surfaces.http.access import Desk, Reader
from magellan.surfaces.http.answer import Answer, answer, example
from magellan.surfaces.http.jobs import Job
from magellan.surfaces.http.routes.gates import Gates, gates
from magellan.surfaces.http.routes.research import Run, runs
from magellan.usecases.ledger_queries import AccountLine, account_lines
from magellan.usecases.regime_settings import REGIME_FILE
from magellan.usecases.regime_workbooks import is_workbook

router = APIRouter(prefix="/api", tags=["summary"])


class RegimeLine(BaseModel):
    """One market's regime."""

    symbol: str
    timeframe: str
    regime: str
    known_at: datetime


class Summary(BaseModel):
    """Everything at a glance."""

    needs_attention: list[str] = Field(
        description="What a person should look at, in a sentence each; empty is well."
    )
    accounts: tuple[AccountLine, ...]
    strategies: list[str]
    gates: list[Gates]
    newest_runs: list[Run]
    regimes: list[RegimeLine] = Field(description="Of the markets that were asked about.")
    regime_config: str = Field(description="defaults, values or workbook: where the regime config is from.")
    jobs: list[Job]


@router.get(
    "/summary",
    responses=example(
        {"needs_attention": ["alpaca-paper-PA1 is halted"], "accounts": []}, source="workspace"
    ),
)
def summary(desk: Desk, caller: Reader) -> Answer[Summary]:
    """Sum up accounts, strategies, gates, runs, regimes and jobs, and what needs a person's attention."""
    with desk.ledger() as ledger:
        accounts = account_lines(ledger)
    verdicts = gates(desk, caller).data
    file = desk.workspace.root / REGIME_FILE
    found = Summary(
        needs_attention=[*_of_accounts(accounts), *_of_gates(verdicts)],
        accounts=accounts,
        strategies=[each.label for each in desk.workspace.strategies()],
        gates=verdicts,
        newest_runs=runs(desk, caller, 5).data,
        regimes=[
            RegimeLine(symbol=each.symbol, timeframe=each.timeframe, regime=each.regime, known_at=each.known_at)
            for each in desk.readings.known()
        ],
        regime_config="defaults" if not file.is_file() else "workbook" if is_workbook(file) else "values",
        jobs=list(desk.jobs.jobs()[:5]),
    )  # fmt: skip
    newest = max((each.last_at for each in accounts if each.last_at is not None), default=None)
    return answer(found, source="workspace", as_of=newest or desk.now(), now=desk.now())


def _of_accounts(accounts: tuple[AccountLine, ...]) -> Iterator[str]:
    for each in accounts:
        if each.is_halted:
            yield f"{each.account} is halted"
        if each.tripped_breakers:
            yield f"{each.account}: breakers tripped: {', '.join(each.tripped_breakers)}"
        if each.unresolved_intents:
            yield f"{each.account}: {each.unresolved_intents} orders of which nobody knows"


def _of_gates(verdicts: list[Gates]) -> Iterator[str]:
    return (f"{each.strategy}: the gates are shut" for each in verdicts if each.answer == "shut")
