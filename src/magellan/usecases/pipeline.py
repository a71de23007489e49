"""Pipeline: validate, test on archived bars, deploy, and look at what runs then, as one thing that passes or fails.

It has no stages of its own: each is what `magellan run --validate`, `gate`, `release build`, `deploy` and `deployments`
do, and nothing that one of them refuses can be tolerated here.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime

from magellan.deploy.health import health
from magellan.deploy.pipeline import Came, Looked, PipelineReport, PipelineStage, StageOutcome
from magellan.deploy.promotion.measures import NOT_FOR_A_REHEARSAL
from magellan.errors import MagellanError
from magellan.gate.verdict import Verdict
from magellan.plan.carry_out import Finished
from magellan.plan.carry_out import Progress as PlanProgress
from magellan.ports.run_store import RunStore
from magellan.release.manifest import Manifest
from magellan.release.stored import StoredRelease
from magellan.usecases.backtest import backtest
from magellan.usecases.build_release import ReleaseSources, build_release
from magellan.usecases.deploy import begin_deploy
from magellan.usecases.deployments import Deployment, OutOfReach, deployments
from magellan.usecases.gate_evidence.judged_run import Progress
from magellan.usecases.gate_strategy import GateSources, gate_strategy
from magellan.usecases.keep_run import keep_run, measured
from magellan.usecases.load_strategy import LoadedStrategy, load_strategy
from magellan.usecases.prepare_deploy import DeployAsked, DeploySources, prepare_deploy
from magellan.usecases.validate_strategy import validate_strategy
from magellan.workspace.workspace import Stage, StrategyFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineAsked:
    """What a person asks for."""

    folder: StrategyFolder
    to: Stage | None  # None: validate and test only
    really: bool  # False: the roll-out is looked at, and not begun
    by: str
    why: str = ""
    typed_number: str | None = None  # of a live account
    watch_s: float | None = None  # None: as the stage says


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSources:
    """Everything that a pipeline asks, and changes."""

    gates: GateSources
    runs: RunStore
    releases: ReleaseSources
    deploy: DeploySources
    clock: Callable[[], datetime]  # now, aware, UTC
    progress: Progress = lambda phase, done, total: None


@dataclass(slots=True)
class _Made:
    """What stages hand on to those that follow."""

    loaded: LoadedStrategy | None = None
    release: StoredRelease | None = None
    manifest: Manifest | None = None


async def run_pipeline(asked: PipelineAsked, sources: PipelineSources) -> PipelineReport:
    """Run the stages in order. What goes wrong is in the report, and ends it there."""
    began_at, made = sources.clock(), _Made()
    work: dict[PipelineStage, Callable[[], Awaitable[StageOutcome]]] = {
        PipelineStage.VALIDATE: lambda: _validate(asked, sources, made),
        PipelineStage.TEST: lambda: _test(asked, sources, made),
        PipelineStage.DEPLOY: lambda: _deploy(asked, sources, made),
        PipelineStage.CHECK: lambda: _check(asked, sources, made),
    }
    outcomes: list[StageOutcome] = []
    for stage, carry_out in work.items():
        sources.progress(stage, 0, 1)
        outcomes.append(await _timed(stage, carry_out, _why_not(stage, asked, outcomes)))
        sources.progress(stage, 1, 1)
    config = None if made.loaded is None else made.loaded.config
    return PipelineReport(
        strategy=asked.folder.label,
        version="" if config is None else config.strategy.version,
        to="" if asked.to is None else asked.to.value,
        release="" if made.release is None else made.release.name,
        release_id="" if made.release is None else made.release.release_id,
        by=asked.by,
        began_at=began_at,
        ended_at=sources.clock(),
        outcomes=tuple(outcomes),
    )


def _why_not(stage: PipelineStage, asked: PipelineAsked, before: list[StageOutcome]) -> Came | None:
    """Why a stage is not begun; None: it is."""
    if stage in (PipelineStage.DEPLOY, PipelineStage.CHECK) and asked.to is None:
        return Came.NOT_ASKED
    if not all(each.lets_on for each in before):
        return Came.NOT_REACHED
    if stage is PipelineStage.CHECK and not asked.really:
        return Came.NOT_ASKED
    return None


async def _timed(
    stage: PipelineStage, carry_out: Callable[[], Awaitable[StageOutcome]], why_not: Came | None
) -> StageOutcome:
    if why_not is not None:
        return StageOutcome(stage=stage, came=why_not)
    began_s = time.perf_counter()
    try:
        outcome = await carry_out()
    except MagellanError as error:
        told = f"{error.message}; next: {error.next_step}" if error.next_step else error.message
        outcome = StageOutcome(stage=stage, came=Came.FAILED, note=told)
    return replace(outcome, took_s=time.perf_counter() - began_s)


async def _validate(asked: PipelineAsked, sources: PipelineSources, made: _Made) -> StageOutcome:
    made.loaded = loaded = load_strategy(asked.folder)
    gates = sources.gates
    checks = validate_strategy(
        loaded, archive=gates.archive, actions=gates.actions, calendar_of=gates.calendar_of
    )
    findings = tuple(Looked(what=each.name, is_well=each.passed, found=each.found) for each in checks)
    return _outcome(PipelineStage.VALIDATE, findings, "code, config, data and indicators are sound")


async def _test(asked: PipelineAsked, sources: PipelineSources, made: _Made) -> StageOutcome:
    """Every gate; and the backtest is kept, since a promotion compares the soak with it."""
    verdict = gate_strategy(asked.folder, sources.gates, progress=sources.progress).verdict
    excused = _excused(verdict, asked, sources)
    findings = tuple(
        Looked(
            what=each.criterion.title,
            is_well=each.criterion.name in excused,
            found=f"{each.answer}: {each.reason}"
            + (
                "; excused, since the account is a local exchange's" if each.criterion.name in excused else ""
            ),
        )
        for each in verdict.not_open
    )
    opened = len(verdict.judgements) - len(verdict.not_open)
    said = f"{opened} of {len(verdict.judgements)} criteria of the gates are open"
    outcome = _outcome(PipelineStage.TEST, findings, said)
    if outcome.came is Came.PASSED and made.loaded is not None:
        gates = sources.gates
        result = backtest(
            made.loaded, archive=gates.archive, actions=gates.actions, calendar_of=gates.calendar_of
        )
        kept = keep_run(result, measured(result), sources.runs)
        outcome = replace(outcome, note=f"{said}; run {kept.name} is kept")
    return outcome


def _excused(verdict: Verdict, asked: PipelineAsked, sources: PipelineSources) -> frozenset[str]:
    """Criteria that generated bars cannot open, where the account it goes to is an exchange on this machine."""
    if asked.to is None:
        return frozenset()
    settings = sources.deploy.settings
    account = settings.stage(asked.to).account_of(asked.folder.name)
    if account is None or settings.accounts[account].kind != "local":
        return frozenset()
    return NOT_FOR_A_REHEARSAL & {each.criterion.name for each in verdict.not_open}


async def _deploy(asked: PipelineAsked, sources: PipelineSources, made: _Made) -> StageOutcome:
    built = build_release(asked.folder, sources.releases, author=asked.by)
    made.release, made.manifest = built.stored, built.manifest
    assert asked.to is not None, "a pipeline without a stage ends before"
    prepared = await prepare_deploy(
        DeployAsked(
            strategy=asked.folder.name,
            stage=asked.to,
            release=built.stored.release_id,
            why=asked.why,
            typed_number=asked.typed_number,
            watch_s=asked.watch_s,
        ),
        sources.deploy,
    )
    findings = tuple(
        Looked(what=each.what, is_well=each.is_well, found=each.found) for each in prepared.findings
    )
    looked = _outcome(PipelineStage.DEPLOY, findings, f"{built.stored.name} may go to {asked.to}")
    if looked.came is Came.FAILED:
        return looked
    if not asked.really:
        return replace(looked, came=Came.LOOKED_AT, note=f"{looked.note}; nothing was changed")
    if prepared.is_there:
        return replace(looked, note=f"{built.stored.name} trades in {asked.to} already")
    outcome = await begin_deploy(
        prepared, sources.deploy, on_progress=lambda progress: _told(progress, sources)
    )
    if isinstance(outcome, Finished):
        return replace(looked, note=f"{built.stored.name} was brought to {asked.to}")
    return replace(looked, came=Came.FAILED, note=f"{outcome.status.word}: {outcome.why}")


def _told(progress: PlanProgress, sources: PipelineSources) -> None:
    sources.progress(progress.phase, progress.settled, progress.settled + progress.left)


async def _check(asked: PipelineAsked, sources: PipelineSources, made: _Made) -> StageOutcome:
    """What runs on every target, by its own word: the release, armed, whole and well."""
    assert made.manifest is not None and asked.to is not None, "only what was deployed is checked"
    settings = sources.deploy.settings
    found = await deployments(settings, sources.deploy.host)
    targets = settings.stage(asked.to).targets
    findings = tuple(_looked(target, found, asked, made.manifest) for target in targets)
    return _outcome(PipelineStage.CHECK, findings, f"it is armed and well on {', '.join(targets)}")


def _looked(
    target: str, found: tuple[Deployment | OutOfReach, ...], asked: PipelineAsked, manifest: Manifest
) -> Looked:
    for each in found:
        if each.host != target:
            continue
        if isinstance(each, OutOfReach):
            return Looked(what=target, is_well=False, found=f"cannot be reached: {each.why}")
        instance = each.instance
        if (instance.strategy, instance.stage) != (asked.folder.name, asked.to) or not each.is_armed:
            continue
        if instance.release_id != manifest.release_id:
            return Looked(
                what=target, is_well=False, found=f"release {instance.release_id[:12]} is armed there"
            )
        if each.installed.drift:
            return Looked(
                what=target, is_well=False, found=f"edited there: {'; '.join(each.installed.drift[:3])}"
            )
        if each.session is None:
            return Looked(what=target, is_well=False, found="its session tells nothing")
        told = health(
            each.session,
            release_id=manifest.release_id,
            config_sha256=manifest.config_sha256,
            # A person's halt outlives a release; it was there before, or the roll-out had been taken back.
            halted_before=each.session.halted,
        )
        if told.is_well:
            return Looked(what=target, is_well=True, found=f"session {each.session.session_id} is well")
        return Looked(what=target, is_well=False, found="; ".join((*told.wrong, *told.awaited)))
    return Looked(what=target, is_well=False, found=f"no release of {asked.folder.name} is armed there")


def _outcome(stage: PipelineStage, findings: tuple[Looked, ...], well: str) -> StageOutcome:
    wrong = [each for each in findings if not each.is_well]
    if not wrong:
        return StageOutcome(stage=stage, came=Came.PASSED, findings=findings, note=well)
    names = ", ".join(each.what for each in wrong[:5]) + (" and others" if len(wrong) > 5 else "")
    return StageOutcome(stage=stage, came=Came.FAILED, findings=findings, note=f"not well: {names}")
