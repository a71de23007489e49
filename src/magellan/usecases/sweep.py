"""Sweep: try many parameter sets of a strategy on archived bars, rank them, and say how far the best is believed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from magellan.archive.actions import CorporateActionTable
from magellan.backtest.manifest import canonical_json
from magellan.backtest.parameter_space import (
    Grid,
    ParameterSets,
    ParameterSpace,
    Sample,
    parameter_sets,
    parse_grid,
    parse_sample,
    space_fields,
)
from magellan.backtest.result import BacktestResult
from magellan.backtest.returns import periods_per_year
from magellan.backtest.run import must_match_timeframe
from magellan.backtest.sweep_result import (
    Judgement,
    Metric,
    SweepResult,
    judged,
    ranked,
    result_document,
    sweep_manifest,
)
from magellan.errors import FixInput, Interrupted
from magellan.ports.bars import BarArchive
from magellan.ports.executor import Executor, Work
from magellan.ports.sweeps import SweepRecord, SweepStore
from magellan.usecases.backtest import Changes, backtest_on, changed, manifest_of
from magellan.usecases.load_strategy import LoadedStrategy
from magellan.usecases.parameter_trials import (
    Documents,
    Measured,
    NotMeasured,
    Trial,
    TrialAnswer,
    TrialJob,
    begin_trials,
    describe_trial,
    summary_of,
    trial_job,
)
from magellan.usecases.prepare_run import CalendarOf, PreparedData, prepare_data
from magellan.workspace.user_code import user_code

Progress = Callable[[str, float, float | None], None]  # (phase, done, total)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SweepAnswer:
    """A finished sweep, and what surrounds it."""

    result: SweepResult
    judgement: Judgement
    best_run: BacktestResult | None  # a whole run of the best set
    data: PreparedData
    resumed: int  # sets whose answers were there already
    kept_at: str  # the folder with manifest, answers and result


def parsed_space(
    loaded: LoadedStrategy, *, grid: list[str], random: int | None, ranges: list[str], seed: int
) -> ParameterSpace:
    """The space that a command line describes: a grid, or so many sets at random. Raises FixInput."""
    model = type(loaded.strategy).Parameters
    if random is None:
        if ranges:
            raise FixInput(
                "--range says where sets are drawn from, and nothing is drawn",
                next_step="add --random N, or list values with --grid",
            )
        return parse_grid(grid, model)
    if grid:
        raise FixInput(
            "--grid tries every combination, --random draws some: give one of them",
            next_step="with --random, name values with --range: --range side=long,short",
        )
    return parse_sample(ranges, model, wanted=random, seed=seed)


def sets_of(loaded: LoadedStrategy, space: Grid | Sample) -> ParameterSets:
    """The sets of a space that the strategy's own model takes. Raises FixInput when it takes none."""
    documents = Documents.of(loaded.config, space.names).distinct
    with user_code(loaded.folder.strategy_file, "checking parameter sets"):
        return parameter_sets(space, type(loaded.strategy).Parameters, documents)


