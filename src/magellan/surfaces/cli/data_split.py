"""`magellan data split`."""

from __future__ import annotations

from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption


def data_split(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="Whose shares were split.")],
    on: Annotated[
        str,
        typer.Option(
            metavar="DATE",
            help="First exchange date on the new basis; or the instant (2024-06-10T13:30Z) of the first bar.",
        ),
    ],
    ratio: Annotated[
        str,
        typer.Option(metavar="NEW:OLD", help="10:1 makes ten shares of one; 1:20 is a reverse split."),
    ],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record a split in the table of corporate actions.

    Then looks what the archived prices do at that place, and says so.
    """
    from magellan.archive.actions import read_at
    from magellan.archive.dataset import valid_symbol
    from magellan.surfaces.cli.recorded_action import show_recorded
    from magellan.trading.corporate_action import Split

    new, colon, old = ratio.partition(":")
    if not (colon and new.isdecimal() and old.isdecimal()):
        raise typer.BadParameter(f"'{ratio}' is not NEW:OLD, for example 10:1", param_hint="--ratio")
    try:
        split = Split(
            symbol=valid_symbol(symbol.upper()),
            effective_at=read_at(on),
            new_shares=int(new),
            old_shares=int(old),
        )
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--ratio") from error
    show_recorded(split, workspace, as_json=as_json)
