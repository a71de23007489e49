"""A world of switches in memory, a journal in memory, and faults on purpose: for tests of the engine alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from magellan.errors import FixInput, TryAgain
from magellan.plan.actor import Actor
from magellan.plan.plan import OnFailure, Phase, Plan
from magellan.plan.records import Ended, Event, Head, Record, Resumed, StepRecord, Stopped, Turned
from magellan.plan.step import Answer, Before, Begun, Blocked, Done, Limits, NotDone, Step, Unknown

BEGAN = datetime(2026, 1, 20, 14, 30, tzinfo=UTC)
SOMEBODY = Actor(person="ada", host="desk", pid=100)

OFF, HALF, ON, LOST = "off", "half", "on", "lost"


class Killed(BaseException):
    """The process ends here: nothing of it catches this."""


@dataclass
class World:
    """Switches by name. `faults`: (switch, call) -> what goes wrong, once for every time that it is listed."""

    switches: dict[str, str] = field(default_factory=dict)
    faults: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    changes_until_kill: int | None = None
    under_way: int = 0
    under_way_most: int = 0

    def take_fault(self, name: str, call: str) -> str:
        """What goes wrong with this call; "" nothing."""
        self.calls.append((name, call))
        waiting = self.faults.get((name, call))
        return waiting.pop(0) if waiting else ""

    def set(self, name: str, to: str) -> None:
        """The only way in which anything changes; a kill comes just before."""
        if self.changes_until_kill is not None:
            if self.changes_until_kill == 0:
                raise Killed
            self.changes_until_kill -= 1
        self.switches[name] = to


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn(Step[World]):
    """Turn a switch on, by way of half on."""

    name: str
    attempts: int = 1
    timeout_s: float | None = None
    settles: bool = False

    @property
    def title(self) -> str:
        return f"turn {self.name} on"

    @property
    def limits(self) -> Limits:
        return Limits(timeout_s=self.timeout_s, attempts=self.attempts, pause_s=0)

    @property
    def changes(self) -> frozenset[str]:
        return frozenset({self.name})

    @property
    def settles_with_its_batch(self) -> bool:
        return self.settles

    async def check(self, world: World, before: Before | None) -> Answer:
        await fail_as_told(world, self.name, "check")
        state = world.switches.get(self.name, OFF)
        if state == ON:
            return Done()
        if state == HALF:
            return Begun(why=f"{self.name} is half on")
        if state == LOST:
            return Unknown(why=f"{self.name} does not answer")
        if state != OFF:
            return Blocked(why=f"{self.name} is {state}")
        return NotDone(before={"was": state} if before is None else before)

    async def verify(self, world: World, before: Before) -> Answer:
        if world.take_fault(self.name, "verify"):
            return Blocked(why="there is no light")
        return await self.check(world, before)

    async def do(self, world: World, before: Before) -> None:
        assert before == {"was": OFF}
        await self._set(world, "do", ON)

    async def undo(self, world: World, before: Before) -> None:
        assert before == {"was": OFF}
        await self._set(world, "undo", OFF)

    async def settle(self, world: World) -> None:
        await fail_as_told(world, self.name, "settle")

    async def _set(self, world: World, call: str, to: str) -> None:
        world.under_way += 1
        world.under_way_most = max(world.under_way, world.under_way_most)
        try:
            fault = world.take_fault(self.name, call)
            if fault == "half":
                world.set(self.name, HALF)
                raise FixInput(f"{self.name} got stuck")
            if fault == "lost reply":
                world.set(self.name, to)
                raise ConnectionError(f"{self.name} never answered")
            if fault == "lost":
                world.set(self.name, LOST)
                raise ConnectionError(f"{self.name} is gone")
            if fault == "spoiled":
                world.set(self.name, "painted over")
                raise ConnectionError(f"{self.name} is gone")
            if fault == "no effect":
                return
            await raise_as_told(fault, self.name)
            await asyncio.sleep(0)
            world.set(self.name, HALF)
            await asyncio.sleep(0)
            world.set(self.name, to)
        finally:
            world.under_way -= 1


async def fail_as_told(world: World, name: str, call: str) -> None:
    await raise_as_told(world.take_fault(name, call), name)


async def raise_as_told(fault: str, name: str) -> None:
    if fault == "refused":
        raise FixInput(f"{name} refuses")
    if fault == "busy":
        raise TryAgain(f"{name} is busy")
    if fault == "hangs":
        await asyncio.Event().wait()
    if fault == "defect":
        raise KeyError(name)
    assert not fault, fault


@dataclass
class MemoryJournal:
    """Keeps `plan.journal.Journal`. What is durable is what a power cut would leave."""

    kept: list[Record]
    durable: int = 1
    appends: list[tuple[int, bool]] = field(default_factory=list)  # how many records, whether durably
    appends_until_kill: int | None = None

    @property
    def records(self) -> Sequence[Record]:
        return list(self.kept)

    def append(self, records: Sequence[Record], *, durably: bool) -> None:
        if self.appends_until_kill is not None:
            if self.appends_until_kill == 0:
                raise Killed
            self.appends_until_kill -= 1
        self.kept += records
        self.appends.append((len(records), durably))
        if durably:
            self.durable = len(self.kept)

    def power_cut(self) -> None:
        """Nothing is left but what is durable."""
        del self.kept[self.durable :]

    def reopened(self) -> MemoryJournal:
        """As another process finds it."""
        records: list[Record] = [*self.kept, Resumed(at=BEGAN, by=SOMEBODY, torn_bytes=0)]
        return MemoryJournal(kept=records, durable=len(records))


def journal_of(plan: Plan[World]) -> MemoryJournal:
    return MemoryJournal(kept=[Head(at=BEGAN, by=SOMEBODY, plan=plan.description)])


@dataclass
class Clock:
    """A tenth of a second passes whenever somebody looks."""

    at: datetime = BEGAN

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=100)
        return self.at


def plan_of(*phases: Phase[World] | Sequence[str], on_failure: OnFailure = OnFailure.UNDO) -> Plan[World]:
    """A plan of these phases; of switches, where only their names are given."""
    return Plan(
        name="light the house",
        subject="house",
        phases=tuple(
            each
            if isinstance(each, Phase)
            else Phase(name=f"floor {number}", steps=tuple(Turn(name=name) for name in each))
            for number, each in enumerate(phases, start=1)
        ),
        on_failure=on_failure,
        resume_with="light --resume",
        undo_with="light --undo",
    )


def batch_of(*names: str, name: str = "batch", at_once: int = 1, settles: bool = False) -> Phase[World]:
    return Phase(
        name=name,
        steps=tuple(Turn(name=each, settles=settles) for each in names),
        batch=True,
        at_once=at_once,
    )


def told(records: Sequence[Record]) -> list[str]:
    """Records in a few words each, without the head."""
    words = []
    for record in records[1:]:
        match record:
            case StepRecord():
                words.append(f"{record.event} {record.step}")
            case Turned():
                words.append("turned")
            case Stopped():
                words.append("stopped")
            case Resumed():
                words.append("resumed")
            case Ended():
                words.append(f"ended {record.ending}")
            case Head():
                raise AssertionError("a second head")
    return words


def acts(world: World) -> list[tuple[str, str]]:
    """The calls that change something, in order."""
    return [each for each in world.calls if each[1] in ("do", "undo")]


INTENTS = (Event.INTENT, Event.UNDO_INTENT)
