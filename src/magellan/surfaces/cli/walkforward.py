"""`magellan walkforward`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder
from magellan.surfaces.cli.run_options import (
    FromOption,
    SetOption,
    StrategyArgument,
    SymbolsOption,
    ToOption,
    chosen_strategy,
    settings_of,
)
from magellan.surfaces.cli.trial_options import (
    ClusterOption,
    GridOption,
    RandomOption,
    RangeOption,
    ResumeOption,
    SeedOption,
    WorkersOption,
)

if TYPE_CHECKING:
    from magellan.usecases.walk_forward import WalkForwardAnswer


def walkforward(
    strategy: StrategyArgument,
    grid: GridOption = None,
    random: RandomOption = None,
    range_: RangeOption = None,
    seed: SeedOption = 0,
    train: Annotated[
        int, typer.Option("--train", metavar="SESSIONS", min=1, help="Length of a training window.")
    ] = 252,
    test: Annotated[
        int, typer.Option("--test", metavar="SESSIONS", min=1, help="Length of a test window.")
    ] = 63,
    anchored: Annotated[
        bool,
        typer.Option("--anchored", help="Train on everything before the test window, not only on the last."),
    ] = False,
    metric: Annotated[
        str, typer.Option("--metric", metavar="NAME", help="Choose the set that is best by this number.")
    ] = "sharpe",
    trades_min: Annotated[
        int,
        typer.Option("--min-trades", metavar="N", min=1, help="Choose no set with fewer trades in training."),
    ] = 10,
    symbols: SymbolsOption = None,
    from_: FromOption = None,
    to: ToOption = None,
    set_: SetOption = None,
    workers: WorkersOption = None,
    cluster: ClusterOption = None,
    resume: ResumeOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Choose parameters on one window, judge them on the next, and roll on.

    Test windows follow one another, and together make one out-of-sample
    result: what somebody would have had who chose parameters this way. No
    trade is carried from one window into the next; where no set has enough
    trades, nothing is traded, and the answer says so.
    """
    from magellan.backtest.sweep_result import metric_named
    from magellan.surfaces.cli.backtest_run import note_compiling
    from magellan.surfaces.cli.output import emit, note, progress_bars
    from magellan.usecases.sweep import parsed_space
    from magellan.usecases.walk_forward import WalkTerms, walk_document, walk_forward
    from magellan.wiring.market import bar_archive, calendar_of, corporate_actions
    from magellan.wiring.research import executor, sweep_store
    from magellan.workspace.workspace import Workspace

    terms = WalkTerms(
        train_sessions=train,
        test_sessions=test,
        anchored=anchored,
        metric=metric_named(metric),
        trades_min=trades_min,
    )
    opened = Workspace.at(workspace_folder(workspace))
    loaded = chosen_strategy(opened, strategy, symbols, settings_of(set_))
    space = parsed_space(loaded, grid=grid or [], random=random, ranges=range_ or [], seed=seed)
    place = executor(cluster=cluster, workers=workers, in_python=loaded.decides_in_python)
    note_compiling()
    with progress_bars() as bars:
        answer = walk_forward(
            loaded,
            space,
            terms,
            archive=bar_archive(opened),
            actions=corporate_actions(opened),
            calendar_of=calendar_of,
            executor=place,
            store=sweep_store(opened),
            from_on=from_,
            to_on=to,
            resume=resume,
            progress=bars.report,
        )
    document = walk_document(answer)
    # One value per bar: it is in the folder, for whoever wants it.
    del document["equity"]
    document["kept_at"] = answer.kept_at
    emit(document, as_json=as_json, human=lambda: _show(answer, place.place))
    note(f"kept the walk in {answer.kept_at}")


def _show(answer: WalkForwardAnswer, place: str) -> None:
    from magellan.backtest.walk_forward import StoodAside
    from magellan.surfaces.cli.output import print_table, say
    from magellan.usecases.walk_forward import window_fields

    walk, terms = answer.walk, answer.terms
    manifest = answer.manifest.run
    resumed = f", {answer.resumed:,} training runs from before" if answer.resumed else ""
    say(
        f"{manifest.strategy} {manifest.strategy_version}: {len(walk.windows)} windows, each trained on "
        f"{'everything before it' if terms.anchored else f'{terms.train_sessions} sessions'} with "
        f"{len(answer.sets):,} parameter sets, {place}{resumed}"
    )
    if any(used.generated for used in manifest.data):
        say("generated data: the result says nothing about any market")
    for each in answer.sets.rejected:
        say(f"not tried, {each.sets:,} sets (e.g. {each.example}): {each.reason}")
    for reason, count in answer.failed:
        say(f"failed, {count:,} training runs: {reason}")
    rows = []
    for window in walk.windows:
        fields = window_fields(window, walk.names, walk.cash_start_usd)
        row: list[object] = [f"{fields['test_from']} to {fields['test_to']}"]
        if isinstance(window.chosen, StoodAside):
            row += [None] * (len(walk.names) + 3) + [window.chosen.reason]
        else:
            row += [fields["parameters"][name] for name in walk.names]
            row += [
                _percent(fields["train_return_fraction"]),
                _percent(fields["test_return_fraction"]),
                f"{fields['test_trades']:,}",
                f"{fields['test_trades_cut_off']} cut off at the end"
                if fields["test_trades_cut_off"]
                else "",
            ]
        rows.append(row)
    figures = [*walk.names, "return trained", "return tested", "trades tested"]
    print_table(["test window", *figures, ""], rows, numbers=figures)
    print_table(
        ["out of sample", ""],
        [
            ("return", _percent(walk.return_fraction)),
            ("return per year", _percent(walk.return_yearly_fraction)),
            ("return per year of the chosen sets in training", _percent(walk.return_yearly_fraction_trained)),
            ("efficiency: the one over the other", _percent(walk.efficiency)),
            ("Sharpe ratio per bar, per year", _number(walk.sharpe)),
            ("Sharpe ratio of the chosen sets in training", _number(walk.sharpe_trained)),
            ("deepest drawdown", _percent(walk.drawdown_fraction_max)),
            ("trades", f"{walk.trades:,}, {walk.cut_off:,} of them cut off at a window's end"),
            ("win rate", _percent(walk.win_rate)),
            ("profit factor", _number(walk.profit_factor)),
            ("windows that gained", _percent(walk.gaining_windows_share)),
        ],
        numbers=[""],
    )
    if walk.stability:
        print_table(
            ["parameter", "different values", "most often", "in windows", "changed from one to the next"],
            [
                (
                    each.name,
                    each.different,
                    each.most_frequent,
                    _percent(each.most_frequent_share),
                    _percent(each.changes_share),
                )
                for each in walk.stability
            ],
            numbers=["different values", "most often", "in windows", "changed from one to the next"],
        )
    for name, reason in walk.missing.items():
        say(f"missing, {name}: {reason}")


def _percent(fraction: float | None) -> str | None:
    return None if fraction is None else f"{100 * fraction:.1f} %"


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f}"
