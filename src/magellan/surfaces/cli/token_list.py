"""`magellan token list`."""

from __future__ import annotations

from datetime import UTC, datetime

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


def token_list(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List the tokens of the HTTP API: whose they are, what they may do, until when. Never the tokens themselves."""
    from magellan.surfaces.cli.output import emit, print_table, say
    from magellan.wiring.records import api_tokens
    from magellan.workspace.workspace import Workspace

    now = datetime.now(UTC)
    found = api_tokens(Workspace.at(workspace_folder(workspace))).tokens()
    rows = [
        {
            "name": each.name,
            "scopes": sorted(each.scopes),
            "issued_at": each.issued_at,
            "ends_at": each.ends_at,
            "good": each.is_good(now),
        }
        for each in found
    ]

    def show() -> None:
        if not found:
            say("no tokens; `magellan token issue NAME` issues one")
            return
        print_table(
            ("name", "scopes", "issued", "ends", "good"),
            [
                (
                    each.name,
                    ", ".join(sorted(each.scopes)),
                    f"{each.issued_at:%Y-%m-%d %H:%M}Z",
                    None if each.ends_at is None else f"{each.ends_at:%Y-%m-%d %H:%M}Z",
                    "yes" if each.is_good(now) else "no",
                )
                for each in found
            ],
        )

    emit(rows, as_json=as_json, human=show)
