"""Put a release on a host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from magellan.deploy.host import Fleet
from magellan.deploy.steps.looking import drifted
from magellan.plan.step import Answer, Before, Begun, Blocked, Done, Limits, NotDone, Step

_SHORT: Final = Limits(timeout_s=60.0, attempts=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallRelease(Step[Fleet]):
    """Put a release on a host, checked byte for byte there."""

    host: str
    release_id: str
    label: str  # `bear_trap-7-1f3a90c2d4e5`

    @property
    def title(self) -> str:
        return f"{self.host}: install {self.label}"

    @property
    def limits(self) -> Limits:
        return _SHORT

    @property
    def changes(self) -> frozenset[str]:
        return frozenset({f"{self.host}/release/{self.release_id}"})

    async def check(self, world: Fleet, before: Before | None) -> Answer:
        if before is not None and await self._is_run(world):
            return NotDone()  # on the way back it stays: what this plan put there another stage runs by now
        return await self.verify(world, before)

    async def verify(self, world: Fleet, before: Before | None) -> Answer:
        found = await world.hosts[self.host].installed(self.release_id)
        if found.drift:
            why = drifted(self.host, self.label, found.drift)
            # What this very plan has put there it can take away again, edited or not: the host keeps what was edited.
            return Blocked(why=why) if before is None else Begun(why=why)
        return Done(note="every file is as the manifest says") if found.is_there else NotDone()

    async def do(self, world: Fleet, before: Before) -> None:
        await world.hosts[self.host].install(self.release_id, world.content[self.release_id])

    async def undo(self, world: Fleet, before: Before) -> None:
        await world.hosts[self.host].remove(self.release_id)

    async def _is_run(self, world: Fleet) -> bool:
        """Whether the host has an instance of it: on the way back this plan's own has ended by now."""
        return any(each.release_id == self.release_id for each in await world.hosts[self.host].instances())


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallAnew(InstallRelease):
    """Put a release in the place of one that somebody edited on the host, which keeps what was edited aside.

    Taken back, the whole one stays: nobody wants the edited one to stand by again.
    """

    instance: str  # key of the one that would run from these files; it has ended by now

    @property
    def title(self) -> str:
        return f"{self.host}: put aside what was edited of {self.label}, and install it anew"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({f"{self.host}/instance/{self.instance}"})

    async def check(self, world: Fleet, before: Before | None) -> Answer:
        found = await world.hosts[self.host].installed(self.release_id)
        if before is None:
            if found.drift and await self._is_run(world):
                return Blocked(why=f"{drifted(self.host, self.label, found.drift)}; it is run from there")
            return Done(note="every file is as the manifest says") if found.is_whole else NotDone()
        return NotDone() if found.is_there else Begun(why="it was put aside, and does not lie there anew yet")

    async def do(self, world: Fleet, before: Before) -> None:
        host = world.hosts[self.host]
        if (await host.installed(self.release_id)).drift:
            await host.remove(self.release_id)
        await host.install(self.release_id, world.content[self.release_id])

    async def undo(self, world: Fleet, before: Before) -> None:
        await self.do(world, before)
