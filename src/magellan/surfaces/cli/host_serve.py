"""`magellan host serve`."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder

if TYPE_CHECKING:
    from magellan.deploy.host import Host
    from magellan.workspace.workspace import Workspace


def host_serve(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="How the controller calls this host.")],
    keeper: Annotated[
        str, typer.Option("--keeper", metavar="NAME", help="What keeps processes: systemd or supervisord.")
    ] = "systemd",
    python: Annotated[
        str | None,
        typer.Option(
            "--python", metavar="FILE", help="Makes an environment per list; default: all run in this one."
        ),
    ] = None,
    wheelhouse: Annotated[
        Path | None, typer.Option("--wheelhouse", metavar="FOLDER", help="Wheels, where there is no index.")
    ] = None,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Answer a controller's calls on standard input and output, until it closes them.

    `magellan deploy` starts this on a host over SSH; people have no use for
    it. It installs and removes releases, starts and stops instances, arms
    them, and looks at them: a closed set of calls, and nothing else. Answers are
    lines of JSON, with --json or without.
    """
    from magellan.wiring.hosts import kept_host
    from magellan.workspace.workspace import Workspace

    if keeper not in ("systemd", "supervisord"):
        raise typer.BadParameter(f"'{keeper}' keeps no processes; there are systemd and supervisord")
    opened = Workspace.at(workspace_folder(workspace))
    host = kept_host(
        opened, target, os.environ, with_systemd=keeper == "systemd", python=python, wheelhouse=wheelhouse
    )
    asyncio.run(_serve(opened, host))


async def _serve(workspace: Workspace, host: Host) -> None:
    from magellan.deploy.host_calls import LINE_BYTES_MAX
    from magellan.usecases.serve_host import serve_host
    from magellan.wiring.hosts import host_folder
    from magellan.workspace.host_settings import host_settings_digest
    from magellan.workspace.workspace import FILE

    answers = _StandardOutput(os.dup(sys.stdout.fileno()))
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever prints must not tear the protocol
    questions = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(questions), sys.stdin
    )
    await serve_host(
        host,
        questions,
        answers,
        settings=host_settings_digest((workspace.root / FILE).read_text(encoding="utf-8")),
        alone=host_folder(workspace).alone,
    )


@dataclass(frozen=True, slots=True)
class _StandardOutput:
    """What standard output was when we began."""

    descriptor: int

    def write(self, line: bytes) -> None:
        left = memoryview(line)
        while left:
            left = left[os.write(self.descriptor, left) :]
