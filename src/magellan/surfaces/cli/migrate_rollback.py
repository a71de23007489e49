"""`magellan migrate rollback`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.migrate_options import FolderArgument, YesOption
from magellan.surfaces.cli.options import JsonOption

if TYPE_CHECKING:
    from magellan.usecases.migrate_rollback import WayBack


def migrate_rollback(
    folder: FolderArgument = None,
    migration: Annotated[
        str, typer.Option("--migration", metavar="ID", help="Which one; default: the newest that stands.")
    ] = "",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take a migration back to the byte: contents, bits, times, links, folders, git's index and branch.

    What somebody changed since is named, and nothing of it is overwritten.
    """
    from magellan.plan.carry_out import TakenBack
    from magellan.surfaces.cli.migrate_options import desk_of, outcome_document, show_outcome, step_progress
    from magellan.surfaces.cli.output import emit, note, progress_bars, say
    from magellan.usecases.migrate_rollback import roll_back, way_back

    desk = desk_of(folder)
    way = way_back(desk, migration)
    refusals = _refusals(way)
    if not yes or refusals:
        document = {
            "migration": way.recorded.id,
            "outcome": "refused" if refusals else "dry run",
            "refusals": refusals,
        }

        def show() -> None:
            for refusal in refusals:
                say(f"changed since: {refusal}")
            if refusals:
                note(
                    "nothing was changed; put these back as they were, or take them away, then roll back again"
                )
            else:
                say(f"{way.plan.name} can be taken back as a whole")
                note("nothing was changed; --yes does it")

        emit(document, as_json=as_json, human=show)
        raise typer.Exit(1 if refusals else 0)
    with progress_bars() as bars:
        outcome = roll_back(way, desk, on_progress=step_progress(bars))
    document = {"migration": way.recorded.id, **outcome_document(outcome)}
    emit(document, as_json=as_json, human=lambda: show_outcome(outcome, "taken back"))
    if not isinstance(outcome, TakenBack):
        raise typer.Exit(1)


def _refusals(way: WayBack) -> list[str]:
    return [f"{step.title}: {step.note}" for step in way.preview.refusals]
