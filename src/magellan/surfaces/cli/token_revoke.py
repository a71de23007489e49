"""`magellan token revoke`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


def token_revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `magellan token list` shows it.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let every token of that name open nothing from now on, in a server that runs as well. It is in the audit log."""
    from magellan.surfaces.cli.output import emit, say
    from magellan.surfaces.cli.secret_options import this_actor
    from magellan.usecases.api_access import revoke_token
    from magellan.usecases.record_token import recorded_token
    from magellan.wiring.records import api_tokens, change_log
    from magellan.workspace.workspace import Workspace

    opened = Workspace.at(workspace_folder(workspace))
    with recorded_token(
        "token revoke", name, "", change_log(opened), this_actor(), lambda: datetime.now(UTC)
    ):
        revoked = revoke_token(name, api_tokens(opened))
    emit({"name": name, "revoked": revoked}, as_json=as_json, human=lambda: say(f"{name}: {revoked} revoked"))
