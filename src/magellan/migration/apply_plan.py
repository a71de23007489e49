"""A change set as a plan: the same value gives the same plan, in any process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from magellan.migration.change_set import ChangeSet, Written, WrittenFor
from magellan.migration.git_steps import Checkout, CommitIndex, StageChanges
from magellan.migration.mapping import move_levels
from magellan.plan.files.delete import Delete
from magellan.plan.files.keep_folder_times import KeepFolderTimes
from magellan.plan.files.make_folder import MakeFolder
from magellan.plan.files.move import Move
from magellan.plan.files.point_link import PointLink
from magellan.plan.files.tree import Tree, folders_above
from magellan.plan.files.write_file import WriteFile
from magellan.plan.plan import Phase, Plan
from magellan.plan.step import Step

HOME: Final = ".magellan"
"""The folder in the tree that holds what migrations keep."""
SUBJECT: Final = "tree"


class Commits(StrEnum):
    """How git hears of a migration."""

    UNTOUCHED = "untouched"  # git's index stays as it is
    STAGED = "staged"  # the index follows, as with `git mv`; committing is left to a person
    ONE = "one"
    PHASES = "phases"  # the moves by themselves first, so that git sees every file's history


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A migration as it was stored before anything was done."""

    id: str  # "20260120T143100Z"
    name: str  # "restructure 12 files"
    changes: ChangeSet
    commits: Commits
    tracked: frozenset[str]  # paths that git knew
    source_roots: tuple[str, ...] = ("",)  # that dotted names were counted from, where any were rewritten

    @property
    def kept(self) -> str:
        """The folder in which replaced files are kept."""
        return f"{HOME}/migrations/{self.id}/kept"


def plan_of(recorded: Recorded, *, folder: str) -> Plan[Checkout]:
    """The plan. folder: of the tree, as the commands name it."""
    changes = recorded.changes
    numbers = iter(range(1, 1_000_000_000))

    def kept() -> str:
        return f"{recorded.kept}/{next(numbers):05}"

    written = {why: _writes(changes.written_for(why), kept) for why in WrittenFor}
    above_kept = sorted(folders_above(f"{recorded.kept}/"))
    links = [PointLink(path=each.path, target=each.after) for each in changes.links]
    emptied = [Delete(path=path, backup=kept()) for path in changes.emptied]
    phases: list[tuple[str, Sequence[Step[Tree]], bool]] = [
        ("make folders", [MakeFolder(path=path) for path in (*above_kept, *changes.folders)], False)
    ]
    phases.append(("take files away", [Delete(path=path, backup=kept()) for path in changes.removed], True))
    for level in move_levels(changes.moves):
        moves = [Move(source=move.source, target=move.target) for move in level]
        phases.append(("move files", moves, True))
    after_moves = len(phases)
    phases += [
        ("rewrite names", written[WrittenFor.NAMES], True),
        ("make packages", written[WrittenFor.PACKAGE], True),
        ("write shims", written[WrittenFor.SHIM], True),
        ("write files", written[WrittenFor.CONTENT], True),
        ("point links", links, False),
        ("take emptied folders away", emptied, True),
    ]
    steps = [step for _, group, _ in phases for step in group]
    first: Phase[Checkout] = Phase(name="note times", steps=(KeepFolderTimes.around(steps),))
    made: list[Phase[Checkout]] = [
        Phase(name=name, steps=tuple(group), batch=batch) for name, group, batch in phases
    ]
    if recorded.commits is Commits.PHASES:
        git = _git_phase(recorded, "moves", _moved_paths(recorded), f"{recorded.name}: move files", kept())
        made.insert(after_moves, git)
    if recorded.commits is not Commits.UNTOUCHED:
        message = f"{recorded.name}: rewrite names" if recorded.commits is Commits.PHASES else recorded.name
        made.append(_git_phase(recorded, "all", _all_paths(recorded), message, kept()))
    return Plan(
        name=f"{recorded.name} ({recorded.id})",
        subject=SUBJECT,
        phases=(first, *(phase for phase in made if phase.steps)),
        resume_with=f"magellan migrate apply --resume {folder}",
        undo_with=f"magellan migrate rollback {folder} --yes",
    )


def _writes(written: Sequence[Written], kept: Callable[[], str]) -> list[Step[Tree]]:
    return [
        WriteFile(
            path=each.path,
            content=each.after,
            mode=each.mode,
            backup="" if each.before is None else kept(),
        )
        for each in written
    ]


def _moved_paths(recorded: Recorded) -> tuple[str, ...]:
    moves = [move for move in recorded.changes.moves if move.source in recorded.tracked]
    return tuple(sorted({path for move in moves for path in (move.source, move.target)}))


def _all_paths(recorded: Recorded) -> tuple[str, ...]:
    sources = {move.target: move.source for move in recorded.changes.moves}
    changed = {
        each.path
        for each in recorded.changes.written
        if each.before is None or sources.get(each.path, each.path) in recorded.tracked
    }
    links = {
        each.path for each in recorded.changes.links if sources.get(each.path, each.path) in recorded.tracked
    }
    removed = recorded.tracked.intersection(recorded.changes.removed)
    return tuple(sorted({*_moved_paths(recorded), *changed, *links, *removed}))


def _git_phase(
    recorded: Recorded, which: str, paths: tuple[str, ...], message: str, kept: str
) -> Phase[Checkout]:
    steps: list[Step[Checkout]] = [StageChanges(paths=paths, kept=f"{kept}.index")]
    if recorded.commits in (Commits.ONE, Commits.PHASES):
        steps.append(CommitIndex(message=message, mark=f"{recorded.id}/{which}"))
    return Phase(name=f"git: {which}", steps=tuple(steps))