def sweep(
    loaded: LoadedStrategy,
    space: ParameterSpace,
    *,
    archive: BarArchive,
    actions: CorporateActionTable,
    calendar_of: CalendarOf,
    executor: Executor,
    store: SweepStore,
    metric: Metric,
    trades_min: int = 1,
    from_on: date | None = None,
    to_on: date | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> SweepAnswer:
    """Try every set of a space.

    executor:   where sets are carried out; the result does not depend on it.
    store:      keeps every answer as it arrives.
    trades_min: sets with fewer trades are shown, and not ranked.
    from_on, to_on: exchange dates, both included; None leaves that side open.
    resume:     go on from what an interrupted sweep of the same manifest has left.
    Raises: what `backtest` raises for strategy and data; FixInput when no set can be carried through; Interrupted
            when a person stops it, saying what was kept.
    """
    sets = sets_of(loaded, space)
    data = prepare_data(
        loaded.config, archive=archive, actions=actions, calendar_of=calendar_of, from_on=from_on, to_on=to_on
    )
    must_match_timeframe(data.market, loaded.config)
    manifest = sweep_manifest(manifest_of(loaded, data, actions, from_on, to_on), space_fields(space), sets)
    job = trial_job(loaded, data, sets.names)
    trials = [Trial(stretch=None, setting=setting) for setting in sets.settings]
    with store.open(manifest.sweep_id, manifest.text(), resume=resume) as record:
        answers = carried_out(job, trials, executor, record, phase="parameter sets", progress=progress)
        failed = {
            number: answer.reason for number, answer in enumerate(answers) if isinstance(answer, NotMeasured)
        }
        must_have_measured(answers, failed)
        per_year = periods_per_year(data.market.timeframe)
        summaries = summary_of(answers)
        measured = np.array([isinstance(answer, Measured) for answer in answers])
        result = SweepResult(
            manifest=manifest,
            space=space,
            sets=sets,
            summaries=summaries,
            failed=failed,
            cash_start_usd=loaded.config.account.cash_usd,
            periods_per_year=per_year,
            ranking=ranked(summaries, measured, metric, trades_min=trades_min, periods_per_year=per_year),
        )
        best_run = _best_run(loaded, result, data, actions, from_on, to_on)
        judgement = judged(result, best_run)
        document = canonical_json(result_document(result, judgement))
        record.complete("result.json", document.encode() + b"\n")
        return SweepAnswer(
            result=result,
            judgement=judgement,
            best_run=best_run,
            data=data,
            resumed=len(record.finished),
            kept_at=record.place,
        )


def carried_out(
    job: TrialJob,
    trials: list[Trial],
    executor: Executor,
    record: SweepRecord,
    *,
    phase: str,
    progress: Progress | None,
) -> list[TrialAnswer]:
    """Every trial's answer: those on record, and the rest from the executor, each put on record as it arrives.

    Raises Interrupted where a person stops it.
    """
    answers = {number: _read(answer) for number, answer in record.finished.items() if number < len(trials)}
    left = [number for number in range(len(trials)) if number not in answers]

    def tell() -> None:
        if progress is not None:
            progress(phase, len(answers), len(trials))

    def arrived(at: int, answer: TrialAnswer) -> None:
        number = left[at]
        record.add(number, _written(answer))
        answers[number] = answer
        tell()

    tell()
    work: Work[TrialJob, Trial, TrialAnswer] = Work(
        begin=begin_trials, given=job, describe=describe_trial(job)
    )
    try:
        if left:
            executor.map(work, [trials[number] for number in left], on_done=arrived)
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted after {len(answers):,} of {len(trials):,} {phase}",
            kept=f"their results, in {record.place}",
            next_step="run the same command with --resume to go on from there",
        ) from None
    return [answers[number] for number in range(len(trials))]


def must_have_measured(answers: list[TrialAnswer], failed: dict[int, str]) -> None:
    """Raise FixInput when every trial failed."""
    if len(failed) == len(answers):
        raise FixInput(f"not one of {len(answers):,} parameter sets could be carried through: {failed[0]}")


def best_of(loaded: LoadedStrategy, sets: ParameterSets, number: int) -> LoadedStrategy:
    """The strategy with one set's values in its config."""
    return changed(loaded, Changes(settings=dict(zip(sets.names, sets.settings[number], strict=True))))


def _best_run(
    loaded: LoadedStrategy,
    result: SweepResult,
    data: PreparedData,
    actions: CorporateActionTable,
    from_on: date | None,
    to_on: date | None,
) -> BacktestResult | None:
    best = result.ranking.best
    if best is None:
        return None
    run = backtest_on(best_of(loaded, result.sets, best), data, actions, from_on=from_on, to_on=to_on)
    summed = float(result.summaries["equity_end_usd"][best])
    assert math.isclose(run.equity_end_usd, summed, rel_tol=1e-9), (
        f"a sweep and a backtest of one set agree, but end with {summed} and {run.equity_end_usd} USD"
    )
    return run


def _written(answer: TrialAnswer) -> Any:
    """The answer as JSON can hold it; what is no finite number, as a word."""
    if isinstance(answer, NotMeasured):
        return answer.reason
    return [value if math.isfinite(value) else str(value) for value in answer.values]


def _read(answer: Any) -> TrialAnswer:
    if isinstance(answer, str):
        return NotMeasured(answer)
    return Measured(tuple(float(value) if isinstance(value, str) else value for value in answer))
