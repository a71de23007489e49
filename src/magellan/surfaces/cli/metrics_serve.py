"""`magellan metrics serve`."""

from __future__ import annotations

import signal
import threading
from typing import Annotated

import typer

from magellan.surfaces.cli.metrics_options import measured
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


def metrics_serve(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="On this machine alone.")] = 9464,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve the metrics at http://127.0.0.1:PORT/metrics, measured anew for each request. Ctrl-C ends it.

    It listens on this machine alone: let a Prometheus here read it, or bring
    the port to yours through SSH.
    """
    from magellan.surfaces.cli.output import emit, note
    from magellan.wiring.records import served_metrics
    from magellan.workspace.workspace import Workspace

    opened = Workspace.at(workspace_folder(workspace))
    ends = threading.Event()
    with served_metrics(lambda: measured(opened), port, failed=note) as bound:
        address = f"http://127.0.0.1:{bound}/metrics"
        emit({"address": address}, as_json=as_json, human=lambda: note(f"serving {address}"))
        if as_json:
            import sys

            sys.stdout.flush()
        signal.signal(signal.SIGTERM, lambda *_: ends.set())
        ends.wait()
