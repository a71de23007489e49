"""`magellan demo`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption

if TYPE_CHECKING:
    from magellan.surfaces.cli.demo_voyage import Voyage
    from magellan.usecases.demo import Shown


def demo(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="The workspace to make, or to use again; default: magellan-demo."),
    ] = Path("magellan-demo"),
    as_json: JsonOption = False,
) -> None:
    """Make a workspace with sample data, run and judge the reference strategies, and take one to production.

    The voyage: gates, a signed release, staging on a local exchange, a soak
    at high speed, promotion, a broken release that takes itself back, and
    the audit log of it all. The bars are generated: the demo shows what
    Magellan does, and nothing about any market. Run it again at any time;
    it leaves what you changed, and makes the voyage once.
    """
    import os
    from datetime import UTC, datetime

    from magellan.surfaces.cli.backtest_run import note_compiling
    from magellan.surfaces.cli.demo_voyage import NAME, voyage
    from magellan.surfaces.cli.output import emit, note, progress_bars
    from magellan.usecases.demo import demo as run_and_judge
    from magellan.usecases.init_workspace import State, init_workspace
    from magellan.wiring.market import bar_archive, calendar_of, corporate_action_store
    from magellan.wiring.research import gate_sources, run_store, write_file
    from magellan.workspace.workspace import Workspace

    note("1/4  a workspace with three strategies and generated bars")
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
        note("2/4  backtests, each with a report")
        note_compiling()
        note("3/4  the gates: lint, types, tests, data, backtest, look-ahead, robustness")
        shown = run_and_judge(
            workspace,
            gate_sources(workspace, os.environ, lambda: datetime.now(UTC)),
            run_store(workspace),
            leave_out=NAME,
            progress=bars.report,
        )
    note("4/4  a voyage: one small strategy from its folder to production, on exchanges of this machine")
    made_voyage = voyage(workspace)
    if made_voyage is None:
        note("     made before; `magellan audit list` tells it, and a new folder makes it again")
    emit(
        {
            "workspace": folder.resolve(),
            "strategies": [_document(each) for each in shown],
            "voyage": made_voyage,
        },
        as_json=as_json,
        human=lambda: _show(folder, shown, made_voyage),
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


def _show(folder: Path, shown: tuple[Shown, ...], made: Voyage | None) -> None:
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
    if made is not None:
        _show_voyage(made)
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
    say("       magellan audit list                          who did what, on which evidence")


def _show_voyage(made: Voyage) -> None:
    from magellan.surfaces.cli.output import print_table, say

    say("")
    print_table(
        ("at, UTC", "by", "what", "where", "release", "result"),
        [
            (
                f"{each.at:%H:%M:%S}",
                each.by.person,
                each.action,
                each.subject,
                each.release and each.release[:12],
                each.result,
            )
            for each in (recorded.change for recorded in made.audit)
        ],
        title=f"the voyage, by the audit log ({made.took_s:.0f} s)",
    )
    say(
        f"{made.first} soaked {made.soaked_sessions:.0f} session{'' if made.soaked_sessions == 1 else 's'} in "
        f"{made.soak_took_s:.0f} s and was promoted; "
        f"{made.trades_in_prod} traded in production."
    )
    say(f"{made.broken} was taken back by itself: {made.taken_back_because}")
