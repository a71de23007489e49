"""`magellan release list`."""

from __future__ import annotations

from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption
from magellan.surfaces.cli.release_options import Shelf, strategy_name


def release_list(
    strategy: Annotated[
        str | None, typer.Argument(metavar="[STRATEGY]", help="Only this strategy's.")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List releases, oldest first."""
    from magellan.surfaces.cli.output import emit, jsonable, print_table, say

    shelf = Shelf.of(workspace)
    names = shelf.store.strategies() if strategy is None else (strategy_name(strategy),)
    found = [release for name in names for release in shelf.store.releases(name)]

    def show() -> None:
        if not found:
            say("no releases yet; `magellan release build STRATEGY` builds one")
            return
        print_table(
            ("name", "built", "bytes"),
            [(each.name, f"{each.stored_at:%Y-%m-%d %H:%M}Z", f"{each.size:,}") for each in found],
            numbers=("bytes",),
        )

    emit([{"name": each.name, **jsonable(each)} for each in found], as_json=as_json, human=show)
