"""Hand an account from one instance to another."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Final

from magellan.deploy.arming import Armed
from magellan.deploy.host import Fleet, Host
from magellan.deploy.instance import Condition, Instance, InstanceLook, Process
from magellan.deploy.steps.looking import (
    elapsed_s,
    last_words_of,
    trades,
    until,
    why_not_running,
)
from magellan.errors import AskOperator
from magellan.plan.step import Answer, Before, Begun, Blocked, Done, NotDone, Step

_LOADS_WITHIN_S: Final = 180.0  # one that has to be started again to trade as before


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver(Step[Fleet]):
    """Arm the new instance for the account instead of the old one. The one step by which anybody begins to trade."""

    host: str
    instance: Instance
    by: str
    within_s: float

    @property
    def title(self) -> str:
        return f"{self.host}: hand {self.instance.account} over to {self.instance.key}"

    @property
    def changes(self) -> frozenset[str]:
        return frozenset({f"{self.host}/account/{self.instance.ledger_account}"})

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({f"{self.host}/instance/{self.instance.key}"})

    async def check(self, world: Fleet, before: Before | None) -> Answer:
        host = world.hosts[self.host]
        armed = await host.armed(self.instance.ledger_account)
        if armed.instance == self.instance.key:
            return _standing(armed, await host.look(self.instance.key))
        was = {"instance": armed.instance, "release_id": armed.release_id, "epoch": armed.epoch}
        if before is None:
            return NotDone(before=was)
        if armed.instance == before["instance"]:
            if armed.instance is None or await trades(host, armed.instance):
                return NotDone(before=before)
            return Begun(why=f"{armed.instance} is armed again, and does not trade yet")
        return Blocked(why=f"{armed.by} has armed {armed.instance or 'nobody'} meanwhile")

    async def verify(self, world: Fleet, before: Before) -> Answer:
        host = world.hosts[self.host]
        armed, look = await asyncio.gather(
            host.armed(self.instance.ledger_account), host.look(self.instance.key)
        )
        if armed.instance != self.instance.key:
            return Blocked(why=f"{armed.by} has armed {armed.instance or 'nobody'} meanwhile")
        return _standing(armed, look)

    async def do(self, world: Fleet, before: Before) -> None:
        host = world.hosts[self.host]
        armed = await host.armed(self.instance.ledger_account)
        if armed.instance != self.instance.key:
            await host.arm(
                self.instance.ledger_account,
                self.instance.key,
                self.instance.release_id,
                epoch=armed.epoch,
                by=self.by,
            )
        await _until_trading(host, self.instance.key, before["instance"], self.within_s)

    async def undo(self, world: Fleet, before: Before) -> None:
        host = world.hosts[self.host]
        armed = await host.armed(self.instance.ledger_account)
        if armed.instance != before["instance"]:
            await host.arm(
                self.instance.ledger_account,
                before["instance"],
                before["release_id"],
                epoch=armed.epoch,
                by=self.by,
            )
        if before["instance"] is None:
            await _until_left(host, self.instance.key, self.within_s)
        else:
            traded = replace(self.instance, release_id=before["release_id"])
            loads_s = _LOADS_WITHIN_S if await _start_again(host, traded, before["instance"]) else 0.0
            await _until_trading(
                host, before["instance"], self.instance.key, self.within_s + loads_s, may_have_ended=True
            )


def _standing(armed: Armed, look: InstanceLook) -> Done | Begun:
    """How far the instance is that is armed."""
    if look.condition is Condition.TRADING and not why_not_running(look):
        return Done(note=f"armed as number {armed.epoch}")
    return Begun(why=why_not_running(look) or f"it is armed, and {look.condition or 'silent'}")


async def _start_again(host: Host, traded: Instance, key: str) -> bool:
    """Let one that traded before run again, where it has ended meanwhile and nothing would start it.

    traded: what it was, by this account and its release; one that was ended by force is known to its host no more.
    Returns whether it still has to load.
    """
    look = await host.look(key)
    if look.process is Process.ABSENT and traded.key == key:
        await host.start(traded)
    elif look.process is Process.ENDED:
        for each in await host.instances():
            if each.key == key:
                await host.start(each)
    return look.process is not Process.RUNNING or look.condition is Condition.LOADING


async def _until_trading(
    host: Host, key: str, other: str | None, within_s: float, *, may_have_ended: bool = False
) -> None:
    """Wait until an armed instance trades. One that holds the account though it may not is ended by force.

    may_have_ended: it is known to be good, and whoever keeps it is given the time to start it again.
    """
    began_s = elapsed_s()
    forced = False

    async def trading() -> str:
        nonlocal forced
        look = await host.look(key)
        ended = why_not_running(look)
        if ended and not may_have_ended:
            raise AskOperator(f"{key} {ended}{last_words_of(look)}")
        if look.condition is Condition.TRADING and not ended:
            return ""
        is_late = elapsed_s() - began_s > within_s / 2
        if other is not None and is_late and not forced and await trades(host, other):
            forced = True
            await host.stop(other)
        told = look.report.why if look.report else ""
        return ended or f"is {look.condition or 'silent'}{f', waiting for {told}' if told else ''}"

    await until(trading, within_s, lambda what: f"{key} did not begin to trade: it {what}")


async def _until_left(host: Host, key: str, within_s: float) -> None:
    async def left() -> str:
        look = await host.look(key)
        trades = look.process is Process.RUNNING and look.condition in (Condition.TRADING, Condition.TAKING)
        return str(look.condition) if trades else ""

    try:
        await until(left, within_s, lambda what: f"{key} did not stop trading: it is {what}")
    except AskOperator:
        await host.stop(key)  # by force: nobody may trade
