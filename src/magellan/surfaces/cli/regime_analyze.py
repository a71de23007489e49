"""`magellan regime analyze`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from magellan.errors import FixInput
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption
from magellan.surfaces.cli.regime_options import (
    ChainOption,
    ConfigOption,
    FromOption,
    GeneratedOption,
    OthersOption,
    SeedOption,
    TimeframeOption,
    ToOption,
    chosen_bars,
    chosen_chain,
    chosen_config,
    chosen_others,
    note_jumps,
)

if TYPE_CHECKING:
    from magellan.usecases.analyse_regime import RegimeAnalysis


def regime_analyze(
    symbol: Annotated[str | None, typer.Argument(metavar="[SYMBOL]", help="Whose history.")] = None,
    timeframe: TimeframeOption = "1Day",
    from_on: FromOption = None,
    to_on: ToOption = None,
    generated: GeneratedOption = None,
    seed: SeedOption = 0,
    others: OthersOption = None,
    options: ChainOption = None,
    generated_options: Annotated[
        bool,
        typer.Option("--generated-options", help="With a generated option chain, to try its components."),
    ] = False,
    config: ConfigOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Label a history bar by bar, without looking ahead, and sum it up.

    Shows the newest bar, the states that the filter found, how the time
    divides among regimes, and what the stability dial costs for this fit.
    """
    from magellan.surfaces.cli.output import emit, note, progress_bars
    from magellan.usecases.analyse_regime import analyse_regime

    settings = chosen_config(config, workspace)
    data = chosen_bars(
        symbol,
        timeframe=timeframe,
        generated=generated,
        seed=seed,
        workspace=workspace,
        from_on=from_on,
        to_on=to_on,
    )
    note_jumps(data)
    beside = chosen_others(others, data, workspace=workspace)
    chain = chosen_chain(options, data)
    if generated_options:
        if chain is not None:
            raise FixInput(
                "--options and --generated-options name two chains", next_step="leave one of them out"
            )
        from magellan.regime.generated_chain import generated_chain

        chain = generated_chain(data.bars, seed=seed)
        note(
            "the option chain is generated from the bars: its components run, and what they say is no evidence"
        )
    with progress_bars() as bars:
        analysis = analyse_regime(data, settings, others=beside, chain=chain, progress=bars.report)
    emit(analysis, as_json=as_json, human=lambda: _show(analysis))


def _show(analysis: RegimeAnalysis) -> None:
    from magellan.surfaces.cli.output import print_table, say
    from magellan.surfaces.cli.regime_tables import show_dial, show_reading

    dates = f"{analysis.first_at:%Y-%m-%d} to {analysis.last_at:%Y-%m-%d}"
    sees = {True: ", the newest of returns and wicks", False: ", the newest of returns alone", None: ""}
    say(
        f"{analysis.bars:,} bars of {analysis.source}, {dates}; {analysis.fits} fits{sees[analysis.looks_at_wicks]}"
    )
    show_reading(analysis.now, reasons=False)
    if len(analysis.states) > 1:
        print_table(
            ("state", "volatility", "drift of a stay", "bars it lasts", "of the time"),
            [
                (
                    each.state + 1,
                    f"{each.relative_volatility:.2f} x usual",
                    f"{each.trend_t:+.1f} deviations",
                    None if each.expected_stay_bars is None else f"{each.expected_stay_bars:.0f}",
                    f"{each.usual_share:.0%}",
                )
                for each in analysis.states
            ],
            title="States of the newest fit",
            numbers=("bars it lasts", "of the time"),
        )
    print_table(
        ("regime", "bars", "of the time", "spells", "bars a spell"),
        [
            (each.name, f"{each.bars:,}", f"{each.share:.1%}", each.spells, f"{each.mean_bars:.0f}")
            for each in analysis.regimes
        ],
        numbers=("bars", "of the time", "spells", "bars a spell"),
    )
    say(
        "switches per 1,000 bars: "
        + ", ".join(f"{name} {each:.1f}" for name, each in analysis.switches.items())
    )
    say(
        "labels held while another class was likelier, of the time: "
        + ", ".join(f"{name} {each:.0%}" for name, each in analysis.held_against.items())
    )
    if analysis.dial:
        show_dial(analysis.dial, analysis.stability)
    elif analysis.now.no_regimes_here:
        say(
            "no regimes, so no price of stability: it is measured on bars that a fit with several states makes"
        )
