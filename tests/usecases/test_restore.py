"""Restore as a plan: whatever is killed or fails, the folder is not there or whole, and nothing is overwritten."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from magellan.adapters.local.backup_stage import STAGE, StageFolder
from magellan.adapters.local.change_log_files import ChangeLogFiles
from magellan.adapters.local.journal_files import JournalFiles
from magellan.adapters.local.restore_folder import RestoreInto
from magellan.audit.change import Change, Result
from magellan.errors import AskOperator, FixInput, TryAgain
from magellan.ledger.chain import EMPTY, Sound
from magellan.plan.actor import Actor
from magellan.plan.carry_out import Finished, Outcome, TakenBack, carry_out, take_back
from magellan.plan.preview import preview
from magellan.ports.backup import Snapshot
from magellan.usecases.backup import RestoredState, to_restore
from magellan.usecases.restore import RestoreAsked, RestoreWorld, record_restored, restore_begun, restore_plan

NOON = datetime(2026, 1, 20, 17, 0, tzinfo=UTC)
BY = Actor(person="jane", host="desk", pid=41)
WHOLE = {"magellan.toml": b"", "prod/moods/strategy.py": b"# moods\n", ".magellan/ledger.sqlite": b"newer"}


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Store:
    """A destination with one whole backup, and one of the ledger that came after it."""

    fault: str = ""  # "killed", "fails": in the middle of a restore

    def restore(self, snapshot_id: str, into: Path) -> None:
        if snapshot_id == "whole":
            _write(into / "magellan.toml", b"")
            if self.fault == "killed":
                raise Killed
            if self.fault == "fails":
                raise TryAgain("the destination is gone")
            _write(into / "prod/moods/strategy.py", b"# moods\n")
            _write(into / STAGE / "ledger.sqlite", b"older")
        else:
            _write(into / STAGE / "ledger.sqlite", b"newer")


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


class KillsFolder(RestoreInto):
    """A folder whose process is killed before or after one of its changes."""

    def __init__(self, into: Path, call: str, *, after: bool) -> None:
        super().__init__(into)
        self._call, self._after = call, after

    def _around(self, call: str, change: Callable[[], None]) -> None:
        if call == self._call and not self._after:
            raise Killed
        change()
        if call == self._call:
            raise Killed

    def put_in_place(self) -> None:
        self._around("place", super().put_in_place)

    def fetch(self, restore: Callable[[Path], None]) -> None:
        self._around("fetch", lambda: RestoreInto.fetch(self, restore))


class KilledLog(ChangeLogFiles):
    """A log whose process is killed once it has taken a record."""

    def append(self, change: Change) -> NoReturn:
        super().append(change)
        raise Killed


@dataclass
class Desk:
    folder: Path
    store: Store = field(default_factory=Store)
    log: type[ChangeLogFiles] = ChangeLogFiles
    examined: int = 0
    damaged: bool = False
    ticks: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def into(self) -> Path:
        return self.folder / "back"

    @property
    def journals(self) -> JournalFiles:
        return JournalFiles(self.folder / "journals")

    def now(self) -> datetime:
        return NOON + timedelta(milliseconds=next(self.ticks))

    def world(self, folder: RestoreInto | None = None) -> RestoreWorld:
        def examine(root: Path) -> RestoredState:
            self.examined += 1
            if self.damaged:
                raise AskOperator("what was restored is not whole: PA1, entry 7: it is missing")
            assert (root / ".magellan/ledger.sqlite").read_bytes() == b"newer"
            return RestoredState(ledger={}, changes=EMPTY, releases=0)

        def record(root: Path, found: str) -> None:
            asked = RestoreAsked(at=NOON, by=BY, into=self.into, why="a disk died", what="whole and ledger")
            record_restored(self.log(root / ".magellan/audit"), asked, found, at=self.now())

        return RestoreWorld(
            store=self.store,  # type: ignore[arg-type]
            folder=folder or RestoreInto(self.into),
            examine=examine,
            record=record,
        )

    def begin(self, folder: RestoreInto | None = None) -> Outcome:
        world = self.world(folder)
        plan = restore_plan(snapshot_ids=("whole", "ledger"), place="a folder", into=self.into)
        with self.journals.begin(plan.description, by=BY, at=self.now()) as journal:
            return asyncio.run(carry_out(plan, world, journal, now=self.now))

    def go_on(self, *, back: bool) -> Outcome:
        (name,) = (each.name for each in self.journals.all() if not each.is_finished)
        world, plan = self.world(), restore_begun(self.journals.read(name), into=self.into)
        with self.journals.reopen(name, by=BY, at=self.now()) as journal:
            if back:
                return asyncio.run(take_back(plan, world, journal, why="asked", now=self.now))
            return asyncio.run(carry_out(plan, world, journal, now=self.now))

    def contents(self) -> dict[str, bytes] | None:
        """With its audit log, which has the restore once and whole."""
        if not self.into.exists():
            return None
        log = ChangeLogFiles(self.into / ".magellan/audit")
        told = [each.change for each in log.changes()]
        assert [(each.action, each.result) for each in told] == [
            ("restore", Result.BEGUN),
            ("restore", Result.DONE),
        ]
        assert isinstance(log.verify(), Sound) and all(
            each.evidence == ("whole and ledger",) for each in told
        )
        return {
            str(path.relative_to(self.into)): path.read_bytes()
            for path in self.into.rglob("*")
            if path.is_file() and "audit" not in path.parts
        }

    def nothing_beside(self) -> bool:
        return not [path for path in self.folder.iterdir() if path.name.startswith(".back")]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_newest_ledger_is_put_over_the_whole_backup_and_all_of_it_appears_at_once(desk: Desk) -> None:
    assert isinstance(desk.begin(), Finished)
    assert desk.contents() == WHOLE
    assert desk.examined == 1 and desk.nothing_beside()


def test_a_dry_run_changes_nothing(desk: Desk) -> None:
    plan = restore_plan(snapshot_ids=("whole",), place="a folder", into=desk.into)
    assert not asyncio.run(preview(plan, desk.world())).refusals
    assert desk.contents() is None and desk.nothing_beside()


def test_what_does_not_verify_is_never_put_in_place(desk: Desk) -> None:
    desk.damaged = True
    outcome = desk.begin()
    assert isinstance(outcome, TakenBack) and "entry 7" in outcome.why
    assert desk.contents() is None and desk.nothing_beside()


def test_a_destination_that_goes_away_leaves_nothing(desk: Desk) -> None:
    desk.store.fault = "fails"
    assert isinstance(desk.begin(), TakenBack)
    assert desk.contents() is None and desk.nothing_beside()


def test_a_folder_that_holds_something_is_left_alone(desk: Desk) -> None:
    desk.into.mkdir()
    (desk.into / "mine").write_text("")
    outcome = desk.begin()
    assert isinstance(outcome, TakenBack)
    assert [path.name for path in desk.into.rglob("*")] == ["mine"] and desk.nothing_beside()


KILLS: tuple[Callable[[Desk], RestoreInto | None], ...] = (
    lambda desk: setattr(desk.store, "fault", "killed"),  # in the middle of a fetch
    lambda desk: KillsFolder(desk.into, "fetch", after=False),
    lambda desk: KillsFolder(desk.into, "fetch", after=True),
    lambda desk: KillsFolder(desk.into, "place", after=False),
    lambda desk: KillsFolder(desk.into, "place", after=True),
    lambda desk: setattr(desk, "log", KilledLog),
)


@pytest.mark.parametrize(
    "kill",
    KILLS,
    ids=["in fetch", "before fetch", "after fetch", "before place", "after place", "between two records"],
)
@pytest.mark.parametrize("back", [False, True], ids=["resume", "undo"])
def test_after_a_kill_the_folder_is_whole_or_not_there(
    desk: Desk, kill: Callable[[Desk], RestoreInto | None], back: bool
) -> None:
    with pytest.raises(Killed):
        desk.begin(kill(desk))
    assert desk.contents() in (None, WHOLE)
    desk.store.fault, desk.log = "", ChangeLogFiles
    outcome = desk.go_on(back=back)
    assert isinstance(outcome, TakenBack if back else Finished)
    assert desk.contents() == (None if back else WHOLE)
    assert desk.nothing_beside()


def snapshot(name: str, minutes: int, tag: str) -> Snapshot:
    return Snapshot(snapshot_id=name, at=NOON + timedelta(minutes=minutes), host="desk", tags=(tag,))


def test_an_older_ledger_is_not_put_over_a_newer_workspace() -> None:
    found = [snapshot("w1", 0, "workspace"), snapshot("l1", 1, "ledger"), snapshot("w2", 2, "workspace")]
    assert [each.snapshot_id for each in to_restore(found)] == ["w2"]
    found += [snapshot("l2", 3, "ledger"), snapshot("l3", 4, "ledger")]
    assert [each.snapshot_id for each in to_restore(found)] == ["w2", "l3"]
    assert [each.snapshot_id for each in to_restore(found, "w1")] == ["w1"]
    with pytest.raises(FixInput, match="0 backups of a whole workspace are called l1"):
        to_restore(found, "l1")
    with pytest.raises(FixInput, match="there is no backup"):
        to_restore([snapshot("l1", 1, "ledger")])


def test_a_stage_is_put_back_once_however_often_it_is_asked(tmp_path: Path) -> None:
    _write(tmp_path / STAGE / "ledger.sqlite", b"copy")
    _write(tmp_path / STAGE / "audit/head.json", b"{}")
    shutil.copytree(tmp_path, tmp_path.with_name("again"))
    for _ in range(2):
        StageFolder(tmp_path).put_back()
        assert (tmp_path / ".magellan/ledger.sqlite").read_bytes() == b"copy"
        assert (tmp_path / ".magellan/audit/head.json").read_bytes() == b"{}"
        assert not (tmp_path / STAGE).exists()
