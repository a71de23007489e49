"""A fault at every step of a backup and of a restore, while a session trades.

    .venv/bin/python -m benchmarks.faults.backups --to folder --minutes 4 --kept FILE
    sudo .venv/bin/python -m benchmarks.faults.backups --to ssh --minutes 4 --kept FILE
    .venv/bin/python -m benchmarks.faults.backups --to s3 --minutes 4 --kept FILE

The commands themselves, each in a process of its own, with a real restic: killed before, after and in the middle of a
step, with restic or without it; restic alone killed; a step refused; Ctrl-C; the destination gone. A cell is sound when

    backup     the next backup works, what it holds is restored whole, and no record of the audit log lacks its end
    restore    the folder is whole, with its record, or not there, also after --resume and --undo; nothing is beside it
    both       the session that trades meanwhile is the same process, went on, and its ledger's chain is unbroken
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from benchmarks.faults.campaign import campaign, options  # noqa: E402
from benchmarks.faults.kept import SOUND, Kept  # noqa: E402
from lab.backup_places import Place, folder_place, s3_place, ssh_place  # noqa: E402
from ledger.samples import entry, one_of_every_kind  # noqa: E402
from magellan.adapters import restic  # noqa: E402
from magellan.adapters.local.backup_record import BackupRecordFile  # noqa: E402
from magellan.adapters.local.backup_stage import StageFolder  # noqa: E402
from magellan.adapters.local.change_log_files import ChangeLogFiles  # noqa: E402
from magellan.adapters.local.restore_folder import RestoreInto  # noqa: E402
from magellan.adapters.sql_ledger import SqlLedger  # noqa: E402
from magellan.adapters.sqlite_ledger import SqliteDatabase  # noqa: E402
from magellan.errors import AskOperator, MagellanError  # noqa: E402
from magellan.ledger.chain import Sound  # noqa: E402
from magellan.ledger.entries import AlertRaised  # noqa: E402
from magellan.surfaces.cli.app import run  # noqa: E402
from magellan.wiring import upkeep  # noqa: E402

PASSPHRASE = "of the fault campaign"
TRADES_EVERY_S = 0.05
# A step: who does it, by which call, the how-manieth of them.
STEPS: dict[str, dict[str, tuple[Any, str, int]]] = {
    "backup": {
        "begun": (ChangeLogFiles, "append", 1),
        "stage filled": (StageFolder, "fill", 1),
        "sent": (restic.Restic, "create", 1),
        "stage cleared": (StageFolder, "clear", 1),
        "remembered": (BackupRecordFile, "add", 1),
        "old ones forgotten": (restic.Restic, "forget", 1),
        "ended": (ChangeLogFiles, "append", 2),
    },
    "restore": {
        "found": (restic.Restic, "snapshots", 1),
        "fetched": (restic.Restic, "restore", 1),
        "marked": (RestoreInto, "fetch", 1),
        "examined": (upkeep, "examine_restored", 1),
        "begun": (ChangeLogFiles, "append", 1),
        "ended": (ChangeLogFiles, "append", 2),
        "in place": (RestoreInto, "put_in_place", 1),
    },
}
# What restic is told at a step, where a kill can meet it at work.
AT_WORK = {"sent": "backup", "old ones forgotten": "forget", "fetched": "restore"}
FAULTS = ("killed before", "killed after", "refused", "interrupted", "destination gone")
WITHIN = ("killed within", "killed within, with restic", "restic killed")
WAYS = ("resumed", "undone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One fault at one step; of a restore also how it is gone on with."""

    verb: str
    step: str
    fault: str
    way: str = "resumed"

    @property
    def name(self) -> str:
        way = f", {self.way}" if self.verb == "restore" else ""
        return f"{self.verb}: {self.fault}{way}, at {self.step}"


CELLS = tuple(
    Cell(verb=verb, step=step, fault=fault, way=way)
    for verb, steps in STEPS.items()
    for step in steps
    for fault in (*FAULTS, *(WITHIN if step in AT_WORK else ()))
    for way in (WAYS if verb == "restore" else WAYS[:1])
)


def in_a_process(words: tuple[str, ...], arm: Callable[[], None] = lambda: None) -> tuple[int, str]:
    """A command's exit code and what it said; negative: the signal that killed it. arm: what is done in it first."""
    with tempfile.TemporaryFile("w+") as told:
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                os.dup2(told.fileno(), 1)
                os.dup2(told.fileno(), 2)
                arm()
                code = run(list(words))
                sys.stdout.flush()
            finally:
                os._exit(code)  # nothing of the campaign's own is ended by it
        try:
            _, status = os.waitpid(pid, 0)
        except BaseException:
            os.kill(pid, signal.SIGKILL)  # the campaign is ended, and its command with it
            raise
        told.seek(0)
        return os.waitstatus_to_exitcode(status), told.read()


