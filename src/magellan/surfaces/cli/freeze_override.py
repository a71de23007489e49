"""`magellan freeze override`."""

from __future__ import annotations

from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption
from magellan.surfaces.cli.run_options import StrategyArgument


def freeze_override(
    strategy: StrategyArgument,
    by: Annotated[
        str,
        typer.Option("--by", metavar="NAME", help="Who answers for it, as magellan.toml calls their key."),
    ],
    reason: Annotated[str, typer.Option("--reason", "--why", metavar="TEXT", help="What cannot wait.")],
    hours: Annotated[
        float, typer.Option("--hours", help="How long it holds; magellan.toml says how long at most.")
    ] = 2.0,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a hot fix of one strategy through a freeze, for some hours. It is recorded in the audit log.

    It is signed with the key of this user, which magellan.toml must know as
    that person's. It lets nothing else through: gates, soak and approval are
    asked for all the same.
    """
    import os
    import socket

    from magellan.plan.actor import Actor
    from magellan.surfaces.cli.freeze_options import freeze_desk, shown
    from magellan.surfaces.cli.output import emit, say
    from magellan.usecases.freeze import override_freeze
    from magellan.wiring.releases import release_key
    from magellan.workspace.workspace import Stage

    with freeze_desk(workspace) as desk:
        name = desk.workspace.strategy(strategy).name
        granted = override_freeze(
            name,
            Stage.PROD,
            desk.sources,
            by=by.strip(),
            reason=reason,
            hours=hours,
            key=release_key(os.environ),
            actor=Actor(person=by.strip(), host=socket.gethostname(), pid=os.getpid()),
        )
    emit(
        granted,
        as_json=as_json,
        human=lambda: say(
            f"{granted.subject} passes freezes until {shown(granted.until_at)}, by {granted.by}: {granted.reason}"
        ),
    )
