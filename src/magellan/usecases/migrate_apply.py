"""Apply a mapping to a tree: look, decide, store, carry out; or go on with what was stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final, Protocol

from magellan.errors import FixInput, MagellanError
from magellan.migration.apply_plan import SUBJECT, Commits, Recorded, plan_of
from magellan.migration.change_set import ChangeSet, Choices, Migration, migration_of
from magellan.migration.git_steps import Checkout
from magellan.migration.mapping import MigrationMapping
from magellan.migration.rewrite.reference import RewriteOptions
from magellan.migration.rewrite.rewriter import (
    FileReferences,
    LookThrough,
    RewriteTask,
    look_through,
    rewriter_of,
)
from magellan.migration.risks import Risk, risks_of
from magellan.migration.source_tree import SourceTree
from magellan.plan.actor import Actor
from magellan.plan.carry_out import Outcome, Progress, carry_out
from magellan.plan.plan import Plan
from magellan.plan.preview import Preview, preview
from magellan.plan.standing import JournalState
from magellan.plan.status import next_commands
from magellan.ports.executor import Executor, Work
from magellan.ports.journal import Journals, PlanUnfinished
from magellan.ports.migrations import Migrations

SHIMS_LAST: Final = timedelta(days=183)
_CHANGED_SHOWN: Final = 5


class GitState(Checkout, Protocol):
    """A checkout, and what is to be known of it before a migration begins."""

    def is_under_git(self) -> bool:
        """Whether the tree lies in a checkout."""
        ...

    def changed_paths(self) -> tuple[str, ...]:
        """Tracked paths that differ from the last commit."""
        ...

    def tracked_paths(self) -> frozenset[str]:
        """Paths that git tracks."""
        ...

    def commit_problem(self) -> str:
        """Why nothing can be committed; "" where it can."""
        ...

    def closed_folders(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Folders in which a path lies, or that are nearest above it, and in which we may change nothing."""
        ...


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What a migration works with."""

    folder: str  # the tree, as the commands name it
    checkout: GitState
    migrations: Migrations
    journals: Journals
    actor: Actor
    now: Callable[[], datetime]  # aware, UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the person asked for."""

    rewriting: RewriteOptions
    shims: bool
    uses_git: bool
    commits: Commits  # where git is used
    name: str  # of the mapping, for messages: "migration_mapping.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A migration that could be applied now."""

    migration: Migration
    recorded: Recorded
    plan: Plan[Checkout]
    risks: tuple[Risk, ...]


