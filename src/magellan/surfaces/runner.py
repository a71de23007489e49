"""The runner of a strategy folder: `python runner.py`, the way strategies were started before there was a CLI.

    python runner.py --help         what it takes
    python runner.py --validate     look at code, config, data and indicators; no order, no fill
    USE_ARCHIVED_DATA=true python runner.py      replay the archived bars

Without USE_ARCHIVED_DATA there is nothing to run yet: this version has no broker, and says so.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from magellan.errors import FixInput
from magellan.surfaces.cli.app import carry_out
from magellan.surfaces.cli.backtest import (
    FromOption,
    SetOption,
    SymbolsOption,
    ToOption,
    settings_of,
    symbols_of,
)
from magellan.surfaces.cli.options import JsonOption


def main(file: str, arguments: Sequence[str] | None = None) -> int:
    """Run the strategy whose runner.py is `file`; returns the exit code, and never raises."""
    folder = Path(file).resolve().parent

    def runner(
        validate: Annotated[
            bool,
            typer.Option("--validate", help="Check code, config, data and indicators; no order, no fill."),
        ] = False,
        symbols: SymbolsOption = None,
        from_: FromOption = None,
        to: ToOption = None,
        set_: SetOption = None,
        as_json: JsonOption = False,
    ) -> None:
        if validate:
            _validate(folder, as_json=as_json)
        else:
            _run(folder, symbols, from_, to, set_, as_json=as_json)

    runner.__doc__ = (
        f"Run the strategy {folder.name}.\n\nUSE_ARCHIVED_DATA=true replays the workspace's archived bars and sends "
        "no order. ENVIRONMENT and ALPACA_PAPER are read too; a combination that contradicts itself is refused."
    )
    app = typer.Typer(add_completion=False, rich_markup_mode="rich")
    app.command(epilog="Example: USE_ARCHIVED_DATA=true python runner.py --from 2024-01-02")(runner)
    return carry_out(app, sys.argv[1:] if arguments is None else arguments, program="runner.py")


def _validate(folder: Path, *, as_json: bool) -> None:
    from magellan.surfaces.cli.output import emit, print_table
    from magellan.usecases.load_strategy import load_strategy
    from magellan.usecases.validate_strategy import validate_strategy
    from magellan.wiring import bar_archive, calendar_of, corporate_actions
    from magellan.workspace.workspace import Workspace

    loaded = load_strategy(folder)
    workspace = Workspace.around(folder)
    checks = validate_strategy(
        loaded,
        archive=bar_archive(workspace),
        actions=corporate_actions(workspace),
        calendar_of=calendar_of,
    )
    passed = all(check.passed for check in checks)
    rows = [(check.name, "ok" if check.passed else "FAILED", check.found) for check in checks]
    emit(
        {"strategy": loaded.folder.label, "passed": passed, "checks": checks},
        as_json=as_json,
        human=lambda: print_table(("check", "", "found"), rows, title=f"{loaded.folder.label}: validate"),
    )
    if not passed:
        raise typer.Exit(1)


def _run(
    folder: Path,
    symbols: str | None,
    from_: datetime | None,
    to: datetime | None,
    set_: list[str] | None,
    *,
    as_json: bool,
) -> None:
    from magellan.settings import Mode, run_settings
    from magellan.surfaces.cli.backtest_run import run_and_show
    from magellan.workspace.workspace import Workspace

    if run_settings().mode is not Mode.ARCHIVED:
        raise FixInput(
            "there is nothing to run: USE_ARCHIVED_DATA is not true, and this version has no broker",
            next_step="USE_ARCHIVED_DATA=true python runner.py replays archived bars; --validate only looks",
        )
    run_and_show(
        Workspace.around(folder).root,
        str(folder),
        symbols=symbols_of(symbols),
        from_on=from_.date() if from_ else None,
        to_on=to.date() if to else None,
        settings=settings_of(set_),
        keep=True,
        json_file=Path("-") if as_json else None,
    )
