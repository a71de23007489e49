"""`magellan migrate rollback`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from magellan.surfaces.cli.migrate_options import FolderArgument, YesOption
from magellan.surfaces.cli.options import JsonOption

if TYPE_CHECKING:
    from magellan.migration.apply_plan import Recorded
    from magellan.usecases.migrate_apply import Desk
    from magellan.usecases.migrate_rollback import WayBack


def migrate_rollback(
    folder: FolderArgument = None,
    migration: Annotated[
        str, typer.Option("--migration", metavar="ID", help="Which one; default: the newest that stands.")
    ] = "",
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="PART",
            help="One phase: moves, names (what files say of what moved), packages, shims, links or contents; "
            "may be repeated.",
        ),
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option("--file", metavar="PATH", help="Only this moved file, with its names; may be repeated."),
    ] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Keep edits that were made since, where they touch other lines.")
    ] = False,
    leave_edited: Annotated[
        bool,
        typer.Option(
            "--leave-edited", help="Leave what was edited since where and as it is; take the rest back."
        ),
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take a migration back to the byte: contents, bits, times, links, folders, git's index and branch.

    What somebody changed since is named, and nothing of it is overwritten:
    --merge takes the rest back around it, or refuses. A part, or a merge, is a
    migration of its own, which can be taken back as well. --leave-edited is for a
    migration that was killed, where --merge is none: what it leaves is listed, and
    putting that right is up to you.
    """
    from magellan.adapters.local.installed_modules import installed_modules
    from magellan.adapters.local.source_folder import read_source_tree
    from magellan.adapters.local.three_way import merged
    from magellan.migration.reverse import EVERY_PART, Part
    from magellan.surfaces.cli.migrate_options import desk_of
    from magellan.usecases.migrate_rollback import reverse, reverse_files, way_back

    for each in only or ():
        if each not in tuple(Part):
            raise typer.BadParameter(f"'{each}' is no part of a migration; there are {', '.join(Part)}")
    if file and (merge or only):
        raise typer.BadParameter("`--file` goes with neither `--only` nor `--merge`")
    if leave_edited and (file or merge or only):
        raise typer.BadParameter("`--leave-edited` goes with none of `--file`, `--merge` and `--only`")
    desk = desk_of(folder)
    way = way_back(desk, migration)
    if file:
        tree = read_source_tree(folder or Path.cwd())
        known = installed_modules()
        prepared = reverse_files(way, tree, desk, file, is_installed=known.__contains__)
        _carry_out(prepared.recorded, desk, yes, as_json, {})
    elif merge or only:
        tree = read_source_tree(folder or Path.cwd())
        parts = frozenset(map(Part, only)) if only else EVERY_PART
        found, recorded = reverse(way, tree, desk, parts, merge=merged if merge else None)
        told = {"merged": found.merged, "kept": found.kept, "conflicts": found.conflicts}
        _carry_out(recorded, desk, yes, as_json, told)
    else:
        _take_back(way, desk, yes, as_json, leave_edited=leave_edited)


def _take_back(way: WayBack, desk: Desk, yes: bool, as_json: bool, *, leave_edited: bool) -> None:
    from magellan.plan.carry_out import TakenBack
    from magellan.surfaces.cli.migrate_options import outcome_document, show_outcome, step_progress
    from magellan.surfaces.cli.output import emit, note, progress_bars, say
    from magellan.usecases.migrate_apply import refuse_closed_folders
    from magellan.usecases.migrate_rollback import roll_back

    refuse_closed_folders(way.recorded, desk)
    document = {"migration": way.recorded.id, "refusals": list(way.refusals)}
    is_refused = bool(way.refusals) and not leave_edited
    if not yes or is_refused:

        def show() -> None:
            for refusal in way.refusals:
                say(f"changed since: {refusal}")
            if is_refused and way.is_unfinished:
                note(
                    "nothing was changed; `--leave-edited` takes the rest back, and leaves these as they are"
                )
            elif is_refused:
                note("nothing was changed; `--merge` takes the rest back and keeps these edits, or refuses")
            else:
                what = "around these" if way.refusals else "as a whole"
                say(f"{way.plan.name} can be taken back {what}")
                note("nothing was changed; --yes does it")

        emit({**document, "outcome": "refused" if is_refused else "dry run"}, as_json=as_json, human=show)
        raise typer.Exit(1 if is_refused else 0)
    with progress_bars() as bars:
        outcome = roll_back(way, desk, on_progress=step_progress(bars), leaves_changed=leave_edited)
    was_taken_back = isinstance(outcome, TakenBack)

    def tell() -> None:
        if isinstance(outcome, TakenBack):
            say(f"taken back: {way.plan.name}")
            for each in outcome.left:
                say(f"left: {each}")
            if outcome.left:
                note(
                    f"put these right by hand; what they replaced, if anything, is kept in {way.recorded.kept}"
                )
        else:
            show_outcome(outcome, "")

    emit({**document, **outcome_document(outcome)}, as_json=as_json, human=tell)
    if not was_taken_back:
        raise typer.Exit(1)


def _carry_out(recorded: Recorded, desk: Desk, yes: bool, as_json: bool, told: dict[str, Any]) -> None:
    from magellan.migration.difference import unified_diff
    from magellan.plan.carry_out import Finished
    from magellan.surfaces.cli.migrate_options import outcome_document, show_outcome, step_progress
    from magellan.surfaces.cli.output import emit, note, progress_bars, say
    from magellan.usecases.migrate_apply import apply_recorded

    document = {**told, "migration": recorded.id, "diff": "\n".join(unified_diff(recorded.changes))}
    if told.get("conflicts") or not yes:

        def show() -> None:
            say(document["diff"])
            for word in ("merged", "kept", "conflicts"):
                for each in told.get(word, ()):
                    say(f"{word}: {each}")
            note("nothing was changed" + ("" if told.get("conflicts") else "; --yes does it"))

        word = "refused" if told.get("conflicts") else "dry run"
        emit({**document, "outcome": word}, as_json=as_json, human=show)
        raise typer.Exit(1 if told.get("conflicts") else 0)
    with progress_bars() as bars:
        outcome = apply_recorded(recorded, desk, on_progress=step_progress(bars))
    done = f"done; `magellan migrate rollback {desk.folder} --yes` undoes it again"
    emit(
        {**document, **outcome_document(outcome)},
        as_json=as_json,
        human=lambda: show_outcome(outcome, done),
    )
    if not isinstance(outcome, Finished):
        raise typer.Exit(1)
