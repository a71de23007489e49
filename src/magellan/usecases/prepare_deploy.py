"""Prepare a roll-out: look at everything that it needs, and tell what refuses it, before anything is changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from magellan.deploy.health import SessionLook
from magellan.deploy.host import Fleet, Host, Installed
from magellan.deploy.instance import Condition
from magellan.deploy.rollout import (
    Incoming,
    Place,
    RolloutTerms,
    Standing,
    instance_at,
    rollout,
)
from magellan.deploy.source import files_digest, strategy_files
from magellan.deploy.source_folders import SourceFolders
from magellan.errors import FixInput
from magellan.plan.actor import Actor
from magellan.plan.plan import Plan
from magellan.plan.preview import preview
from magellan.plan.status import PlanStatus, status_of
from magellan.ports.change_log import ChangeLog
from magellan.ports.journal import Journals, PlanUnfinished
from magellan.ports.notifier import Notifier
from magellan.ports.release_store import ReleaseStore
from magellan.release.artifact import Artifact
from magellan.release.manifest import LOCK
from magellan.release.stored import StoredRelease
from magellan.usecases.deploy_history import bad_releases, catch_up
from magellan.usecases.named_account import ledger_name
from magellan.usecases.releases import Opened, open_release
from magellan.workspace.aws_target import AwsTarget
from magellan.workspace.broker_account import BrokerAccount
from magellan.workspace.target import Target
from magellan.workspace.workspace import Stage, WorkspaceSettings

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
    notifier: Notifier
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
    catch_up(
        f"{asked.stage}/{asked.strategy}",
        changes=sources.changes,
        journals=sources.journals,
        at=sources.clock(),
    )
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
        *(_look(host, account_name, incoming, opened.artifact, asked, sources) for host in hosts.values())
    )
    terms = _terms(asked, sources.settings)
    plan = rollout(
        [each.place for each in found], incoming, terms, by=sources.actor.person, verb=VERBS[asked.action]
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


# What a plan's name begins with, by the action that the audit log has.
VERBS: Final = {"deploy": "deploy", "rollback": "roll back", "promote": "promote"}


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
    host: Host,
    account_name: str,
    incoming: Incoming,
    artifact: Artifact,
    asked: DeployAsked,
    sources: DeploySources,
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
        tripped=session.breakers,
        region=_region(sources.settings.targets.get(host.name)),
    )
    instance = instance_at(place, incoming)
    # All but one that only stands by for this very stage: that one ends first where its files were edited.
    run_by = [each.key for each in known if each.release_id == incoming.release_id]
    in_use = [key for key in run_by if key != instance.key or key == armed.instance]
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
            # Going back is what a trip calls for, and nothing is entered meanwhile: it stays tripped.
            is_well=not session.breakers or asked.action == "rollback",
            found=_tripped(session, asked),
        ),
        Finding(
            what=f"{host.name}: broker",
            is_well=not _is_cut_off(session) or asked.action == "rollback",
            found="the session there has lost both streams: the broker cannot be reached from it"
            if _is_cut_off(session)
            else "reached by the session there"
            if session.session_id
            else "asked when the release stands by; no session runs",
        ),
        Finding(
            what=f"{host.name}: books",
            is_well=not session.differences or account.reconcile != "refuse",
            found=_books(session, account),
        ),
        Finding(
            what=f"{host.name}: orders",
            is_well=session.unresolved == 0,
            found=f"of {session.unresolved} nobody knows whether the broker has them"
            if session.unresolved
            else f"all are accounted for; held: {_held(session.positions, account)}",
        ),
        Finding(
            what=f"{host.name}: release",
            is_well=not (installed.drift and in_use),
            found=_lies_there(installed, in_use),
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
        place=replace(place, edited=bool(installed.drift) and not in_use),
        findings=tuple(findings),
        is_there=installed.is_whole and armed.instance == instance.key and trades.get(instance.key, False),
    )


def _lies_there(installed: Installed, in_use: Sequence[str]) -> str:
    """How the release lies on the host, and what becomes of one that somebody edited there."""
    if not installed.drift:
        return "installed" if installed.is_there else "not installed yet"
    told = "; ".join(installed.drift)
    if in_use:
        return f"{told}; {', '.join(in_use)} is run from there: let another release trade, then deploy this one anew"
    return f"{told}; that is put aside there, and the release installed anew"


def _tripped(session: SessionLook, asked: DeployAsked) -> str:
    """Which breakers have tripped, and what that means for what is asked."""
    names = ", ".join(session.breakers)
    if not names:
        return f"none has tripped{'; entries are off: ' + session.halted if session.halted else ''}"
    if asked.action == "rollback":
        return f"{names} has tripped, and stays so: nothing is entered until `magellan resume`"
    return f"{names} has tripped; a person lets it go with `magellan resume`"


def _books(session: SessionLook, account: BrokerAccount) -> str:
    """How book and broker compare, and what the next session on the account does about it."""
    if not session.differences:
        return (
            "book and broker agree" if session.reconciled_age_s is not None else "compared when it takes over"
        )
    told = f"book and broker differ: {'; '.join(session.differences[:3])}"
    if account.reconcile == "refuse":
        return f'{told}; until `reconcile = "adopt"` takes over what is held, no session begins on that, old or new'
    return f"{told}; reconcile = {account.reconcile}"


def _is_cut_off(session: SessionLook) -> bool:
    """Whether a session runs and its broker is away: a new release would not come to stand by either."""
    return session.session_id is not None and not session.feed_up and not session.orders_up


def _held(positions: tuple[str, ...], account: BrokerAccount) -> str:
    """What the account holds, and what a hand-over does with it."""
    if not positions:
        return "nothing"
    kept = account.on_stop == "hold"
    policy = "a hand-over keeps it, with its protection" if kept else "a hand-over closes it"
    return f"{', '.join(positions)}; {policy} (on_stop = {account.on_stop})"


def _region(target: Target | None) -> str | None:
    return target.region if isinstance(target, AwsTarget) else None


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
