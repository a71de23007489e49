"""`--validate`: what a strategy is checked for before it trades, shown. It needs neither keys nor a network."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from magellan.workspace.workspace import Workspace

ValidateOption = Annotated[
    bool,
    typer.Option("--validate", help="Check code, config, data and indicators; no order, no fill."),
]


def validate_and_show(
    workspace: Workspace,
    strategy: str,
    *,
    symbols: str | None = None,
    from_on: date | None = None,
    to_on: date | None = None,
    settings: Mapping[str, Any] | None = None,
    as_json: bool = False,
) -> None:
    """Check a strategy by name or folder, and show what was found.

    Raises: Exit with 1 where a check failed.
    """
    from magellan.surfaces.cli.output import emit, print_table
    from magellan.surfaces.cli.run_options import chosen_strategy
    from magellan.usecases.validate_strategy import validate_strategy
    from magellan.wiring.market import bar_archive, calendar_of, corporate_actions

    loaded = chosen_strategy(workspace, strategy, symbols, settings or {})
    checks = validate_strategy(
        loaded,
        archive=bar_archive(workspace),
        actions=corporate_actions(workspace),
        calendar_of=calendar_of,
        from_on=from_on,
        to_on=to_on,
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
