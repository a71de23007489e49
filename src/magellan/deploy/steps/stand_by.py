"""Let an instance stand by, or let it go."""

from __future__ import annotations

from dataclasses import dataclass

from magellan.deploy.host import Fleet
from magellan.deploy.instance import Condition, Instance, InstanceLook, Process
from magellan.deploy.steps.looking import (
    STANDS_BY,
    made_ready,
    not_itself,
    why_not_running,
)
from magellan.errors import AskOperator
from magellan.plan.step import Answer, Before, Begun, Blocked, Done, NotDone, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class StandBy(Step[Fleet]):
    """Start an instance that trades nothing yet, and wait until it is ready to."""

    host: str
    instance: Instance
    config_sha256: str  # that it has to report
    within_s: float

    @property
    def title(self) -> str:
        return f"{self.host}: {self.instance.key} stands by"

    @property
    def changes(self) -> frozenset[str]:
        return frozenset({f"{self.host}/instance/{self.instance.key}"})

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({f"{self.host}/release/{self.instance.release_id}"})

    async def check(self, world: Fleet, before: Before | None) -> Answer:
        look = await world.hosts[self.host].look(self.instance.key)
        if look.process is Process.ABSENT:
            return NotDone()
        wrong = why_not_running(look) or not_itself(look, self.instance, self.config_sha256)
        if wrong and before is None:
            return Blocked(why=f"it is there already, and {wrong}")
        if not wrong and look.condition in STANDS_BY:
            return Done(note=f"release and config are the right ones; process {look.report.pid}")  # type: ignore[union-attr]
        return Begun(why=wrong or "it is not ready yet")

    async def do(self, world: Fleet, before: Before) -> None:
        await made_ready(world.hosts[self.host], self.instance, self.config_sha256, self.within_s)

    async def undo(self, world: Fleet, before: Before) -> None:
        await world.hosts[self.host].stop(self.instance.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retire(Step[Fleet]):
    """End an instance that only stands by.

    Taken back, it is started again. Where it does not come to stand by, with the broker away, say, nothing hangs on it:
    its keeper goes on trying, and whoever looks at the deployments sees it.
    """

    host: str
    instance: Instance
    config_sha256: str  # that it has to report when it is brought back
    within_s: float

    @property
    def title(self) -> str:
        return f"{self.host}: {self.instance.key} ends; its release stays"

    @property
    def changes(self) -> frozenset[str]:
        return frozenset({f"{self.host}/instance/{self.instance.key}"})

    async def check(self, world: Fleet, before: Before | None) -> Answer:
        host = world.hosts[self.host]
        look = await host.look(self.instance.key)
        if look.process is Process.ABSENT:
            return Done()
        armed = await host.armed(self.instance.ledger_account)
        if armed.instance == self.instance.key:
            return Blocked(why="it is armed: it trades")
        if before is not None and not (_stands_by(look) or _fails_by_itself(look)):
            return Begun(why="it does not stand by again yet")
        return NotDone()

    async def do(self, world: Fleet, before: Before) -> None:
        await world.hosts[self.host].stop(self.instance.key)

    async def undo(self, world: Fleet, before: Before) -> None:
        host = world.hosts[self.host]
        try:
            await made_ready(host, self.instance, self.config_sha256, self.within_s)
        except AskOperator:
            look = await host.look(self.instance.key)
            if not _fails_by_itself(look):
                raise


def _stands_by(look: InstanceLook) -> bool:
    return look.condition in STANDS_BY and not why_not_running(look)


def _fails_by_itself(look: InstanceLook) -> bool:
    """Whether it was started, and ended without being told to."""
    return look.process is not Process.ABSENT and (look.restarts > 0 or look.condition is Condition.FAILED)
