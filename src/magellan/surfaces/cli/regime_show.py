"""`magellan regime show`."""

from __future__ import annotations

from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption
from magellan.surfaces.cli.regime_options import (
    ChainOption,
    ConfigOption,
    GeneratedOption,
    OthersOption,
    SeedOption,
    TimeframeOption,
    chosen_bars,
    chosen_chain,
    chosen_config,
    chosen_others,
    note_jumps,
)


def regime_show(
    symbol: Annotated[str | None, typer.Argument(metavar="[SYMBOL]", help="Whose newest bar.")] = None,
    timeframe: TimeframeOption = "1Day",
    generated: GeneratedOption = None,
    seed: SeedOption = 0,
    others: OthersOption = None,
    options: ChainOption = None,
    config: ConfigOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show in which regime a market is, how sure that is, and why.

    Each axis has a probability for every class, and the reasons are listed:
    what each component measured, and which ones had nothing to work on.
    """
    from magellan.surfaces.cli.output import emit
    from magellan.surfaces.cli.regime_tables import show_reading
    from magellan.usecases.analyse_regime import run_model

    settings = chosen_config(config, workspace)
    data = chosen_bars(
        symbol,
        timeframe=timeframe,
        generated=generated,
        seed=seed,
        workspace=workspace,
        from_on=None,
        to_on=None,
    )
    note_jumps(data)
    beside = chosen_others(others, data, workspace=workspace)
    reading = run_model(data, settings, others=beside, chain=chosen_chain(options, data)).reading()
    emit(reading, as_json=as_json, human=lambda: show_reading(reading, reasons=True))
