"""`magellan run`."""

from __future__ import annotations

import os

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder
from magellan.surfaces.cli.run_options import (
    ArmedByOption,
    DryRunOption,
    LiveOption,
    StrategyArgument,
    TradedAccountOption,
    WatchdogOption,
)
from magellan.surfaces.cli.validation_run import ValidateOption, validate_and_show


def run(
    strategy: StrategyArgument,
    validate: ValidateOption = False,
    account: TradedAccountOption = None,
    dry_run: DryRunOption = False,
    live_number: LiveOption = None,
    armed_by: ArmedByOption = None,
    watchdog: WatchdogOption = True,
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Trade a strategy: on a local exchange, a paper account or, armed, with real money.

    The mode follows from the strategy's stage, the account and the environment; what contradicts itself is refused.
    Ctrl-C or `magellan halt` stop it in order; after a kill, the same command goes on where the ledger stands.
    """
    from magellan.settings.environment import run_settings
    from magellan.settings.mode import Asked
    from magellan.surfaces.cli.run_options import chosen_strategy
    from magellan.surfaces.cli.session_run import run_session_and_show
    from magellan.workspace.workspace import Workspace

    found = Workspace.at(workspace_folder(workspace))
    if validate:
        run_settings()  # a contradiction is refused whatever was asked for
        validate_and_show(found, strategy, as_json=as_json)
        return
    loaded = chosen_strategy(found, strategy, None, {})
    asked = Asked(dry_run=dry_run, account=account, typed_number=live_number, armed_by=armed_by)
    stopped = run_session_and_show(found, loaded, asked, os.environ, watchdog=watchdog, as_json=as_json)
    if not stopped.in_order:
        raise typer.Exit(1)
