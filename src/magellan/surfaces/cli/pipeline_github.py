"""`magellan pipeline github`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption


def pipeline_github(
    install: Annotated[
        str | None,
        typer.Option(
            "--install",
            metavar="COMMAND",
            help="What installs Magellan on a machine of GitHub's; default: this version, from the package index.",
        ),
    ] = None,
    data: Annotated[
        str,
        typer.Option(
            "--data",
            metavar="COMMAND",
            help="What brings the archived bars there; default: they are in the repository.",
        ),
    ] = "",
    branch: Annotated[str, typer.Option("--branch", help="Whose pushes begin it.")] = "main",
    runner: Annotated[
        str,
        typer.Option(
            "--runner", metavar="LABEL", help="Of your own machine, which deploys; default: any of yours."
        ),
    ] = "",
    python: Annotated[str, typer.Option("--python", help="Version on the machines of GitHub's.")] = "3.11",
    pin: Annotated[
        list[str] | None,
        typer.Option(
            "--pin", metavar="ACTION=COMMIT", help="Another full commit of an action; may be given again."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where to; default: .github/workflows in the workspace."),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the workflow by which GitHub Actions runs the pipeline for every strategy in prod.

    A push to prod tests every strategy, and deploys it to staging; by hand
    one strategy can be chosen, and where it goes. Testing has no secret and
    no right but to read. Deploying is done by your own machine, which has
    the ledger, the releases and the keys, once the environment's reviewers
    agree. Actions are pinned to full commits.
    """
    from magellan import __version__
    from magellan.deploy.github_workflow import PATH, PINS, WorkflowTerms, workflow
    from magellan.surfaces.cli.options import workspace_folder
    from magellan.surfaces.cli.output import emit, note, say
    from magellan.wiring.research import write_file
    from magellan.workspace.workspace import Stage, Workspace

    pins = dict(PINS)
    for each in pin or []:
        name, equals, commit = each.partition("=")
        if not equals:
            raise typer.BadParameter(f"'{each}' is no ACTION=COMMIT", param_hint="--pin")
        pins[name] = commit
    opened = Workspace.at(workspace_folder(workspace))
    strategies = [each.name for each in opened.strategies() if each.stage is Stage.PROD]
    text = workflow(
        WorkflowTerms(
            strategies=strategies,
            install=install or f'python -m pip install "magellan-trading[alpaca,gates]=={__version__}"',
            data=data,
            branch=branch,
            runner=runner,
            python=python,
            pins=pins,
        )
    )
    path = out or opened.root / PATH
    write_file(path, text.encode(), kept="the workflow, as it was")
    emit(
        {"file": path, "strategies": strategies, "pins": pins}, as_json=as_json, human=lambda: say(str(path))
    )
    note(
        "next: make your machine a runner, write MAGELLAN_WORKSPACE into its .env file, and name reviewers of prod"
    )
