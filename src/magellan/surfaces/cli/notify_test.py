"""`magellan notify test`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


def notify_test(
    channels: Annotated[
        list[str] | None, typer.Argument(metavar="[CHANNEL]...", help="Of magellan.toml; default: all.")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a test message through channels, at once and past the outbox, and say what became of it.

    Ends with 1 when a channel did not take it.
    """
    import os

    from magellan.errors import FixInput, MagellanError
    from magellan.surfaces.cli.output import emit, say
    from magellan.wiring.upkeep import transport
    from magellan.workspace.workspace import Workspace

    opened = Workspace.at(workspace_folder(workspace))
    known = opened.settings.notifications.channels
    for name in channels or ():
        if name not in known:
            raise FixInput(f"there is no channel '{name}'; there are: {', '.join(known) or 'none'}")
    if not known:
        raise FixInput(
            "magellan.toml names no channel",
            next_step="write a section [notifications.channels.NAME]; docs/guides/notifications.md shows each kind",
        )
    text = f"This is a test from {opened.root.name}, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC."
    found: dict[str, str] = {}
    for name in channels or known:
        try:
            found[name] = transport(opened, name, os.environ).send("info", "Magellan, test", text)
        except MagellanError as error:
            found[name] = str(error)
    emit(
        {name: {"taken": not problem, "problem": problem} for name, problem in found.items()},
        as_json=as_json,
        human=lambda: say("\n".join(f"{name}: {problem or 'taken'}" for name, problem in found.items())),
    )
    if any(found.values()):
        raise typer.Exit(1)
