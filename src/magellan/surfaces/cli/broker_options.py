"""Which account the commands about a broker's login mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.errors import FixInput
from magellan.surfaces.cli.options import workspace_folder

if TYPE_CHECKING:
    from magellan.workspace.broker_account import BrokerAccount
    from magellan.workspace.workspace import Workspace

LoginArgument = Annotated[str, typer.Argument(metavar="ACCOUNT", help="Its name in magellan.toml.")]


def account_with_login(workspace: Path | None, name: str) -> tuple[Workspace, BrokerAccount]:
    """An account that is opened with a login. Raises FixInput for one that is not there, or has keys instead."""
    from magellan.workspace.workspace import Workspace

    found = Workspace.at(workspace_folder(workspace))
    account = found.settings.accounts.get(name)
    if account is None:
        there = ", ".join(found.settings.accounts) or "none"
        raise FixInput(
            f"magellan.toml has no account '{name}'; there are: {there}",
            next_step=f"write a section [accounts.{name}]; docs/guides/robinhood.md shows one",
        )
    if account.has_keys:
        raise FixInput(
            f"'{name}' is an account at {account.broker}, which is opened with keys",
            next_step="`magellan secrets list` shows where they are looked for",
        )
    return found, account
