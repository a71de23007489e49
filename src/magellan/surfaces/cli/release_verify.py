"""`magellan release verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption
from magellan.surfaces.cli.release_options import ReleaseArgument, Shelf, strategy_name

if TYPE_CHECKING:
    from magellan.usecases.releases import Checked


def release_verify(
    strategy: Annotated[
        str | None, typer.Argument(metavar="[STRATEGY]", help="Only this strategy's; default: all.")
    ] = None,
    release: ReleaseArgument = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read releases byte for byte: every file against its digest, the name against them all, the signature against it.

    Without a release, all of them. Ends with 0 when every one is whole and
    signed by a key that magellan.toml trusts, else with 1.
    """
    from magellan.surfaces.cli.output import emit
    from magellan.usecases.releases import verify_releases

    shelf = Shelf.of(workspace)
    named = None if strategy is None else strategy_name(strategy)
    checked = verify_releases(shelf.store, named, release, trusted_keys=shelf.trusted_keys)
    document = [
        {
            "name": each.stored.name,
            "release_id": each.stored.release_id,
            "problem": each.problem,
            "signed_by": each.signer,
        }
        for each in checked
    ]
    emit(document, as_json=as_json, human=lambda: _show(checked))
    if any(each.problem for each in checked):
        raise typer.Exit(1)


def _show(checked: tuple[Checked, ...]) -> None:
    from magellan.surfaces.cli.output import say

    for each in checked:
        say(f"{each.stored.name}: {each.problem or f'whole, signed by {each.signer}'}")
    if not checked:
        say("no releases yet")
