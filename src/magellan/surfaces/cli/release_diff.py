"""`magellan release diff`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption
from magellan.surfaces.cli.release_options import Shelf, StrategyNameArgument, strategy_name

if TYPE_CHECKING:
    from magellan.usecases.releases import Compared


def release_diff(
    strategy: StrategyNameArgument,
    before: Annotated[
        str | None,
        typer.Argument(metavar="[BEFORE]", help="The older one; default: the one before the other."),
    ] = None,
    after: Annotated[
        str | None, typer.Argument(metavar="[AFTER]", help="The newer one; default: the newest.")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what differs between two releases: config keys with their values, packages, files, who and from where."""
    from magellan.surfaces.cli.output import emit
    from magellan.usecases.releases import compare_releases

    compared = compare_releases(Shelf.of(workspace).store, strategy_name(strategy), before, after)
    document = {
        "before": compared.before.name,
        "after": compared.after.name,
        "changes": compared.changes,
    }
    emit(document, as_json=as_json, human=lambda: _show(compared))


def _show(compared: Compared) -> None:
    from magellan.surfaces.cli.output import print_table, say

    if not compared.changes:
        say(f"{compared.before.name} and {compared.after.name} are the same")
        return
    print_table(
        ("what", compared.before.name, compared.after.name),
        [(each.what, each.before, each.after) for each in compared.changes],
    )
