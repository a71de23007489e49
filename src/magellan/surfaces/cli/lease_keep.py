"""`magellan lease keep`."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.deploy_options import ByOption, StageOption, WhyOption
from magellan.surfaces.cli.options import WorkspaceOption

if TYPE_CHECKING:
    from collections.abc import Coroutine


def lease_keep(
    stage: StageOption = "prod",
    for_s: Annotated[
        float,
        typer.Option(
            "--for",
            metavar="SECONDS",
            min=1,
            max=3600,
            help="How long a host goes on entering after the newest renewal.",
        ),
    ] = 10.0,
    by: ByOption = None,
    why: WhyOption = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print each change as one JSON document, on a line of its own.")
    ] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Keep the leases of a stage's hosts: while this runs and reaches a host, sessions there may enter.

    A host that it no longer reaches enters nothing more after SECONDS: what is held keeps its protection and its exits.
    A host has no lease until this has given it one, and needs it from then on, also after a restart, until `magellan
    lease end`. Ctrl-C ends it, and the leases lapse.
    """
    from magellan.surfaces.cli.lease_options import leased
    from magellan.surfaces.cli.output import note
    from magellan.usecases.keep_lease import keep_lease, lease_change
    from magellan.wiring.records import change_log
    from magellan.wiring.upkeep import notifier

    opened, hosts, actor = leased(stage, by, workspace)
    told = notifier(opened, "leases", ())

    def tell(host: str, is_renewed: bool, reason: str) -> None:
        now = datetime.now(UTC)
        if as_json:
            said = {"at": now.isoformat(), "host": host, "renewed": is_renewed, "why": reason}
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()
        words = (
            f"{host}: its lease is renewed" if is_renewed else f"{host}: its lease is not renewed: {reason}"
        )
        if not as_json:
            note(words)
        if not is_renewed:
            told.tell("critical", f"{words}; it enters nothing from {for_s:g} s on", now)

    change_log(opened).append(lease_change("lease keep", stage, hosts, actor, why, datetime.now(UTC)))
    asyncio.run(_until_ended(keep_lease(hosts, for_s, by=str(actor.person), tell=tell)))
    note(f"no lease is renewed any more: they lapse within {for_s:g} s")


async def _until_ended(work: Coroutine[None, None, None]) -> None:
    """As a service is ended: SIGTERM is an order like Ctrl-C, and no failure."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task
