"""`magellan backup verify`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from magellan.surfaces.cli.backup_options import rehearsed_document, show_rehearsed, sources_of
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption


def backup_verify(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Read everything at the destination byte for byte, then restore the newest backup and check what it holds.

    It is restored into a folder that is thrown away: its ledger, its audit log
    and its releases must verify. That is recorded.
    """
    from magellan.surfaces.cli.output import emit
    from magellan.usecases.backup import verify_backups

    sources = sources_of(workspace)
    with tempfile.TemporaryDirectory(prefix="magellan-restore-") as folder:
        rehearsed = verify_backups(sources, Path(folder))
    emit(rehearsed_document(rehearsed), as_json=as_json, human=lambda: show_rehearsed(rehearsed))
