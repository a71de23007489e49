"""`magellan init`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption

if TYPE_CHECKING:
    from magellan.usecases.init_workspace import Made


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The folder to make a workspace; made when it is missing.")
    ] = Path("."),
    sample: Annotated[
        bool,
        typer.Option(
            "--sample/--no-sample",
            help="Put generated bars into the archive, and let the reference strategies trade them.",
        ),
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Make a workspace: settings, stages, reference strategies, sample data.

    It can be run again at any time: what is missing is added, and what
    differs from the original is left as it is, and named. The sample bars
    are generated: no market ever traded like them.
    """
    from datetime import UTC, datetime

    from magellan.surfaces.cli.output import emit, progress_bars
    from magellan.usecases.init_workspace import init_workspace
    from magellan.wiring.market import bar_archive, calendar_of, corporate_action_store
    from magellan.wiring.research import write_file

    with progress_bars() as bars:
        made = init_workspace(
            folder,
            archive_of=bar_archive,
            actions_of=corporate_action_store,
            calendar_of=calendar_of,
            write=lambda path, content: write_file(path, content, kept="what was made before"),
            now=datetime.now(UTC),
            with_sample=sample,
            progress=bars.report,
        )
    emit(
        {"workspace": folder.resolve(), "made": made},
        as_json=as_json,
        human=lambda: show(folder, made, sample=sample),
    )


def show(folder: Path, made: tuple[Made, ...], *, sample: bool) -> None:
    """What became of everything, in a few lines: what differs is named."""
    from magellan.surfaces.cli.output import say
    from magellan.usecases.init_workspace import State

    counts = {state: sum(each.state is state for each in made) for state in State}
    told = ", ".join(f"{counts[state]} {state}" for state in State if counts[state])
    say(f"{folder.resolve()} is a workspace: {told}")
    for each in made:
        if each.state is State.DIFFERS:
            say(f"  {each.what}: {each.state}")
    if sample:
        say("its bars are generated: they show that a strategy runs, never that it earns")
    say("next: go there, and type `magellan backtest daily_trend`")
