"""`magellan host call`."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder

if TYPE_CHECKING:
    from magellan.deploy.single_call import SingleCall
    from magellan.workspace.workspace import Workspace


def host_call(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="Which target of magellan.toml this host is.")
    ],
    verb: Annotated[str, typer.Argument(metavar="VERB", help="What is asked, in a word.")],
    id: Annotated[str, typer.Option(help="The call, the same however often it is delivered.")],
    before: Annotated[str, typer.Option(help="Seconds of 1970; a call that comes later does nothing.")],
    question: Annotated[str, typer.Option(help="What is asked, in base64.")],
    content: Annotated[str, typer.Option(help="SHA-256 of what lies in S3 for it, or none.")],
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Answer one call of a controller, delivered by AWS Systems Manager.

    `magellan deploy` sends it; people have no use for it. A call that
    comes twice is carried out once, and one that comes late not at all.
    The answer is text for the controller, with --json or without.
    """
    from magellan.deploy.single_call import SingleCall
    from magellan.errors import AskOperator
    from magellan.workspace.workspace import Workspace

    opened = Workspace.at(workspace_folder(workspace))
    call = SingleCall.read({"id": id, "before": before, "question": question, "content": content})
    if call.question.verb != verb:
        raise AskOperator(f"the call says {verb}, and asks {call.question.verb}", kept="the host as it is")
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever prints must not tear the answer
    with open(answers, "w", encoding="utf-8") as output:
        output.write(asyncio.run(_answer(opened, target, call)))


async def _answer(workspace: Workspace, target: str, call: SingleCall) -> str:
    from magellan.usecases.answer_call import answer_call
    from magellan.wiring.hosts import call_records, host_folder, served_host, transfer
    from magellan.workspace.settings_digest import settings_digest

    return await answer_call(
        served_host(workspace, target, os.environ),
        call,
        settings=settings_digest(workspace.settings, target),
        records=call_records(workspace),
        content=lambda sha256: transfer(workspace, target).content(sha256),
        alone=host_folder(workspace).alone,
        now=lambda: datetime.now(UTC),
    )