def fault_due(cell: Cell, place: Place) -> Callable[[], None]:
    """In the process of a command, let the cell's fault happen at its step."""
    owner, call, number = STEPS[cell.verb][cell.step]
    before, after = _acts(cell, place)

    def arm() -> None:
        if cell.fault in WITHIN:
            _meet_restic(cell)
            return
        real, seen = getattr(owner, call), 0

        def called(*given: Any, **named: Any) -> Any:
            nonlocal seen
            seen += 1
            due = seen == number
            if due:
                before()
            answer = real(*given, **named)
            if due:
                after()
            return answer

        setattr(owner, call, called)

    return arm


def _acts(cell: Cell, place: Place) -> tuple[Callable[[], object], Callable[[], object]]:
    def nothing() -> None:
        pass

    def refuse() -> None:
        raise AskOperator("it is refused")

    table: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "killed before": (lambda: os.kill(os.getpid(), signal.SIGKILL), nothing),
        "killed after": (nothing, lambda: os.kill(os.getpid(), signal.SIGKILL)),
        "refused": (refuse, nothing),
        "interrupted": (lambda: os.kill(os.getpid(), signal.SIGINT), nothing),
        "destination gone": (place.cut, nothing),
    }
    return table.get(cell.fault, (nothing, nothing))


def _meet_restic(cell: Cell) -> None:
    """Kill this process, restic, or both, at some instant of restic's work; the cell's name says at which."""
    real, verb = subprocess.Popen, AT_WORK[cell.step]
    after_s = random.Random(cell.name).uniform(0.05, 1.0)

    def started(command: list[str], **named: Any) -> Any:
        process = real(command, **named)
        if verb in command:
            time.sleep(after_s)
            if cell.fault != "killed within":
                process.kill()
            if cell.fault != "restic killed":
                os.kill(os.getpid(), signal.SIGKILL)
        return process

    restic.subprocess.Popen = started  # type: ignore[misc,assignment]


@dataclass
class Desk:
    """A workspace whose session trades, and a place for its backups."""

    root: Path
    place: Place
    session: int  # its process

    @property
    def log(self) -> ChangeLogFiles:
        return ChangeLogFiles(self.root / ".magellan/audit")

    def traded(self) -> int:
        """Entries of the session's account, whose chain is unbroken. Raises AssertionError."""
        book = SqlLedger(
            SqliteDatabase(self.root / ".magellan/ledger.sqlite"), clock=lambda: datetime.now(UTC)
        )
        try:
            found = book.verify("PA1")
            assert isinstance(found, Sound), f"the ledger is broken: {found}"
            return found.head.number
        finally:
            book.close()

    def contents(self, root: Path) -> dict[str, bytes]:
        """What is a user's own."""
        return {
            str(path.relative_to(root)): path.read_bytes()
            for path in sorted(root.rglob("*"))
            if path.is_file() and ".magellan" not in path.parts and path.name != ".env"
        }

    def run(self, cell: Cell) -> str:
        """How the cell ended: one of SOUND, or what is wrong."""
        traded, told = self.traded(), self.log.head.number
        how = self._backup(cell, told) if cell.verb == "backup" else self._restore(cell)
        until_s = time.monotonic() + 20
        while self.traded() <= traded:
            assert time.monotonic() < until_s, "the session does not trade any more"
            time.sleep(TRADES_EVERY_S)
        assert os.waitpid(self.session, os.WNOHANG) == (0, 0), "the session has ended"
        assert isinstance(self.log.verify(), Sound), "the audit log is broken"
        return how

    def _backup(self, cell: Cell, told: int) -> str:
        code, words = in_a_process(("backup", "create", "--reason", cell.name), fault_due(cell, self.place))
        self.place.heal()
        results = self._results(after=told)
        ended = (code, results)
        allowed: tuple[tuple[int, list[str]], ...] = (
            (0, ["begun", "done"]),
            *((1, each) for each in ([], ["begun", "failed"], ["begun", "done"])),
            *((130, each) for each in ([], ["begun"], ["begun", "done"])),
            *((-9, each) for each in ([], ["begun"], ["begun", "done"])),
            # The audit log refused its own last record.
            *(((1, ["begun"]),) if cell.step == "ended" else ()),
        )
        assert ended in allowed, f"it ended with {code}, the audit log says {results}: {words}"
        code, words = in_a_process(("backup", "create", "--reason", "the next one"))
        assert code == 0, f"the next backup ended with {code}: {words}"
        after = self._results(after=told)
        assert after[-2:] == ["begun", "done"], f"the audit log says {after}"
        assert after.count("begun") == len(after) // 2, f"one came to no end: {after}"
        into = self.root.with_name("checked")
        code, words = in_a_process(("restore", "--into", str(into)))
        assert code == 0, f"the restore ended with {code}: {words}"
        self._must_be_whole(into)
        self._drop(into)
        return "made" if results and after[1] == "done" else "not made"

    def _restore(self, cell: Cell) -> str:
        into = self.root.with_name("back")
        plain = ("restore", "--into", str(into))
        code, words = in_a_process(plain, fault_due(cell, self.place))
        self.place.heal()
        assert code in (0, 1, 130, -9), f"it ended with {code}: {words}"
        if into.exists():
            self._must_be_whole(into)
        assert code != 0 or into.exists(), "done, and it is not there"
        if any(not each.is_finished for each in upkeep.restore_journals(into).all()):
            option = "--resume" if cell.way == "resumed" else "--undo"
            code, words = in_a_process((*plain, option))
            assert code == 0, f"{option} ended with {code}: {words}"
            assert into.exists() == (cell.way == "resumed"), f"after {option}"
        how = "whole" if into.exists() else "nothing"
        beside = into.with_name(f".{into.name}.restoring")
        assert not beside.exists(), f"{beside} was left"
        if not into.exists():
            code, words = in_a_process(plain)
            assert code == 0, f"the next restore ended with {code}: {words}"
        self._must_be_whole(into)
        self._drop(into)
        return how

    def _results(self, *, after: int) -> list[str]:
        return [
            str(each.change.result)
            for each in self.log.changes(after=after)
            if each.change.action == "backup"
        ]

    def _must_be_whole(self, into: Path) -> None:
        assert self.contents(into) == self.contents(self.root), "what was restored is not what was backed up"
        upkeep.examine_restored(into)
        last = [each.change for each in ChangeLogFiles(into / ".magellan/audit").changes()][-2:]
        found = [(each.action, str(each.result)) for each in last]
        assert found == [("restore", "begun"), ("restore", "done")], f"its audit log ends with {found}"

    def _drop(self, into: Path) -> None:
        shutil.rmtree(into)
        shutil.rmtree(into.with_name(f".{into.name}.restore-journals"))


