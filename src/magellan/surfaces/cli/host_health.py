"""`magellan host health`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


def host_health(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its name, as `magellan deployments` shows it.")],
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Say whether an instance on this machine is well, by what it reports of itself.

    The health check of a container. Ends with 1 for an instance that has
    failed, still loads, has fallen silent, runs another release than it
    should, or trades without a heartbeat.
    """
    from magellan.errors import FixInput
    from magellan.surfaces.cli.output import emit, say
    from magellan.usecases.instance_health import instance_problem
    from magellan.wiring.hosts import host_folder
    from magellan.wiring.sessions import heartbeat_file
    from magellan.workspace.workspace import Workspace

    opened = Workspace.at(workspace_folder(workspace))
    files = host_folder(opened)
    told = files.instance(key)
    if told is None:
        raise FixInput(
            f"no instance is called '{key}' here", next_step="see them with `magellan deployments`"
        )
    beat = heartbeat_file(opened, told.ledger_account).newest()
    problem = instance_problem(told, files.report(key), beat, datetime.now(UTC))
    emit(
        {"instance": key, "is_well": not problem, "problem": problem},
        as_json=as_json,
        human=lambda: say(f"{key} is not well: {problem}" if problem else f"{key} is well"),
    )
    if problem:
        raise typer.Exit(1)
