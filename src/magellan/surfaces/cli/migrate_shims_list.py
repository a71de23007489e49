"""`magellan migrate shims list`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from magellan.surfaces.cli.migrate_options import FolderArgument
from magellan.surfaces.cli.options import JsonOption


def migrate_shims_list(folder: FolderArgument = None, as_json: JsonOption = False) -> None:
    """Show the files that keep old import paths working: until when, and what in the tree still uses them."""
    from magellan.adapters.local.source_folder import read_source_tree
    from magellan.surfaces.cli.output import emit, print_table, say
    from magellan.usecases.migrate_shims import list_shims

    found = list_shims(read_source_tree(folder or Path.cwd()), on=datetime.now(UTC).date())
    document = [
        {
            "path": each.shim.path,
            "old": each.shim.old,
            "new": each.shim.new,
            "expires_on": each.shim.expires_on,
            "is_expired": each.is_expired,
            "used_by": each.used_by,
        }
        for each in found
    ]

    def show() -> None:
        if not found:
            say("no shims")
            return
        print_table(
            ("old name", "new name", "expires on", "used by"),
            [
                (
                    each.shim.old,
                    each.shim.new,
                    f"{each.shim.expires_on}{' (expired)' if each.is_expired else ''}",
                    ", ".join(each.used_by[:2]) + (", ..." if len(each.used_by) > 2 else "") or None,
                )
                for each in found
            ],
        )

    emit(document, as_json=as_json, human=show)
