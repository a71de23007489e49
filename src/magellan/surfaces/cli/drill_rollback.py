"""`magellan drill rollback`."""

from __future__ import annotations

import asyncio

import typer

from magellan.surfaces.cli.deploy_options import (
    ByOption,
    DeployedArgument,
    StageOption,
    TypedNumberOption,
    WhyOption,
    YesOption,
)
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


def drill_rollback(
    strategy: DeployedArgument,
    stage: StageOption = "test",
    yes: YesOption = False,
    typed_number: TypedNumberOption = None,
    by: ByOption = None,
    why: WhyOption = "",
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Rehearse a roll-back: to the release before and back again, both for real, timed and recorded.

    Without --yes it says what it would do.
    """
    from magellan.release.manifest import shown
    from magellan.surfaces.cli.deploy_options import deploy_sources, read_stage
    from magellan.surfaces.cli.output import emit, note, say
    from magellan.usecases.deploy_history import release_before, release_now
    from magellan.usecases.drill_rollback import drill_rollback as drill
    from magellan.workspace.workspace import Workspace

    to = read_stage(stage)
    sources = deploy_sources(Workspace.at(workspace_folder(workspace)), by)
    now, before = release_now(sources.changes, strategy, to), release_before(sources.changes, strategy, to)
    if not yes:
        emit(
            {"release": now, "before": before, "outcome": "dry run"},
            as_json=as_json,
            human=lambda: say(f"{to}/{strategy} would go from {shown(now)} to {shown(before)} and back"),
        )
        note("nothing was changed; --yes carries it out")
        raise typer.Exit(0)
    drilled = asyncio.run(drill(strategy, to, sources, why=why, typed_number=typed_number))
    emit(
        drilled,
        as_json=as_json,
        human=lambda: say(
            f"to {shown(drilled.before)} in {drilled.there_s:.2f} s, back to {shown(drilled.release)} in "
            f"{drilled.back_s:.2f} s"
        ),
    )
