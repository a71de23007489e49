"""`magellan secrets list`."""

from __future__ import annotations

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption
from magellan.surfaces.cli.secret_options import Safe, show_inventory


def secrets_list(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """List every secret that magellan.toml names: who uses it, where it was found, its age, and when it is due.

    No value is ever shown. Ages are counted from when Magellan first saw a
    value; of a value it keeps a mark by which another one is noticed, and
    nothing from which it could be guessed.
    """
    from magellan.surfaces.cli.output import emit

    lines = Safe.of(workspace).inventory()
    emit(lines, as_json=as_json, human=lambda: show_inventory(lines))
