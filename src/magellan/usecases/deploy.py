"""Deploy: bring a release to where its strategy trades, on every target of a stage, or leave everything as it was.

Rolling back is the same with an earlier release. What is done is a plan (`deploy/rollout.py`), written down before each
step in a journal and as a whole in the audit log, so that it can be gone on with or taken back after a kill.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from magellan.audit.change import Change, Result
from magellan.deploy.host import Fleet, Host
from magellan.deploy.instance import Condition
from magellan.deploy.rollout import (
    Incoming,
    Place,
    RolloutTerms,
    Standing,
    instance_at,
    rollout,
    rollout_of,
)
from magellan.deploy.source import files_digest, strategy_files
from magellan.deploy.source_folders import SourceFolders
from magellan.deploy.steps.install import InstallRelease
from magellan.errors import FixInput
from magellan.plan.actor import Actor
from magellan.plan.carry_out import Finished, Halted, Outcome, Progress, TakenBack, carry_out, take_back
from magellan.plan.plan import Plan, PlanDescription
from magellan.plan.preview import preview
from magellan.plan.records import Ending, Head
from magellan.plan.status import PlanStatus, status_of
from magellan.ports.change_log import ChangeLog
from magellan.ports.journal import Journals, PlanUnfinished
from magellan.ports.release_store import ReleaseStore
from magellan.release.artifact import Artifact
from magellan.release.manifest import LOCK
from magellan.release.stored import StoredRelease
from magellan.usecases.named_account import ledger_name
from magellan.usecases.releases import Opened, open_release
from magellan.workspace.workspace import Stage, WorkspaceSettings

ACTIONS: Final = ("deploy", "rollback", "promote")  # that change which release trades, in the audit log
_FREE_BYTES_MIN: Final = 500_000_000
_CLOCK_AHEAD_S_MAX: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploySources:
    """Everything that a roll-out asks, and changes."""

    settings: WorkspaceSettings
    store: ReleaseStore
    host: Callable[[str], Host]  # by the target's name
    journals: Journals
    changes: ChangeLog
    sources: SourceFolders  # the strategies' folders of the workspace
    consent: Callable[
        [DeployAsked, Opened], tuple[Finding, ...]
    ]  # promotion, freeze: whether it may be done now
    actor: Actor
    clock: Callable[[], datetime]  # now, aware, UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployAsked:
    """What a person asks for."""

    strategy: str
    stage: Stage
    release: str | None = None  # name, number or beginning of an id; None: the newest
    why: str = ""
    typed_number: str | None = None  # of a live account
    watch_s: float | None = None  # None: as the stage says
    action: str = "deploy"  # one of ACTIONS
    at_once: bool = False  # hand over on all hosts at the same time


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at before anything is changed."""

    what: str
    is_well: bool
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedDeploy:
    """A roll-out that was looked at from all sides, and not begun."""

    asked: DeployAsked
    release: StoredRelease
    findings: tuple[Finding, ...]
    plan: Plan[Fleet]
    fleet: Fleet
    dry_run: PlanStatus
    is_there: bool  # the release trades on every place already, whole

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why it must not be begun."""
        return tuple(f"{each.what}: {each.found}" for each in self.findings if not each.is_well)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """One roll-out that came to its end, as the audit log has it."""

    at: datetime
    action: str
    release_id: str
    result: Result
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What stands on one host before anything is changed."""

    place: Place
    findings: tuple[Finding, ...]
    is_there: bool


