"""`magellan broker logout`."""

from __future__ import annotations

from magellan.surfaces.cli.broker_options import LoginArgument, account_with_login
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption


def broker_logout(
    account: LoginArgument, workspace: WorkspaceOption = None, as_json: JsonOption = False
) -> None:
    """Forget a broker's login on this machine.

    A copy that somebody has still opens the account: take the login back at the broker too.
    """
    from magellan.surfaces.cli.output import emit, note, say
    from magellan.wiring.robinhood import login_place

    found, terms = account_with_login(workspace, account)
    place = login_place(terms, found)
    was_there = place.read() is not None
    if was_there:
        place.write(None)
    emit(
        {"account": account, "forgotten": was_there},
        as_json=as_json,
        human=lambda: say(f"forgotten: {place.name}" if was_there else f"{place.name} holds no login"),
    )
    note("take it back at Robinhood too: a copy of it would still open the account")
