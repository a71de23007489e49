"""Wiring: notifications, disks and backups."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from magellan.errors import FixInput
from magellan.wiring.records import change_log, checkpoints, ledger
from magellan.wiring.releases import release_key, release_store
from magellan.wiring.secrets import named_secret
from magellan.workspace.aws_names import bucket_on_server

if TYPE_CHECKING:
    from pydantic import SecretStr

    from magellan.ledger.chain import Head
    from magellan.plan.actor import Actor
    from magellan.ports.backup import BackupRecord, BackupStore
    from magellan.ports.disk import DiskGauge
    from magellan.ports.journal import Journals
    from magellan.ports.ledger_trail import LedgerRows, LedgerTrail
    from magellan.ports.notifier import Notifier
    from magellan.ports.outbox import Outbox, Transport
    from magellan.usecases.backup import BackupSources, RestoredState
    from magellan.usecases.restore import RestoreAsked, RestoreWorld
    from magellan.workspace.workspace import Workspace

_LOG_BYTES = 10_000_000  # before a session's log is begun anew
_LOGS_KEPT = 10


def outbox(workspace: Workspace) -> Outbox:
    """What people are to be told, until their channels have taken it."""
    from magellan.adapters.local.outbox_folder import OutboxFolder

    return OutboxFolder(workspace.state_folder / "outbox")


def transport(workspace: Workspace, channel: str, environment: Mapping[str, str]) -> Transport:
    """The way to the people behind a channel. Raises FixInput for a secret that is missing or none of its kind."""
    from magellan.adapters.apprise_transport import AppriseTransport

    terms = workspace.settings.notifications.channels[channel]
    secret = None if terms.secret is None else named_secret(workspace, environment, terms.secret)
    return AppriseTransport(channel, terms, secret)


def notifier(workspace: Workspace, account: str, secrets: Iterable[str]) -> Notifier:
    """What tells people: the console, the account's log, and the channels of magellan.toml. No secret shows in any."""
    from magellan.adapters.live_log import Redaction, RotatedLines, live_log
    from magellan.adapters.local.log_notifier import LogNotifier
    from magellan.adapters.local.outbox_notifier import OutboxNotifier
    from magellan.ledger.known_secrets import KnownSecrets
    from magellan.usecases.deliver_notifications import enqueue

    known = KnownSecrets(secrets)

    log = live_log(
        console=sys.stderr,
        file=RotatedLines(
            workspace.state_folder / "logs" / f"{account}.jsonl", largest=_LOG_BYTES, kept=_LOGS_KEPT
        ),
        redaction=Redaction(known),
        clock=lambda: datetime.now(UTC),
    )
    terms = workspace.settings.notifications
    if not terms.channels:
        return LogNotifier(log)
    queues = outbox(workspace)
    return OutboxNotifier(
        LogNotifier(log), lambda message: enqueue(queues, terms, message), source=account, secrets=known
    )


def disk_gauge(workspace: Workspace) -> DiskGauge:
    """What the workspace's disk has left, and what our logs take of it."""
    from magellan.adapters.local.disk import Disk

    return Disk(workspace.root, logs=workspace.state_folder / "logs")


def backup_record(workspace: Workspace) -> BackupRecord:
    """What is remembered of the backups that were made."""
    from magellan.adapters.local.backup_record import BackupRecordFile

    return BackupRecordFile(workspace.state_folder / "backup" / "made.jsonl")


def backup_store(
    workspace: Workspace, environment: Mapping[str, str], *, repository: str | None = None
) -> BackupStore:
    """Where the workspace's backups go. Raises FixInput where magellan.toml does not say, or restic is missing."""
    terms = workspace.settings.backup
    address = repository or terms.to
    if address is None:
        raise FixInput(
            "magellan.toml does not say where backups go",
            next_step="write `to` into the section [backup]; docs/guides/backup.md shows each kind of place",
        )
    passphrase = named_secret(workspace, environment, terms.passphrase)
    return _restic(address, passphrase, workspace.state_folder / "backup" / "cache", environment)


def bare_backup_store(repository: str, passphrase: SecretStr, environment: Mapping[str, str]) -> BackupStore:
    """The same on a host that has no workspace yet."""
    cache = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "magellan" / "restic"
    return _restic(repository, passphrase, cache, environment)


def _restic(
    repository: str, passphrase: SecretStr, cache: Path, environment: Mapping[str, str]
) -> BackupStore:
    from magellan.adapters.local.backup_stage import LEFT_OUT
    from magellan.adapters.restic import Restic

    return Restic(repository, passphrase, cache=cache, exclude=LEFT_OUT, environment=environment)


def backup_sources(
    workspace: Workspace, environment: Mapping[str, str], actor: Actor, *, store: BackupStore
) -> BackupSources:
    """Everything that backups of a workspace ask, and change."""
    from magellan.adapters.local.backup_stage import StageFolder
    from magellan.usecases.audit import sign_checkpoint
    from magellan.usecases.backup import BackupSources

    key, trusted = release_key(environment).key(), workspace.settings.releases.trusted_keys

    def sign() -> None:
        opened = ledger(workspace, environment)
        try:
            sign_checkpoint(
                opened,
                change_log(workspace),
                checkpoints(workspace),
                release_key(environment),
                trusted_keys=trusted,
                clock=lambda: datetime.now(UTC),
            )
        finally:
            opened.close()

    def heads() -> dict[str, Head]:
        opened = ledger(workspace, environment)
        try:
            return {account: opened.head(account) for account in opened.accounts()}
        finally:
            opened.close()

    def written_at(account: str, number: int) -> datetime | None:
        opened = ledger(workspace, environment)
        try:
            found = next(opened.entries(account, after=number - 1), None)
            return None if found is None else found.at
        finally:
            opened.close()

    def caught_up(root: Path) -> int:
        follow_to = workspace.settings.backup.follow_to
        if follow_to is None:
            return 0
        passphrase = named_secret(workspace, environment, workspace.settings.backup.passphrase)
        return _caught_up(root, follow_to, passphrase)

    return BackupSources(
        root=workspace.root,
        terms=workspace.settings.backup,
        store=store,
        record=backup_record(workspace),
        stage=partial(StageFolder, copy_ledger=_copied_ledger(environment)),
        changes=change_log(workspace),
        heads=heads,
        sign=sign if key is not None and key.public_key in trusted.values() else None,
        examine=examine_restored,
        catch_up=caught_up,
        written_at=written_at,
        actor=actor,
        clock=lambda: datetime.now(UTC),
    )


