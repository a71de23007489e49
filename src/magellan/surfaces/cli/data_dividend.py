"""`magellan data dividend`."""

from __future__ import annotations

from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption


def data_dividend(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="Who paid.")],
    on: Annotated[str, typer.Option(metavar="DATE", help="The ex-date: the first one without the dividend.")],
    amount: Annotated[str, typer.Option(metavar="USD", help="Cash per share, as shares counted that day.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record a cash dividend in the table of corporate actions."""
    from magellan.archive.actions import amount as read_amount
    from magellan.archive.actions import read_at
    from magellan.archive.dataset import valid_symbol
    from magellan.surfaces.cli.recorded_action import show_recorded
    from magellan.trading.corporate_action import CashDividend

    try:
        dividend = CashDividend(
            symbol=valid_symbol(symbol.upper()), ex_at=read_at(on), amount_usd=read_amount(amount)
        )
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--amount") from error
    show_recorded(dividend, workspace, as_json=as_json)
