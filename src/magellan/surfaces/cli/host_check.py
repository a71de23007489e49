"""`magellan host check`."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import typer

from magellan.surfaces.cli.host_options import TargetArgument
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder

if TYPE_CHECKING:
    from magellan.usecases.check_host import HostFinding


def host_check(
    target: TargetArgument, as_json: JsonOption = False, workspace: WorkspaceOption = None
) -> None:
    """Look at a host before anything is deployed to it: clock, disk, packages, units, rights, firewall, SSH.

    Ends with 1 when something is not as it should be.
    """
    from magellan.surfaces.cli.host_options import preparation_of, ssh_target
    from magellan.surfaces.cli.output import emit, say
    from magellan.usecases.check_host import check_host
    from magellan.wiring.hosts import host, own_requirements, root_of_host
    from magellan.workspace.workspace import Workspace

    opened = Workspace.at(workspace_folder(workspace))
    terms = ssh_target(opened, target)
    plan = preparation_of(opened, target)

    async def look() -> tuple[HostFinding, ...]:
        async with root_of_host(target, terms) as root:
            return await check_host(host(opened, target, os.environ), root, terms, plan, own_requirements())

    findings = asyncio.run(look())
    is_well = all(each.is_well for each in findings)

    def show() -> None:
        width = max(len(each.what) for each in findings)
        for each in findings:
            say(f"{'ok ' if each.is_well else 'NO '} {each.what:<{width}}  {each.found}")

    emit({"target": target, "is_well": is_well, "findings": findings}, as_json=as_json, human=show)
    if not is_well:
        raise typer.Exit(1)
