"""`magellan host start`."""

from __future__ import annotations

import os

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


def host_start(as_json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """Start the local target's supervisor, and every instance that was deployed here, containers too.

    Deploying does it by itself; after a restart of the machine somebody has to.
    """
    from magellan.surfaces.cli.output import emit, say
    from magellan.wiring.hosts import container_keepers, host_folder, supervisor
    from magellan.workspace.workspace import Workspace

    opened = Workspace.at(workspace_folder(workspace))
    keys = host_folder(opened).instance_keys()
    supervisor(opened).start_all()
    for keeper in container_keepers(opened, os.environ):
        keeper.start_all(keys)
    emit(
        {"instances": keys},
        as_json=as_json,
        human=lambda: say(f"started: {', '.join(keys) or 'no instance'}"),
    )
