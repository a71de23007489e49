"""`magellan broker login`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from magellan.surfaces.cli.broker_options import LoginArgument, account_with_login
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption


def broker_login(
    account: LoginArgument,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the address here; otherwise only show it.")
    ] = True,
    port: Annotated[
        int,
        typer.Option("--port", min=0, max=65535, metavar="N", help="That the browser comes back to; 0: any."),
    ] = 0,
    within_s: Annotated[
        float, typer.Option("--within", min=1, max=3600, metavar="S", help="Seconds to wait for consent.")
    ] = 300.0,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Log in to a broker in a browser, and keep the login for sessions.

    Only for accounts at Robinhood: nothing else of it opens its official server. The password is typed on its own page
    and never here. What is kept opens the account until it is taken back there: in a file that only its owner may
    read, or in the keyring, as keys.source of the account says.
    """
    from magellan.surfaces.cli.output import emit, note, say
    from magellan.wiring.robinhood import log_in, login_place

    found, terms = account_with_login(workspace, account)
    place = login_place(terms, found).name

    async def show(url: str) -> None:
        note(f"consent in a browser of this machine, within {within_s:g} s:\n{url}")
        if browser:
            import webbrowser

            await asyncio.to_thread(webbrowser.open, url)

    snapshot = asyncio.run(log_in(terms, found, port=port, within_s=within_s, show=show))
    document = {
        "account": account,
        "number": snapshot.account_id,
        "kept_in": place,
        "may_trade": not snapshot.trading_blocked,
        "places_orders": terms.takes_orders,
    }

    def tell() -> None:
        say(f"logged in: '{account}' is {snapshot.account_id}; the login is in {place}")
        if snapshot.trading_blocked:
            say("Robinhood lets programs read this account, and not trade it")
        elif not terms.takes_orders:
            say("it is only read: magellan.toml does not say places_orders = true")

    emit(document, as_json=as_json, human=tell)
