"""`magellan host prepare`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.deploy_options import ByOption, WhyOption, YesOption
from magellan.surfaces.cli.host_options import TargetArgument
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder

if TYPE_CHECKING:
    from magellan.plan.carry_out import Outcome, Progress
    from magellan.plan.status import PlanStatus


def host_prepare(
    target: TargetArgument,
    yes: YesOption = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with one that was killed or stopped.")
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take one back that was killed or stopped.")] = False,
    by: ByOption = None,
    why: WhyOption = "",
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Make a machine ready to be a target: user, folders, settings, access, units, and the right to start them.

    It logs in as the target's `admin`, who is root or may be without a
    password; deploying later needs no root. Without --yes it is looked at,
    and nothing is changed. Done again, it brings a changed magellan.toml.
    """
    from magellan.plan.rendering import as_json as plan_json
    from magellan.plan.rendering import as_text
    from magellan.surfaces.cli.deploy_options import show_outcome
    from magellan.surfaces.cli.host_options import preparation_of, ssh_target
    from magellan.surfaces.cli.output import emit, note, progress_bars, say
    from magellan.surfaces.cli.secret_options import records_of
    from magellan.usecases.prepare_host import PrepareAsked, prepare_host, show_preparation
    from magellan.wiring.hosts import root_of_host
    from magellan.workspace.workspace import Workspace

    if resume and undo:
        raise typer.BadParameter("--resume goes on and --undo takes back: choose one")
    opened = Workspace.at(workspace_folder(workspace))
    terms = ssh_target(opened, target)
    plan = preparation_of(opened, target)
    asked = PrepareAsked(target=target, why=why, resume=resume, undo=undo)

    async def look() -> PlanStatus:
        async with root_of_host(target, terms) as root:
            return await show_preparation(plan, root)

    if not (yes or resume or undo):
        status = asyncio.run(look())

        def show() -> None:
            say(as_text(status).rstrip())
            note("nothing was changed; --yes carries it out")

        emit({"target": target, "plan": plan_json(status), "outcome": "dry run"}, as_json=as_json, human=show)
        return

    with progress_bars() as bars:

        def on_progress(progress: Progress) -> None:
            bars.report(progress.phase, progress.settled, progress.settled + progress.left)

        async def carry_out() -> Outcome:
            async with root_of_host(target, terms) as root:
                return await prepare_host(asked, plan, root, records_of(opened, by), on_progress=on_progress)

        outcome = asyncio.run(carry_out())
    show_outcome(outcome, {"target": target}, as_json=as_json)
