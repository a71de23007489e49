"""The options that choose what is run: a strategy, its dates, and what differs from its config."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from magellan.usecases.load_strategy import LoadedStrategy
    from magellan.workspace.workspace import Workspace


def read_date(text: str) -> date:
    """The date that an option's value is. Raises BadParameter."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"'{text}' is no date; write it like 2024-06-28") from None


StrategyArgument = Annotated[
    str, typer.Argument(help="Name of a strategy (bear_trap, prod/bear_trap) or its folder.")
]
FromOption = Annotated[
    date | None,
    typer.Option(
        "--from", parser=read_date, metavar="DATE", help="First exchange date; default: all there is."
    ),
]
ToOption = Annotated[
    date | None,
    typer.Option("--to", parser=read_date, metavar="DATE", help="Last exchange date, included."),
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

TradedAccountOption = Annotated[
    str | None,
    typer.Option("--account", metavar="NAME", help="In magellan.toml; otherwise the stage's own."),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Follow the market, decide and record; send nothing.")
]
LiveOption = Annotated[
    str | None,
    typer.Option("--live", metavar="NUMBER", help="The number of the live account, typed by you."),
]
ArmedByOption = Annotated[
    str | None,
    typer.Option("--armed-by", metavar="PERSON", help="Who arms live trading without an approved release."),
]
WatchdogOption = Annotated[
    bool,
    typer.Option(
        "--watchdog/--no-watchdog",
        help="Start a process that raises the alarm when this one goes silent; without it, run `magellan watch`.",
    ),
]


def chosen_strategy(
    workspace: Workspace, named: str, symbols: str | None, settings: Mapping[str, Any]
) -> LoadedStrategy:
    """The strategy of that name or folder, with what a command line changes of its config.

    symbols: as SymbolsOption gives them.
    Raises:  BadParameter; FixInput for a strategy or a config that cannot be used.
    """
    from magellan.usecases.backtest import Changes, changed
    from magellan.usecases.load_strategy import load_strategy

    changes = Changes(symbols=symbols_of(symbols), settings=dict(settings))
    return changed(load_strategy(workspace.strategy(named)), changes)


def settings_of(assignments: list[str] | None) -> dict[str, Any]:
    """What `--set` changes of a config, by key path. Raises FixInput."""
    from magellan.usecases.backtest import parse_settings

    return parse_settings(assignments or [])


def symbols_of(text: str | None) -> tuple[str, ...]:
    """The symbols in a comma-separated list; none where the option is not given.

    Raises: BadParameter for a list without a symbol: it must not be taken for all of them.
    """
    symbols = tuple(symbol.strip().upper() for symbol in (text or "").split(",") if symbol.strip())
    if text is not None and not symbols:
        raise typer.BadParameter(f"'{text}' names no symbol; write it like AMC,GME", param_hint="--symbols")
    return symbols
