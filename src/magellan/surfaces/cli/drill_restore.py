"""`magellan drill restore`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from magellan.surfaces.cli.backup_options import rehearsed_document, show_rehearsed, sources_of
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption


def drill_restore(
    session: Annotated[
        bool,
        typer.Option(
            "--session/--no-session",
            help="Go on until a session of the foremost strategy has reconciled with a paper exchange started here.",
        ),
    ] = True,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rehearse the restore of the newest backup, in a folder that is thrown away, and record how long it took.

    The audit log keeps the time from nothing to a workspace whose ledger,
    audit log and releases were checked and whose first session was reconciled
    on paper, and how much would have been lost. No broker is asked.
    """
    from magellan.surfaces.cli.output import emit
    from magellan.surfaces.cli.paper_rehearsal import reconciled_on_paper
    from magellan.usecases.backup import rehearse_restore

    sources = sources_of(workspace)
    with tempfile.TemporaryDirectory(prefix="magellan-restore-") as folder:
        rehearsed = rehearse_restore(sources, Path(folder), on_paper=reconciled_on_paper if session else None)
    emit(rehearsed_document(rehearsed), as_json=as_json, human=lambda: show_rehearsed(rehearsed))
