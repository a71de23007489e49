"""`magellan backup list`."""

from __future__ import annotations

from magellan.surfaces.cli.backup_options import sources_of
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption


def backup_list(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List the backups at their destination, oldest first."""
    from magellan.surfaces.cli.output import emit, print_table

    found = sources_of(workspace).store.snapshots()
    emit(
        found,
        as_json=as_json,
        human=lambda: print_table(
            ("backup", "of", "host", "holds"),
            [
                (each.snapshot_id, f"{each.at:%Y-%m-%d %H:%M:%S}Z", each.host, ", ".join(each.tags))
                for each in found
            ],
        ),
    )
