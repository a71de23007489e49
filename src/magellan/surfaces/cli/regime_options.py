"""What the commands about regimes share: which bars, and which config."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.errors import FixInput
from magellan.surfaces.cli.options import enclosing_workspace, workspace_folder

if TYPE_CHECKING:
    from magellan.regime.config import RegimeConfig
    from magellan.regime.option_chain import ChainColumns
    from magellan.trading.bar import Floats
    from magellan.usecases.regime_bars import RegimeBars

TimeframeOption = Annotated[
    str, typer.Option("--timeframe", help="Of the archived bars, such as 1Day or 5Min.")
]
GeneratedOption = Annotated[
    str | None,
    typer.Option(
        "--generated", metavar="SCENARIO", help="Generated bars instead: vol2, eq3, eq3drift, intra4 or null."
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of generated bars.")]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="TOML or JSON of the regime model; default: the workspace's regime.toml.",
    ),
]
OthersOption = Annotated[
    str | None,
    typer.Option(
        "--others",
        metavar="A,B",
        help="Symbols whose correlation with this one is a component of volatility.",
    ),
]
ChainOption = Annotated[
    Path | None,
    typer.Option(
        "--options",
        metavar="FILE",
        help="Option quotes, CSV or Parquet: components of options work on them.",
    ),
]
FromOption = Annotated[str | None, typer.Option("--from", metavar="DATE", help="First date, included.")]
ToOption = Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last date, included.")]


def chosen_config(config: Path | None, workspace: Path | None) -> RegimeConfig:
    """The model's config, from plain values or a workbook; a workspace is not needed for it."""
    from magellan.usecases.regime_settings import REGIME_FILE, regime_config
    from magellan.usecases.regime_workbooks import is_workbook, workbook_config
    from magellan.wiring.market import workbook_files

    folder = workspace if workspace is not None else enclosing_workspace(Path.cwd())
    path = config if config is not None or folder is None else folder / REGIME_FILE
    if path is not None and is_workbook(path):
        return workbook_config(path, workbook_files())
    return regime_config(config, folder)


def chosen_bars(
    symbol: str | None,
    *,
    timeframe: str,
    generated: str | None,
    seed: int,
    workspace: Path | None,
    from_on: str | None,
    to_on: str | None,
) -> RegimeBars:
    """The bars that a command line means. Raises FixInput where it names none, or two."""
    from magellan.trading.timeframe import Timeframe
    from magellan.usecases.regime_bars import of_bars

    if generated is not None:
        from magellan.regime.quality.scenario import scenario

        if symbol is not None:
            raise FixInput(
                "a symbol and --generated name two sets of bars", next_step="leave one of them out"
            )
        if from_on is not None or to_on is not None:
            raise FixInput(
                "--from and --to are of archived bars, and generated ones are looked at whole",
                next_step="leave them out, or name a symbol",
            )
        made = scenario(generated, seed)
        return of_bars(made.bars, f"scenario {generated}, seed {seed}", generated=True)
    if symbol is None:
        raise FixInput(
            "there is no symbol to look at",
            next_step="name one that `magellan data list` shows, or --generated eq3",
        )
    if seed:
        raise FixInput(
            "--seed is of generated bars, and a symbol has archived ones", next_step="leave one of them out"
        )
    from magellan.wiring.market import regime_bars
    from magellan.workspace.workspace import Workspace

    return regime_bars(
        Workspace.at(workspace_folder(workspace)),
        symbol,
        Timeframe.parse(timeframe),
        from_on=_date(from_on, "--from"),
        to_on=_date(to_on, "--to"),
    )


def note_jumps(data: RegimeBars) -> None:
    """Say on standard error where prices jump and nobody has said why: a split that was not told is no volatility."""
    if not data.jumps:
        return
    from magellan.surfaces.cli.output import note

    first, more = data.jumps[0], len(data.jumps) - 1
    others = f", and {more} more such jumps" if more else ""
    note(
        f"{data.bars.symbol}, {first.at:%Y-%m-%d}: {first.explanation}{others}; until it is said, volatility and "
        f"what a gate earned may be no market's: `magellan data check {data.bars.symbol}`"
    )


def archived_symbols(timeframe: str, workspace: Path | None) -> tuple[str, ...]:
    """The symbols that the workspace's archive has in a timeframe, by name. Raises FixInput where there is none."""
    from magellan.trading.timeframe import Timeframe
    from magellan.wiring.market import bar_archive
    from magellan.workspace.workspace import Workspace

    wanted = Timeframe.parse(timeframe)
    sets = bar_archive(Workspace.at(workspace_folder(workspace))).sets()
    symbols = tuple(sorted({each.id.symbol for each in sets if each.id.timeframe == wanted}))
    if not symbols:
        raise FixInput(f"the archive has no {wanted} bars", next_step="see `magellan data list`")
    return symbols


def chosen_others(named: str | None, data: RegimeBars, *, workspace: Path | None) -> Floats | None:
    """Returns of the other symbols that a command line names, over the same bars; None where it names none."""
    if named is None:
        return None
    from magellan.usecases.regime_bars import returns_beside

    symbols = [symbol.strip() for symbol in named.split(",") if symbol.strip()]
    beside = [
        chosen_bars(
            symbol, timeframe=str(data.bars.timeframe), generated=None, seed=0, workspace=workspace, from_on=None,
            to_on=None,
        )
        for symbol in symbols
    ]  # fmt: skip
    return returns_beside(data.bars, [each.bars for each in beside])


def chosen_chain(quotes: Path | None, data: RegimeBars) -> ChainColumns | None:
    """The option chain of a user's file over these bars; None where a command line names none."""
    if quotes is None:
        return None
    from magellan.regime.chain_quotes import chain_over
    from magellan.usecases.read_option_chain import read_option_chain
    from magellan.wiring.market import read_foreign_bars

    return chain_over(data.bars, read_option_chain(quotes, read_foreign_bars))


def _date(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{option} is a date such as 2025-06-30, not '{text}'") from None
