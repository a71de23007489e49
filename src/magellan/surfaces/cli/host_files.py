"""`magellan host files`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


def host_files(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="Name of a target of the kind compose or aws.")
    ],
    strategy: Annotated[
        str | None, typer.Option("--strategy", help="Of whose newest release; a compose target needs it.")
    ] = None,
    stage: Annotated[str, typer.Option("--stage", help="Stage that it would be deployed to.")] = "test",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write them below this folder as well.")
    ] = None,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Show every file that Magellan generates for a target. Changes nothing there.

    For compose the Dockerfile and the compose file of a release; for aws
    the Systems Manager document and the IAM policies of the controller, of
    the machine, of whoever stores the document, and of the release store.
    """
    from magellan.surfaces.cli.output import emit, note, say
    from magellan.wiring.hosts import generated_files
    from magellan.wiring.research import write_file
    from magellan.workspace.workspace import Stage, Workspace

    try:
        chosen = Stage(stage)
    except ValueError:
        raise typer.BadParameter(f"--stage is one of {', '.join(Stage)}") from None
    opened = Workspace.at(workspace_folder(workspace))
    files = generated_files(opened, target, strategy=strategy, stage=chosen, environment=os.environ)
    if out is not None:
        for name, text in files.items():
            write_file(out / name, text.encode(), kept="the files that were written before")
            note(f"written: {out / name}")

    def show() -> None:
        for name, text in files.items():
            say(f"--- {name}")
            say(text.rstrip())

    emit(files, as_json=as_json, human=show)
