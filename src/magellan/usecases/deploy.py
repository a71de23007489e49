"""Deploy: bring a release to where its strategy trades, on every target of a stage, or leave everything as it was.

Rolling back is the same with an earlier release. What is done is a plan (`deploy/rollout.py`), written down before each
step in a journal and as a whole in the audit log, so that it can be gone on with or taken back after a kill.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from magellan.audit.change import Change, Result
from magellan.deploy.host import Fleet
from magellan.deploy.rollout import rollout_of
from magellan.deploy.steps.install import InstallRelease
from magellan.errors import FixInput
from magellan.plan.carry_out import Finished, Halted, Outcome, Progress, TakenBack, carry_out, take_back
from magellan.plan.plan import Plan, PlanDescription
from magellan.plan.records import Head
from magellan.ports.journal import Journals
from magellan.usecases.deploy_history import journal_of, shown_by
from magellan.usecases.prepare_deploy import VERBS, DeployAsked, DeploySources, PreparedDeploy
from magellan.workspace.workspace import Stage


async def begin_deploy(
    prepared: PreparedDeploy,
    sources: DeploySources,
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Carry it out. Raises FixInput where something refuses, PlanHeld, PlanUnfinished, and what the engine raises."""
    asked = prepared.asked
    if prepared.refusals:
        change = _change(asked, prepared.release.release_id, sources, Result.REFUSED)
        sources.changes.append(replace(change, note="; ".join(prepared.refusals)))
        raise FixInput(
            "\n  ".join([f"{prepared.release.name} is not deployed to {asked.stage}", *prepared.refusals]),
            kept="what trades now",
            next_step="mend each of them, then ask again",
        )
    begun = _change(asked, prepared.release.release_id, sources, Result.BEGUN)
    with sources.journals.begin(prepared.plan.description, by=sources.actor, at=sources.clock()) as journal:
        sources.changes.append(begun)
        outcome = await carry_out(
            prepared.plan, prepared.fleet, journal, now=sources.clock, on_progress=on_progress
        )
        sources.changes.append(_ended(begun, outcome, sources))
    _tell(outcome, sources)
    return outcome


async def go_on(
    strategy: str,
    stage: Stage,
    sources: DeploySources,
    *,
    undo: bool,
    why: str,
    on_progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Go on with a roll-out that was killed or stopped, or take the newest one back.

    Raises FixInput when there is none.
    """
    subject = f"{stage}/{strategy}"
    name = journal_of(subject, sources.journals, undo=undo)
    plan = rollout_of(_recorded(sources.journals, name))
    release_id = _release_of(plan)
    hosts = {each: sources.host(each) for each in sources.settings.stage(stage).targets}
    content = {
        each.release_id: sources.store.content(each)
        for each in sources.store.releases(strategy)
        if each.release_id == release_id
    }
    fleet = Fleet(hosts=hosts, content=content, sources=sources.sources)
    asked = DeployAsked(strategy=strategy, stage=stage, why=why, action=_action_of(plan))
    begun = _change(asked, release_id, sources, Result.BEGUN)
    with sources.journals.reopen(name, by=sources.actor, at=sources.clock()) as journal:
        sources.changes.append(begun)
        if undo:
            outcome = await take_back(
                plan, fleet, journal, why=why or "asked for", now=sources.clock, on_progress=on_progress
            )
        else:
            outcome = await carry_out(plan, fleet, journal, now=sources.clock, on_progress=on_progress)
        sources.changes.append(_ended(begun, outcome, sources))
    _tell(outcome, sources)
    return outcome


def _tell(outcome: Outcome, sources: DeploySources) -> None:
    """Say on every channel how it ended."""
    name = outcome.status.name
    match outcome:
        case Finished():
            severity, words = "info", f"{name}: done"
        case TakenBack(why=why):
            severity, words = "critical", f"{name}: taken back, what trades is what traded before: {why}"
        case Halted(why=why, next_step=next_step):
            severity, words = "critical", f"{name}: halted: {why}; {next_step}"
    sources.notifier.tell(severity, words, sources.clock())


def _change(asked: DeployAsked, release_id: str, sources: DeploySources, result: Result) -> Change:
    return Change(
        at=sources.clock(),
        by=sources.actor,
        action=asked.action,
        subject=f"{asked.stage}/{asked.strategy}",
        where=", ".join(sources.settings.stage(asked.stage).targets),
        why=asked.why,
        result=result,
        release=release_id,
    )


def _ended(begun: Change, outcome: Outcome, sources: DeploySources) -> Change:
    """What came of it, with what each step showed as evidence."""
    match outcome:
        case Finished(status=status):
            result, note = Result.DONE, ""
        case TakenBack(status=status, why=why):
            result, note = Result.TAKEN_BACK, why
        case Halted(status=status, why=why):
            result, note = Result.HALTED, why
    return replace(begun, at=sources.clock(), result=result, note=note, evidence=shown_by(status))


def _recorded(journals: Journals, name: str) -> PlanDescription:
    head = journals.read(name).records[0]
    assert isinstance(head, Head), "a journal begins with its head"
    return head.plan


def _action_of(plan: Plan[Fleet]) -> str:
    """What was asked for when it was begun, for the audit log."""
    return next(action for action, verb in VERBS.items() if plan.name.startswith(f"{verb} "))


def _release_of(plan: Plan[Fleet]) -> str:
    installs = [step for step in plan.steps if isinstance(step, InstallRelease)]
    return installs[0].release_id
