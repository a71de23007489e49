"""`magellan resume`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from magellan.usecases.operate_session import Operated


def resume(
    by: ByOption,
    reason: ReasonOption,
    account: AccountOption = None,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Let entries in again, reset every breaker that tripped, and accept what the last comparison refused.

    It names a person and a reason, and both are recorded. While everything is being left (after `magellan flatten`),
    the first resume only stops that: what remains is held, and a second one lets entries in.
    """
    from magellan.adapters.local.control_folder import new_request
    from magellan.usecases.operate_session import Acted
    from magellan.usecases.operate_session import resume as resumed

    request = new_request("resume", person=by, reason=reason, source="command")
    with opened_desk(workspace, account) as desk:
        operated = asyncio.run(resumed(desk.account, request, desk.around))
    show(operated, as_json=as_json, human=lambda: _say(operated))
    if operated.acted is Acted.NOBODY:
        raise typer.Exit(1)


def _say(operated: Operated) -> None:
    from magellan.surfaces.cli.output import say
    from magellan.usecases.operate_session import Acted

    done = "no longer flattening, and still halted" if operated.still_halted else "resumed"
    say(who_acted(operated, done=done))
    if operated.acted is Acted.NOBODY:
        return
    if operated.still_halted:
        say("a second resume lets entries in again")
    elif operated.reset:
        say(f"reset: {', '.join(operated.reset)}")
    else:
        say("no breaker was tripped")