async def prepare_deploy(asked: DeployAsked, sources: DeploySources) -> PreparedDeploy:
    """Look at everything, change nothing; but what a killed process could not record any more is recorded.

    Raises: PlanUnfinished when an earlier roll-out was stopped on its way; FixInput for a release, an account or a
    target that there is not; what a host raises that cannot be reached.
    """
    _must_have_ended(f"{asked.stage}/{asked.strategy}", sources.journals)
    _catch_up(asked, sources)
    opened = open_release(
        sources.store,
        asked.strategy,
        asked.release or _newest_not_bad(asked, sources),
        trusted_keys=sources.settings.releases.trusted_keys,
    )
    manifest = opened.artifact.manifest
    incoming = Incoming(
        strategy=asked.strategy,
        stage=asked.stage.value,
        release_id=opened.stored.release_id,
        label=opened.stored.name,
        config_sha256=manifest.config_sha256,
        typed_number=asked.typed_number,
        source_sha256=files_digest(strategy_files(opened.artifact.files))
        if asked.stage is Stage.PROD
        else None,
    )
    account_name = sources.settings.stage(asked.stage).account_of(asked.strategy)
    if account_name is None:
        raise FixInput(
            f"nothing says which account {asked.strategy} trades in {asked.stage}",
            next_step=f"write `account` into the section [stages.{asked.stage}] of magellan.toml",
        )
    targets = sources.settings.stage(asked.stage).targets
    hosts = {name: sources.host(name) for name in targets}
    found = await asyncio.gather(
        *(_look(host, account_name, incoming, opened.artifact, sources) for host in hosts.values())
    )
    terms = _terms(asked, sources.settings)
    plan = rollout(
        [each.place for each in found], incoming, terms, by=sources.actor.person, verb=_VERBS[asked.action]
    )
    content = {incoming.release_id: sources.store.content(opened.stored)}
    fleet = Fleet(hosts=hosts, content=content, sources=sources.sources)
    return PreparedDeploy(
        asked=asked,
        release=opened.stored,
        findings=(
            *_of_release(opened),
            *sources.consent(asked, opened),
            *_of_account(account_name, asked, sources.settings),
            *(finding for each in found for finding in each.findings),
        ),
        plan=plan,
        fleet=fleet,
        dry_run=(await preview(plan, fleet)).status,
        is_there=all(each.is_there for each in found),
    )


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
    name = _journal_of(subject, sources.journals, undo=undo)
    plan = rollout_of(_recorded(sources.journals, name))
    release_id = _release_of(plan)
    hosts = {each: sources.host(each) for each in sources.settings.stage(stage).targets}
    content = {
        each.release_id: sources.store.content(each)
        for each in sources.store.releases(strategy)
        if each.release_id == release_id
    }
    fleet = Fleet(hosts=hosts, content=content, sources=sources.sources)
    asked = DeployAsked(strategy=strategy, stage=stage, why=why)
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
    return outcome


def history(changes: ChangeLog, strategy: str, stage: Stage) -> tuple[Deployed, ...]:
    """The roll-outs of a strategy to a stage that came to an end, oldest first, by the audit log."""
    subject = f"{stage}/{strategy}"
    return tuple(
        Deployed(
            at=each.change.at,
            action=each.change.action,
            release_id=each.change.release,
            result=each.change.result,
            note=each.change.note,
        )
        for each in changes.changes()
        if each.change.subject == subject
        and each.change.action in ACTIONS
        and each.change.release is not None
        and each.change.result in (Result.DONE, Result.TAKEN_BACK, Result.HALTED)
    )


def release_now(changes: ChangeLog, strategy: str, stage: Stage) -> str:
    """The id of the release that trades, by the audit log. Raises FixInput when there is none."""
    traded = _traded(changes, strategy, stage)
    if not traded:
        raise FixInput(
            f"no release of {strategy} trades in {stage}", next_step="deploy one with `magellan deploy`"
        )
    return traded[-1]


def release_before(changes: ChangeLog, strategy: str, stage: Stage) -> str:
    """The id of the release that traded before the one that trades now. Raises FixInput when there was none."""
    traded = _traded(changes, strategy, stage)
    for release_id in reversed(traded):
        if release_id != traded[-1]:
            return release_id
    raise FixInput(
        f"no release of {strategy} traded in {stage} before the one that does now",
        kept="that one",
        next_step=f"name one of `magellan release list {strategy}`, or stop entries with `magellan halt`",
    )


def _traded(changes: ChangeLog, strategy: str, stage: Stage) -> list[str]:
    """Ids of the releases that came to trade and were not taken back, oldest first."""
    bad = bad_releases(changes, strategy, stage)
    return [
        each.release_id
        for each in history(changes, strategy, stage)
        if each.result is Result.DONE and each.release_id not in bad
    ]


def bad_releases(changes: ChangeLog, strategy: str, stage: Stage) -> dict[str, str]:
    """Releases whose newest roll-out to that stage was taken back, with the reason: nothing picks them by itself."""
    newest = {each.release_id: each for each in history(changes, strategy, stage)}
    return {release_id: each.note for release_id, each in newest.items() if each.result is not Result.DONE}


