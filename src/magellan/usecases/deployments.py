"""Deployments: what each target runs now, by its own word."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from magellan.deploy.health import SessionLook
from magellan.deploy.host import Host, Installed
from magellan.deploy.instance import Instance, InstanceLook, Process
from magellan.errors import MagellanError
from magellan.workspace.workspace import Stage, WorkspaceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One instance on one host."""

    host: str
    instance: Instance
    look: InstanceLook
    is_armed: bool
    installed: Installed
    session: SessionLook | None  # of the one that is armed


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfReach:
    """A host that did not tell."""

    host: str
    why: str


async def deployments(
    settings: WorkspaceSettings, host: Callable[[str], Host]
) -> tuple[Deployment | OutOfReach, ...]:
    """All instances of all targets, those that are armed first."""
    names = dict.fromkeys(name for stage in Stage for name in settings.stage(stage).targets)

    async def of(name: str) -> tuple[Deployment | OutOfReach, ...]:
        try:
            there = host(name)
            found = [await _deployment(there, each) for each in await there.instances()]
        except MagellanError as error:
            return (OutOfReach(host=name, why=error.message),)
        shown = (each for each in found if not _is_anothers(settings, each))
        return tuple(sorted(shown, key=lambda each: (not each.is_armed, each.instance.key)))

    return tuple(each for found in await asyncio.gather(*map(of, names)) for each in found)


def _is_anothers(settings: WorkspaceSettings, found: Deployment) -> bool:
    """Whether another of this machine's targets keeps it: they share one folder, so each lists what all of them run."""
    if found.look.process is Process.RUNNING or not settings.is_this_machine(found.host):
        return False
    its_own = settings.stage(Stage(found.instance.stage)).targets
    return found.host not in its_own and any(settings.is_this_machine(each) for each in its_own)


async def _deployment(host: Host, instance: Instance) -> Deployment:
    look, armed, installed = await asyncio.gather(
        host.look(instance.key), host.armed(instance.ledger_account), host.installed(instance.release_id)
    )
    is_armed = armed.instance == instance.key
    return Deployment(
        host=host.name,
        instance=instance,
        look=look,
        is_armed=is_armed,
        installed=installed,
        session=await host.session(instance.ledger_account) if is_armed else None,
    )
