"""`magellan rollback`."""

from __future__ import annotations

from typing import Annotated

import typer

from magellan.surfaces.cli.deploy_options import (
    ByOption,
    DeployedArgument,
    StageOption,
    TypedNumberOption,
    WatchOption,
    WhyOption,
    YesOption,
)
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


def rollback(
    strategy: DeployedArgument,
    release: Annotated[
        str | None, typer.Argument(metavar="RELEASE", help="Name, number or id; default: the one before.")
    ] = None,
    stage: StageOption = "prod",
    yes: YesOption = False,
    watch_s: WatchOption = 0,
    typed_number: TypedNumberOption = None,
    by: ByOption = None,
    why: WhyOption = "",
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Let an earlier release trade again: its code, its config and its engine.

    It is the same roll-out as a deployment, on all hosts at once. The
    release that traded before stands by, so it takes over at once.
    Without --yes it is looked at, and nothing is changed.
    """
    from magellan.surfaces.cli.deploy_options import deploy_sources, prepare_and_carry_out, read_stage
    from magellan.usecases.deploy_history import release_before
    from magellan.usecases.prepare_deploy import DeployAsked
    from magellan.workspace.workspace import Workspace

    to = read_stage(stage)
    sources = deploy_sources(Workspace.at(workspace_folder(workspace)), by)
    asked = DeployAsked(
        strategy=strategy,
        stage=to,
        release=release or release_before(sources.changes, strategy, to),
        why=why,
        typed_number=typed_number,
        watch_s=watch_s,
        action="rollback",
        at_once=True,
    )
    prepare_and_carry_out(asked, sources, really=yes, as_json=as_json)
