"""`magellan new`."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder


class What(StrEnum):
    """What can be written anew."""

    STRATEGY = "strategy"
    SCHEMA = "schema"


class KindChoice(StrEnum):
    """How long a new strategy holds its positions."""

    INTRADAY = "intraday"
    SWING = "swing"
    TREND = "trend"


class StageChoice(StrEnum):
    """Where a new strategy is put."""

    DEV = "dev"
    TEST = "test"
    PROD = "prod"


def new(
    what: Annotated[
        What, typer.Argument(help="strategy: a folder that works. schema: a strategy's config.schema.json.")
    ],
    name: Annotated[
        str, typer.Argument(help="Its name: lower-case letters, digits and underscores.", metavar="NAME")
    ],
    kind: Annotated[
        KindChoice,
        typer.Option(
            "--kind",
            help="intraday leaves within the session (minutes), swing holds for days (hours), trend for weeks "
            "(days). It sets the rules to begin with, and what the gates expect.",
        ),
    ] = KindChoice.TREND,
    stage: Annotated[StageChoice, typer.Option("--stage", help="The folder to put it in.")] = StageChoice.DEV,
    symbols: Annotated[
        str | None,
        typer.Option("--symbols", metavar="A,B", help="What it trades; default: what is archived."),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a new strategy that works, with its config, tests and documents.

    `magellan new strategy opening_gap` writes dev/opening_gap: one short
    file of rules to change, tests that pass, a config that is checked key
    by key. `magellan new schema opening_gap` writes config.schema.json
    again, after the strategy's parameters have changed.
    """
    from magellan.surfaces.cli.output import emit, say
    from magellan.usecases.new_strategy import new_strategy, write_schema
    from magellan.wiring.market import bar_archive
    from magellan.wiring.research import write_file
    from magellan.workspace.workspace import Stage, Workspace

    opened = Workspace.at(workspace_folder(workspace))
    write = partial(write_file, kept="what was written before")
    if what is What.SCHEMA:
        path = write_schema(opened.strategy(name), write=write)
        emit({"schema": path}, as_json=as_json, human=lambda: say(f"wrote {path}"))
        return
    made = new_strategy(
        name,
        workspace=opened,
        archive=bar_archive(opened),
        write=write,
        kind=kind.value,
        stage=Stage(stage.value),
        symbols=tuple(each.strip().upper() for each in (symbols or "").split(",") if each.strip()),
    )

    def show() -> None:
        say(f"{made.folder.label} is a strategy of kind {made.kind} that trades {', '.join(made.symbols)}:")
        for path in made.files:
            say(f"  {path.relative_to(opened.root)}")
        say(f"next: read {made.folder.label}/strategy.py, change its rules, then `magellan backtest {name}`")

    emit(
        {
            "strategy": made.folder.label,
            "kind": made.kind,
            "symbols": made.symbols,
            "files": [path.relative_to(opened.root) for path in made.files],
        },
        as_json=as_json,
        human=show,
    )
