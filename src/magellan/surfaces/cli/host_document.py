"""`magellan host document`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from magellan.surfaces.cli.deploy_options import ByOption, WhyOption, YesOption
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


def host_document(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="Name of a target of the kind aws in magellan.toml.")
    ],
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
    """Store the Systems Manager document through which a target takes calls.

    Without --yes it is looked at, and nothing is changed; the document
    itself is shown by `magellan host files`. Done again, it brings a
    changed target.
    """
    from magellan.plan.rendering import as_json as plan_json
    from magellan.plan.rendering import as_text
    from magellan.surfaces.cli.deploy_options import run_with_progress, show_outcome
    from magellan.surfaces.cli.output import emit, note, say
    from magellan.surfaces.cli.secret_options import records_of
    from magellan.usecases.keep_document import DocumentAsked, keep_document, show_document
    from magellan.wiring.hosts import call_document
    from magellan.workspace.workspace import Workspace

    if resume and undo:
        raise typer.BadParameter("--resume goes on and --undo takes back: choose one")
    opened = Workspace.at(workspace_folder(workspace))
    plan, documents = call_document(opened, target)
    if not (yes or resume or undo):
        status = asyncio.run(show_document(plan, documents))

        def show() -> None:
            say(as_text(status).rstrip())
            note("nothing was changed; --yes carries it out")

        emit({"target": target, "plan": plan_json(status), "outcome": "dry run"}, as_json=as_json, human=show)
        return
    asked = DocumentAsked(target=target, why=why, resume=resume, undo=undo)
    outcome = run_with_progress(
        lambda on_progress: keep_document(
            asked, plan, documents, records_of(opened, by), on_progress=on_progress
        )
    )
    show_outcome(outcome, {"target": target}, as_json=as_json)