def _copied_ledger(environment: Mapping[str, str]) -> Callable[[Path], None] | None:
    """How a ledger in PostgreSQL gets into a backup. None: it is a file of the workspace, and copied as one."""
    address = environment.get("MAGELLAN_LEDGER_URL")
    if not address:
        return None
    from magellan.adapters.ledger_copy import copy_ledger
    from magellan.adapters.postgres_ledger import PostgresDatabase

    def copy(into: Path) -> None:
        database = PostgresDatabase(address)
        try:
            copy_ledger(database, into)
        finally:
            database.close()

    return copy


@contextmanager
def ledger_trail(follow_to: str, passphrase: SecretStr) -> Generator[LedgerTrail]:
    """The second copy of the ledger that backup.follow_to names."""
    from magellan.adapters.trail.place import FilePlace
    from magellan.adapters.trail.s3_place import S3Place
    from magellan.adapters.trail.sealed_trail import SealedTrail
    from magellan.adapters.trail.sftp_place import SftpPlace

    if follow_to.startswith("s3:"):
        server, bucket, prefix, region = bucket_on_server(follow_to)
        yield SealedTrail(S3Place(bucket, prefix, region=region, address=server), passphrase)
        return
    if not follow_to.startswith("sftp:"):
        yield SealedTrail(FilePlace(Path(follow_to)), passphrase)
        return
    login, _, path = follow_to.removeprefix("sftp:").partition(":")
    user, _, host = login.rpartition("@")
    place = SftpPlace(user, host, path)
    try:
        yield SealedTrail(place, passphrase)
    finally:
        place.close()


@contextmanager
def followed_ledger(
    workspace: Workspace, environment: Mapping[str, str]
) -> Generator[tuple[LedgerRows, LedgerTrail]]:
    """The workspace's ledger, and the second copy that follows it. Raises FixInput where magellan.toml names none."""
    from magellan.adapters.ledger_rows import SqlRows
    from magellan.adapters.postgres_ledger import PostgresDatabase
    from magellan.adapters.sqlite_ledger import SqliteDatabase

    terms = workspace.settings.backup
    if terms.follow_to is None:
        raise FixInput(
            "magellan.toml does not say where the ledger is followed to",
            next_step="write `follow_to` into the section [backup]; docs/guides/backup.md shows each kind of place",
        )
    address = environment.get("MAGELLAN_LEDGER_URL")
    database = (
        PostgresDatabase(address) if address else SqliteDatabase(workspace.state_folder / "ledger.sqlite")
    )
    try:
        with ledger_trail(terms.follow_to, named_secret(workspace, environment, terms.passphrase)) as trail:
            yield SqlRows(database), trail
    finally:
        database.close()


def _caught_up(root: Path, follow_to: str, passphrase: SecretStr) -> int:
    """Add what the trail has beyond a ledger that was just fetched. How many entries."""
    from magellan.adapters.ledger_rows import SqlRows
    from magellan.adapters.local.backup_stage import STAGE
    from magellan.adapters.sqlite_ledger import SqliteDatabase
    from magellan.usecases.follow_ledger import brought_up

    copy = SqlRows(SqliteDatabase(root / STAGE / "ledger.sqlite"))
    try:
        with ledger_trail(follow_to, passphrase) as trail:
            return brought_up(copy, trail)
    finally:
        copy.close()


def restore_world(
    store: BackupStore, asked: RestoreAsked, passphrase: SecretStr | None, clock: Callable[[], datetime]
) -> RestoreWorld:
    """What a restore acts on. passphrase: of the ledger's trail, which is asked too; None: it is left out."""
    from magellan.adapters.local.restore_folder import RestoreInto
    from magellan.usecases.restore import RestoreWorld, record_restored
    from magellan.workspace.workspace import Workspace

    def caught_up(root: Path) -> int:
        follow_to = Workspace.at(root).settings.backup.follow_to  # as it was backed up: there may be no other
        return 0 if follow_to is None or passphrase is None else _caught_up(root, follow_to, passphrase)

    return RestoreWorld(
        store=store,
        folder=RestoreInto(asked.into),
        examine=examine_restored,
        record=lambda root, found: record_restored(change_log(Workspace.at(root)), asked, found, at=clock()),
        catch_up=None if passphrase is None else caught_up,
    )


def restore_journals(into: Path) -> Journals:
    """Where a restore is written down: beside what it makes, since there may be no workspace yet."""
    from magellan.adapters.local.journal_files import JournalFiles

    return JournalFiles(into.with_name(f".{into.name}.restore-journals"))


def examine_restored(root: Path) -> RestoredState:
    """Check every chain and every release of a restored workspace. Raises AskOperator for what is not whole."""
    from magellan.usecases.backup import examined
    from magellan.workspace.workspace import Workspace

    restored = Workspace.at(root)
    opened = ledger(restored, {})
    try:
        return examined(opened, change_log(restored), release_store(restored), restored.settings)
    finally:
        opened.close()
