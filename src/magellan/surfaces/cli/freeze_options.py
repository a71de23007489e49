"""What the `freeze` commands do alike: sources, symbols, and how times are shown."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import workspace_folder

if TYPE_CHECKING:
    from magellan.ports.ledger import Ledger
    from magellan.usecases.freeze import FreezeSources
    from magellan.workspace.workspace import Workspace

AtOption = Annotated[
    datetime | None,
    typer.Option(
        "--at",
        formats=["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"],
        help="On the exchange's clock, for example '2026-01-23 14:30'; default: now.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeDesk:
    """A workspace's freeze calendar, and the ledger that says what is held."""

    workspace: Workspace
    sources: FreezeSources
    ledger: Ledger

    def symbols(self, strategy: str) -> frozenset[str]:
        """What a strategy trades, and what its account in prod holds."""
        from magellan.usecases.freeze import symbols_held
        from magellan.workspace.config_file import read_config
        from magellan.workspace.workspace import Stage

        name = strategy.rpartition("/")[2]
        config = read_config(self.workspace.strategy(strategy).config_file)
        held = symbols_held(self.workspace.settings, name, Stage.PROD, self.ledger)
        return held | frozenset(config.symbols)


@contextmanager
def freeze_desk(given: Path | None, at: datetime | None = None) -> Generator[FreezeDesk]:
    """The freeze calendar of the workspace that a command means, for as long as the block lasts.

    at: what the exchange's clock shows; None: now.
    """
    from magellan.trading.session import exchange_instant
    from magellan.wiring.records import ledger
    from magellan.wiring.releases import freeze_sources
    from magellan.workspace.workspace import Workspace

    workspace = Workspace.at(workspace_folder(given))
    then = None if at is None else exchange_instant(at.date(), at.time())
    sources = freeze_sources(workspace, lambda: then or datetime.now(UTC))
    with closing(ledger(workspace)) as book:
        yield FreezeDesk(workspace=workspace, sources=sources, ledger=book)


def shown(at: datetime | None) -> str:
    """An instant on the exchange's clock, for people."""
    from magellan.trading.session import EXCHANGE_ZONE

    return (
        "somebody says more" if at is None else f"{at.astimezone(EXCHANGE_ZONE):%a %Y-%m-%d %H:%M} New York"
    )
