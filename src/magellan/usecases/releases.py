"""What there is to do with releases that are built: look, compare, verify, thin out."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

from magellan.errors import AskOperator
from magellan.ledger.entries import SessionBegan
from magellan.ports.ledger import Ledger
from magellan.ports.release_store import ReleaseStore
from magellan.release.artifact import Artifact, unpacked
from magellan.release.difference import Change, differences
from magellan.release.retention import prunable
from magellan.release.stored import StoredRelease, chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A release that was read, and found whole."""

    stored: StoredRelease
    artifact: Artifact
    signer: str | None  # the key's name in magellan.toml; None: not trusted


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One release, and what is wrong with it."""

    stored: StoredRelease
    problem: str  # "" when it is whole, and a trusted key signed it
    signer: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Two releases, and what differs between them."""

    before: StoredRelease
    after: StoredRelease
    changes: tuple[Change, ...]


def open_release(
    store: ReleaseStore, strategy: str, named: str | None, *, trusted_keys: Mapping[str, str]
) -> Opened:
    """The release that a person means, with everything in it.

    named:  its name, number or the beginning of its id; None: the newest.
    Raises: FixInput when there is none; AskOperator when it is not whole.
    """
    stored = chosen(store.releases(strategy), named, strategy=strategy)
    artifact = _read(store, stored)
    untrusted = artifact.signature.problem(artifact.release_id, trusted_keys)
    return Opened(
        stored=stored,
        artifact=artifact,
        signer=None if untrusted else artifact.signature.signer(trusted_keys),
    )


def compare_releases(store: ReleaseStore, strategy: str, before: str | None, after: str | None) -> Compared:
    """Two releases of one strategy. None: for `after` the newest, for `before` the one before `after`."""
    releases = store.releases(strategy)
    newer = chosen(releases, after, strategy=strategy)
    older = (
        chosen(releases, before, strategy=strategy)
        if before is not None
        else chosen(releases[: releases.index(newer)] or releases, None, strategy=strategy)
    )
    return Compared(before=older, after=newer, changes=differences(_read(store, older), _read(store, newer)))


def verify_releases(
    store: ReleaseStore, strategy: str | None, named: str | None, *, trusted_keys: Mapping[str, str]
) -> tuple[Checked, ...]:
    """Read releases, byte for byte, and say of each what is wrong with it. Oldest first.

    strategy: None: all of them. named: one release of it; None: every one.
    """
    wanted = (
        (chosen(store.releases(strategy), named, strategy=strategy),)
        if strategy is not None and named is not None
        else tuple(
            release
            for each in (store.strategies() if strategy is None else (strategy,))
            for release in store.releases(each)
        )
    )
    return tuple(_checked(store, each, trusted_keys) for each in wanted)


def prune_releases(
    store: ReleaseStore, strategy: str, *, keep: int, in_use: Set[str], really: bool
) -> tuple[StoredRelease, ...]:
    """Remove old releases; those that were, or with really=False would be. Oldest first.

    in_use: ids of releases that some session began with; they are evidence, and stay.
    """
    gone = prunable(store.releases(strategy), keep=keep, in_use=in_use)
    if really:
        for each in gone:
            store.remove(each)
    return gone


def releases_run(ledger: Ledger) -> frozenset[str]:
    """Ids of all releases that a recorded session began with, on any account."""
    found = set()
    for account in ledger.accounts():
        for entry in ledger.entries(account, kinds=("session_began",)):
            began = entry.payload
            assert isinstance(began, SessionBegan), "that is what the kind holds"
            if began.release_id is not None:
                found.add(began.release_id)
    return frozenset(found)


def _checked(store: ReleaseStore, stored: StoredRelease, trusted_keys: Mapping[str, str]) -> Checked:
    try:
        artifact = _read(store, stored)
    except AskOperator as error:
        return Checked(stored=stored, problem=error.message, signer=None)
    problem = artifact.signature.problem(artifact.release_id, trusted_keys)
    return Checked(
        stored=stored,
        problem=problem or "",
        signer=None if problem else artifact.signature.signer(trusted_keys),
    )


def _read(store: ReleaseStore, stored: StoredRelease) -> Artifact:
    artifact = unpacked(store.content(stored), name=stored.name)
    if artifact.release_id != stored.release_id or artifact.manifest.strategy != stored.strategy:
        raise AskOperator(
            f"{stored.name} holds another release, {artifact.manifest.strategy} {artifact.release_id}",
            next_step="restore it from a backup, or build it again",
        )
    return artifact
