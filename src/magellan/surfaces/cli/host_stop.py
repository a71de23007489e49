"""`magellan host stop`."""

from __future__ import annotations

import os

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


def host_stop(as_json: JsonOption = False, workspace: WorkspaceOption = None) -> None:
    """End the local target's supervisor and every instance that runs here, in order, containers too.

    Positions stay as each account's terms say. `magellan host start` starts the same instances again.
    """
    from magellan.surfaces.cli.output import emit, say
    from magellan.wiring.hosts import container_keepers, host_folder, supervisor
    from magellan.workspace.workspace import Workspace

    opened = Workspace.at(workspace_folder(workspace))
    keys = host_folder(opened).instance_keys()
    supervisor(opened).shut_down()
    for keeper in container_keepers(opened, os.environ):
        keeper.stop_all(keys)
    emit(
        {"instances": keys}, as_json=as_json, human=lambda: say(f"ended: {', '.join(keys) or 'no instance'}")
    )
