"""Let every host show what it runs, before anybody trades it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from magellan.deploy.host import Fleet
from magellan.deploy.instance import Instance
from magellan.deploy.steps.looking import (
    STANDS_BY,
    not_itself,
    not_whole,
    why_not_running,
)
from magellan.errors import AskOperator
from magellan.plan.step import Answer, Before, Done, NotDone, Step
from magellan.release.manifest import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Attest(Step[Fleet]):
    """Before anybody trades the new release, every host of the fleet shows that it is the one that was approved.

    One server of eight that still ran the old code cost 460 million dollars on 1 August 2012.
    """

    hosts: tuple[str, ...]
    instances: tuple[Instance, ...]  # one for each
    config_sha256: str

    @property
    def title(self) -> str:
        release = shown(self.instances[0].release_id)
        return f"{release} is what stands by on {', '.join(self.hosts)}"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset(
            f"{host}/instance/{each.key}" for host, each in zip(self.hosts, self.instances, strict=True)
        )

    async def check(self, world: Fleet, before: Before | None) -> Answer:
        return NotDone()  # it is asked anew each time; and nothing of it needs a way back

    async def do(self, world: Fleet, before: Before) -> None:
        wrong = await self._wrong(world)
        if wrong:
            raise AskOperator("; ".join(wrong))

    async def verify(self, world: Fleet, before: Before) -> Answer:
        # `do` has only looked, an instant ago. To look again would be to hash every file of every host once more.
        return Done(note=f"{len(self.hosts)} of {len(self.hosts)}")

    async def undo(self, world: Fleet, before: Before) -> None:
        raise AssertionError("nothing was changed")

    async def _wrong(self, world: Fleet) -> list[str]:
        async def of(name: str, instance: Instance) -> str:
            host = world.hosts[name]
            look, there = await asyncio.gather(host.look(instance.key), host.installed(instance.release_id))
            changed = not_whole(name, instance.key, there)
            if changed:
                return changed
            wrong = why_not_running(look) or not_itself(look, instance, self.config_sha256)
            if not wrong and look.condition not in STANDS_BY:
                wrong = f"is {look.condition or 'silent'}"
            return f"{name}: {instance.key} {wrong}" if wrong else ""

        found = await asyncio.gather(*map(of, self.hosts, self.instances))
        return [each for each in found if each]
