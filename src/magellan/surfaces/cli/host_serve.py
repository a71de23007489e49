"""`magellan host serve`."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder

if TYPE_CHECKING:
    from magellan.workspace.workspace import Workspace


def host_serve(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="Which target of magellan.toml this host is.")
    ],
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Answer a controller's calls on standard input and output, until it closes them.

    `magellan deploy` starts this on a host over SSH; people have no use for
    it. It installs and removes releases, starts and stops instances, arms
    them, and looks at them: a closed set of calls, and nothing else. Answers are
    lines of JSON, with --json or without.
    """
    from magellan.workspace.workspace import Workspace

    asyncio.run(_serve(Workspace.at(workspace_folder(workspace)), target))


async def _serve(workspace: Workspace, target: str) -> None:
    from magellan.deploy.host_calls import LINE_BYTES_MAX
    from magellan.usecases.serve_host import serve_host
    from magellan.wiring import host_folder, served_host
    from magellan.workspace.settings_digest import settings_digest

    answers = _StandardOutput(os.dup(sys.stdout.fileno()))
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever prints must not tear the protocol
    questions = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(questions), sys.stdin
    )
    await serve_host(
        served_host(workspace, target, os.environ),
        questions,
        answers,
        settings=settings_digest(workspace.settings, target),
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
