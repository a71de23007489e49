"""`magellan backtest`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from magellan.surfaces.cli.options import WorkspaceOption, workspace_folder
from magellan.surfaces.cli.run_options import (
    FromOption,
    SetOption,
    StrategyArgument,
    SymbolsOption,
    ToOption,
    settings_of,
)


class Fill(StrEnum):
    """Where market orders fill."""

    NEXT_OPEN = "next-open"
    CLOSE = "close"


class Session(StrEnum):
    """Which hours take part."""

    REGULAR = "regular"
    ALL = "all"


class Adjust(StrEnum):
    """Which prices a strategy sees."""

    RAW = "raw"
    SPLIT = "split"


def backtest(
    strategy: StrategyArgument,
    symbols: SymbolsOption = None,
    from_: FromOption = None,
    to: ToOption = None,
    set_: SetOption = None,
    cash: Annotated[float | None, typer.Option("--cash", metavar="USD", help="Money at the start.")] = None,
    fill: Annotated[Fill | None, typer.Option("--fill", help="Where market orders fill.")] = None,
    session: Annotated[Session | None, typer.Option("--session", help="Which hours take part.")] = None,
    adjust: Annotated[
        Adjust | None, typer.Option("--adjust", help="Prices as traded, or adjusted for splits.")
    ] = None,
    report: Annotated[
        bool,
        typer.Option("--report/--no-report", help="Write the HTML report and keep the run for `compare`."),
    ] = True,
    by_regime: Annotated[
        bool, typer.Option("--by-regime", help="Divide the result by the market regime it was traded in.")
    ] = False,
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the result as JSON; - for standard output."),
    ] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Replay a strategy over archived bars, and show what came of it.

    The bars, costs and limits are those of the strategy's config.json unless an option changes them. The report is
    one HTML file that opens without a network; the run is kept under .magellan/runs for `magellan compare`.
    """
    from magellan.surfaces.cli.backtest_run import run_and_show
    from magellan.workspace.workspace import Workspace

    named = {"account.cash_usd": cash, "execution.fill": fill, "data.hours": session, "data.adjust": adjust}
    run_and_show(
        Workspace.at(workspace_folder(workspace)),
        strategy,
        symbols=symbols,
        from_on=from_,
        to_on=to,
        settings={**{key: value for key, value in named.items() if value is not None}, **settings_of(set_)},
        keep=report,
        by_regime=by_regime,
        json_file=json_file,
    )
