"""`magellan backtest`."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from magellan.surfaces.cli.options import WorkspaceOption, workspace_folder

FromOption = Annotated[
    datetime | None,
    typer.Option(
        "--from", formats=["%Y-%m-%d"], metavar="DATE", help="First exchange date; default: all there is."
    ),
]
ToOption = Annotated[
    datetime | None,
    typer.Option("--to", formats=["%Y-%m-%d"], metavar="DATE", help="Last exchange date, included."),
]
SymbolsOption = Annotated[
    str | None,
    typer.Option("--symbols", metavar="A,B", help="Only these symbols; default: those of the config."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one parameter (rsi_period=14) or config key (limits.trades_per_day_max=5). Repeatable.",
    ),
]


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


def settings_of(
    assignments: list[str] | None,
    *,
    cash: float | None = None,
    fill: Fill | None = None,
    session: Session | None = None,
    adjust: Adjust | None = None,
) -> dict[str, Any]:
    """All that a command line changes of a config, by key path."""
    from magellan.usecases.backtest import parse_settings

    settings = parse_settings(assignments or [])
    named: dict[str, Any] = {"account.cash_usd": cash} if cash is not None else {}
    for key, chosen in (("execution.fill", fill), ("data.hours", session), ("data.adjust", adjust)):
        if chosen is not None:
            named[key] = chosen.value
    return {**named, **settings}


def symbols_of(text: str | None) -> tuple[str, ...]:
    """The symbols in a comma-separated list; none where the option is not given.

    Raises: BadParameter for a list without a symbol: it must not be taken for all of them.
    """
    symbols = tuple(symbol.strip().upper() for symbol in (text or "").split(",") if symbol.strip())
    if text is not None and not symbols:
        raise typer.BadParameter(f"'{text}' names no symbol; write it like AMC,GME", param_hint="--symbols")
    return symbols


def backtest(
    strategy: Annotated[
        str, typer.Argument(help="Name of a strategy (bear_trap, prod/bear_trap) or its folder.")
    ],
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

    run_and_show(
        workspace_folder(workspace),
        strategy,
        symbols=symbols_of(symbols),
        from_on=from_.date() if from_ else None,
        to_on=to.date() if to else None,
        settings=settings_of(set_, cash=cash, fill=fill, session=session, adjust=adjust),
        keep=report,
        json_file=json_file,
    )