_VERBS: Final = {"deploy": "deploy", "rollback": "roll back", "promote": "promote"}


def _must_have_ended(subject: str, journals: Journals) -> None:
    for entry in journals.all():
        if entry.is_finished:
            continue
        status = status_of(journals.read(entry.name).records)
        if status.subject == subject:
            raise PlanUnfinished(
                f"{status.name}, begun by {status.by}, has come to no end",
                kept="what trades now, and the journal",
                next_step=status.next_step,
            )


def _catch_up(asked: DeployAsked, sources: DeploySources) -> None:
    """Record what came of a roll-out whose process was killed between the end of its journal and the audit log."""
    subject = f"{asked.stage}/{asked.strategy}"
    ours = [
        each.change
        for each in sources.changes.changes()
        if each.change.subject == subject and each.change.action in ACTIONS
    ]
    if not ours or ours[-1].result is not Result.BEGUN:
        return
    status = status_of(sources.journals.read(_journal_of(subject, sources.journals, undo=True)).records)
    begun = ours[-1]
    if status.begun_at is None or status.begun_at < begun.at - timedelta(minutes=1):
        result, note = Result.FAILED, "its process was killed before its journal was begun"
    else:
        result = Result.DONE if status.word == Ending.DONE else Result.TAKEN_BACK
        note = status.why or "recorded afterwards: its process was killed at the end"
    sources.changes.append(
        replace(begun, at=sources.clock(), result=result, note=note, evidence=_shown(status))
    )


def _newest_not_bad(asked: DeployAsked, sources: DeploySources) -> str | None:
    """The newest release, unless it was taken back from this stage before. Raises FixInput then."""
    releases = sources.store.releases(asked.strategy)
    if not releases:
        return None  # which is refused where it is opened
    why = bad_releases(sources.changes, asked.strategy, asked.stage).get(releases[-1].release_id)
    if why is not None:
        raise FixInput(
            f"the newest release, {releases[-1].name}, was taken back from {asked.stage}: {why}",
            kept="what trades now",
            next_step=f"build a better one, or name it to try it again: --release {releases[-1].number}",
        )
    return None


async def _look(
    host: Host, account_name: str, incoming: Incoming, artifact: Artifact, sources: DeploySources
) -> _Found:
    """What one host has, and lacks."""
    account = sources.settings.accounts.get(account_name)
    if account is None:
        raise FixInput(
            f"magellan.toml has no account '{account_name}'", next_step="add it, or name another one"
        )
    ledger_account = ledger_name(account)
    facts, armed, known, session, installed = await asyncio.gather(
        host.facts(artifact.files[LOCK]),
        host.armed(ledger_account),
        host.instances(),
        host.session(ledger_account),
        host.installed(incoming.release_id),
    )
    ours = [each for each in known if each.ledger_account == ledger_account]
    looks = await asyncio.gather(*(host.look(each.key) for each in ours))
    standing = tuple(
        Standing(instance=each, config_sha256=look.report.config_sha256 if look.report else "")
        for each, look in zip(ours, looks, strict=True)
    )
    place = Place(
        host=host.name,
        account=account_name,
        ledger_account=ledger_account,
        armed=armed.instance,
        standing=standing,
        halted=session.halted,
    )
    instance = instance_at(place, incoming)
    trades = {each.key: look.condition is Condition.TRADING for each, look in zip(ours, looks, strict=True)}
    others = sorted({each.strategy for each in ours if each.strategy != incoming.strategy})
    findings = [
        Finding(
            what=f"{host.name}: packages",
            is_well=not facts.lacks,
            found="; ".join(facts.lacks) or f"as the release lists them, Python {facts.python}",
        ),
        Finding(
            what=f"{host.name}: disk",
            is_well=facts.free_bytes >= _FREE_BYTES_MIN,
            found=f"{facts.free_bytes / 1e9:.1f} GB free; {_FREE_BYTES_MIN / 1e9:.1f} GB are needed",
        ),
        Finding(
            what=f"{host.name}: account",
            is_well=not others,
            found=f"{', '.join(others)} is deployed on {account_name} already, and one strategy trades an account"
            if others
            else f"{account_name}, traded by {armed.instance or 'nobody'} now",
        ),
        Finding(
            what=f"{host.name}: breakers",
            is_well=not session.breakers,
            found=f"{', '.join(session.breakers)} has tripped; a person lets it go with `magellan resume`"
            if session.breakers
            else f"none has tripped{'; entries are off: ' + session.halted if session.halted else ''}",
        ),
        Finding(
            what=f"{host.name}: orders",
            is_well=session.unresolved == 0,
            found=f"of {session.unresolved} nobody knows whether the broker has them"
            if session.unresolved
            else f"all are accounted for; held: {', '.join(session.positions) or 'nothing'}",
        ),
        Finding(
            what=f"{host.name}: release",
            is_well=not installed.drift,
            found="; ".join(installed.drift) or ("installed" if installed.is_there else "not installed yet"),
        ),
    ]
    if facts.clock_ahead_s is not None:
        findings.append(
            Finding(
                what=f"{host.name}: clock",
                is_well=abs(facts.clock_ahead_s) <= _CLOCK_AHEAD_S_MAX,
                found=f"{facts.clock_ahead_s:+.2f} s from this machine's",
            )
        )
    return _Found(
        place=place,
        findings=tuple(findings),
        is_there=installed.is_whole and armed.instance == instance.key and trades.get(instance.key, False),
    )


