"""`magellan token revoke`."""

from __future__ import annotations

from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


def token_revoke(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `magellan token list` shows it.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let every token of that name open nothing from now on, in a server that runs as well."""
    from magellan.surfaces.cli.output import emit, say
    from magellan.usecases.api_access import revoke_token
    from magellan.wiring.records import api_tokens
    from magellan.workspace.workspace import Workspace

    revoked = revoke_token(name, api_tokens(Workspace.at(workspace_folder(workspace))))
    emit({"name": name, "revoked": revoked}, as_json=as_json, human=lambda: say(f"{name}: {revoked} revoked"))