def _trade(root: Path) -> None:
    """A session's writing, until it is ended."""
    book = SqlLedger(SqliteDatabase(root / ".magellan/ledger.sqlite"), clock=lambda: datetime.now(UTC))
    with book.writer("PA1") as writer:
        writer.append(one_of_every_kind())
        while True:
            writer.append([entry(AlertRaised(severity="info", text="a bar closed"))])
            time.sleep(TRADES_EVERY_S)


@contextmanager
def desk(to: str) -> Iterator[Desk]:
    """With a first backup."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="magellan-backups-")))
        places = {"folder": lambda: folder_place(folder), "ssh": lambda: ssh_place(folder), "s3": s3_place}
        place = stack.enter_context(places[to]())
        root = folder / "trading"
        for path, content in {
            "prod/bear_trap/strategy.py": b"# a strategy\n",
            "data/bars.parquet": random.Random(1).randbytes(20_000_000),
            ".env": b"LIVE_KEY=of-nobody\n",
            "magellan.toml": f'[backup]\nto = "{place.to}"\n'.encode(),
            ".magellan/none": b"",
        }.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
        (root / ".env").chmod(0o600)
        shell = mock.patch.dict(
            os.environ,
            {
                "MAGELLAN_BACKUP_PASSPHRASE": PASSPHRASE,
                "MAGELLAN_WORKSPACE": str(root),
                "XDG_CONFIG_HOME": str(folder / "config"),
                "XDG_CACHE_HOME": str(folder / "cache"),
                **place.environment,
            },
        )
        stack.enter_context(shell)
        session = os.fork()
        if session == 0:
            try:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                _trade(root)
            finally:
                os._exit(70)
        try:
            code, words = in_a_process(("backup", "create"))
            assert code == 0, words
            yield Desk(root=root, place=place, session=session)
        finally:
            os.kill(session, signal.SIGKILL)
            os.waitpid(session, 0)


def slice_of(to: str, cells: list[Cell], kept: Kept, until_s: float) -> tuple[int, bool]:
    """Run cells until time is over or one is unsound. How many, and whether all were sound."""
    with desk(to) as here:
        for count, cell in enumerate(cells):
            if time.monotonic() > until_s:
                return count, True
            began_s = time.monotonic()
            try:
                how = here.run(cell)
            except (MagellanError, AssertionError, OSError, json.JSONDecodeError) as error:
                how = f"{type(error).__name__}: {error}"  # a cell that ends so is a finding
            took_s = time.monotonic() - began_s
            kept.add(to, cell.verb, cell.name, how=how, met=True, took_s=took_s)
            print(f"{took_s:5.1f} s  {cell.name}: {how}", flush=True)
            if how not in SOUND:
                return count + 1, False
    return len(cells), True


def run_all(to: str, cells: list[Cell], kept: Kept, minutes: float) -> bool:
    """Whether every cell that was run is sound."""
    until_s, sound = time.monotonic() + 60 * minutes, True
    while cells and time.monotonic() < until_s:
        count, well = slice_of(to, cells, kept, until_s)
        cells, sound = cells[count:], sound and well
    return sound


def main() -> int:
    """Run a slice of the campaign, or say what it came to so far; 1 where a cell ended unsound."""
    asked = options(__doc__, chosen_by="--to", targets=("folder", "ssh", "s3")).parse_args()
    return campaign(asked, CELLS, lambda mine, kept: run_all(asked.target, mine, kept, asked.minutes))


if __name__ == "__main__":
    sys.exit(main())
