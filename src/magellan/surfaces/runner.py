"""The runner of a strategy folder: `python runner.py`, the way strategies were started before there was a CLI.

    python runner.py --help         what it takes
    python runner.py --validate     look at code, config, data and indicators; no order, no fill
    USE_ARCHIVED_DATA=true python runner.py      replay the archived bars
    python runner.py                trade, as `magellan run` does

The archive and a broker are never reached by the same run.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from magellan.errors import FixInput
from magellan.surfaces.cli.app import carry_out, interruptible
from magellan.surfaces.cli.options import JsonOption
from magellan.surfaces.cli.run_options import (
    ArmedByOption,
    DryRunOption,
    FromOption,
    LiveOption,
    SetOption,
    SymbolsOption,
    ToOption,
    TradedAccountOption,
    WatchdogOption,
    chosen_strategy,
    settings_of,
)
from magellan.surfaces.cli.validation_run import ValidateOption, validate_and_show

if TYPE_CHECKING:
    from magellan.settings.mode import Asked


def main(file: str, arguments: Sequence[str] | None = None) -> int:
    """Run the strategy whose runner.py is `file`; returns the exit code, and never raises."""
    folder = Path(file).resolve().parent

    def runner(
        validate: ValidateOption = False,
        symbols: SymbolsOption = None,
        from_: FromOption = None,
        to: ToOption = None,
        set_: SetOption = None,
        account: TradedAccountOption = None,
        dry_run: DryRunOption = False,
        live_number: LiveOption = None,
        armed_by: ArmedByOption = None,
        watchdog: WatchdogOption = True,
        as_json: JsonOption = False,
    ) -> None:
        from magellan.settings.environment import run_settings
        from magellan.settings.mode import Asked

        said = run_settings()  # first of all: a contradiction is refused whatever was asked for
        asked = _Asked(
            symbols=symbols,
            settings=settings_of(set_),
            from_on=from_,
            to_on=to,
        )
        how = Asked(dry_run=dry_run, account=account, typed_number=live_number, armed_by=armed_by)
        if validate:
            _validate(folder, asked, as_json=as_json)
        elif said.use_archived_data:
            _must_be_plain(how)
            _replay(folder, asked, as_json=as_json)
        else:
            _trade(folder, asked, how, watchdog=watchdog, as_json=as_json)

    runner.__doc__ = (
        f"Run the strategy {folder.name}.\n\nUSE_ARCHIVED_DATA=true replays the workspace's archived bars and sends "
        "no order; otherwise it trades, as `magellan run` does. ENVIRONMENT and "
        "ALPACA_PAPER are read too; a combination that contradicts itself is refused."
    )
    app = typer.Typer(add_completion=False, rich_markup_mode="rich")
    app.command(epilog="Example: USE_ARCHIVED_DATA=true python runner.py --from 2024-01-02")(
        interruptible(runner)
    )
    return carry_out(app, sys.argv[1:] if arguments is None else arguments, program="python runner.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the command line asks of a run."""

    symbols: str | None  # as SymbolsOption gives them
    settings: dict[str, Any]
    from_on: date | None
    to_on: date | None


def _validate(folder: Path, asked: _Asked, *, as_json: bool) -> None:
    from magellan.workspace.workspace import Workspace

    validate_and_show(
        Workspace.around(folder),
        str(folder),
        symbols=asked.symbols,
        from_on=asked.from_on,
        to_on=asked.to_on,
        settings=asked.settings,
        as_json=as_json,
    )


def _replay(folder: Path, asked: _Asked, *, as_json: bool) -> None:
    from magellan.surfaces.cli.backtest_run import run_and_show
    from magellan.workspace.workspace import Workspace

    run_and_show(
        Workspace.around(folder),
        str(folder),
        symbols=asked.symbols,
        from_on=asked.from_on,
        to_on=asked.to_on,
        settings=asked.settings,
        keep=True,
        json_file=Path("-") if as_json else None,
    )


def _must_be_plain(how: Asked) -> None:
    """Archived bars trade no account: refuse what asks for one."""
    given = {
        "--dry-run": how.dry_run,
        "--account": how.account,
        "--live": how.typed_number,
        "--armed-by": how.armed_by,
    }
    named = [option for option, value in given.items() if value]
    if named:
        raise FixInput(
            f"USE_ARCHIVED_DATA is true, and {', '.join(named)} asks for a session: those are two modes",
            kept="nothing was opened, and no order was sent",
            next_step="unset USE_ARCHIVED_DATA, or leave the option out",
        )


def _trade(folder: Path, asked: _Asked, how: Asked, *, watchdog: bool, as_json: bool) -> None:
    import os

    from magellan.surfaces.cli.session_run import run_session_and_show
    from magellan.workspace.workspace import Workspace

    given = {
        "--symbols": asked.symbols,
        "--from": asked.from_on,
        "--to": asked.to_on,
        "--set": asked.settings,
    }
    named = [option for option, value in given.items() if value]
    if named:
        raise FixInput(
            f"a session trades its config as it stands, and {', '.join(named)} would change it",
            kept="nothing was opened, and no order was sent",
            next_step="change config.json, or replay archived bars with USE_ARCHIVED_DATA=true",
        )
    workspace = Workspace.around(folder)
    loaded = chosen_strategy(workspace, str(folder), None, {})
    stopped = run_session_and_show(workspace, loaded, how, os.environ, watchdog=watchdog, as_json=as_json)
    if not stopped.in_order:
        raise typer.Exit(1)
