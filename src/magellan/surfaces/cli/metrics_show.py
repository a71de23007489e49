"""`magellan metrics show`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from magellan.surfaces.cli.metrics_options import measured
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


def metrics_show(
    to: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the text there, whole, for a collector of files."),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how everything stands, and show it in Prometheus's text format.

    `magellan watch` writes the same into .magellan/metrics/magellan.prom every
    ten seconds, for node_exporter's collector of text files.
    """
    from magellan.surfaces.cli.output import emit, say
    from magellan.wiring.records import exposition
    from magellan.wiring.research import write_file
    from magellan.workspace.workspace import Workspace

    families = measured(Workspace.at(workspace_folder(workspace)))
    if to is not None:
        write_file(to, exposition(families), kept="what was there")
    document = [
        {"name": f"magellan_{each.name}", "labels": labels, "value": value}
        for each in families
        for labels, value in each.samples
    ]

    def show() -> None:
        if to is None:
            sys.stdout.write(exposition(families).decode())
        else:
            say(f"{len(document)} samples in {to}")

    emit(document, as_json=as_json, human=show)
