"""`magellan lease end`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import typer

from magellan.surfaces.cli.deploy_options import ByOption, StageOption, WhyOption
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption


def lease_end(
    stage: StageOption = "prod",
    by: ByOption = None,
    why: WhyOption = "",
    as_json: JsonOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """End the leases of a stage's hosts: sessions there enter without one again.

    For when nobody keeps them any more. It is recorded in the audit log. On
    a host that cannot be reached its user does the same by removing
    `.magellan/host/lease.json`.
    """
    from magellan.surfaces.cli.lease_options import leased
    from magellan.surfaces.cli.output import emit, note, say
    from magellan.usecases.keep_lease import end_lease, lease_change
    from magellan.wiring.records import change_log

    opened, hosts, actor = leased(stage, by, workspace)
    now = datetime.now(UTC)
    change = lease_change("lease end", stage, hosts, actor, why, now)
    failed = asyncio.run(end_lease(hosts, change, change_log(opened), now=now))
    ended = len(hosts) - len(failed)
    emit(
        {"hosts": [host.name for host in hosts], "failed": failed},
        as_json=as_json,
        human=lambda: say(f"{ended} of {len(hosts)} hosts enter without a lease"),
    )
    for each in failed:
        note(each)
    if failed:
        raise typer.Exit(1)
