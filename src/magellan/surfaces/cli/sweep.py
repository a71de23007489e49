"""`magellan sweep`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    from magellan.usecases.sweep import SweepAnswer


def sweep(
    strategy: StrategyArgument,
    grid: GridOption = None,
    random: RandomOption = None,
    range_: RangeOption = None,
    seed: SeedOption = 0,
    metric: Annotated[
        str, typer.Option("--metric", metavar="NAME", help="Rank sets by this number.")
    ] = "sharpe",
    trades_min: Annotated[
        int, typer.Option("--min-trades", metavar="N", min=0, help="Do not rank sets with fewer trades.")
    ] = 1,
    top: Annotated[int, typer.Option("--top", metavar="N", min=1, help="Show so many of the best.")] = 10,
    symbols: SymbolsOption = None,
    from_: FromOption = None,
    to: ToOption = None,
    set_: SetOption = None,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out", metavar="FILE", help="Write the table of all sets: .csv, .parquet or .json. Repeatable."
        ),
    ] = None,
    report: Annotated[
        bool,
        typer.Option("--report/--no-report", help="Write a heat map when two parameters vary in a grid."),
    ] = True,
    workers: WorkersOption = None,
    cluster: ClusterOption = None,
    resume: ResumeOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a grid or a random sample of parameter sets on all cores.

    Sets are ranked by one number, and the best is never shown alone: how many
    were tried, what luck would have shown, how many lost money and what the
    sets beside the best did belong to it. Ctrl-C keeps every finished set.
    """
    from magellan.backtest.sweep_result import metric_named, result_document, table
    from magellan.backtest.sweep_table import ENDINGS, table_bytes
    from magellan.errors import FixInput
    from magellan.surfaces.cli.backtest_run import note_compiling
    from magellan.surfaces.cli.output import emit, note, progress_bars
    from magellan.usecases.sweep import parsed_space
    from magellan.usecases.sweep import sweep as run_sweep
    from magellan.wiring.market import bar_archive, calendar_of, corporate_actions
    from magellan.wiring.research import executor, sweep_store, write_file
    from magellan.workspace.workspace import Workspace

    for path in out or ():
        if path.suffix not in ENDINGS:
            raise FixInput(
                f"{path} is no kind of table that we write",
                next_step=f"give it one of the endings {', '.join(ENDINGS)}",
            )
    ranked_by = metric_named(metric)
    opened = Workspace.at(workspace_folder(workspace))
    loaded = chosen_strategy(opened, strategy, symbols, settings_of(set_))
    space = parsed_space(loaded, grid=grid or [], random=random, ranges=range_ or [], seed=seed)
    place = executor(cluster=cluster, workers=workers, in_python=loaded.decides_in_python)
    note_compiling()
    with progress_bars() as bars:
        answer = run_sweep(
            loaded,
            space,
            archive=bar_archive(opened),
            actions=corporate_actions(opened),
            calendar_of=calendar_of,
            executor=place,
            store=sweep_store(opened),
            metric=ranked_by,
            trades_min=trades_min,
            from_on=from_,
            to_on=to,
            resume=resume,
            progress=bars.report,
        )
    files = {path.absolute(): table_bytes(answer.result, path.suffix) for path in out or ()}
    page = _page(answer) if report else None
    if page is not None:
        files[opened.reports_folder / f"sweep-{answer.result.manifest.sweep_id}.html"] = page
    for path, content in files.items():
        write_file(path, content, kept=f"the sweep's result, in {answer.kept_at}")
    again = _options(symbols, from_, to, set_)
    document = result_document(answer.result, answer.judgement)
    document["files"] = [str(path) for path in files]
    document["kept_at"] = answer.kept_at
    # The whole table may hold a million sets; it is in the folder, and in --out.
    document["sets"] = _rows(table(answer.result), answer, top)
    del document["order"]
    emit(
        document,
        as_json=as_json,
        human=lambda: _show(
            answer, strategy, again, top, place.place, _space_words(grid, random, range_, seed)
        ),
    )
    for path in files:
        note(f"wrote {path}")
    note(f"kept the sweep in {answer.kept_at}")


def _page(answer: SweepAnswer) -> bytes | None:
    from magellan.backtest.sweep_page import has_page, sweep_page

    if not has_page(answer.result):
        return None
    return sweep_page(answer.result, answer.judgement).encode()


def _rows(columns: dict[str, list[Any]], answer: SweepAnswer, top: int) -> list[dict[str, Any]]:
    return [
        {name: column[number] for name, column in columns.items()}
        for number in answer.result.ranking.order[:top]
    ]


