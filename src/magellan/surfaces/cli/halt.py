"""`magellan halt`."""

from __future__ import annotations

import asyncio

import typer

from magellan.surfaces.cli.operate_options import (
    AccountOption,
    ByOption,
    ReasonOption,
    opened_desk,
    show,
    who_acted,
)
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption


def halt(
    by: ByOption,
    reason: ReasonOption,
    account: AccountOption = None,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Enter nothing from now on. Positions are held, with their protection, and left by the strategy's rules.

    A session that runs is asked, and has a few seconds to act; otherwise the halt is recorded, and the next session
    begins halted. `magellan resume` ends it. Ends with 1 when a session runs and does not answer.
    """
    from magellan.adapters.local.control_folder import new_request
    from magellan.surfaces.cli.output import say
    from magellan.usecases.operate_session import Acted, must_name
    from magellan.usecases.operate_session import halt as halted

    must_name(by, reason, "a halt")
    request = new_request("halt", person=by, reason=reason, source="command")
    with opened_desk(workspace, account) as desk:
        operated = asyncio.run(halted(desk.account, request, desk.around))
    show(operated, as_json=as_json, human=lambda: say(who_acted(operated, done="halted")))
    if operated.acted is Acted.NOBODY:
        raise typer.Exit(1)
