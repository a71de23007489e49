"""The inventory of secrets: which ones the workspace needs, whether they are there, how old they are, when due."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from magellan.ports.secret_ages import SecretAges
from magellan.ports.secrets import SecretProvider
from magellan.workspace.broker_account import BrokerAccount
from magellan.workspace.secret_terms import SecretSource
from magellan.workspace.workspace import WorkspaceSettings

SOON: Final = timedelta(days=14)
_VENDOR_KEYS: Final = {"polygon": "POLYGON_API_KEY"}


class SecretState(StrEnum):
    """How a secret stands."""

    WELL = "well"
    SOON = "due soon"
    OVERDUE = "overdue"
    MISSING = "missing"

    @property
    def is_well(self) -> bool:
        """Whether what needs it may begin."""
        return self in (SecretState.WELL, SecretState.SOON)


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededSecret:
    """A secret that something in magellan.toml needs, by its name."""

    name: str
    source: SecretSource
    used_by: str  # "account paper", "channel desk"
    account: str | None = None  # its name in magellan.toml, where it is half of an account's pair


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretLine:
    """One secret of the inventory. Never its value."""

    name: str
    used_by: str
    source: SecretSource
    place: str | None  # where it was found; None: nowhere
    state: SecretState
    since: datetime | None  # since when it has been this one, as far as Magellan saw
    due_at: datetime | None
    age_days: int | None


def needed_secrets(
    settings: WorkspaceSettings,
    *,
    schemes: Sequence[tuple[str, str]],
    is_known: Callable[[SecretSource, str], bool],
) -> tuple[NeededSecret, ...]:
    """Every secret that the settings name, each once for everything that uses it.

    schemes:  names by which a pair of keys may be found where an account names none.
    is_known: whether a place of that source has a secret of that name.
    """
    return tuple(_needed(settings, schemes, is_known))


def inventory(
    needed: Sequence[NeededSecret],
    settings: WorkspaceSettings,
    providers: Sequence[SecretProvider],
    ages: SecretAges,
    *,
    now: datetime,
) -> tuple[SecretLine, ...]:
    """How each stands. Asks every place that is named; raises as they do.

    A secret's age is counted from when Magellan first saw this value.
    """
    lines = []
    for each in needed:
        found = next(
            (
                (provider.place, value)
                for provider in providers
                if provider.source == each.source and (value := provider.secret(each.name)) is not None
            ),
            None,
        )
        since = None if found is None else ages.since(each.name, found[1], now=now)
        due_at = None if since is None else since + settings.secrets.due_after(each.name)
        lines.append(
            SecretLine(
                name=each.name,
                used_by=each.used_by,
                source=each.source,
                place=None if found is None else found[0],
                state=_state(due_at, now),
                since=since,
                due_at=due_at,
                age_days=None if since is None else (now - since).days,
            )
        )
    return tuple(lines)


def _needed(
    settings: WorkspaceSettings,
    schemes: Sequence[tuple[str, str]],
    is_known: Callable[[SecretSource, str], bool],
) -> Iterator[NeededSecret]:
    for name, account in settings.accounts.items():
        # Any pair opens an account at an exchange on this machine; one that is named is there to rehearse with.
        if account.broker == "alpaca" and (account.kind != "local" or account.keys.key_id is not None):
            for each in _pair(account, schemes, is_known):
                yield NeededSecret(
                    name=each, source=account.keys.source, used_by=f"account {name}", account=name
                )
    vendors = {_VENDOR_KEYS.get(account.data.source) for account in settings.accounts.values()}
    for vendor_key in sorted(each for each in vendors if each is not None):
        yield NeededSecret(name=vendor_key, source="environment", used_by="bars")
    source = settings.secrets.source
    for name, channel in settings.notifications.channels.items():
        if channel.secret is not None:
            yield NeededSecret(name=channel.secret, source=source, used_by=f"channel {name}")
    if settings.backup.to is not None:
        yield NeededSecret(name=settings.backup.passphrase, source=source, used_by="backup")
    for name in settings.secrets.also:
        yield NeededSecret(name=name, source=source, used_by="magellan.toml")


def _pair(
    account: BrokerAccount,
    schemes: Sequence[tuple[str, str]],
    is_known: Callable[[SecretSource, str], bool],
) -> tuple[str, str]:
    keys = account.keys
    if keys.key_id is not None and keys.secret is not None:
        return keys.key_id, keys.secret
    return next(
        (pair for pair in schemes if all(is_known(keys.source, name) for name in pair)),
        next((pair for pair in schemes if any(is_known(keys.source, name) for name in pair)), schemes[0]),
    )


def _state(due_at: datetime | None, now: datetime) -> SecretState:
    if due_at is None:
        return SecretState.MISSING
    if due_at <= now:
        return SecretState.OVERDUE
    return SecretState.SOON if due_at <= now + SOON else SecretState.WELL
