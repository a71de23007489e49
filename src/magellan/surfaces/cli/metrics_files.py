"""`magellan metrics files`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


def metrics_files(
    to: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the files are written.")],
    address: Annotated[
        str, typer.Option("--address", metavar="HOST:PORT", help="Where Prometheus reads the metrics.")
    ] = "127.0.0.1:9464",
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write alert rules and scrape terms for Prometheus, and a dashboard for Grafana, with magellan.toml's limits."""
    from magellan.surfaces.cli.output import emit, say
    from magellan.usecases.metric_rules import dashboard_file, rules, rules_file, scrape_file
    from magellan.wiring.research import write_file
    from magellan.workspace.workspace import Workspace

    terms = Workspace.at(workspace_folder(workspace)).settings.notifications
    files = {
        "magellan-rules.yml": rules_file(rules(terms)),
        "magellan-scrape.yml": scrape_file(address),
        "magellan-dashboard.json": dashboard_file(),
    }
    for name, text in files.items():
        write_file(to / name, text.encode(), kept="what was there")
    emit(
        {"files": [to / name for name in files]},
        as_json=as_json,
        human=lambda: say("\n".join(str(to / name) for name in files)),
    )
