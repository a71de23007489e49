"""Making backups: one at a time, each on the record, whatever ends its process or refuses a part of it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from magellan.adapters.local import backup_stage
from magellan.adapters.local.backup_record import BackupRecordFile
from magellan.adapters.local.backup_stage import STAGE, StageFolder
from magellan.adapters.local.change_log_files import ChangeLogFiles
from magellan.errors import TryAgain
from magellan.plan.actor import Actor
from magellan.ports.backup import BackupMade, Snapshot
from magellan.usecases.backup import BackupSources, create_backup
from magellan.workspace.backup_terms import BackupTerms

NOON = datetime(2026, 1, 20, 17, 0, tzinfo=UTC)


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Store:
    """A destination that keeps what the stage held, by tag."""

    at_work: Callable[[], None] = lambda: None  # what happens while a backup is sent
    refuses_to_forget: bool = False
    place: str = "a folder"
    forgets: Callable[[], None] = lambda: None  # what happens while old ones are forgotten
    held: list[tuple[str, list[int]]] = field(default_factory=list)

    def create(
        self, root: Path, paths: Sequence[Path], *, tag: str, on_progress: Callable[[float], None]
    ) -> BackupMade:
        at_work, self.at_work = self.at_work, lambda: None
        at_work()
        with closing(sqlite3.connect(root / STAGE / "ledger.sqlite")) as copy:
            self.held.append((tag, [number for (number,) in copy.execute("SELECT number FROM entry")]))
        return BackupMade(
            snapshot_id=f"s{len(self.held)}", at=NOON, took_s=1.0, files=2, bytes_read=9, bytes_added=5
        )

    def forget(self, *, keep: Mapping[str, int]) -> int:
        forgets, self.forgets = self.forgets, lambda: None
        forgets()
        if self.refuses_to_forget:
            raise TryAgain("the destination is gone")
        return 3

    def snapshots(self) -> tuple[Snapshot, ...]:
        raise AssertionError("nothing is restored")

    prepare = verify = restore = snapshots  # type: ignore[assignment]


@dataclass
class Desk:
    root: Path
    store: Store = field(default_factory=Store)

    def __post_init__(self) -> None:
        (self.root / ".magellan").mkdir()
        with closing(sqlite3.connect(self.root / ".magellan/ledger.sqlite")) as ledger:
            ledger.executescript("CREATE TABLE entry (number); INSERT INTO entry VALUES (1), (2);")

    def back_up(self, *, only_ledger: bool = False) -> BackupMade:
        sources = BackupSources(
            root=self.root,
            terms=BackupTerms(to="/backups"),
            store=self.store,  # type: ignore[arg-type]
            record=BackupRecordFile(self.root / "made.jsonl"),
            stage=StageFolder,
            changes=ChangeLogFiles(self.root / ".magellan/audit"),
            heads=dict,
            sign=None,
            examine=lambda root: pytest.fail("nothing is restored"),
            catch_up=lambda root: 0,
            written_at=lambda account, number: None,
            actor=Actor(person="jane", host="desk", pid=41),
            clock=lambda: NOON,
        )
        return create_backup(sources, why="scheduled", on_progress=lambda done: None, only_ledger=only_ledger)

    def audit(self) -> list[tuple[str, str]]:
        log = ChangeLogFiles(self.root / ".magellan/audit")
        return [(str(each.change.result), each.change.note) for each in log.changes()]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_ledgers_own_backup_waits_until_a_whole_one_is_sent_and_never_empties_its_stage(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, real = threading.Event(), time.sleep

    def sleep(seconds: float) -> None:
        waits.set()
        real(seconds)

    monkeypatch.setattr(backup_stage.time, "sleep", sleep)
    other = threading.Thread(target=lambda: desk.back_up(only_ledger=True))

    def meanwhile() -> None:
        other.start()
        assert waits.wait(60), "the other one did not wait"

    desk.store.at_work = meanwhile
    desk.back_up()
    other.join()
    assert desk.store.held == [("workspace", [1, 2]), ("ledger", [1, 2])]
    assert not (desk.root / STAGE).exists()


def test_one_that_waits_for_too_long_says_for_whom(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup_stage, "_WAITS_S", 0.0)
    with StageFolder(desk.root).alone(), pytest.raises(TryAgain, match="another backup"):
        desk.back_up()


def test_a_backup_whose_process_was_killed_is_on_the_record_and_the_next_one_says_what_became_of_it(
    desk: Desk,
) -> None:
    def killed() -> None:
        raise Killed

    desk.store.at_work = killed
    with pytest.raises(Killed):
        desk.back_up()
    assert desk.audit() == [("begun", "")]
    desk.back_up(only_ledger=True)
    assert desk.audit() == [("begun", "")], "the ledger's many are no changes"
    desk.back_up()
    results, notes = zip(*desk.audit(), strict=True)
    assert results == ("begun", "failed", "begun", "done")
    assert "was killed before the end" in notes[1]
    assert notes[3] == "2 files, 5 bytes added, 3 old ones forgotten"


def test_a_backup_that_was_made_before_its_process_was_killed_is_recorded_as_made(desk: Desk) -> None:
    def killed() -> None:
        raise Killed

    desk.store.forgets = killed
    with pytest.raises(Killed):
        desk.back_up()
    desk.back_up()
    results, notes = zip(*desk.audit(), strict=True)
    assert results == ("begun", "done", "begun", "done")
    assert "recorded afterwards" in notes[1]


def test_a_backup_that_was_made_is_on_the_record_also_where_old_ones_cannot_be_forgotten(desk: Desk) -> None:
    desk.store.refuses_to_forget = True
    with pytest.raises(TryAgain):
        desk.back_up()
    assert desk.audit()[-1] == (
        "done",
        "2 files, 5 bytes added; old ones could not be forgotten: the destination is gone",
    )
