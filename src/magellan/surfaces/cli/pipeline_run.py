"""`magellan pipeline run`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.deploy_options import (
    ByOption,
    TypedNumberOption,
    WatchOption,
    WhyOption,
    YesOption,
)
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption
from magellan.surfaces.cli.run_options import StrategyArgument

if TYPE_CHECKING:
    from magellan.deploy.pipeline import PipelineReport


def pipeline_run(
    strategy: StrategyArgument,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="STAGE", help="test or prod; default: validate and test only."),
    ] = None,
    yes: YesOption = False,
    by: ByOption = None,
    why: WhyOption = "",
    watch_s: WatchOption = None,
    typed_number: TypedNumberOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", help="Folder of the summary; default: below .magellan/pipelines."
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Validate a strategy, test it on archived bars, deploy it, and look at what runs then.

    The first stage that fails ends it, and nothing can be tolerated. Without
    --to nothing is deployed; without --yes the roll-out is looked at, and
    nothing is changed. A summary is kept, as Markdown, HTML and JSON. Ends
    with 0 when all that was asked for came to its end, and 1 otherwise.
    """
    import getpass
    import json
    import os
    from datetime import UTC, datetime

    from magellan.deploy.pipeline_page import as_html, as_markdown
    from magellan.surfaces.cli.deploy_options import deploy_sources, read_stage
    from magellan.surfaces.cli.options import workspace_folder
    from magellan.surfaces.cli.output import emit, jsonable, note, progress_bars
    from magellan.usecases.pipeline import PipelineAsked, PipelineSources, run_pipeline
    from magellan.wiring.releases import release_sources
    from magellan.wiring.research import gate_sources, run_store, write_file
    from magellan.workspace.workspace import Workspace

    stage = None if to is None else read_stage(to)
    opened = Workspace.at(workspace_folder(workspace))
    person = (by or getpass.getuser()).strip()

    def clock() -> datetime:
        return datetime.now(UTC)

    asked = PipelineAsked(
        folder=opened.strategy(strategy),
        to=stage,
        really=yes,
        by=person,
        why=why,
        typed_number=typed_number,
        watch_s=watch_s,
    )
    with progress_bars() as bars:
        sources = PipelineSources(
            gates=gate_sources(opened, os.environ, clock),
            runs=run_store(opened),
            releases=release_sources(opened, os.environ, clock),
            deploy=deploy_sources(opened, person),
            clock=clock,
            progress=bars.report,
        )
        report = asyncio.run(run_pipeline(asked, sources))
    name = f"{report.began_at:%Y%m%dT%H%M%SZ}-{'passed' if report.passed else 'failed'}"
    folder = out or opened.state_folder / "pipelines" / asked.folder.name / name
    document = {"passed": report.passed, "verdict": report.verdict, **jsonable(report)}
    for file, text in (
        ("summary.md", as_markdown(report)),
        ("summary.html", as_html(report)),
        ("summary.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n"),
    ):
        write_file(folder / file, text.encode(), kept="all that was done, and the summaries before")
    emit(document, as_json=as_json, human=lambda: show(report))
    note(f"summary: {folder / 'summary.html'}")
    if not report.passed:
        raise typer.Exit(1)


def show(report: PipelineReport) -> None:
    """The stages as a table, what is not well, and one line."""
    from rich.text import Text

    from magellan.surfaces.cli.output import print_table, say

    colours = {"passed": "green", "looked at": "green", "failed": "bold red"}
    print_table(
        ("stage", "came", "took", "note"),
        [
            (
                each.stage,
                Text(str(each.came), style=colours.get(str(each.came), "")),
                f"{each.took_s:.1f} s",
                each.note or None,
            )
            for each in report.outcomes
        ],
        title=f"{report.strategy} {report.version}".rstrip(),
    )
    for outcome in report.outcomes:
        for each in outcome.findings:
            if not each.is_well:
                say(f"{outcome.stage}: {each.what}: {each.found}")
    say(f"{report.strategy}: {report.verdict}")
