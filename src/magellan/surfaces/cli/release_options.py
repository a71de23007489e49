"""What the commands on releases share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import workspace_folder

if TYPE_CHECKING:
    from magellan.ports.release_store import ReleaseStore
    from magellan.workspace.workspace import Workspace

StrategyNameArgument = Annotated[
    str, typer.Argument(metavar="STRATEGY", help="The strategy's name, with or without its stage.")
]
ReleaseArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[RELEASE]", help="Its name, number, or the beginning of its id; default: the newest."
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """A workspace's releases."""

    workspace: Workspace
    store: ReleaseStore
    trusted_keys: Mapping[str, str]

    @classmethod
    def of(cls, given: Path | None) -> Shelf:
        """Those of the workspace that a command means."""
        from magellan.wiring.releases import release_store
        from magellan.workspace.workspace import Workspace

        workspace = Workspace.at(workspace_folder(given))
        return cls(
            workspace=workspace,
            store=release_store(workspace),
            trusted_keys=workspace.settings.releases.trusted_keys,
        )


def strategy_name(named: str) -> str:
    """The name under which a strategy's releases lie: without its stage."""
    return named.rpartition("/")[2]
