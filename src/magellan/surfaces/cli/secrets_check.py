"""`magellan secrets check`."""

from __future__ import annotations

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption
from magellan.surfaces.cli.secret_options import Safe, show_inventory


def secrets_check(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Check that every secret is there and not overdue. Ends with 1 when one is not."""
    from magellan.surfaces.cli.output import emit, say

    lines = Safe.of(workspace).inventory()
    bad = [each for each in lines if not each.state.is_well]

    def show() -> None:
        show_inventory(lines)
        for each in bad:
            say(f"{each.name} is {each.state.value}: {_way_out(each.name, missing=each.place is None)}")

    emit({"is_well": not bad, "secrets": lines}, as_json=as_json, human=show)
    if bad:
        raise typer.Exit(1)


def _way_out(name: str, *, missing: bool) -> str:
    if missing:
        return "put it where magellan.toml says that it is kept"
    return f"have another one made by whoever issued it, then `magellan secrets rotate {name}`"
