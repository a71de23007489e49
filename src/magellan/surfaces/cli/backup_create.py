"""`magellan backup create`."""

from __future__ import annotations

from typing import Annotated

import typer

from magellan.surfaces.cli.backup_options import percent, sources_of
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption


def backup_create(
    only_ledger: Annotated[
        bool, typer.Option("--only-ledger", help="The ledger and the audit log alone: seconds, not minutes.")
    ] = False,
    if_due: Annotated[
        bool,
        typer.Option("--if-due", help="Only where none was made since backup.at came last, New York time."),
    ] = False,
    why: Annotated[
        str, typer.Option("--reason", "--why", metavar="TEXT", help="Why. It is recorded.")
    ] = "scheduled",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Back the workspace up to where magellan.toml says; the first time, make the destination ready.

    Only what changed is sent, and all of it is encrypted before it leaves
    this machine. Ledger and audit log are copied as of one instant while
    sessions go on. Secrets are left out: `.env` is never backed up.
    """
    from magellan.surfaces.cli.output import emit, say
    from magellan.usecases.backup import create_backup, is_due

    sources = sources_of(workspace)
    if if_due and not is_due(sources.terms, sources.record.last_at(), sources.clock()):
        emit({"due": False}, as_json=as_json, human=lambda: say("no backup is due"))
        return
    with percent("back up") as report:
        made = create_backup(sources, why=why, on_progress=report, only_ledger=only_ledger)
    emit(
        made,
        as_json=as_json,
        human=lambda: say(
            f"backup {made.snapshot_id}: {made.files:,} files, {made.bytes_added:,} bytes added to "
            f"{sources.store.place}, in {made.took_s:.1f} s"
        ),
    )
