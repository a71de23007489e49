"""A program that starts processes, kills them at every change of the disk, and lets new ones go on.

    python kill_lab.py FOLDER begin|undo resume|undo|either

The first word says what is killed: a plan that is carried out, or one that is taken back after it was finished. The
second, what the next process does; "either" does this and that in turn. Every process is forked from this one, which
has a single thread, so a thousand of them take seconds. It prints, as JSON, how many were killed and which trees are
not what they should be.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from magellan.adapters.local.file_tree import FileTree
from magellan.adapters.local.journal_files import JournalFiles
from magellan.errors import FixInput
from magellan.plan.actor import Actor
from magellan.plan.carry_out import carry_out, take_back
from magellan.plan.records import Aim, Ending
from magellan.plan.standing import JournalState
from plan.file_lab import every_kind_of_step, look_at, make_tree, without_times

PLAN = every_kind_of_step()
BY = Actor(person="ada", host="desk", pid=1)
CHANGES = frozenset(
    f"os.{name}"
    for name in ("rename", "mkdir", "rmdir", "link", "symlink", "remove", "chmod", "utime", "truncate")
)


def now() -> datetime:
    return datetime.now(UTC)


class Lab:
    def __init__(self, folder: Path) -> None:
        self.now, self.first = folder / "now", folder / "first"
        self.root, self.journals = self.now / "tree", self.now / "journals"
        self.first.mkdir(parents=True)
        make_tree(self.first / "tree")
        self.as_before = look_at(self.first / "tree")

    def anew(self) -> None:
        """The tree and the journals as they are in the beginning, with every bit and time."""
        shutil.rmtree(self.now, ignore_errors=True)
        shutil.copytree(self.first, self.now, symlinks=True)

    def begins_with_this(self) -> None:
        """From now on the beginning is what is there."""
        shutil.rmtree(self.first)
        shutil.copytree(self.now, self.first, symlinks=True)

    def begin(self) -> None:
        with JournalFiles(self.journals).begin(PLAN.description, by=BY, at=now()) as journal:
            asyncio.run(carry_out(PLAN, FileTree(self.root), journal, now=now))

    def resume(self) -> None:
        for name in self.unfinished():
            with (
                suppress(FixInput),
                JournalFiles(self.journals).reopen(name, by=BY, at=now()) as journal,
            ):
                asyncio.run(carry_out(PLAN, FileTree(self.root), journal, now=now))

    def undo(self) -> None:
        for entry in JournalFiles(self.journals).all():
            if self._state(entry.name).ending is Ending.UNDONE and entry.is_finished:
                continue
            with suppress(FixInput):  # it was taken back, and killed before its journal was put away
                self._take_back(entry.name)

    def _take_back(self, name: str) -> None:
        with JournalFiles(self.journals).reopen(name, by=BY, at=now()) as journal:
            asyncio.run(take_back(PLAN, FileTree(self.root), journal, why="asked", now=now))

    def was_begun(self) -> bool:
        return bool(JournalFiles(self.journals).all())

    def has_turned(self) -> bool:
        return any(self._state(each.name).aim is Aim.UNDO for each in JournalFiles(self.journals).all())

    def _state(self, name: str) -> JournalState:
        return JournalState(JournalFiles(self.journals).read(name).records)

    def unfinished(self) -> list[str]:
        return [each.name for each in JournalFiles(self.journals).all() if not each.is_finished]


def killed_at(count: int) -> None:
    """End this process, as a kill does, at that change of the disk, counted from 0. Writing is two changes."""
    left = count

    def change() -> None:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        if event in CHANGES or (event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            change()

    write = os.write

    def write_in_two(descriptor: int, content: bytes) -> int:
        change()
        half = write(descriptor, content[: len(content) // 2])
        change()
        return half + write(descriptor, content[half:])

    os.write = write_in_two
    os.fsync = lambda descriptor: (
        change()
    )  # a kill loses nothing that was written, so the disk need not be waited for
    sys.addaudithook(heard)


def in_a_process(work: Callable[[], None], kill_at: int | None) -> bool:
    """Whether it was killed. Raises when it ended otherwise than in order."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            killed_at(-1 if kill_at is None else kill_at)
            work()
            status = 0
        finally:
            if status:
                traceback.print_exc()
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.waitstatus_to_exitcode(status) == 0, "a process failed; its words are above"
    return False


def main() -> None:
    folder, what, then = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    lab = Lab(folder)
    # Once in this process, so that those forked from it need not load anything.
    lab.anew()
    lab.begin()
    gc.freeze()
    finished = without_times(look_at(lab.root))
    assert finished != without_times(lab.as_before)
    if what == "undo":
        lab.begins_with_this()

    kills, wrong = 0, []
    while True:
        lab.anew()
        if not in_a_process(lab.begin if what == "begin" else lab.undo, kills):
            break
        goes_back = then == "undo" or (then == "either" and kills % 2 == 0)
        was_there = look_at(lab.root)
        was_begun, was_turned = lab.was_begun(), what == "undo" and lab.has_turned()
        go_on = lab.undo if goes_back else lab.resume
        if (
            kills % 3 == 0
        ):  # the next process is killed too, somewhere else every time, and a third one goes on
            in_a_process(go_on, kills * 7 % 31)
        in_a_process(go_on, None)
        look = look_at(lab.root)
        if not was_begun:
            right = look == was_there == lab.as_before
        elif goes_back or was_turned:
            right = look == lab.as_before
        else:
            right = without_times(look) == finished
        if not right or lab.unfinished():
            wrong.append({"killed_at": kills, "differs": sorted(set(look) ^ set(lab.as_before))})
        kills += 1
    print(json.dumps({"kills": kills, "wrong": wrong}))


if __name__ == "__main__":
    main()
