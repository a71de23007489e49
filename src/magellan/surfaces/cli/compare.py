"""`magellan compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


def compare(
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...",
            help="Ids of kept runs (or how they begin), their folders, or 'last'. The first is the base. "
            "One: beside the run of that strategy before it. None: list the runs.",
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write the comparison as one HTML file, too."),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show two runs side by side.

    Metrics with their differences; how sure it is that one did better, by
    resampling the sessions of both together; what differs in config, data and
    code; and the trades that only one of them made. Without a run, lists the
    runs that `magellan backtest` has kept.
    """
    from magellan.surfaces.cli.output import emit, note
    from magellan.wiring.research import run_store
    from magellan.workspace.workspace import Workspace

    store = run_store(Workspace.at(workspace_folder(workspace)))
    if not runs:
        from magellan.surfaces.cli.backtest_tables import show_runs

        entries = store.runs()
        emit({"runs": entries}, as_json=as_json, human=lambda: show_runs(entries))
        if not entries:
            note("no run is kept yet: `magellan backtest` keeps one")
        return
    from magellan.surfaces.cli.backtest_tables import show_comparison
    from magellan.usecases.compare_runs import compare_kept_runs

    found = compare_kept_runs(runs, store)
    if html is not None:
        from magellan.backtest.report.comparison_report import comparison_report
        from magellan.wiring.research import write_file

        page = comparison_report(found.runs, found.comparison)
        write_file(html, page.encode(), kept="the runs")
        note(f"comparison: {html}")
    emit(found.comparison, as_json=as_json, human=lambda: show_comparison(found.comparison))
