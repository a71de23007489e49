"""The steps of a roll-out. Each acts on one host of a fleet, knows its way back, and leaves who trades never in doubt.

A release is installed, stands by, is handed the account, and is watched. Until the hand-over the old one trades and
knows nothing; after it the old one stands by, so that the way back is the same one change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from magellan.deploy.health import Health, SessionLook, health, loss_fraction
from magellan.deploy.host import Fleet, Host
from magellan.deploy.instance import Condition, Instance, InstanceLook, Process
from magellan.errors import AskOperator, TryAgain
from magellan.plan.step import Answer, Before, Begun, Blocked, Done, Limits, NotDone, Step
from magellan.release.manifest import shown

_LOOKS_EVERY_S: Final = 0.05
_WATCH_EVERY_S: Final = 1.0
_UNREACHED_S_MAX: Final = 15.0  # that a watched host may be out of reach before the release is taken back
_WORDS_SHOWN: Final = 5  # lines of what a process said last
_SHORT: Final = Limits(timeout_s=60.0, attempts=3)
_STANDS_BY: Final = frozenset({Condition.READY, Condition.TAKING, Condition.TRADING})


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
        found = await world.hosts[self.host].installed(self.release_id)
        if found.drift:
            return Blocked(why=_drifted(self.host, self.label, found.drift))
        return Done(note="every file is as the manifest says") if found.is_there else NotDone()

    async def do(self, world: Fleet, before: Before) -> None:
        await world.hosts[self.host].install(self.release_id, world.content[self.release_id])

    async def undo(self, world: Fleet, before: Before) -> None:
        await world.hosts[self.host].remove(self.release_id)


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
        wrong = _failed(look) or _not_itself(look, self.instance, self.config_sha256)
        if wrong and before is None:
            return Blocked(why=f"it is there already, and {wrong}")
        if not wrong and look.condition in _STANDS_BY:
            return Done(note=f"release and config are the right ones; process {look.report.pid}")  # type: ignore[union-attr]
        return Begun(why=wrong or "it is not ready yet")

    async def do(self, world: Fleet, before: Before) -> None:
        await _made_ready(world.hosts[self.host], self.instance, self.config_sha256, self.within_s)

    async def undo(self, world: Fleet, before: Before) -> None:
        await world.hosts[self.host].stop(self.instance.key)


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
        wrong = await self._wrong(world)
        return (
            Blocked(why="; ".join(wrong)) if wrong else Done(note=f"{len(self.hosts)} of {len(self.hosts)}")
        )

    async def undo(self, world: Fleet, before: Before) -> None:
        raise AssertionError("nothing was changed")

    async def _wrong(self, world: Fleet) -> list[str]:
        async def of(name: str, instance: Instance) -> str:
            host = world.hosts[name]
            look, there = await asyncio.gather(host.look(instance.key), host.installed(instance.release_id))
            if there.drift:
                return _drifted(name, instance.key, there.drift)
            wrong = _failed(look) or _not_itself(look, instance, self.config_sha256)
            if not wrong and look.condition not in _STANDS_BY:
                wrong = f"is {look.condition or 'silent'}"
            return f"{name}: {instance.key} {wrong}" if wrong else ""

        found = await asyncio.gather(*map(of, self.hosts, self.instances))
        return [each for each in found if each]


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
            look = await host.look(self.instance.key)
            if look.condition is Condition.TRADING and not _failed(look):
                return Done(note=f"armed as number {armed.epoch}")
            return Begun(why=_failed(look) or f"it is armed, and {look.condition or 'silent'}")
        was = {"instance": armed.instance, "release_id": armed.release_id, "epoch": armed.epoch}
        if before is None:
            return NotDone(before=was)
        if armed.instance == before["instance"]:
            if armed.instance is None or await _trades(host, armed.instance):
                return NotDone(before=before)
            return Begun(why=f"{armed.instance} is armed again, and does not trade yet")
        return Blocked(why=f"{armed.by} has armed {armed.instance or 'nobody'} meanwhile")

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
            await _until_trading(host, before["instance"], self.instance.key, self.within_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitHealth(Step[Fleet]):
    """Wait until the session has shown all that a release that trades must show."""

    host: str
    instance: Instance
    config_sha256: str
    halted_before: str
    within_s: float

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
            found = await self._health(host)
            if found.wrong:
                raise AskOperator("; ".join(found.wrong))
            return ", ".join(found.awaited)

        await _until(
            well, self.within_s, lambda what: f"{self.instance.key} has not shown: {what}", _WATCH_EVERY_S / 5
        )

    async def verify(self, world: Fleet, before: Before) -> Answer:
        host = world.hosts[self.host]
        found = await self._health(host)
        if not found.is_well:
            return Blocked(why="; ".join((*found.wrong, *found.awaited)))
        return Done(note=evidence(await host.session(self.instance.ledger_account)))

    async def undo(self, world: Fleet, before: Before) -> None:
        raise AssertionError("nothing was changed")

    async def _health(self, host: Host) -> Health:
        process = await _must_run(host, self.instance.key)
        look = await host.session(self.instance.ledger_account)
        found = health(
            look,
            release_id=self.instance.release_id,
            config_sha256=self.config_sha256,
            halted_before=self.halted_before,
        )
        return found if process.last_words else replace(found, awaited=(*found.awaited, "the log"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch(Step[Fleet]):
    """Stay beside a release that trades; what goes wrong in that time takes it back."""

    host: str
    instance: Instance
    config_sha256: str
    halted_before: str
    for_s: float
    loss_fraction_max: float  # of the account's equity when the watch began

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
        first = await host.session(self.instance.ledger_account)
        first_pid = _pid(await _must_run(host, self.instance.key))
        began_s = reached_s = _now_s()
        unwell_since_s: float | None = None
        while (now_s := _now_s()) < began_s + self.for_s:
            await asyncio.sleep(min(_WATCH_EVERY_S, max(0.0, began_s + self.for_s - now_s)))
            try:
                process = await _must_run(host, self.instance.key)
                look = await host.session(self.instance.ledger_account)
            except TryAgain as error:  # a host that is out of reach for a moment trades on
                if _now_s() - reached_s > _UNREACHED_S_MAX:
                    raise AskOperator(f"{self.host} has been out of reach: {error.message}") from error
                continue
            reached_s = _now_s()
            if _pid(process) not in (None, first_pid):
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
        await _must_run(host, self.instance.key)
        return Done(note=evidence(await host.session(self.instance.ledger_account)))

    async def undo(self, world: Fleet, before: Before) -> None:
        raise AssertionError("nothing was changed")

    def _judged(self, first: SessionLook, look: SessionLook) -> Health:
        found = health(
            look,
            release_id=self.instance.release_id,
            config_sha256=self.config_sha256,
            halted_before=self.halted_before,
        )
        lost = loss_fraction(first, look)
        if lost is not None and lost > self.loss_fraction_max:
            words = f"it has lost {lost:.2%} of the account since it took over; {self.loss_fraction_max:.2%} is allowed"
            return Health(wrong=(*found.wrong, words), awaited=found.awaited)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Retire(Step[Fleet]):
    """End an instance that only stands by."""

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
        if before is not None and not (look.condition in _STANDS_BY and not _failed(look)):
            return Begun(why="it does not stand by again yet")
        return NotDone()

    async def do(self, world: Fleet, before: Before) -> None:
        await world.hosts[self.host].stop(self.instance.key)

    async def undo(self, world: Fleet, before: Before) -> None:
        await _made_ready(world.hosts[self.host], self.instance, self.config_sha256, self.within_s)


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


async def _made_ready(host: Host, instance: Instance, config_sha256: str, within_s: float) -> None:
    """Start it, and wait until it stands by. Raises AskOperator with its last words when it does not."""
    await host.start(instance)

    async def ready() -> str:
        look = await host.look(instance.key)
        failed = _failed(look)
        if failed:
            raise AskOperator(f"{instance.key} {failed}{_last_words(look)}")
        if look.condition in _STANDS_BY:
            wrong = _not_itself(look, instance, config_sha256)
            if wrong:
                raise AskOperator(f"{instance.key} {wrong}")
            return ""
        return str(look.condition or "silent")

    await _until(ready, within_s, lambda what: f"{instance.key} was not ready: it is {what}")


async def _until_trading(host: Host, key: str, other: str | None, within_s: float) -> None:
    """Wait until an armed instance trades. One that holds the account though it may not is ended by force."""
    began_s = _now_s()
    forced = False

    async def trading() -> str:
        nonlocal forced
        look = await host.look(key)
        failed = _failed(look)
        if failed:
            raise AskOperator(f"{key} {failed}{_last_words(look)}")
        if look.condition is Condition.TRADING:
            return ""
        is_late = _now_s() - began_s > within_s / 2
        if other is not None and is_late and not forced and await _trades(host, other):
            forced = True
            await host.stop(other)
        told = look.report.why if look.report else ""
        return f"{look.condition or 'silent'}{f', waiting for {told}' if told else ''}"

    await _until(trading, within_s, lambda what: f"{key} did not begin to trade: it is {what}")


async def _until_left(host: Host, key: str, within_s: float) -> None:
    async def left() -> str:
        look = await host.look(key)
        trades = look.process is Process.RUNNING and look.condition in (Condition.TRADING, Condition.TAKING)
        return str(look.condition) if trades else ""

    try:
        await _until(left, within_s, lambda what: f"{key} did not stop trading: it is {what}")
    except AskOperator:
        await host.stop(key)  # by force: nobody may trade


async def _until(
    lacking: Callable[[], Awaitable[str]],
    within_s: float,
    words: Callable[[str], str],
    every_s: float = _LOOKS_EVERY_S,
) -> None:
    """Ask until nothing is lacking. Raises AskOperator when it takes longer than that."""
    until_s = _now_s() + within_s
    while what := await lacking():
        if _now_s() >= until_s:
            raise AskOperator(f"{words(what)}, after {within_s:g} s")
        await asyncio.sleep(every_s)


def _now_s() -> float:
    """Seconds that pass as they do, whoever sets the clock."""
    return asyncio.get_running_loop().time()


async def _trades(host: Host, key: str) -> bool:
    look = await host.look(key)
    return look.condition is Condition.TRADING and not _failed(look)


async def _must_run(host: Host, key: str) -> InstanceLook:
    look = await host.look(key)
    failed = _failed(look)
    if failed:
        raise AskOperator(f"{key} {failed}{_last_words(look)}")
    return look


def _pid(look: InstanceLook) -> int | None:
    return None if look.report is None else look.report.pid


def _failed(look: InstanceLook) -> str:
    """Why an instance that should run does not; "": it does."""
    if look.process is Process.ABSENT:
        return "is not there"
    said = look.report.why if look.report is not None and look.condition is Condition.FAILED else ""
    if look.process is Process.ENDED or look.restarts:
        return f"has ended{f': {said}' if said else ''}"
    if look.condition in (Condition.FAILED, Condition.STOPPED):
        assert look.report is not None, "it has a condition"
        return f"has {look.condition}: {look.report.why}"
    return ""


def _not_itself(look: InstanceLook, instance: Instance, config_sha256: str) -> str:
    """How what runs differs from what should; "": it is the very same."""
    report = look.report
    if report is None or report.condition is Condition.LOADING:
        return ""
    if report.release_id != instance.release_id:
        return f"runs the release {shown(report.release_id)}, not {shown(instance.release_id)}"
    if report.config_sha256 != config_sha256:
        return f"runs the config {shown(report.config_sha256)}, not {shown(config_sha256)}"
    return ""


def _last_words(look: InstanceLook) -> str:
    """What it printed before it ended, where it did not say itself why."""
    if look.condition is Condition.FAILED:
        return ""
    return "".join(f"\n    {line}" for line in look.last_words[-_WORDS_SHOWN:])


def _drifted(host: str, label: str, drift: tuple[str, ...]) -> str:
    more = f" and {len(drift) - 3} more" if len(drift) > 3 else ""
    return f"{host}: {label} was changed there: {'; '.join(drift[:3])}{more}"