def prepare(
    tree: SourceTree,
    mapping: MigrationMapping,
    wishes: Wishes,
    desk: Desk,
    *,
    is_installed: Callable[[str], bool],
    removed: tuple[str, ...] = (),
    executor: Executor | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Prepared:
    """Decide everything, and change nothing.

    is_installed: whether a top-level name can be imported from what is installed.
    removed:      files that are taken away first.
    executor:     on which files are looked through; None: in this process.
    Raises: FixInput for every mistake of the mapping at its place; PlanUnfinished when an earlier migration of the
            tree was stopped.
    """
    refuse_unfinished(desk)
    at = desk.now().astimezone(UTC)
    choices = Choices(
        rewriting=wishes.rewriting, shims=wishes.shims, shims_expire_on=(at + SHIMS_LAST).date()
    )
    migration = migration_of(
        tree,
        mapping,
        choices,
        name=wishes.name,
        removed=removed,
        look=look_through if executor is None else _looked_through_by(executor),
        on_progress=on_progress,
    )
    recorded = record_of(
        migration.changes,
        desk,
        name=f"restructure {len(migration.changes.moves)} files",
        source_roots=mapping.source_roots,
        commits=wishes.commits if wishes.uses_git else Commits.UNTOUCHED,
    )
    return Prepared(
        migration=migration,
        recorded=recorded,
        plan=plan_of(recorded, folder=desk.folder),
        risks=risks_of(tree, migration, is_installed),
    )


def _looked_through_by(executor: Executor) -> LookThrough:
    def look(
        task: RewriteTask, paths: Sequence[str], on_done: Callable[[int], None]
    ) -> list[FileReferences | None]:
        numbers = count(1)
        work = Work(begin=rewriter_of, given=task, describe=str)
        return executor.map(work, paths, on_done=lambda number, found: on_done(next(numbers)))

    return look


def record_of(
    changes: ChangeSet, desk: Desk, *, name: str, source_roots: tuple[str, ...], commits: Commits
) -> Recorded:
    """The changes under a new id, as they will be stored. Where git does not look after the tree, it is left out."""
    under_git = commits is not Commits.UNTOUCHED and desk.checkout.is_under_git()
    return Recorded(
        id=new_id(desk.now().astimezone(UTC), desk.migrations.ids()),
        name=name,
        source_roots=source_roots,
        changes=changes,
        commits=commits if under_git else Commits.UNTOUCHED,
        tracked=desk.checkout.tracked_paths() if under_git else frozenset(),
    )


def refuse_unsafe(recorded: Recorded, desk: Desk) -> None:
    """Raises FixInput where git holds changes that are not committed, or could not commit what is asked for."""
    if recorded.commits is Commits.UNTOUCHED:
        return
    changed = desk.checkout.changed_paths()
    if changed:
        shown = ", ".join(changed[:_CHANGED_SHOWN]) + (", ..." if len(changed) > _CHANGED_SHOWN else "")
        raise FixInput(
            f"{len(changed)} files have changes that are not committed: {shown}",
            kept="everything; nothing was changed",
            next_step="commit or stash them; or leave git out of it with `--no-git`",
        )
    if recorded.commits in (Commits.ONE, Commits.PHASES) and (why := desk.checkout.commit_problem()):
        raise FixInput(f"git cannot commit here: {why}", kept="everything; nothing was changed")


def dry_run(recorded: Recorded, desk: Desk) -> Preview:
    """What carrying it out would do, step by step."""
    return asyncio.run(preview(plan_of(recorded, folder=desk.folder), desk.checkout))


def refusals_of(recorded: Recorded, desk: Desk) -> tuple[str, ...]:
    """Why carrying it out would fail, as far as that can be seen now."""
    closed = tuple(f"in {folder} this user may change nothing" for folder in _closed_folders(recorded, desk))
    steps = dry_run(recorded, desk).refusals
    return closed + tuple(f"{step.title}: {step.note}" for step in steps)


def apply_recorded(
    recorded: Recorded, desk: Desk, *, on_progress: Callable[[Progress], None] | None = None
) -> Outcome:
    """Store the migration, then carry it out.

    Raises: what `carry_out` does; PlanUnfinished; FixInput for folders in which this user may change nothing.
    """
    refuse_unfinished(desk)
    refuse_closed_folders(recorded, desk)
    plan = plan_of(recorded, folder=desk.folder)
    desk.migrations.store(recorded)
    with ExitStack() as opened:
        try:
            journal = opened.enter_context(
                desk.journals.begin(plan.description, by=desk.actor, at=desk.now())
            )
        except MagellanError:
            desk.migrations.forget(recorded.id)
            raise
        return asyncio.run(carry_out(plan, desk.checkout, journal, now=desk.now, on_progress=on_progress))


def refuse_closed_folders(recorded: Recorded, desk: Desk) -> None:
    """Raises FixInput for folders in which this user may change nothing, and the migration does."""
    if closed := _closed_folders(recorded, desk):
        shown = ", ".join(closed[:_CHANGED_SHOWN]) + (", ..." if len(closed) > _CHANGED_SHOWN else "")
        raise FixInput(
            f"in {len(closed)} of the folders this user may change nothing: {shown}",
            kept="everything; nothing was changed",
            next_step="give this user the right to write there (`ls -ld` shows whose they are), then run the same "
            "command again",
        )


def _closed_folders(recorded: Recorded, desk: Desk) -> tuple[str, ...]:
    return desk.checkout.closed_folders(recorded.changes.paths)


def resume_migration(desk: Desk, *, on_progress: Callable[[Progress], None] | None = None) -> Outcome:
    """Go on with the migration that was stopped or killed, in the direction in which it was going.

    Raises: FixInput where none was.
    """
    for entry in reversed(desk.journals.all()):
        if entry.is_finished or (recorded := recorded_of(entry.name, desk)) is None:
            continue
        plan = plan_of(recorded, folder=desk.folder)
        with desk.journals.reopen(entry.name, by=desk.actor, at=desk.now()) as journal:
            return asyncio.run(carry_out(plan, desk.checkout, journal, now=desk.now, on_progress=on_progress))
    raise FixInput(
        f"no migration of {desk.folder} is unfinished", next_step="`magellan migrate apply --mapping FILE`"
    )


def recorded_of(journal_name: str, desk: Desk) -> Recorded | None:
    """The migration whose journal that is; None for the journal of anything else."""
    plan = JournalState(desk.journals.read(journal_name).records).plan
    found = plan.name.rpartition("(")[2].rstrip(")")
    return desk.migrations.read(found) if plan.subject == SUBJECT and found in desk.migrations.ids() else None


def refuse_unfinished(desk: Desk) -> None:
    """Before anything is looked at: a tree that stands in between tells nothing about what a new migration does."""
    for entry in desk.journals.all():
        state = None if entry.is_finished else JournalState(desk.journals.read(entry.name).records)
        if state is not None and state.plan.subject == SUBJECT and state.ending is None:
            raise PlanUnfinished(
                f"{state.plan.name}, begun {state.head.at:%Y-%m-%d %H:%M:%S} UTC by {state.head.by}, is unfinished",
                kept="its journal, and everything that it replaced",
                next_step=next_commands(state),
            )


def new_id(at: datetime, known: tuple[str, ...]) -> str:
    """The id of a migration that is recorded at that time (aware, UTC); ids sort by time."""
    """A name for a migration that none has yet."""
    stem = f"{at:%Y%m%dT%H%M%SZ}"
    found, number = stem, 1
    while found in known:
        number += 1
        found = f"{stem}-{number}"
    return found
