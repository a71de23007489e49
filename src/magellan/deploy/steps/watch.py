"""Look at a release that trades: until it is well, and for a while after that."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any, Final

from magellan.deploy.health import BAR_LATE_S, Health, SessionLook, health, loss_fraction
from magellan.deploy.host import Fleet, Host
from magellan.deploy.instance import Instance, InstanceLook
from magellan.deploy.steps.looking import (
    elapsed_s,
    must_run,
    not_whole,
    pid_of,
    until,
)
from magellan.errors import AskOperator, TryAgain
from magellan.plan.step import Answer, Before, Blocked, Done, NotDone, Step

_WATCH_EVERY_S: Final = 1.0
_UNREACHED_S_MAX: Final = 15.0  # that a watched host may be out of reach before the release is taken back


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitHealth(Step[Fleet]):
    """Wait until the session has shown all that a release that trades must show."""

    host: str
    instance: Instance
    config_sha256: str
    halted_before: str
    within_s: float
    tripped_before: tuple[str, ...] = ()

    def description(self) -> dict[str, Any]:
        return _without_empty_trips(self)

    @property
    def title(self) -> str:
        return f"{self.host}: {self.instance.key} shows that it is well, within {self.within_s:g} s"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({f"{self.host}/account/{self.instance.ledger_account}"})

    async def check(self, world: Fleet, before: Before | None) -> Answer:
        return NotDone()

    async def do(self, world: Fleet, before: Before) -> None:
        host = world.hosts[self.host]

        async def well() -> str:
            # Half of the time for the bar to be over, half of it for it to come.
            found, _ = await self._health(host, bar_within_s=self.within_s / 2)
            if found.wrong:
                raise AskOperator("; ".join(found.wrong))
            return ", ".join(found.awaited)

        await until(
            well, self.within_s, lambda what: f"{self.instance.key} has not shown: {what}", _WATCH_EVERY_S / 5
        )

    async def verify(self, world: Fleet, before: Before) -> Answer:
        host = world.hosts[self.host]
        found, look = await self._health(host)
        if not found.is_well:
            return Blocked(why="; ".join((*found.wrong, *found.awaited)))
        return await _whole(host, self.instance) or Done(note=evidence(look))

    async def undo(self, world: Fleet, before: Before) -> None:
        raise AssertionError("nothing was changed")

    async def _health(self, host: Host, *, bar_within_s: float = -BAR_LATE_S) -> tuple[Health, SessionLook]:
        process, look = await _seen(host, self.instance)
        found = health(
            look,
            release_id=self.instance.release_id,
            config_sha256=self.config_sha256,
            halted_before=self.halted_before,
            tripped_before=self.tripped_before,
            bar_within_s=bar_within_s,
        )
        if not process.last_words:
            found = replace(found, awaited=(*found.awaited, "the log"))
        return found, look


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch(Step[Fleet]):
    """Stay beside a release that trades; what goes wrong in that time takes it back."""

    host: str
    instance: Instance
    config_sha256: str
    halted_before: str
    for_s: float
    loss_fraction_max: float  # of the account's equity when the watch began
    tripped_before: tuple[str, ...] = ()

    def description(self) -> dict[str, Any]:
        return _without_empty_trips(self)

    @property
    def title(self) -> str:
        return f"{self.host}: watch {self.instance.key} for {self.for_s:g} s"

    @property
    def needs(self) -> frozenset[str]:
        return frozenset({f"{self.host}/account/{self.instance.ledger_account}"})

    async def check(self, world: Fleet, before: Before | None) -> Answer:
        return NotDone()

    async def do(self, world: Fleet, before: Before) -> None:
        host = world.hosts[self.host]
        first_process, first = await _seen(host, self.instance)
        first_pid = pid_of(first_process)
        began_s = reached_s = elapsed_s()
        unwell_since_s: float | None = None
        while (now_s := elapsed_s()) < began_s + self.for_s:
            await asyncio.sleep(min(_WATCH_EVERY_S, max(0.0, began_s + self.for_s - now_s)))
            try:
                process, look = await _seen(host, self.instance)
            except TryAgain as error:  # a host that is out of reach for a moment trades on
                if elapsed_s() - reached_s > _UNREACHED_S_MAX:
                    raise AskOperator(f"{self.host} has been out of reach: {error.message}") from error
                continue
            reached_s = elapsed_s()
            if pid_of(process) not in (None, first_pid):
                raise AskOperator(
                    f"its process {first_pid} is gone, and another one was started in its place"
                )
            found = self._judged(first, look)
            if found.wrong:
                raise AskOperator("; ".join(found.wrong))
            if found.is_well:
                unwell_since_s = None
            else:
                unwell_since_s = unwell_since_s or reached_s
                if reached_s - unwell_since_s > _UNREACHED_S_MAX:
                    raise AskOperator(f"health was lost: it lacks {', '.join(found.awaited)}")

    async def verify(self, world: Fleet, before: Before) -> Answer:
        host = world.hosts[self.host]
        _, look = await _seen(host, self.instance)
        return await _whole(host, self.instance) or Done(note=evidence(look))

    async def undo(self, world: Fleet, before: Before) -> None:
        raise AssertionError("nothing was changed")

    def _judged(self, first: SessionLook, look: SessionLook) -> Health:
        found = health(
            look,
            release_id=self.instance.release_id,
            config_sha256=self.config_sha256,
            halted_before=self.halted_before,
            tripped_before=self.tripped_before,
        )
        lost = loss_fraction(first, look)
        if lost is not None and lost > self.loss_fraction_max:
            words = f"it has lost {lost:.2%} of the account since it took over; {self.loss_fraction_max:.2%} is allowed"
            return Health(wrong=(*found.wrong, words), awaited=found.awaited)
        return found


def _without_empty_trips(step: Step[Fleet]) -> dict[str, Any]:
    """As a version wrote it that did not know of `tripped_before`, so that its roll-outs can be gone on with."""
    told = Step.description(step)
    if not told["tripped_before"]:
        del told["tripped_before"]
    return told


async def _seen(host: Host, instance: Instance) -> tuple[InstanceLook, SessionLook]:
    """The instance and its session, asked for together. Raises AskOperator when it does not run."""
    process, session = await asyncio.gather(
        must_run(host, instance.key), host.session(instance.ledger_account), return_exceptions=True
    )
    for told in (process, session):  # what the process shows says more than what its session does not
        if isinstance(told, BaseException):
            raise told
    assert isinstance(process, InstanceLook) and isinstance(session, SessionLook), "nothing was raised"
    return process, session


async def _whole(host: Host, instance: Instance) -> Blocked | None:
    """Why not. A process that was started again would begin with what lies there, and not with what was attested."""
    changed = not_whole(host.name, instance.key, await host.installed(instance.release_id))
    return Blocked(why=changed) if changed else None


def evidence(look: SessionLook) -> str:
    """What a look at a session shows, for the journal and the audit."""
    told = [f"session {look.session_id}"]
    if look.broker_answer_age_s is not None:
        told.append(f"broker answered {look.broker_answer_age_s:.0f} s ago")
    if look.reconciled_age_s is not None:
        told.append(f"books compared {look.reconciled_age_s:.0f} s ago")
    told.append("the market is shut" if look.bar_age_s is None else f"newest bar {look.bar_age_s:.0f} s ago")
    told.append(f"{look.exceptions} exceptions")
    return ", ".join(told)
