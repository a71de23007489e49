"""Restore: bring a workspace back from a backup, into a folder that is empty or not there, as a plan.

What is brought back is put beside the folder first, examined there, and moved into its place in one step. So the folder
is either not there or whole, whatever is killed when. Nothing that exists is ever overwritten.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from magellan.audit.change import Change, Result
from magellan.plan.actor import Actor
from magellan.plan.journal import JournalText
from magellan.plan.plan import OnFailure, Phase, Plan
from magellan.plan.standing import JournalState
from magellan.plan.step import Answer, Before, Begun, Blocked, Done, NotDone, Step
from magellan.ports.backup import BackupStore, Beside, RestoreFolder
from magellan.ports.change_log import ChangeLog
from magellan.usecases.backup import RestoredState


@dataclass(slots=True, kw_only=True)
class RestoreWorld:
    """What the steps act on."""

    store: BackupStore
    folder: RestoreFolder
    examine: Callable[[Path], RestoredState]
    record: Callable[[Path, str], None]  # in its own audit log that it was restored, and what was found; once
    catch_up: Callable[[Path], int] | None = (
        None  # what was fetched, with the trail's entries; None: as backed up
    )
    found: RestoredState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchSnapshot(Step[RestoreWorld]):
    """Bring the snapshot's files beside the folder in which they belong."""

    snapshot_ids: tuple[str, ...]  # put over each other, in this order
    place: str
    into: Path

    @property
    def title(self) -> str:
        return f"fetch {' and '.join(self.snapshot_ids)} from {self.place}"

    @property
    def changes(self) -> frozenset[str]:
        return frozenset({f"beside {self.into}"})

    async def check(self, world: RestoreWorld, before: Before | None) -> Answer:
        match world.folder.beside():
            case Beside.WHOLE:
                return Done()
            case Beside.NOTHING:
                return NotDone(before={})
            case Beside.A_PART if before is None:
                return Blocked(why=f"there is something beside {self.into} already, of another restore")
            case _:
                return Begun(why="a part of it is there")

    async def do(self, world: RestoreWorld, before: Before) -> None:
        def restore(folder: Path) -> None:
            for each in self.snapshot_ids:
                world.store.restore(each, folder)
            if world.catch_up is not None:
                world.catch_up(folder)

        world.folder.fetch(restore)

    async def undo(self, world: RestoreWorld, before: Before) -> None:
        world.folder.drop()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamineRestored(Step[RestoreWorld]):
    """Check every chain and every release of what was fetched."""

    into: Path

    @property
    def title(self) -> str:
        return "check the ledger, the audit log and the releases that were fetched"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({f"beside {self.into}"})

    async def check(self, world: RestoreWorld, before: Before | None) -> Answer:
        return NotDone(before={}) if world.found is None else Done()

    async def do(self, world: RestoreWorld, before: Before) -> None:
        world.found = world.examine(world.folder.beside_folder)

    async def verify(self, world: RestoreWorld, before: Before) -> Answer:
        assert world.found is not None, "it was just examined"
        return Done(note=world.found.words)

    async def undo(self, world: RestoreWorld, before: Before) -> None:
        world.found = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PutInPlace(Step[RestoreWorld]):
    """Let the folder be there, whole, from one instant to the next."""

    into: Path

    @property
    def title(self) -> str:
        return f"put it in place as {self.into}"

    @property
    def changes(self) -> frozenset[str]:
        return frozenset({str(self.into)})

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({f"beside {self.into}"})

    async def check(self, world: RestoreWorld, before: Before | None) -> Answer:
        if world.folder.is_free:
            return NotDone(before={})
        if before is not None and world.folder.beside() is Beside.NOTHING:
            return Done()
        return Blocked(why=f"{self.into} holds something already")

    async def do(self, world: RestoreWorld, before: Before) -> None:
        # Before it is there, so that it is never there without: a kill between the two would leave no record.
        found = "checked before its process was killed" if world.found is None else world.found.words
        world.record(world.folder.beside_folder, found)
        world.folder.put_in_place()

    async def undo(self, world: RestoreWorld, before: Before) -> None:
        world.folder.take_out()


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreAsked:
    """What a person asks for."""

    at: datetime  # aware, UTC
    by: Actor
    into: Path
    why: str
    what: str  # which backups, from where


def record_restored(log: ChangeLog, asked: RestoreAsked, found: str, *, at: datetime) -> None:
    """Two records in the log of what is restored: who began it, and what was found. Asked again, what is there stays.

    at: aware, UTC. found: what was examined, in words.
    """
    newest = next((each.change for each in log.changes(after=max(0, log.head.number - 1))), None)
    ours = None if newest is None or newest.evidence != (asked.what,) else newest.result
    if ours is Result.DONE:
        return
    begun = Change(
        at=asked.at,
        by=asked.by,
        action="restore",
        subject=asked.into.name,
        where=str(asked.into),
        why=asked.why,
        result=Result.BEGUN,
        evidence=(asked.what,),
    )
    if ours is not Result.BEGUN:
        log.append(begun)
    log.append(replace(begun, at=at, result=Result.DONE, note=found))


def restore_plan(*, snapshot_ids: tuple[str, ...], place: str, into: Path) -> Plan[RestoreWorld]:
    """The plan. into: absolute."""
    command = f"magellan restore --into {into}"
    return Plan(
        name=f"restore {' and '.join(snapshot_ids)} into {into}",
        subject=f"restore/{into}",
        phases=(
            Phase(name="fetch", steps=(FetchSnapshot(snapshot_ids=snapshot_ids, place=place, into=into),)),
            Phase(name="check", steps=(ExamineRestored(into=into),)),
            Phase(name="place", steps=(PutInPlace(into=into),)),
        ),
        on_failure=OnFailure.UNDO,
        resume_with=f"{command} --resume",
        undo_with=f"{command} --undo",
    )


def restore_begun(journal: JournalText, *, into: Path) -> Plan[RestoreWorld]:
    """The plan of a journal, to go on with it or to take it back, whatever backups have been made since."""
    step = next(iter(JournalState(journal.records).plan.steps))
    return restore_plan(
        snapshot_ids=tuple(step.fields["snapshot_ids"]), place=step.fields["place"], into=into
    )
