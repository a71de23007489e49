"""Freeze: may something go to where real money trades now, and the overrides that people granted."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from magellan.audit.change import Change, Result
from magellan.deploy.freeze import (
    EventList,
    FreezeAnswer,
    FreezeRules,
    Open,
    Window,
    freeze_at,
    windows_between,
)
from magellan.deploy.freeze_override import Override, override_of
from magellan.plan.actor import Actor
from magellan.ports.change_log import ChangeLog
from magellan.ports.ledger import Ledger
from magellan.ports.release_key import ReleaseKey
from magellan.release.signature import Signature
from magellan.trading.session import ExchangeCalendar
from magellan.usecases.ledger_queries import book_of
from magellan.usecases.named_account import ledger_name
from magellan.workspace.workspace import Stage, WorkspaceSettings

OVERRIDE: Final = "freeze override"  # the action under which the audit log has one
_UNTIL: Final = "until "
_SIGNED: Final = "signed "


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeSources:
    """Everything that a freeze asks."""

    root: Path  # of the workspace, in which files of dates lie
    settings: WorkspaceSettings
    calendar: ExchangeCalendar
    read_events: Callable[[Path, str], EventList]
    changes: ChangeLog
    clock: Callable[[], datetime]  # now, aware, UTC


def check_freeze(
    strategy: str, stage: Stage, sources: FreezeSources, *, symbols: Collection[str]
) -> FreezeAnswer:
    """Whether a strategy may be deployed to a stage now. Only prod freezes, and no exchange on this machine does.

    symbols: that the strategy trades, and that its account holds.
    Raises: FixInput for a file of dates that is missing or wrong; AskOperator for an audit log that is damaged.
    """
    if stage is not Stage.PROD:
        return Open(advice=())
    account = sources.settings.stage(stage).account_of(strategy)
    if account is not None and sources.settings.accounts[account].kind == "local":
        return Open(advice=(f"'{account}' is an exchange on this machine, and no money is at stake",))
    return freeze_at(
        sources.clock(),
        rules_of(sources),
        subject=f"{stage}/{strategy}",
        symbols=symbols,
        overrides=overrides(sources),
    )


def coming_windows(sources: FreezeSources, *, days: int, symbols: Collection[str]) -> tuple[Window, ...]:
    """Windows that hold now or begin within so many days, in order."""
    at = sources.clock()
    found = windows_between(at, at + timedelta(days=days), rules_of(sources), symbols)
    return tuple(sorted(found, key=lambda each: each.from_at))


def override_freeze(
    strategy: str,
    stage: Stage,
    sources: FreezeSources,
    *,
    by: str,
    reason: str,
    hours: float,
    key: ReleaseKey,
    actor: Actor,
) -> Override:
    """Let a strategy through a freeze for some hours; durable in the audit log when this returns.

    by:     the name beside the person's key in magellan.toml; `key` is where this user's is.
    Raises: FixInput without a reason, when this is not that person, and for one that holds too long; AskOperator when
            it cannot be kept.
    """
    granted = override_of(
        sources.settings.freeze,
        subject=f"{stage}/{strategy}",
        by=by,
        reason=reason,
        hours=hours,
        key=key.key(),
        trusted=sources.settings.releases.trusted_keys,
        at=sources.clock(),
    )
    sources.changes.append(change_of(granted, actor))
    return granted


def change_of(override: Override, actor: Actor) -> Change:
    """An override as the audit log keeps it."""
    return Change(
        at=override.granted_at,
        by=Actor(person=override.by, host=actor.host, pid=actor.pid),
        action=OVERRIDE,
        subject=override.subject,
        where="the freeze calendar",
        why=override.reason,
        result=Result.DONE,
        evidence=(
            f"{_UNTIL}{override.until_at.isoformat()}",
            f"{_SIGNED}{override.signature.public_key} {override.signature.signature}",
        ),
        note=f"deployments pass until {override.until_at:%Y-%m-%d %H:%M}Z",
    )


def overrides(sources: FreezeSources) -> tuple[Override, ...]:
    """Every override that the person it names has signed, oldest first.

    Raises AskOperator for an audit log that is damaged. What somebody else wrote there lets nothing through.
    """
    trusted = sources.settings.releases.trusted_keys
    found = (
        _override(each.change)
        for each in sources.changes.changes()
        if each.change.action == OVERRIDE and each.change.result is Result.DONE
    )
    return tuple(each for each in found if each is not None and each.problem(trusted) is None)


def _override(change: Change) -> Override | None:
    """The override that a change holds; None where it was not written as `change_of` does."""
    try:
        until, signed = change.evidence
        public_key, signature = signed.removeprefix(_SIGNED).split(" ")
        return Override(
            subject=change.subject,
            by=change.by.person,
            reason=change.why,
            granted_at=change.at,
            until_at=datetime.fromisoformat(until.removeprefix(_UNTIL)),
            signature=Signature(public_key=public_key, signature=signature),
        )
    except ValueError:
        return None


def symbols_held(settings: WorkspaceSettings, strategy: str, stage: Stage, ledger: Ledger) -> frozenset[str]:
    """What the account that a strategy trades in a stage holds, by our book. Raises AskOperator when damaged."""
    named = settings.stage(stage).account_of(strategy)
    if named is None:
        return frozenset()
    account = ledger_name(settings.accounts[named])
    if account not in ledger.accounts():
        return frozenset()
    held = book_of(ledger, account).positions
    return frozenset(symbol for symbol, position in held.items() if position.quantity)


def rules_of(sources: FreezeSources) -> FreezeRules:
    """The windows of magellan.toml, with the files that it names. Raises FixInput for one that is missing or wrong."""
    terms = sources.settings.freeze

    def read(name: str) -> EventList | None:
        return sources.read_events(sources.root / name, name) if name else None

    return FreezeRules(
        terms=terms, calendar=sources.calendar, events=read(terms.events), earnings=read(terms.earnings)
    )
