"""Keep a lease: renew it on every host of a stage for as long as somebody runs this, or end it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from magellan.audit.change import Change, Result
from magellan.deploy.host import Host
from magellan.errors import MagellanError
from magellan.plan.actor import Actor
from magellan.ports.change_log import ChangeLog

RENEWED_IN_A_LEASE: Final = 4  # times; a renewal may be lost, and another be late

Tell = Callable[[str, bool, str], None]  # (host, whether it is renewed, why it is not)


async def keep_lease(
    hosts: Sequence[Host],
    for_s: float,
    *,
    by: str,
    tell: Tell,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Renew it on every host, each by itself, until this is cancelled: nobody renews it then, and it lapses.

    tell: told of each host when it is first renewed, when it no longer is, and when it is again.
    """

    async def keep(host: Host) -> None:
        was: bool | None = None
        while True:
            why = ""
            try:
                await host.renew_lease(for_s, by=by)
            except MagellanError as error:
                why = error.message
            if was is not (not why):
                was = not why
                tell(host.name, was, why)
            await sleep(for_s / RENEWED_IN_A_LEASE)

    async with asyncio.TaskGroup() as keeping:
        for host in hosts:
            keeping.create_task(keep(host))


async def end_lease(hosts: Sequence[Host], change: Change, changes: ChangeLog, *, now: datetime) -> list[str]:
    """Let the hosts enter without one again; recorded in the audit log. Returns why it could not be ended, per host."""
    changes.append(change)

    async def end(host: Host) -> str:
        try:
            await host.end_lease()
        except MagellanError as error:
            return f"{host.name}: {error.message}"
        return ""

    failed = [each for each in await asyncio.gather(*map(end, hosts)) if each]
    result = Result.FAILED if failed else Result.DONE
    changes.append(replace(change, at=now, result=result, note="; ".join(failed)))
    return failed


def lease_change(action: str, stage: str, hosts: Sequence[Host], by: Actor, why: str, at: datetime) -> Change:
    """That somebody keeps or ends the leases of a stage's hosts."""
    return Change(
        at=at,
        by=by,
        action=action,
        subject=stage,
        where=", ".join(host.name for host in hosts),
        why=why,
        result=Result.BEGUN,
    )
