"""What is measured of a workspace, for the commands on metrics and for the watch."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from magellan.surfaces.cli.secret_options import Safe

if TYPE_CHECKING:
    from magellan.usecases.metrics import Family, MetricSources
    from magellan.workspace.workspace import Workspace


@contextmanager
def metric_sources(workspace: Workspace) -> Generator[MetricSources]:
    """Everything that is measured, with the ledger open until the block ends."""
    from magellan.usecases.metrics import MetricSources
    from magellan.wiring.market import session_calendar
    from magellan.wiring.records import change_log, ledger
    from magellan.wiring.sessions import heartbeat_file
    from magellan.wiring.upkeep import backup_record, disk_gauge, outbox

    opened = ledger(workspace)
    try:
        yield MetricSources(
            settings=workspace.settings,
            ledger=opened,
            newest_beat=lambda account: heartbeat_file(workspace, account).newest(),
            calendar_of=lambda began: session_calendar(workspace, began),
            disk=disk_gauge(workspace),
            secrets=Safe.of(workspace.root).inventory,
            last_backup_at=backup_record(workspace).last_at,
            outbox=outbox(workspace),
            changes=change_log(workspace),
            clock=lambda: datetime.now(UTC),
        )
    finally:
        opened.close()


def measured(workspace: Workspace) -> tuple[Family, ...]:
    """Everything, now. Raises what a source raises."""
    from magellan.usecases.metrics import measure

    with metric_sources(workspace) as sources:
        return measure(sources)
