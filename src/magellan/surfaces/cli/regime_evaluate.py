"""`magellan regime evaluate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from magellan.errors import FixInput
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption
from magellan.surfaces.cli.regime_options import (
    ConfigOption,
    FromOption,
    TimeframeOption,
    ToOption,
    archived_symbols,
    chosen_bars,
    chosen_config,
    note_jumps,
)

if TYPE_CHECKING:
    from magellan.regime.quality.scenario_report import ScenarioReport
    from magellan.usecases.evaluate_regime import SymbolEvaluation

Given = tuple[tuple[str, bool], ...]  # options, and whether they were given


def regime_evaluate(
    symbol: Annotated[
        str | None, typer.Argument(metavar="[SYMBOL]", help="Archived bars; without it, generated scenarios.")
    ] = None,
    timeframe: TimeframeOption = "1Day",
    from_on: FromOption = None,
    to_on: ToOption = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many of each scenario.")] = 10,
    first_seed: Annotated[int, typer.Option("--first-seed", min=0, help="The first of them.")] = 0,
    choose_states: Annotated[
        bool, typer.Option("--choose-states", help="Let the evidence choose the number of states.")
    ] = False,
    frozen: Annotated[
        bool, typer.Option("--frozen", help="Fit scenarios once, on their first half, and not again.")
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Every symbol that the archive has in that timeframe.")
    ] = False,
    prefixes: Annotated[int, typer.Option("--prefixes", min=1, help="Of a symbol's bars to compare.")] = 3,
    config: ConfigOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the labels.

    Without a symbol: scenarios whose truth is known, beside the oracle that
    knows their parameters, and data without regimes. With one: that no label
    changes when later bars come, and what a gate would have done to money,
    beside 500 gates of the same exposure at other times. Ends with 1 when a
    label changed.
    """
    from magellan.surfaces.cli.output import emit, progress_bars
    from magellan.usecases.evaluate_regime import evaluate_scenarios, evaluate_symbol

    _refuse_what_is_passed_over(
        scenarios=symbol is None and not every,
        of_scenarios=(
            ("--seeds", seeds != 10),
            ("--first-seed", first_seed != 0),
            ("--choose-states", choose_states),
            ("--frozen", frozen),
        ),
        of_archive=(
            ("--from", from_on is not None),
            ("--to", to_on is not None),
            ("--prefixes", prefixes != 3),
        ),
    )
    settings = chosen_config(config, workspace)
    if every:
        if symbol is not None:
            raise typer.BadParameter("a symbol and --all name two sets of markets")
        symbols = archived_symbols(timeframe, workspace)
        found_all = []
        with progress_bars() as bars:
            for done, name in enumerate(symbols):
                bars.report("evaluate symbols", done, len(symbols))
                data = chosen_bars(
                    name, timeframe=timeframe, generated=None, seed=0, workspace=workspace, from_on=from_on,
                    to_on=to_on,
                )  # fmt: skip
                found_all.append(evaluate_symbol(data, settings, prefixes=prefixes))
            bars.report("evaluate symbols", len(symbols), len(symbols))
        emit(found_all, as_json=as_json, human=lambda: _show_symbols(found_all))
        if not all(each.prefix_law.holds for each in found_all):
            raise typer.Exit(1)
        return
    if symbol is None:
        with progress_bars() as bars:
            reports = evaluate_scenarios(
                settings,
                seeds=range(first_seed, first_seed + seeds),
                states_given=not choose_states,
                frozen=frozen,
                progress=bars.report,
            )
        emit(reports, as_json=as_json, human=lambda: _show_scenarios(reports, settings.decision.stability))
        return
    data = chosen_bars(
        symbol, timeframe=timeframe, generated=None, seed=0, workspace=workspace, from_on=from_on, to_on=to_on
    )
    note_jumps(data)
    with progress_bars() as bars:
        found = evaluate_symbol(data, settings, prefixes=prefixes, progress=bars.report)
    emit(found, as_json=as_json, human=lambda: _show_symbol(found))
    if not found.prefix_law.holds:
        raise typer.Exit(1)


def _refuse_what_is_passed_over(*, scenarios: bool, of_scenarios: Given, of_archive: Given) -> None:
    """An option that would change nothing is a wish that would not be met."""
    for name, given in of_archive if scenarios else of_scenarios:
        if given and scenarios:
            raise FixInput(f"{name} is of archived bars", next_step="name a symbol, or --all of them")
        if given:
            raise FixInput(f"{name} is of generated scenarios", next_step="leave it out, or the symbol")


