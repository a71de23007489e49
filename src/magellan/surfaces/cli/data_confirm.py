"""`magellan data confirm`."""

from __future__ import annotations

from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption


def data_confirm(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="Whose price moved.")],
    at: Annotated[
        str,
        typer.Option(
            metavar="INSTANT", help="Opening of the first bar after the jump, as `data check` shows it."
        ),
    ],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="What happened, in words.")],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who looked at it.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Confirm that a jump in prices is genuine: news, not a split and not a misprint.

    Until someone has, `data check` calls the set unfit, and no backtest
    holds a position through the jump.
    """
    from magellan.archive.actions import read_at
    from magellan.archive.dataset import valid_symbol
    from magellan.surfaces.cli.recorded_action import show_recorded
    from magellan.trading.corporate_action import ConfirmedMove

    try:
        move = ConfirmedMove(
            symbol=valid_symbol(symbol.upper()),
            at=read_at(at),
            reason=reason.strip(),
            confirmed_by=by.strip(),
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    show_recorded(move, workspace, as_json=as_json)
