"""`magellan data rebuild`."""

from __future__ import annotations

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


def data_rebuild(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Make the catalogue again from the archived files themselves.

    For a catalogue that was lost or damaged. Reads every file, and names
    those that are damaged; ends with 1 when there are any.
    """
    from magellan.archive.quality.finding import counted
    from magellan.surfaces.cli.output import emit, say
    from magellan.usecases.rebuild_catalogue import rebuild_catalogue
    from magellan.wiring.market import bar_archive
    from magellan.workspace.workspace import Workspace

    rebuilt = rebuild_catalogue(bar_archive(Workspace.at(workspace_folder(workspace))))

    def show() -> None:
        rows = sum(record.rows for record in rebuilt.records)
        sets = counted(len(rebuilt.records), "set")
        say(f"the catalogue names {sets} with {counted(rows, 'bar')}")
        for sentence in rebuilt.damaged:
            say(f"left as it was: {sentence}")

    document = {"sets": [record.id.slug for record in rebuilt.records], "damaged": rebuilt.damaged}
    emit(document, as_json=as_json, human=show)
    if rebuilt.damaged:
        raise typer.Exit(1)
