"""What the `magellan migrate` commands that change a tree do alike."""

from __future__ import annotations

import getpass
import os
import shlex
import socket
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from magellan.surfaces.cli.output import emit, note, say

if TYPE_CHECKING:
    from magellan.migration.change_set import ChangeSet
    from magellan.migration.rewrite.reference import ReferenceKind
    from magellan.migration.source_tree import SourceTree
    from magellan.plan.carry_out import Outcome, Progress
    from magellan.ports.executor import Executor
    from magellan.surfaces.cli.output import ProgressBars
    from magellan.usecases.migrate_apply import Desk

FolderArgument = Annotated[
    Path | None, typer.Argument(metavar="[DIR]", help="The project's folder; default: this one.")
]
_PARSING: Final = 10  # looking through Python takes so much longer than through other text
_WORTH_PROCESSES: Final = 200_000_000  # bytes; about four seconds of one core's time
NoGitOption = Annotated[
    bool, typer.Option("--no-git", help="Leave git out of it: no clean tree is asked for, nothing is staged.")
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do it. Without, it is looked at and shown only.")]


def desk_of(folder: Path | None) -> Desk:
    """What a migration of that folder works with. Raises FixInput where there is no such folder."""
    from magellan.adapters.local.git_checkout import GitCheckout
    from magellan.adapters.local.journal_files import JournalFiles
    from magellan.adapters.local.migration_folder import MigrationFolder
    from magellan.errors import FixInput
    from magellan.plan.actor import Actor
    from magellan.usecases.migrate_apply import Desk

    root = (folder or Path.cwd()).resolve()
    if not root.is_dir():
        raise FixInput(f"there is no folder {folder}", next_step="name the folder of the project")
    migrations = MigrationFolder(root)
    return Desk(
        folder=shlex.quote(str(folder or ".")),
        checkout=GitCheckout(root),
        migrations=migrations,
        journals=JournalFiles(migrations.journals),
        actor=Actor(person=getpass.getuser(), host=socket.gethostname(), pid=os.getpid()),
        now=lambda: datetime.now(UTC),
    )


def executor_for(tree: SourceTree) -> Executor | None:
    """Processes on every core, where looking through the tree takes longer than starting them; else None."""
    from magellan.adapters.local.processes import ProcessExecutor

    work = sum(entry.size * (_PARSING if entry.is_python else 1) for entry in tree.entries.values())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return ProcessExecutor(cores) if cores > 1 and work > _WORTH_PROCESSES else None


def read_kinds(names: Sequence[str] | None) -> frozenset[ReferenceKind]:
    """Kinds of references by their names. Raises BadParameter."""
    from magellan.migration.rewrite.reference import ReferenceKind

    known = {str(kind): kind for kind in ReferenceKind}
    for name in names or ():
        if name not in known and name != "all":
            raise typer.BadParameter(f"'{name}' is no kind of reference; there are all, {', '.join(known)}")
    if "all" in (names or ()):
        return frozenset(ReferenceKind)
    return frozenset(known[name] for name in names or ())


def step_progress(bars: ProgressBars) -> Callable[[Progress], None]:
    """Shows a plan's progress, one bar per phase."""

    def show(progress: Progress) -> None:
        bars.report(progress.phase, progress.settled, progress.settled + progress.left)

    return show


def outcome_document(outcome: Outcome) -> dict[str, Any]:
    """What became of a plan, as JSON."""
    from magellan.plan.carry_out import Finished, Halted

    if isinstance(outcome, Finished):
        return {"outcome": "done"}
    if isinstance(outcome, Halted):
        return {
            "outcome": "halted",
            "why": outcome.why,
            "stands": list(outcome.stands),
            "next_step": outcome.next_step,
        }
    return {"outcome": "taken back", "why": outcome.why, "left": list(outcome.left)}


def show_outcome(outcome: Outcome, done: str) -> None:
    """What became of a plan, in lines. done: what is said when it finished."""
    from magellan.plan.carry_out import Finished, Halted

    if isinstance(outcome, Finished):
        say(done)
    elif isinstance(outcome, Halted):
        say(f"halted: {outcome.why}")
        note(f"{len(outcome.stands)} steps stand; {outcome.next_step}")
    else:
        say(f"taken back: {outcome.why}")
        note(
            "everything is as it was before; mend what failed, then run the command again from its beginning"
        )


def show_dry_run(
    refusals: Sequence[str],
    shown: ChangeSet | None,
    summary: Mapping[str, Any],
    show_summary: Callable[[], None],
    *,
    as_json: bool,
) -> None:
    """What a dry run found. Ends with 1 where it is refused.

    refusals: why it cannot be done.
    shown:    the changes to show as a diff; None: without.
    """
    from magellan.migration.difference import unified_diff

    lines = [] if shown is None else list(unified_diff(shown))

    def show() -> None:
        for line in lines:
            say(line)
        show_summary()
        for refusal in refusals:
            say(f"cannot be done: {refusal}")
        if not refusals:
            note("nothing was changed; --yes carries it out")

    document = {**summary, "outcome": "dry run", "refusals": list(refusals), "diff": "\n".join(lines)}
    emit(document, as_json=as_json, human=show)
    if refusals:
        raise typer.Exit(1)
