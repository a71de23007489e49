"""Take a migration back, to the byte; what somebody changed since is told, and never overwritten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from magellan.errors import FixInput
from magellan.migration.apply_plan import Commits, Recorded, plan_of
from magellan.migration.change_set import ChangeSet
from magellan.migration.git_steps import Checkout
from magellan.migration.mapping import MappedMove, MigrationMapping
from magellan.migration.reverse import EVERY_PART, Merge, Part, Reverse, reverse_of
from magellan.migration.rewrite.reference import RewriteOptions
from magellan.migration.shims import shims_in
from magellan.migration.source_tree import SourceTree
from magellan.plan.carry_out import Outcome, Progress, take_back
from magellan.plan.files.make_folder import COMPILED
from magellan.plan.files.tree import UNFINISHED, Tree
from magellan.plan.plan import Plan
from magellan.plan.preview import Preview, preview_back
from magellan.plan.records import Ending
from magellan.plan.standing import JournalState
from magellan.usecases.migrate_apply import (
    Desk,
    Prepared,
    Wishes,
    prepare,
    record_of,
    recorded_of,
    refuse_unfinished,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """A migration that can be taken back, and what taking it back would do."""

    recorded: Recorded
    journal: str  # its name
    plan: Plan[Checkout]
    preview: Preview
    put_there_since: tuple[str, ...]  # what lies in folders that it made, and is not its own
    is_unfinished: bool  # it was stopped or killed on its way, in whichever direction

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why it cannot be taken back as a whole; empty: it can."""
        steps = tuple(f"{step.title}: {step.note}" for step in self.preview.refusals)
        return steps + tuple(f"{path} was put into a folder that was made" for path in self.put_there_since)


def way_back(desk: Desk, migration_id: str = "") -> WayBack:
    """Look at the way back of a migration: the one of that id, otherwise the newest that stands. Nothing is changed.

    Raises: FixInput where there is none, and where it was taken back already.
    """
    for entry in reversed(desk.journals.all()):
        recorded = recorded_of(entry.name, desk)
        if recorded is None or (migration_id and recorded.id != migration_id):
            continue
        records = desk.journals.read(entry.name).records
        ending = JournalState(records).ending
        if ending is Ending.UNDONE:
            if migration_id:
                raise FixInput(f"{migration_id} was taken back already: nothing is left to do")
            continue
        plan = plan_of(recorded, folder=desk.folder)
        found = asyncio.run(preview_back(plan, desk.checkout, records))
        others = asyncio.run(_put_there_since(recorded.changes, desk.checkout))
        return WayBack(
            recorded=recorded,
            journal=entry.name,
            plan=plan,
            preview=found,
            put_there_since=others,
            is_unfinished=ending is None,
        )
    known = ", ".join(desk.migrations.ids()[-3:])
    what = f"there is no migration {migration_id} of" if migration_id else "no migration stands in"
    raise FixInput(f"{what} {desk.folder}", next_step=f"known are {known}" if known else "")


async def _put_there_since(changes: ChangeSet, tree: Tree) -> tuple[str, ...]:
    own = {move.target for move in changes.moves} | {each.path for each in changes.written}
    own |= {each.path for each in changes.links} | set(changes.folders)
    lying = [f"{folder}/{name}" for folder in changes.folders for name in await tree.names(folder)]
    strange = (path for path in lying if path.removesuffix(UNFINISHED) not in own)
    return tuple(path for path in strange if not path.endswith(f"/{COMPILED}"))


def roll_back(
    way: WayBack,
    desk: Desk,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    leaves_changed: bool = False,
) -> Outcome:
    """Go the way back by its journal; leaves_changed and what it raises: those of `take_back`."""
    with desk.journals.reopen(way.journal, by=desk.actor, at=desk.now()) as journal:
        return asyncio.run(
            take_back(
                way.plan,
                desk.checkout,
                journal,
                why=f"asked by {desk.actor.person}",
                now=desk.now,
                on_progress=on_progress,
                leaves_changed=leaves_changed,
            )
        )


def reverse(
    way: WayBack, tree: SourceTree, desk: Desk, parts: Collection[Part], *, merge: Merge | None
) -> tuple[Reverse, Recorded]:
    """Parts of the way back, or all of it around later edits, as a migration of its own. Nothing is changed.

    merge:  None where edits are refused.
    Raises: FixInput where nothing of those parts is left to be taken back.
    """
    refuse_unfinished(desk)
    found = reverse_of(way.recorded.changes, tree, parts, merge)
    names = " and ".join(part for part in Part if part in parts)
    if found.changes.is_empty and not found.conflicts:
        raise FixInput(f"of the {names} of {way.recorded.id} nothing is left to be taken back")
    what = "" if set(parts) == EVERY_PART else f"{names} of "
    commits = Commits.UNTOUCHED if way.recorded.commits is Commits.UNTOUCHED else Commits.STAGED
    recorded = record_of(
        found.changes,
        desk,
        name=f"take back {what}{way.recorded.id}",
        source_roots=way.recorded.source_roots,
        commits=commits,
    )
    return found, recorded


def reverse_files(
    way: WayBack, tree: SourceTree, desk: Desk, files: Sequence[str], *, is_installed: Callable[[str], bool]
) -> Prepared:
    """Move some files back to where they were, and rewrite their names again, as a migration of its own.

    files:  where they lie now, or where they lay.
    Raises: FixInput for a file that the migration did not move.
    """
    moves = []
    for path in files:
        move = next((each for each in way.recorded.changes.moves if path in (each.source, each.target)), None)
        if move is None:
            raise FixInput(f"{way.recorded.id} did not move {path}", next_step="name a file that it moved")
        moves.append(move)
    back = {move.source for move in moves}
    shims = tuple(shim.path for shim in shims_in(tree) if shim.path in back)
    roots = way.recorded.source_roots
    mapping = MigrationMapping(
        version=1,
        source_roots=roots,
        moves=tuple(MappedMove(source=move.target, target=move.source) for move in moves),
    )
    wishes = Wishes(
        rewriting=RewriteOptions(),
        shims=False,
        uses_git=way.recorded.commits is not Commits.UNTOUCHED,
        commits=Commits.STAGED,
        name=f"the way back of {way.recorded.id}",
    )
    return prepare(tree, mapping, wishes, desk, is_installed=is_installed, removed=shims)
