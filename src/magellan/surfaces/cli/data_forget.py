"""`magellan data forget`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


class Kind(StrEnum):
    """As the table calls them."""

    SPLIT = "split"
    DIVIDEND = "dividend"
    CONFIRMED_MOVE = "confirmed-move"


def data_forget(
    kind: Annotated[Kind, typer.Argument(help="What to take out.")],
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="Whose.")],
    at: Annotated[
        str,
        typer.Option("--on", "--at", metavar="DATE", help="Its date or instant, as `data actions` shows it."),
    ],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take one row out of the table of corporate actions."""
    from magellan.archive.actions import read_at, written_at
    from magellan.surfaces.cli.output import emit, say
    from magellan.usecases.corporate_actions import forget_action
    from magellan.wiring.market import corporate_action_store
    from magellan.workspace.workspace import Workspace

    opened = Workspace.at(workspace_folder(workspace))
    instant = read_at(at)
    forget_action(corporate_action_store(opened), kind.value, symbol.upper(), instant)
    emit(
        {"forgotten": {"kind": kind.value, "symbol": symbol.upper(), "at": instant}},
        as_json=as_json,
        human=lambda: say(f"forgotten: {symbol.upper()} {kind.value} {written_at(instant)}"),
    )