def _show_scenarios(reports: tuple[ScenarioReport, ...], stability: float) -> None:
    from magellan.surfaces.cli.output import print_table

    rows = []
    for each in reports:
        for place in each.dial:
            if place.stability not in (0.0, stability):
                continue
            told = each.states_true > 1
            rows.append(
                (
                    each.name,
                    f"{place.stability:g}",
                    f"{place.share_of_oracle:.1%}" if told else None,
                    f"{place.delay_median_bars:.1f} ({each.oracle_delay_median_bars:.1f})" if told else None,
                    f"{place.wrong_switches:.1f}" if told else f"{place.switches:.1f}",
                    f"{each.regimes_found:.0%}",
                    f"{each.calibration.expected_error:.3f}" if each.calibration else None,
                )
            )
    print_table(
        (
            "scenario",
            "stability",
            "of the oracle",
            "late (oracle)",
            "wrong switches",
            "regimes found",
            "calibration",
        ),
        rows,
        numbers=("of the oracle", "late (oracle)", "wrong switches", "regimes found", "calibration"),
        footnote=f"{len(reports[0].seeds)} seeds; the second half of each. Wrong switches per "
        "1,000 bars; of null every switch is wrong. Calibration: mean error of the probabilities. "
        "The oracle sees returns alone; who looks at wicks too can be right more often.",
    )


def _show_symbols(found: list[SymbolEvaluation]) -> None:
    """A line for each symbol. Who tries several markets is told so."""
    from magellan.surfaces.cli.output import print_table, say

    rows = []
    for each in found:
        money = each.money
        law = "holds" if each.prefix_law.prefixes else None
        if not each.prefix_law.holds:
            law = f"BROKEN: {each.prefix_law.broken[0]}"
        judged: tuple[str | None, ...] = (None,) * 6
        if money is not None:
            gates_differ = 0.0 < money.gated.exposure < 1.0
            idle = "never shut" if money.gated.exposure else "never open"
            judged = (
                f"{money.hold.sharpe:.2f}",
                f"{money.gated.sharpe:.2f}",
                f"{money.sharpe_percentile:.0%}" if gates_differ else idle,
                f"{money.hold.drawdown:.0%}",
                f"{money.gated.drawdown:.0%}",
                f"{money.drawdown_percentile:.0%}" if gates_differ else idle,
            )
        regimes = {None: "-", True: "no", False: "yes"}[each.no_regimes_here]
        rows.append((each.symbol, f"{each.bars:,}", law, regimes, *judged))
    numbers = ("bars", "Sharpe", "gated", "beats", "drawdown", "gated drawdown", "is less deep than")
    print_table(
        ("symbol", "bars", "prefix law", "regimes", *numbers[1:]),
        rows,
        numbers=numbers,
        footnote="The gate is shut in high volatility. Beats, is less deep than: share of 500 gates of the same "
        f"exposure at other times. Of {len(found)} markets some will look good by chance.",
    )
    jumping = [each.symbol for each in found if each.unexplained_jumps]
    if jumping:
        say(
            f"{', '.join(jumping)}: prices jump and no corporate action says why, so their figures may be no market's; "
            "see `magellan data check`"
        )


def _show_symbol(found: SymbolEvaluation) -> None:
    from magellan.surfaces.cli.output import print_table, say
    from magellan.surfaces.cli.regime_tables import show_dial

    law = found.prefix_law
    say(f"{found.symbol} {found.timeframe}: {found.bars:,} bars of {found.source}")
    if not law.prefixes:
        say("prefix law: one bar has no prefix to compare it with")
    elif law.holds:
        say(f"prefix law: holds; {law.labels_compared:,} values on {len(law.prefixes)} prefixes are the same")
    else:
        say(f"prefix law: BROKEN; {'; '.join(law.broken)}")
    if found.no_regimes_here is None:
        say("regimes: too few bars for a first fit")
    elif found.no_regimes_here:
        say("no regimes here: volatility that clusters explains these bars as well or better")
    if found.money is None:
        say("money test: too few labelled bars")
    else:
        money = found.money
        print_table(
            ("held", "return a year", "Sharpe", "drawdown", "exposure", "switches"),
            [
                (
                    each.name,
                    f"{each.return_per_year:.1%}",
                    f"{each.sharpe:.2f}",
                    f"{each.drawdown:.1%}",
                    f"{each.exposure:.0%}",
                    each.switches,
                )
                for each in (money.hold, money.gated, money.targeted)
            ],
            numbers=("return a year", "Sharpe", "drawdown", "exposure", "switches"),
            footnote=f"{money.cost_bps:g} bp a side; the gate is shut in high volatility",
        )
        say(money.reading)
    if found.dial:
        show_dial(found.dial, None)
