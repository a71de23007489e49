"""A program that kills migrations at every change of the disk, and lets new processes go on.

    python kill_lab.py FOLDER begin|undo|both [--merge] [--git] [--kills N] [--seed S] [--every N] [--seconds N]

The first word says what is killed: applying, or taking back what was applied. With `--merge` it is no restructuring
that is applied, but the merge of another version of the tree. The next process resumes, or takes back,
in turn; one in three is killed too, and a third one goes on. With `--kills`, other random trees follow until so many
were killed: a campaign of ten thousand is run in slices that begin with different seeds. Processes that are killed are
forked from this one, which has a single thread; what goes on undisturbed does so here, with a new desk, which knows
nothing but what is on the disk. Prints, as JSON, how many were killed and which trees are not what they should be.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from magellan.adapters.local.source_folder import read_source_tree
from magellan.errors import FixInput
from magellan.migration.apply_plan import Commits, Recorded
from magellan.migration.source_tree import SourceTree
from magellan.usecases.migrate_apply import apply_recorded, record_of, resume_migration
from magellan.usecases.migrate_merge import merge
from magellan.usecases.migrate_rollback import roll_back, way_back
from migration.random_trees import random_tree
from migration.tree_lab import (
    MOVES,
    SHOP,
    desk_at,
    git,
    look_at,
    make_tree,
    prepared_at,
    under_git,
    without_times,
)
from plan import kill_lab
from plan.kill_lab import in_a_process

kill_lab.CHANGES |= {"subprocess.Popen"}  # git is killed between its calls; what it does, it does whole


class Lab:
    def __init__(self, folder: Path, *, seed: int, uses_git: bool, merges: bool = False) -> None:
        self.root, self.first = folder / "now", folder / "first"
        self.first.mkdir(parents=True)
        tree = None if seed == 0 else random_tree(seed)
        files = SHOP if tree is None else tree.files
        make_tree(self.first, files)
        if uses_git:
            under_git(self.first)
        applied = Commits.STAGED if merges else Commits.PHASES
        self.commits = applied if uses_git else Commits.UNTOUCHED
        self.anew()
        self.as_before = self.look()
        if merges:
            self.recorded = self.merge_of(SourceTree.of(other_version(files, seed)))
        else:
            moves = MOVES if tree is None else tree.moves
            self.recorded = prepared_at(self.root, moves, commits=self.commits).recorded
        self.begin()
        self.finished = without_times(self.look())
        self.after_git = self.git_tree()

    def merge_of(self, source: SourceTree) -> Recorded:
        changes = merge(source, read_source_tree(self.root), lambda path: None).changes
        return record_of(changes, desk_at(self.root), name="merge", source_roots=("",), commits=self.commits)

    def anew(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self.first, self.root, symlinks=True)

    def begins_with_this(self) -> None:
        shutil.rmtree(self.first)
        shutil.copytree(self.root, self.first, symlinks=True)

    def begin(self) -> None:
        apply_recorded(self.recorded, desk_at(self.root))

    def resume(self) -> None:
        with suppress(FixInput):  # nothing was begun, or everything was finished
            resume_migration(desk_at(self.root))

    def undo(self) -> None:
        desk = desk_at(self.root)
        with suppress(FixInput):  # nothing stands
            way = way_back(desk)
            assert way.refusals == (), "nobody but us was at it"
            roll_back(way, desk)

    def look(self) -> Any:
        """The tree; and of git, what is staged and which commit the branch points at."""
        return {**look_at(self.root), ".git": ("", 0, 0, self.git_tree())}

    def git_tree(self) -> bytes:
        if self.commits is Commits.UNTOUCHED:
            return b""
        staged = git(self.root, "ls-files", "--stage")
        return f"{git(self.root, 'rev-parse', 'HEAD^{tree}')}\n{staged}".encode()

    @property
    def was_turned(self) -> bool:
        desk = desk_at(self.root)
        texts = [desk.journals.read(each.name).records for each in desk.journals.all()]
        return any(type(record).__name__ == "Turned" for records in texts for record in records)

    @property
    def unfinished(self) -> list[str]:
        return [each.name for each in desk_at(self.root).journals.all() if not each.is_finished]


def other_version(files: Mapping[str, bytes], seed: int) -> dict[str, bytes]:
    """The same tree, grown elsewhere: files of its own, some gone, definitions more and definitions changed."""
    chance = Random(seed)
    other = {"grown/__init__.py": b"", "grown/elsewhere.py": b"def grown():\n    return 1\n"}
    for path, content in files.items():
        kind = chance.choice(["more", "more", "changed", "the same", "gone"])
        if kind == "gone":
            continue
        if path.endswith(".py") and kind != "the same":
            content += b"\ndef more():\n    return 2\n"
        other[path] = content.replace(b"ID = ", b"ID = 0 or ") if kind == "changed" else content
    return other


def campaign(lab: Lab, what: str, *, kills_max: int, every: int, until_s: float) -> tuple[int, list[Any]]:
    gc.freeze()
    if what == "undo":
        lab.begins_with_this()
    at, kills, wrong = 0, 0, []
    while kills < kills_max and time.monotonic() < until_s:
        lab.anew()
        if not in_a_process(lab.begin if what == "begin" else lab.undo, at):
            break
        goes_back = kills % 2 == 0
        go_on = lab.undo if goes_back else lab.resume
        was_begun = bool(desk_at(lab.root).journals.all())
        if kills % 3 == 0:
            in_a_process(go_on, at * 7 % 31)
        was_turned = lab.was_turned
        go_on()
        if lab.unfinished:
            lab.resume()  # a way back that a third one had begun goes to its end
        look = lab.look()
        if not was_begun:
            # Between the birth of our own folder and the repair of its parent's time, nothing is journaled yet.
            look["."] = lab.as_before["."]
        if not was_begun or goes_back or was_turned:
            right = look == lab.as_before
        else:
            right = without_times(look) == lab.finished
        if not right or lab.unfinished:
            differs = sorted(
                path
                for path in look.keys() | lab.as_before.keys()
                if look.get(path) != lab.as_before.get(path)
            )
            wrong.append(
                {"killed_at": at, "goes_back": goes_back, "unfinished": lab.unfinished, "differs": differs}
            )
        kills += 1
        at += every
    return kills, wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("what", choices=("begin", "undo", "both"))
    parser.add_argument("--git", action="store_true")
    parser.add_argument("--merge", action="store_true", help="what is applied is a merge")
    parser.add_argument(
        "--kills", type=int, default=0, help="go on with random trees until so many were killed"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=1, help="kill at every so-manieth change")
    parser.add_argument("--seconds", type=float, default=math.inf, help="begin no further kill after so many")
    asked = parser.parse_args()
    until_s = time.monotonic() + asked.seconds
    kills, wrong, seed, trees = 0, [], asked.seed, 0
    while kills < max(asked.kills, 1) and time.monotonic() < until_s:
        for what in ("begin", "undo") if asked.what == "both" else (asked.what,):
            with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
                lab = Lab(Path(folder), seed=seed, uses_git=asked.git, merges=asked.merge)
                left = asked.kills - kills if asked.kills else 1_000_000
                killed, found = campaign(lab, what, kills_max=left, every=asked.every, until_s=until_s)
                kills += killed
                wrong += [{"seed": seed, "what": what, **each} for each in found]
                print(f"{kills} killed, tree {seed}, {what}; wrong: {found}", file=sys.stderr)
        seed, trees = seed + 1, trees + 1
        if not asked.kills:
            break
    seeds = f"{asked.seed} to {seed - 1}"
    told = {"kills": kills, "trees": trees, "seeds": seeds, "git": asked.git, "merge": asked.merge}
    print(json.dumps({**told, "wrong": wrong}))


if __name__ == "__main__":
    main()
