"""What `magellan lease keep` and `lease end` do alike."""

from __future__ import annotations

import getpass
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from magellan.surfaces.cli.options import workspace_folder

if TYPE_CHECKING:
    from magellan.deploy.host import Host
    from magellan.plan.actor import Actor
    from magellan.workspace.workspace import Workspace


def leased(stage: str, by: str | None, workspace: Path | None) -> tuple[Workspace, list[Host], Actor]:
    """The workspace, the hosts of the stage, and who asks."""
    from magellan.plan.actor import Actor
    from magellan.surfaces.cli.deploy_options import read_stage
    from magellan.wiring.hosts import host
    from magellan.workspace.workspace import Workspace

    opened = Workspace.at(workspace_folder(workspace))
    hosts = [host(opened, name, os.environ) for name in opened.settings.stage(read_stage(stage)).targets]
    person = (by or getpass.getuser()).strip()
    return opened, hosts, Actor(person=person, host=socket.gethostname(), pid=os.getpid())
