"""Back a workspace up, prove that it can be read back, and rehearse the restore."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from typing import Final

from magellan.audit.change import Change, Result
from magellan.errors import AskOperator, FixInput, MagellanError
from magellan.ledger.chain import Broken, Head, Sound
from magellan.plan.actor import Actor
from magellan.ports.backup import BackupMade, BackupRecord, BackupStage, BackupStore, NoBackups, Snapshot
from magellan.ports.change_log import ChangeLog
from magellan.ports.ledger import Ledger
from magellan.ports.release_store import ReleaseStore
from magellan.trading.session import exchange_date, exchange_instant
from magellan.usecases.releases import verify_releases
from magellan.workspace.backup_terms import BackupTerms
from magellan.workspace.workspace import WorkspaceSettings

WORKSPACE: Final = "workspace"  # the tag of a whole backup
LEDGER: Final = "ledger"  # of the ones in between


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredState:
    """What was found in a restored workspace."""

    ledger: dict[str, Head]  # by account
    changes: Head
    releases: int  # all whole, and signed by a trusted key or not

    @property
    def words(self) -> str:
        """For the audit log."""
        entries = sum(each.number for each in self.ledger.values())
        return f"{entries:,} ledger entries, {self.changes.number:,} changes, {self.releases} releases, all whole"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSources:
    """Everything that backups ask, and change."""

    root: Path
    terms: BackupTerms
    store: BackupStore
    record: BackupRecord
    stage: Callable[[Path], BackupStage]  # of a workspace's root
    changes: ChangeLog
    heads: Callable[[], dict[str, Head]]  # of the ledger as it is now, by account
    sign: Callable[[], object] | None  # a checkpoint of the chains; None: there is no trusted key here
    examine: Callable[[Path], RestoredState]  # a restored workspace; raises AskOperator for what is not whole
    catch_up: Callable[
        [Path], int
    ]  # adds to what was fetched what the ledger's trail has beyond it; how many entries
    written_at: Callable[
        [str, int], datetime | None
    ]  # when the ledger here got the entry of that number; None: never
    actor: Actor
    clock: Callable[[], datetime]  # now, aware, UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciledOnPaper:
    """A session of a restored workspace whose book agreed with a paper exchange."""

    strategy: str  # "prod/bear_trap"
    took_s: float  # the exchange's start and the session's


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """What a rehearsal of the restore came to."""

    snapshots: tuple[Snapshot, ...]
    rto_s: (
        float  # from nothing to a workspace that was examined and, where a session was asked for, reconciled
    )
    session: ReconciledOnPaper | None  # None: none was asked for, or there is no strategy
    rpo_s: float  # age of the newest backup that it holds
    ledger_rpo_s: float  # age of the oldest entry of the ledger that it lacks; 0 where it lacks none
    entries_behind: int  # of the ledger, that were written since
    from_trail: int  # entries that no backup had, and the trail did
    audit_rpo_s: float  # age of the oldest record of the audit log that it lacks; 0 where it lacks none
    changes_behind: int  # of the audit log; a backup's own record is written after it, and is one
    found: RestoredState


def create_backup(
    sources: BackupSources, *, why: str, on_progress: Callable[[float], None], only_ledger: bool = False
) -> BackupMade:
    """Make a backup, and forget those that need not be kept; while another one of this workspace is made, wait for it.

    only_ledger: the ledger and the audit log alone; it is so small a change that it is not recorded as one.
    """
    stage = sources.stage(sources.root)
    with stage.alone():
        if only_ledger:
            return _made(sources, stage, LEDGER, on_progress)
        _catch_up(sources)
        begun = _change(sources, "backup", why)
        sources.changes.append(begun)
        try:
            if sources.sign is not None:
                sources.sign()
            made = _made(sources, stage, WORKSPACE, on_progress)
        except MagellanError as error:
            sources.changes.append(_ended(begun, sources, Result.FAILED, error.message))
            raise
        done = replace(begun, evidence=(f"snapshot {made.snapshot_id}",))
        note = f"{made.files:,} files, {made.bytes_added:,} bytes added"
        terms = sources.terms
        keep = {"daily": terms.keep_daily, "weekly": terms.keep_weekly, "monthly": terms.keep_monthly}
        try:
            forgotten = sources.store.forget(keep={"last": 1, **keep})
        except MagellanError as error:
            note += f"; old ones could not be forgotten: {error.message}"
            sources.changes.append(_ended(done, sources, Result.DONE, note))
            raise
        sources.changes.append(_ended(done, sources, Result.DONE, f"{note}, {forgotten} old ones forgotten"))
    return made


def _made(
    sources: BackupSources, stage: BackupStage, tag: str, on_progress: Callable[[float], None]
) -> BackupMade:
    """One backup, at its destination and remembered here."""
    try:
        filled = stage.fill()
        settings = sources.root / "magellan.toml"
        paths = (settings, filled) if tag == LEDGER else _paths(sources)
        try:
            made = sources.store.create(sources.root, paths, tag=tag, on_progress=on_progress)
        except NoBackups:
            sources.store.prepare()
            made = sources.store.create(sources.root, paths, tag=tag, on_progress=on_progress)
    finally:
        stage.clear()
    sources.record.add(made, tag)
    return made


def _catch_up(sources: BackupSources) -> None:
    """Record what became of a backup whose process was killed: nobody is at work on one now."""
    ours = [each.change for each in sources.changes.changes() if each.change.action == "backup"]
    if not ours or ours[-1].result is not Result.BEGUN:
        return
    newest_at = sources.record.last_at()
    if newest_at is not None and newest_at >= ours[-1].at:
        result, note = Result.DONE, "recorded afterwards: its process was killed once it was made"
    else:
        result = Result.FAILED
        note = "its process was killed before the end; it is a backup if `magellan backup list` shows it"
    sources.changes.append(_ended(ours[-1], sources, result, note))


def is_due(terms: BackupTerms, last_at: datetime | None, now: datetime) -> bool:
    """Whether backup.at has come since the newest backup. last_at, now: aware, UTC; None: there is none."""
    if last_at is None:
        return True
    at = time_of_day.fromisoformat(terms.at)
    today = exchange_date(now)
    newest = max(
        due
        for due in (exchange_instant(today, at), exchange_instant(today - timedelta(days=1), at))
        if due <= now
    )
    return last_at < newest


def verify_backups(sources: BackupSources, into: Path) -> Rehearsed:
    """Read everything at the destination, then restore the newest backup into an empty folder and examine it."""
    sources.store.verify()
    return rehearse_restore(sources, into)


def rehearse_restore(
    sources: BackupSources,
    into: Path,
    *,
    on_paper: Callable[[Path], ReconciledOnPaper | None] | None = None,
) -> Rehearsed:
    """Restore the newest backup into an empty folder, examine what is there, and record how long it took.

    on_paper: goes on with the restored workspace until a session of it is reconciled; None: not asked for.
    Raises: FixInput where there is no backup; AskOperator for one that does not hold what it should.
    """
    change = _change(sources, "drill restore", "rehearsed")
    try:
        snapshots = to_restore(sources.store.snapshots())
        now_heads, now_changes, asked_at = sources.heads(), sources.changes.head, sources.clock()
        began = time.perf_counter()
        for each in snapshots:
            sources.store.restore(each.snapshot_id, into)
        from_trail = sources.catch_up(into)
        sources.stage(into).put_back()
        found = sources.examine(into)
        session = None if on_paper is None else on_paper(into)
        rto_s = time.perf_counter() - began
        _must_be_ours(found, now_heads)
    except MagellanError as error:
        sources.changes.append(_ended(change, sources, Result.FAILED, error.message))
        raise
    lacking = {
        each: found.ledger[each].number + 1
        for each, head in now_heads.items()
        if each in found.ledger and found.ledger[each].number < head.number
    }
    behind = sum(now_heads[each].number + 1 - first for each, first in lacking.items())
    lost = [at for each, first in lacking.items() if (at := sources.written_at(each, first)) is not None]
    changes_lost = [
        each.change.at
        for each in sources.changes.changes(after=found.changes.number)
        if each.number <= now_changes.number
    ]
    rehearsed = Rehearsed(
        snapshots=snapshots,
        rto_s=rto_s,
        session=session,
        rpo_s=(asked_at - snapshots[-1].at).total_seconds(),
        ledger_rpo_s=max(((asked_at - at).total_seconds() for at in lost), default=0.0),
        entries_behind=behind,
        from_trail=from_trail,
        audit_rpo_s=(asked_at - changes_lost[0]).total_seconds() if changes_lost else 0.0,
        changes_behind=len(changes_lost),
        found=found,
    )
    evidence = (
        *(f"snapshot {each.snapshot_id}" for each in snapshots),
        f"rto_s {rto_s:.1f}",
        f"rpo_s {rehearsed.rpo_s:.1f}",
        f"ledger_rpo_s {rehearsed.ledger_rpo_s:.1f}",
        f"entries_behind {behind}",
        f"audit_rpo_s {rehearsed.audit_rpo_s:.1f}",
        f"changes_behind {rehearsed.changes_behind}",
        *(() if session is None else (f"session_s {session.took_s:.1f}",)),
    )
    reconciled = "" if session is None else f"; a session of {session.strategy} was reconciled on paper"
    done = _ended(change, sources, Result.DONE, found.words + reconciled)
    sources.changes.append(replace(done, evidence=evidence))
    return rehearsed


def to_restore(snapshots: Sequence[Snapshot], named: str | None = None) -> tuple[Snapshot, ...]:
    """The snapshots that together are what a person means, in the order in which they are put over each other.

    Unnamed: the newest whole one, and the newest of the ledger alone that came after it. Raises FixInput.
    """
    whole = [each for each in snapshots if WORKSPACE in each.tags]
    if named is not None:
        fitting = [each for each in whole if each.snapshot_id.startswith(named)]
        if len(fitting) != 1:
            raise FixInput(
                f"{len(fitting)} backups of a whole workspace are called {named}",
                next_step="`magellan backup list` shows them",
            )
        return (fitting[0],)
    if not whole:
        raise FixInput("there is no backup", next_step="make one with `magellan backup create`")
    later = [each for each in snapshots if LEDGER in each.tags and each.at > whole[-1].at]
    return (whole[-1], *later[-1:])


def _must_be_ours(found: RestoredState, now: dict[str, Head]) -> None:
    for account, head in found.ledger.items():
        if account not in now or now[account].number < head.number:
            raise AskOperator(
                f"the backup holds more of {account} than the ledger here: something was lost here",
                kept="the backup",
                next_step="`magellan audit verify`, then restore",
            )


def _paths(sources: BackupSources) -> tuple[Path, ...]:
    return tuple(path for each in sources.terms.paths if (path := sources.root / each).exists())


def _change(sources: BackupSources, action: str, why: str) -> Change:
    return Change(
        at=sources.clock(),
        by=sources.actor,
        action=action,
        subject=sources.root.name,
        where=sources.store.place,
        why=why,
        result=Result.BEGUN,
    )


def _ended(change: Change, sources: BackupSources, result: Result, note: str) -> Change:
    return replace(change, at=sources.clock(), result=result, note=note)


def examined(
    ledger: Ledger, changes: ChangeLog, releases: ReleaseStore, settings: WorkspaceSettings
) -> RestoredState:
    """What was found in a restored workspace. Raises AskOperator for the first thing that is not whole."""
    heads = {account: _head(account, ledger.verify(account)) for account in ledger.accounts()}
    log = _head("the audit log", changes.verify())
    checked = verify_releases(releases, None, None, trusted_keys=settings.releases.trusted_keys)
    for each in checked:
        # One that no trusted key signed is as it was backed up: whole, and nothing deploys it.
        if each.problem and "does not trust" not in each.problem:
            raise AskOperator(f"what was restored is not whole: {each.stored.name}: {each.problem}")
    return RestoredState(ledger=heads, changes=log, releases=len(checked))


def _head(name: str, found: Sound | Broken) -> Head:
    if isinstance(found, Broken):
        raise AskOperator(
            f"what was restored is not whole: {name}, entry {found.number}: {found.reason}",
            next_step="restore an older backup; `magellan backup list` shows them",
        )
    return found.head