def _show(answer: SweepAnswer, strategy: str, again: str, top: int, place: str, space: str) -> None:
    from magellan.backtest.parameter_space import describe
    from magellan.backtest.sweep_result import table
    from magellan.surfaces.cli.output import print_table, say

    result = answer.result
    manifest = result.manifest.run
    bars = sum(used.rows for used in manifest.data)
    resumed = f", {answer.resumed:,} of them from before" if answer.resumed else ""
    say(
        f"{manifest.strategy} {manifest.strategy_version}: {len(result.sets):,} parameter sets on "
        f"{', '.join(result.manifest.run.config['symbols'])} ({bars:,} bars), {place}{resumed}"
    )
    if any(used.generated for used in manifest.data):
        say("generated data: the result says nothing about any market")
    for sentence in _left_out(answer):
        say(sentence)
    rows = _rows(table(result), answer, top)
    if rows:
        _print_rows(rows, result.sets.names, result.ranking.metric.name, print_table)
    say("")
    for sentence in believed(answer):
        say(sentence)
    best = result.ranking.best
    if best is not None:
        own = " ".join(
            f"--set {shlex.quote(describe((name,), (value,)))}"
            for name, value in zip(result.sets.names, result.sets.settings[best], strict=True)
        )
        say(f"the best in full:  magellan backtest {strategy} {own}{again}")
        say(f"out of sample:     magellan walkforward {strategy} {space}{again}")


def _left_out(answer: SweepAnswer) -> list[str]:
    """What was not tried, and what could not be carried through."""
    sets, failed = answer.result.sets, answer.result.failed
    found = [f"not tried, {each.sets:,} sets (e.g. {each.example}): {each.reason}" for each in sets.rejected]
    if sets.repeated:
        found.append(f"not tried again, {sets.repeated:,} sets that came up before")
    if failed:
        number, reason = next(iter(sorted(failed.items())))
        found.append(f"failed, {len(failed):,} sets (e.g. {sets.describe(number)}): {reason}")
    return found


def _print_rows(rows: list[dict[str, Any]], names: tuple[str, ...], metric: str, print_table: Any) -> None:
    shown = {
        "sharpe": "Sharpe",
        "return_fraction": "return",
        "drawdown_fraction_max": "drawdown",
        "trades": "trades",
        "win_rate": "win rate",
        "profit_factor": "profit factor",
    }
    if metric not in shown:
        shown = {metric: metric, **shown}
    own = list(rows[0])[1 : 1 + len(names)]
    print_table(
        ["set", *names, *shown.values()],
        [
            [row["set"], *(row[name] for name in own), *(_told(name, row[name]) for name in shown)]
            for row in rows
        ],
        title=f"best by {metric}",
        numbers=["set", *names, *shown.values()],
    )


def _told(name: str, value: float | None) -> str | None:
    if value is None or name == "trades":
        return None if value is None else f"{value:,}"
    if name in ("return_fraction", "drawdown_fraction_max", "win_rate"):
        return f"{100 * value:.1f} %"
    return f"{value:.2f}"


def believed(answer: SweepAnswer) -> list[str]:
    """How far the best set can be believed, in sentences."""
    judgement, ranking = answer.judgement, answer.result.ranking
    missing = judgement.missing
    if ranking.best is None:
        return [f"there is no best set: {missing['deflated_sharpe']}"]
    lost = judgement.losing_fraction
    found = [
        f"{judgement.trials:,} sets were tried"
        + (f"; {100 * lost:.0f} % of those that traded lost money" if lost is not None else "")
        + "."
    ]
    own, luck = judgement.sharpe_of_best, judgement.sharpe_expected_of_luck
    if own is not None and luck is not None:
        found.append(
            f"The best set's Sharpe ratio is {own:.2f}; the best of so many without any skill would show about "
            f"{luck:.2f}."
        )
    if judgement.deflated_sharpe is not None:
        found.append(
            f"Deflated Sharpe ratio: {100 * judgement.deflated_sharpe:.1f} %, the probability that its true one is "
            "above zero."
        )
    else:
        found.append(f"Deflated Sharpe ratio: missing, {missing['deflated_sharpe']}.")
    beside = judgement.neighbourhood
    if beside is None:
        found.append(f"What lies beside it is unknown: {missing['neighbourhood']}.")
    else:
        share = beside.share_kept
        kept = "" if share is None or share < 0 else f", {100 * share:.0f} % of the best"
        found.append(
            f"Beside it, {len(beside.neighbours)} sets ({beside.rule}): median {beside.median:.4g}{kept}, worst "
            f"{beside.worst:.4g}. {_SHAPES[beside.shape]}"
        )
    found.append("All of this was measured on the very bars that chose the set.")
    return found


_SHAPES = {
    "plateau": "A plateau: a small change of the parameters changes little.",
    "spike": "A spike: a small change of the parameters loses much of it, as chance findings do.",
    "unknown": "",
}


def _options(symbols: str | None, from_: Any, to: Any, set_: list[str] | None) -> str:
    """The options that chose the data and the config, to be typed again."""
    words = [f"--symbols {symbols}"] if symbols else []
    words += [f"--from {from_:%Y-%m-%d}"] if from_ else []
    words += [f"--to {to:%Y-%m-%d}"] if to else []
    words += [f"--set {shlex.quote(each)}" for each in set_ or ()]
    return "".join(f" {word}" for word in words)


def _space_words(grid: list[str] | None, random: int | None, ranges: list[str] | None, seed: int) -> str:
    if random is None:
        return " ".join(f"--grid {shlex.quote(each)}" for each in grid or ())
    return " ".join(
        [f"--random {random}", *(f"--range {shlex.quote(each)}" for each in ranges or ()), f"--seed {seed}"]
    )
