"""`magellan release prune`."""

from __future__ import annotations

from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption
from magellan.surfaces.cli.release_options import Shelf, StrategyNameArgument, strategy_name


def release_prune(
    strategy: StrategyNameArgument,
    keep: Annotated[
        int | None,
        typer.Option("--keep", min=1, help="So many of the newest stay; default: magellan.toml's."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; without it, only show which.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove old releases; a release that any recorded session ran is evidence, and stays."""
    from magellan.surfaces.cli.output import emit, say
    from magellan.usecases.releases import prune_releases, releases_run
    from magellan.wiring.records import ledger

    shelf = Shelf.of(workspace)
    opened = ledger(shelf.workspace)
    try:
        in_use = releases_run(opened)
    finally:
        opened.close()
    gone = prune_releases(
        shelf.store,
        strategy_name(strategy),
        keep=shelf.workspace.settings.releases.keep if keep is None else keep,
        in_use=in_use,
        really=yes,
    )

    def show() -> None:
        for each in gone:
            say(f"{'removed' if yes else 'would remove'} {each.name}")
        if not gone:
            say("nothing to remove")
        elif not yes:
            say("nothing was removed; `--yes` does it")

    emit({"removed" if yes else "would_remove": [each.name for each in gone]}, as_json=as_json, human=show)
