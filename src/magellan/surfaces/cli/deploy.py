"""`magellan deploy`."""

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


def deploy(
    strategy: DeployedArgument,
    stage: StageOption,
    release: Annotated[
        str | None,
        typer.Option("--release", metavar="RELEASE", help="Name, number or id; default: the newest."),
    ] = None,
    yes: YesOption = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a roll-out that was killed or stopped.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take the newest roll-out back.")] = False,
    watch_s: WatchOption = None,
    typed_number: TypedNumberOption = None,
    by: ByOption = None,
    why: WhyOption = "",
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Let a release trade in a stage, on each of its targets, in place of the one that trades there now.

    The new one stands by until every host shows that it is the release that
    was approved; then it is handed the account, has to show that it is well,
    and is watched. Whatever goes wrong takes it back by itself, and the old
    one trades on. Without --yes it is looked at, and nothing is changed.
    """
    from magellan.surfaces.cli.deploy_options import (
        deploy_sources,
        prepare_and_carry_out,
        read_stage,
        run_with_progress,
        show_outcome,
    )
    from magellan.usecases.deploy import go_on
    from magellan.usecases.prepare_deploy import DeployAsked
    from magellan.workspace.workspace import Workspace

    to = read_stage(stage)
    if resume and undo:
        raise typer.BadParameter("--resume goes on and --undo takes back: choose one")
    sources = deploy_sources(Workspace.at(workspace_folder(workspace)), by)
    if resume or undo:
        outcome = run_with_progress(
            lambda on_progress: go_on(strategy, to, sources, undo=undo, why=why, on_progress=on_progress)
        )
        looked = {"strategy": strategy, "stage": to}
        show_outcome(outcome, looked, as_json=as_json, was_asked_back=undo)
        return
    asked = DeployAsked(
        strategy=strategy, stage=to, release=release, why=why, typed_number=typed_number, watch_s=watch_s
    )
    prepare_and_carry_out(asked, sources, really=yes, as_json=as_json)
