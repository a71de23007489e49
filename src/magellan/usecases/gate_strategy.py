"""Gate a strategy: gather all evidence, judge it, keep the verdict; and let a person accept a run."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from magellan.archive.actions import CorporateActionTable
from magellan.errors import FixInput, MagellanError
from magellan.gate.accepted_run import AcceptedRun
from magellan.gate.evidence import Evidence, Kind, Measured, Subject
from magellan.gate.verdict import Judgement, Verdict, judge
from magellan.ports.bars import BarArchive
from magellan.ports.gate_records import GateRecords
from magellan.ports.tool import Tools
from magellan.usecases.gate_evidence.accepted import accepted_evidence, compared_measures, config_document
from magellan.usecases.gate_evidence.backtest import backtest_evidence
from magellan.usecases.gate_evidence.code import lint_evidence, tests_evidence, types_evidence
from magellan.usecases.gate_evidence.data import data_evidence
from magellan.usecases.gate_evidence.examination import Examination, files_sha256
from magellan.usecases.gate_evidence.judged_run import JudgedRun, Progress, judged_run
from magellan.usecases.gate_evidence.lookahead import lookahead_evidence
from magellan.usecases.gate_evidence.robustness import robustness_evidence
from magellan.usecases.load_strategy import LoadedStrategy, load_strategy, read_code
from magellan.usecases.prepare_run import CalendarOf, prepare_data
from magellan.workspace.gate_criteria import GateCriteria
from magellan.workspace.workspace import StrategyFolder


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Who answers for a run, and why. Raises FixInput where either is blank."""

    by: str
    reason: str

    def __post_init__(self) -> None:
        if not self.by.strip() or not self.reason.strip():
            raise FixInput(
                "accepting a run needs a name and a reason", next_step="give --by NAME and --reason TEXT"
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GateSources:
    """Everything that the gates ask."""

    archive: BarArchive
    actions: CorporateActionTable
    calendar_of: CalendarOf
    tools: Tools
    records: GateRecords
    clock: Callable[[], datetime]  # now, aware, UTC
    cache_folder: Path  # for what tools remember between two runs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gathered:
    """Everything that was found out about a strategy."""

    examination: Examination
    subject: Subject
    criteria: GateCriteria
    evidence: tuple[Evidence, ...]
    run: JudgedRun | None  # None where it could not be run


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """A verdict, and where it is kept."""

    verdict: Verdict
    kept_at: Path


def gate_strategy(
    folder: StrategyFolder,
    sources: GateSources,
    *,
    from_on: date | None = None,
    to_on: date | None = None,
    accept: Acceptance | None = None,
    progress: Progress = lambda phase, done, total: None,
) -> Gated:
    """Gather evidence on a strategy, judge it, and keep the verdict with all of it.

    from_on, to_on: exchange dates of the backtest, both included; None leaves that side open.
    accept:         who accepts this run, and why: it becomes what later runs are compared with.
    Raises:         FixInput when a run is to be accepted that fails any criterion but those that compare it
                    with the accepted run before it. Everything else that goes wrong is in the verdict.
    """
    gathered = gather(folder, sources, from_on=from_on, to_on=to_on, progress=progress)
    verdict = judge(gathered.subject, gathered.evidence, gathered.criteria, at=sources.clock())
    if accept is not None:
        sources.records.accept(folder, run_to_accept(gathered, verdict, accept, at=sources.clock()))
        verdict = _judged_anew(gathered, sources)
    kept_at = sources.records.keep_verdict(folder, verdict.judged_at, verdict_document(verdict))
    return Gated(verdict=verdict, kept_at=kept_at)


def gather(
    folder: StrategyFolder,
    sources: GateSources,
    *,
    from_on: date | None,
    to_on: date | None,
    progress: Progress,
) -> Gathered:
    """All evidence on a strategy. What cannot be gathered is evidence too: it says why."""
    of = Examination(folder=folder, at=sources.clock(), files_sha256=files_sha256(folder))
    evidence = _code_evidence(of, sources, progress)
    try:
        loaded = load_strategy(folder)
    except FixInput as error:
        evidence.append(of.evidence(Kind.CONFIG, "magellan", {}, error.message))
        evidence += _none_of(of, (Kind.DATA, *_OF_RUN), "the strategy cannot be loaded")
        return Gathered(
            examination=of,
            subject=_unloaded_subject(of),
            criteria=GateCriteria(),
            evidence=tuple(evidence),
            run=None,
        )
    evidence.append(of.evidence(Kind.CONFIG, "magellan", {"config_problems": Measured(value=0)}))
    evidence.append(
        data_evidence(
            of,
            loaded,
            archive=sources.archive,
            actions=sources.actions,
            calendar_of=sources.calendar_of,
            progress=progress,
        )
    )
    run, found = _run_evidence(of, loaded, sources, from_on, to_on, progress)
    return Gathered(
        examination=of,
        subject=_subject(of, loaded),
        criteria=loaded.config.gates,
        evidence=(*evidence, *found),
        run=run,
    )


_OF_RUN: Final = (Kind.BACKTEST, Kind.LOOKAHEAD, Kind.ROBUSTNESS, Kind.ACCEPTED)


def _code_evidence(of: Examination, sources: GateSources, progress: Progress) -> list[Evidence]:
    witnesses: tuple[tuple[str, Callable[[], Evidence]], ...] = (
        ("linting", lambda: lint_evidence(of, sources.tools)),
        ("checking types", lambda: types_evidence(of, sources.tools, sources.cache_folder)),
        ("testing", lambda: tests_evidence(of, sources.tools)),
    )
    found = []
    for phase, witness in witnesses:
        progress(phase, 0, 1)
        found.append(witness())
        progress(phase, 1, 1)
    return found


def _run_evidence(
    of: Examination,
    loaded: LoadedStrategy,
    sources: GateSources,
    from_on: date | None,
    to_on: date | None,
    progress: Progress,
) -> tuple[JudgedRun | None, list[Evidence]]:
    try:
        progress("running the backtest", 0, 1)
        data = prepare_data(
            loaded.config,
            archive=sources.archive,
            actions=sources.actions,
            calendar_of=sources.calendar_of,
            from_on=from_on,
            to_on=to_on,
        )
        run = judged_run(loaded, data, sources.actions, from_on=from_on, to_on=to_on)
        backtested = backtest_evidence(of, run, sources.archive)
        progress("running the backtest", 1, 1)
    except MagellanError as error:
        told = f"{error.message}; next: {error.next_step}" if error.next_step else error.message
        return None, _none_of(of, _OF_RUN, told)
    return run, [
        backtested,
        lookahead_evidence(of, run, progress),
        robustness_evidence(of, run, progress),
        _compared(of, run, sources.records),
    ]


def run_to_accept(gathered: Gathered, verdict: Verdict, accept: Acceptance, *, at: datetime) -> AcceptedRun:
    """The record of accepting this run.

    Raises: FixInput when anything else than the comparison with an earlier accepted run keeps the gates shut:
            accepting a run says who answers for it, and opens nothing.
    """
    others = [each for each in verdict.not_open if each.criterion.kind is not Kind.ACCEPTED]
    if others or gathered.run is None:
        names = ", ".join(each.criterion.title for each in others)
        raise FixInput(
            f"this run cannot be accepted: {len(others)} criteria are not open ({names})",
            kept="the accepted runs, as they were",
            next_step="see the reasons with `magellan gate`, and mend them first",
        )
    run = gathered.run
    return AcceptedRun(
        strategy=gathered.subject.label,
        code_sha256=gathered.subject.code_sha256,
        config_sha256=gathered.subject.config_sha256,
        config=config_document(run.loaded),
        run_id=run.result.manifest.run_id,
        data={used.set_id: used.sha256 for used in run.result.manifest.data},
        measured=compared_measures(run.metrics),
        criteria_version=verdict.criteria_version,
        accepted_by=accept.by,
        reason=accept.reason,
        accepted_at=at,
    )


def _judged_anew(gathered: Gathered, sources: GateSources) -> Verdict:
    """The verdict once the run itself is the newest accepted one."""
    assert gathered.run is not None, "only a run that was run is accepted"
    others = [each for each in gathered.evidence if each.kind is not Kind.ACCEPTED]
    evidence = (*others, _compared(gathered.examination, gathered.run, sources.records))
    return judge(gathered.subject, evidence, gathered.criteria, at=sources.clock())


def _compared(of: Examination, run: JudgedRun, records: GateRecords) -> Evidence:
    try:
        accepted = records.accepted(of.folder)
    except MagellanError as error:
        return of.evidence(Kind.ACCEPTED, "accepted runs", {}, error.message)
    return accepted_evidence(of, run, accepted)


def _none_of(of: Examination, kinds: tuple[Kind, ...], why: str) -> list[Evidence]:
    return [of.evidence(kind, "magellan", {}, why) for kind in kinds]


def _subject(of: Examination, loaded: LoadedStrategy) -> Subject:
    return Subject(
        label=of.folder.label,
        version=loaded.config.strategy.version,
        kind=loaded.config.strategy.kind,
        files_sha256=of.files_sha256,
        code_sha256=loaded.code_sha256,
        config_sha256=loaded.config_sha256,
    )


def _unloaded_subject(of: Examination) -> Subject:
    """What is judged where no more is known than the files: of the kind with the strictest defaults."""
    try:
        code = hashlib.sha256(read_code(of.folder.strategy_file)).hexdigest()
    except FixInput:
        code = ""
    return Subject(
        label=of.folder.label,
        version="unknown",
        kind="intraday",
        files_sha256=of.files_sha256,
        code_sha256=code,
        config_sha256="",
    )


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """The verdict with all its evidence, for `--json` and for the record."""
    return {
        "answer": "open" if verdict.is_open else "shut",
        "judged_at": verdict.judged_at.isoformat(),
        "strategy": asdict(verdict.subject),
        "criteria_version": verdict.criteria_version,
        "criteria": [_criterion_document(each) for each in verdict.judgements],
        "warnings": list(verdict.warnings),
        "evidence": [
            {
                "kind": str(each.kind),
                "source": each.source,
                "gathered_at": each.gathered_at.isoformat(),
                "about_files_sha256": each.about,
                "error": each.error,
                "facts": dict(each.facts),
                "warnings": list(each.warnings),
            }
            for each in verdict.evidence
        ],
    }


def _criterion_document(judgement: Judgement) -> dict[str, Any]:
    criterion, measured = judgement.criterion, judgement.measured
    return {
        "name": criterion.name,
        "title": criterion.title,
        "kind": str(criterion.kind),
        "answer": str(judgement.answer),
        "measured": None if measured is None or not measured.is_number else measured.value,
        "bound": str(criterion.bound),
        "threshold": judgement.threshold,
        "interval": _interval(measured),
        "level": None if measured is None else measured.level,
        "sample": None if measured is None else measured.sample,
        "sample_of": "" if measured is None else measured.sample_of,
        "sureness": judgement.sureness,
        "reason": judgement.reason,
        "next_step": judgement.next_step,
        "loosened": None
        if judgement.loosened is None
        else judgement.loosened.model_dump(mode="json", by_alias=True),
    }


def _interval(measured: Measured | None) -> list[float] | None:
    if measured is None or measured.interval is None or not all(map(math.isfinite, measured.interval)):
        return None
    return list(measured.interval)