def _of_release(opened: Opened) -> tuple[Finding, ...]:
    gate = opened.artifact.manifest.gate
    told = f"{gate.answer}, judged {gate.judged_at:%Y-%m-%d %H:%M} UTC"
    if gate.not_open:
        told += f"; not open: {', '.join(gate.not_open[:3])}{' and more' if len(gate.not_open) > 3 else ''}"
    return (
        Finding(
            what="release",
            is_well=opened.signer is not None,
            found=f"{opened.stored.name}, signed by {opened.signer}"
            if opened.signer is not None
            else f"{opened.stored.name} is signed by nobody whom magellan.toml trusts",
        ),
        # Staging is where evidence comes from, so a shut gate is told there; into production, the promotion asks it.
        Finding(what="gates", is_well=True, found=told),
    )


def _of_account(name: str, asked: DeployAsked, settings: WorkspaceSettings) -> tuple[Finding, ...]:
    account = settings.accounts[name]
    if account.kind != "live":
        return ()
    return (
        Finding(
            what="live account",
            is_well=asked.typed_number == account.number,
            found=f"{name}; its number was typed"
            if asked.typed_number == account.number
            else f"{name} is real money: type its number with --live",
        ),
    )


def _terms(asked: DeployAsked, settings: WorkspaceSettings) -> RolloutTerms:
    terms = settings.deploy
    return RolloutTerms(
        ready_within_s=terms.ready_within_s,
        hand_over_within_s=terms.hand_over_within_s,
        healthy_within_s=terms.healthy_within_s,
        watch_s=settings.stage(asked.stage).watch_s if asked.watch_s is None else asked.watch_s,
        loss_fraction_max=terms.loss_fraction_max,
        at_once=asked.at_once,
    )


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
    return replace(begun, at=sources.clock(), result=result, note=note, evidence=_shown(status))


def _shown(status: PlanStatus) -> tuple[str, ...]:
    """What each step showed."""
    return tuple(f"{step.title}: {step.note}" for phase in status.phases for step in phase.steps if step.note)


def _journal_of(subject: str, journals: Journals, *, undo: bool) -> str:
    """The newest journal of that subject; to go on with, one that came to no end. Raises FixInput."""
    for entry in reversed(journals.all()):
        if entry.is_finished and not undo:
            continue
        if status_of(journals.read(entry.name).records).subject == subject:
            return entry.name
    what = "nothing was deployed to" if undo else "no roll-out was stopped on its way to"
    raise FixInput(f"{what} {subject}", next_step="look with `magellan deployments`")


def _recorded(journals: Journals, name: str) -> PlanDescription:
    head = journals.read(name).records[0]
    assert isinstance(head, Head), "a journal begins with its head"
    return head.plan


def _release_of(plan: Plan[Fleet]) -> str:
    installs = [step for step in plan.steps if isinstance(step, InstallRelease)]
    return installs[0].release_id


def names_of(releases: Sequence[StoredRelease]) -> dict[str, str]:
    """What people call releases, by id."""
    return {each.release_id: each.name for each in releases}
