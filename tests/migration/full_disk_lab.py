"""A program that migrates a tree on a disk that runs full, a page later every time, and goes on once there is room.

    unshare --user --map-root-user --mount python full_disk_lab.py FOLDER begin|undo [--every N] [--git] [--seed S]

The disk is a small one in memory, mounted for this program alone; nobody else sees it. The first word says during what
it runs full: applying, or taking back what was applied. Then room is made, and what stands in between is finished or
taken back, in turn. Prints, as JSON, how often it ran full, in what ways that was told, and which trees are wrong.
"""

from __future__ import annotations

import argparse
import errno
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from magellan.errors import MagellanError
from magellan.plan.carry_out import Halted, Outcome
from magellan.usecases.migrate_apply import apply_recorded
from magellan.usecases.migrate_rollback import roll_back, way_back
from migration.kill_lab import Lab
from migration.tree_lab import desk_at, without_times

PAGE: Final = 4096


class FullDiskLab(Lab):
    def told(self, work: Callable[[], Outcome]) -> str:
        """Do it, and say what the person was told; "done" where nothing was wrong."""
        try:
            outcome = work()
        except MagellanError as error:
            assert error.next_step, f"nobody is told what to do: {error.message}"
            return f"{type(error).__name__}: {error.message} | {error.next_step}"
        if isinstance(outcome, Halted):
            return f"halted: {outcome.why} | {outcome.next_step}"
        why = getattr(outcome, "why", "")
        return "done" if why in ("", f"asked by {desk_at(self.root).actor.person}") else f"taken back: {why}"

    def applied(self) -> Outcome:
        return apply_recorded(self.recorded, desk_at(self.root))

    def taken_back(self) -> Outcome:
        desk = desk_at(self.root)
        way = way_back(desk)
        assert way.refusals == (), "nobody but us was at it"
        return roll_back(way, desk)

    def fill(self, pages_left: int) -> Path:
        """A file that leaves only so many pages of the disk."""
        filler = self.root.parent / "filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * PAGE)
            except OSError as error:
                assert error.errno == errno.ENOSPC
            size = file.tell()
            assert size > pages_left * PAGE, "the disk is too small for this"
            file.truncate(size - pages_left * PAGE)
        return filler


def campaign(lab: FullDiskLab, what: str, every: int) -> dict[str, Any]:
    if what == "undo":
        lab.begins_with_this()
    told: Counter[str] = Counter()
    wrong, pages = [], 0
    while True:
        lab.anew()
        filler = lab.fill(pages)
        said = lab.told(lab.applied if what == "begin" else lab.taken_back)
        filler.unlink()
        if said == "done":
            break
        told[said] += 1
        goes_back = (pages // every) % 2 == 0
        was_begun = bool(desk_at(lab.root).journals.all())
        kept = sorted(path.name for path in lab.root.glob(".magellan/migrations/*"))
        stood = lab.unfinished
        was_turned = lab.was_turned
        if stood or what == "undo":
            lab.undo() if goes_back or not stood else lab.resume()
        look = lab.look()
        if what == "undo" or not was_begun or not stood or goes_back or was_turned:
            right = look == lab.as_before
        else:
            right = without_times(look) == lab.finished
        # What is asked for again and again on a disk that is nearly full does not fill it up.
        if not right or lab.unfinished or (kept and not was_begun):
            wrong.append({"pages": pages, "said": said, "unfinished": lab.unfinished, "kept": kept})
        pages += every
    return {"times_full": sum(told.values()), "pages": pages, "told": told, "wrong": wrong}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("what", choices=("begin", "undo"))
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--git", action="store_true")
    parser.add_argument("--seed", type=int, default=0, help="of a random tree; 0: the shop")
    asked = parser.parse_args()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", asked.folder], check=True)
    lab = FullDiskLab(asked.folder / "lab", seed=asked.seed, uses_git=asked.git)
    print(json.dumps(campaign(lab, asked.what, asked.every), indent=1))
    shutil.rmtree(asked.folder / "lab")


if __name__ == "__main__":
    main()
