"""`magellan demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption

if TYPE_CHECKING:
    from magellan.usecases.demo import Shown


def demo(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="The workspace to make, or to use again; default: magellan-demo."),
    ] = Path("magellan-demo"),
    as_json: JsonOption = False,
) -> None:
    """Make a workspace with sample data, run the reference strategies, judge them at the gates.

    The bars are generated: the demo shows what Magellan does, and nothing
    about any market. Run it again at any time; it leaves what you changed.
    """
    import os
    from datetime import UTC, datetime

    from magellan.surfaces.cli.backtest_run import note_compiling
    from magellan.surfaces.cli.output import emit, note, progress_bars
    from magellan.usecases.demo import demo as voyage
    from magellan.usecases.init_workspace import State, init_workspace
    from magellan.wiring import (
        bar_archive,
        calendar_of,
        corporate_action_store,
        gate_sources,
        run_store,
        write_file,
    )
    from magellan.workspace.workspace import Workspace

    note("1/3  a workspace with three strategies and generated bars")
    with progress_bars() as bars:
        made = init_workspace(
            folder,
            archive_of=bar_archive,
            actions_of=corporate_action_store,
            calendar_of=calendar_of,
            write=lambda path, content: write_file(path, content, kept="what was made before"),
            now=datetime.now(UTC),
            progress=bars.report,
        )
        fresh = sum(each.state is State.CREATED for each in made)
        note(f"     {folder.resolve()}: {fresh} things made, {len(made) - fresh} already there")
        workspace = Workspace.at(folder)
        note("2/3  backtests, each with a report")
        note_compiling()
        note("3/3  the gates: lint, types, tests, data, backtest, look-ahead, robustness")
        shown = voyage(
            workspace,
            gate_sources(workspace, os.environ, lambda: datetime.now(UTC)),
            run_store(workspace),
            progress=bars.report,
        )
    emit(
        {"workspace": folder.resolve(), "strategies": [_document(each) for each in shown]},
        as_json=as_json,
        human=lambda: _show(folder, shown),
    )


def _document(shown: Shown) -> dict[str, object]:
    return {
        "strategy": shown.strategy,
        "run_id": shown.run.run_id,
        "return_fraction": shown.run.metrics.return_fraction,
        "trades": shown.run.metrics.trades,
        "drawdown_fraction_max": shown.run.metrics.drawdown_fraction_max,
        "gates": "open" if shown.verdict.is_open else "shut",
        "not_open": [each.criterion.title for each in shown.verdict.not_open],
        "report": shown.report.resolve(),
    }


def _show(folder: Path, shown: tuple[Shown, ...]) -> None:
    from magellan.backtest.report.words import percent
    from magellan.surfaces.cli.output import print_table, say

    print_table(
        ("strategy", "return", "buy and hold", "drawdown", "trades", "gates", "not open, first of all"),
        [
            (
                each.strategy,
                percent(each.run.metrics.return_fraction),
                percent(each.run.metrics.benchmark_return_fraction),
                percent(each.run.metrics.drawdown_fraction_max),
                each.run.metrics.trades,
                f"{'open' if each.verdict.is_open else 'SHUT'}, "
                f"{len(each.verdict.judgements) - len(each.verdict.not_open)} of {len(each.verdict.judgements)}",
                ", ".join(judgement.criterion.title for judgement in each.verdict.not_open[:2]),
            )
            for each in shown
        ],
        numbers=("return", "buy and hold", "drawdown", "trades"),
    )
    say("The bars are generated, and the gates never open for generated bars: that is what they are for.")
    say("")
    say("reports:")
    for each in shown:
        say(f"  {each.report.resolve()}")
    say("")
    say(f"next:  cd {folder}")
    say("       magellan gate daily_trend --details          every criterion, with what was measured")
    say("       magellan backtest bear_trap --set hold_minutes=60")
    say("       magellan compare last                        that run beside the one before")
    say("       magellan new strategy my_idea                a strategy of your own")
