"""`magellan migrate shims remove`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from magellan.surfaces.cli.migrate_options import NoGitOption, YesOption
from magellan.surfaces.cli.options import JsonOption


def migrate_shims_remove(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SHIM]...", help="Which, by their paths in the project; default: the expired."
        ),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--dir", metavar="DIR", help="The project's folder; default: this one.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    no_git: NoGitOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take shims away that have expired, or that are named; a dry run unless --yes.

    Refused while the project itself imports an old name. `magellan migrate
    rollback` brings them back.
    """
    from magellan.adapters.local.source_folder import read_source_tree
    from magellan.plan.carry_out import Finished
    from magellan.surfaces.cli.migrate_options import desk_of, outcome_document, show_outcome, step_progress
    from magellan.surfaces.cli.output import emit, note, progress_bars, say
    from magellan.usecases.migrate_apply import apply_recorded
    from magellan.usecases.migrate_shims import list_shims, removal_of

    if every and paths:
        raise typer.BadParameter("give either shims or `--all`")
    desk = desk_of(folder)
    tree = read_source_tree(folder or Path.cwd())
    found = list_shims(tree, on=datetime.now(UTC).date())
    chosen = [each.shim.path for each in found] if every else paths or []
    recorded = removal_of(found, tree, desk, paths=chosen, uses_git=not no_git)
    document = {"removed": recorded.changes.removed}
    if not yes:

        def show() -> None:
            for path in recorded.changes.removed:
                say(f"would take {path} away")
            note("nothing was changed; --yes does it")

        emit({**document, "outcome": "dry run"}, as_json=as_json, human=show)
        return
    with progress_bars() as bars:
        outcome = apply_recorded(recorded, desk, on_progress=step_progress(bars))
    count = len(recorded.changes.removed)
    done = f"{count} shims taken away; `magellan migrate rollback {desk.folder} --yes` brings them back"
    emit(
        {**document, **outcome_document(outcome)},
        as_json=as_json,
        human=lambda: show_outcome(outcome, done),
    )
    if not isinstance(outcome, Finished):
        raise typer.Exit(1)
