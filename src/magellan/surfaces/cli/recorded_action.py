"""What `data split`, `data dividend` and `data confirm` do alike: record an action, and show what prices say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from magellan.surfaces.cli.options import workspace_folder

if TYPE_CHECKING:
    from magellan.trading.corporate_action import CorporateAction


def show_recorded(action: CorporateAction, workspace: Path | None, *, as_json: bool) -> None:
    """Record `action` in the workspace's table, and say which archived prices show it."""
    from magellan.archive.actions import described, kind_of
    from magellan.surfaces.cli.output import emit, say
    from magellan.usecases.corporate_actions import record_action
    from magellan.wiring.market import bar_archive, corporate_action_store
    from magellan.workspace.workspace import Workspace

    opened = Workspace.at(workspace_folder(workspace))
    sightings = record_action(corporate_action_store(opened), bar_archive(opened), action)

    def show() -> None:
        say(f"recorded: {described(action)}")
        for each in sightings:
            verdict = "explained" if each.explained else "still unexplained: `magellan data check` tells why"
            say(f"  {each.set}, {each.at:%Y-%m-%dT%H:%MZ}: price x{each.factor:.3g}, {verdict}")
        if not sightings:
            say("  no archived bars lie around it")

    document = {"kind": kind_of(action), "recorded": action, "seen": sightings}
    emit(document, as_json=as_json, human=show)
