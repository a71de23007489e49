"""The engine: carries a plan out, goes on with one, or takes it back. What it does next follows from the journal alone.

    outcome = await carry_out(plan, world, journal, now=clock.now)

Before a step is done, its intent is on the disk; after it, its result is in the journal. So whatever is killed when,
the next process knows which steps may have happened, and asks those steps. It goes the way that the journal says:
forward, or back once the plan has turned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final, Generic

from magellan.errors import FixInput, Interrupted
from magellan.plan.asking import Failure, asked, called, side_by_side
from magellan.plan.journal import Journal
from magellan.plan.plan import OnFailure, Phase, Plan, differences
from magellan.plan.records import Aim, Ended, Ending, Event, Record, StepRecord, Stopped, Turned
from magellan.plan.standing import SETTLED, JournalState, Standing
from magellan.plan.status import PlanStatus, commands_of, status_of_state
from magellan.plan.step import (
    Answer,
    Before,
    Begun,
    Blocked,
    Done,
    NotDone,
    Step,
    Unknown,
    World_contra,
    storable,
)

_DIFFERENCES_SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """Every step is done."""

    status: PlanStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """Nothing that the plan did is left, but what it was asked to leave."""

    status: PlanStatus
    why: str
    left: tuple[str, ...] = ()  # the steps that were left as somebody has changed them, with the reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Halted:
    """It stands in between, and a person goes on. The journal is kept."""

    status: PlanStatus
    why: str
    stands: tuple[str, ...]  # titles of the steps that stand, or may stand, in order
    next_step: str  # the commands that go on


Outcome = Finished | TakenBack | Halted


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Told whenever something happened to a step."""

    aim: Aim
    phase: str
    step: str  # its title
    event: Event
    settled: int  # steps of the phase with nothing left to do
    left: int  # the others
    elapsed_s: float  # since this process began with the phase


class PlanDiffers(FixInput):
    """The plan that was built is not the one in the journal. Nothing was done."""


async def carry_out(
    plan: Plan[World_contra],
    world: World_contra,
    journal: Journal,
    *,
    now: Callable[[], datetime],
    on_progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Carry the plan out, or go on with it where its journal ends, in whichever direction it was going.

    world:  what the steps act on.
    now:    aware, UTC.
    Raises: PlanDiffers when the journal is that of another plan; AskOperator when the journal cannot be kept;
            Interrupted on Ctrl-C, after the steps that were being done have come to their end. A defect of a step is
            raised as it is, after what `plan.on_failure` says has been done.
    """
    return await _Run(plan, world, journal, now, on_progress).go()


async def take_back(
    plan: Plan[World_contra],
    world: World_contra,
    journal: Journal,
    *,
    why: str,
    now: Callable[[], datetime],
    on_progress: Callable[[Progress], None] | None = None,
    leaves_changed: bool = False,
) -> Outcome:
    """Undo everything that the plan has done, the newest first, also after it was finished. Otherwise as `carry_out`.

    why:            what the journal shall say about it.
    leaves_changed: leave what somebody has changed meanwhile as it is, and go on, instead of halting there.
    """
    run = _Run(plan, world, journal, now, on_progress, leaves_changed=leaves_changed)
    run.turn(why)
    return await run.go()


@dataclass(frozen=True, slots=True, kw_only=True)
class _StepFailure:
    why: str
    # Whether a step that was begun has happened is not known: neither direction is safe without a person.
    asks: bool


class _Run(Generic[World_contra]):
    """One process at work on one plan."""

    def __init__(
        self,
        plan: Plan[World_contra],
        world: World_contra,
        journal: Journal,
        now: Callable[[], datetime],
        on_progress: Callable[[Progress], None] | None,
        *,
        leaves_changed: bool = False,
    ) -> None:
        self._leaves_changed = leaves_changed
        self._plan = plan
        self._world = world
        self._journal = journal
        self._now = now
        self._on_progress = on_progress
        self._steps = tuple(plan.steps)
        self._state = JournalState(journal.records)
        self._refuse_another_plan()
        self._is_stopping = False
        self._acting: set[asyncio.Task[None]] = set()  # workers inside do or undo: not to be cancelled
        self._unsettled: list[StepRecord] = []  # results that are recorded once they survive a power cut
        self._defect: Exception | None = None
        self._meter = _Meter(now)

    def turn(self, why: str) -> None:
        """From here on back."""
        if self._state.aim is Aim.FINISH:
            self._record([Turned(at=self._now(), why=why)], durably=True)

    async def go(self) -> Outcome:
        """To the end, whichever that is."""
        try:
            failure: _StepFailure | None = None
            if self._state.ending is None and self._state.aim is Aim.FINISH:
                failure = await self._forward()
                if failure is not None and not failure.asks and self._plan.on_failure is OnFailure.UNDO:
                    self.turn(failure.why)
                    failure = None
            if self._state.ending is None and self._state.aim is Aim.UNDO:
                failure = await self._backward()
        except asyncio.CancelledError:
            raise self._interrupted() from None
        if failure is not None:
            self._record([Stopped(at=self._now(), why=failure.why)], durably=True)
        elif self._state.ending is None:
            ending = Ending.DONE if self._state.aim is Aim.FINISH else Ending.UNDONE
            self._record([Ended(at=self._now(), ending=ending)], durably=True)
        outcome = self._outcome()
        if self._defect is not None:
            self._defect.add_note(f"{self._plan.name}: {outcome.status.word}. {outcome.status.next_step}")
            raise self._defect
        return outcome

    async def _forward(self) -> _StepFailure | None:
        for phase, first in self._phases():
            self._meter.begin(phase, first, self._state)
            for group in phase.groups:
                numbers = [first + at for at in group if not self._is_settled(first + at)]
                intended, failure = await self._intend(numbers, phase.at_once)
                failure = await self._each(intended, self._do, phase.at_once) or failure
                if failure is not None:
                    return failure
        return None

    async def _backward(self) -> _StepFailure | None:
        for phase, first in reversed(tuple(self._phases())):
            self._meter.begin(phase, first, self._state)
            for group in reversed(phase.groups):
                numbers = [first + at for at in reversed(group) if not self._is_settled(first + at)]
                intended, failure = await self._intend_undo(numbers, phase.at_once)
                failure = await self._each(intended, self._undo, phase.at_once) or failure
                if failure is not None:
                    return failure
        return None

    async def _intend(
        self, numbers: Sequence[int], at_once: int
    ) -> tuple[Sequence[int], _StepFailure | None]:
        """Look at every step of a group, and write down which will be done: none, where one of them fails."""
        records: list[StepRecord] = []
        for number, answer in zip(numbers, await self._checked(numbers, at_once), strict=True):
            before = self._state.before(number)
            match answer:
                case Done() if before is None:
                    records.append(self._step_record(number, Event.FOUND_DONE, note=answer.note))
                case Done():
                    note = answer.note or "had happened before the interruption"
                    self._settle_later(self._step_record(number, Event.DONE, note=note))
                case NotDone():
                    recorded = answer.before if before is None else before
                    records.append(self._step_record(number, Event.INTENT, before=recorded))
                case Begun() if before is not None:
                    records.append(self._step_record(number, Event.INTENT, before=before))
                case Begun() | Blocked() | Unknown():
                    if before is not None:
                        self._record([self._step_record(number, Event.FAILED, note=answer.why)])
                    return (), self._failure(number, answer.why, asks=before is not None)
        return self._intended(records), None

    async def _intend_undo(
        self, numbers: Sequence[int], at_once: int
    ) -> tuple[Sequence[int], _StepFailure | None]:
        """The same for the way back. Steps of which nothing is left are settled by it."""
        records: list[StepRecord] = []
        failed: _StepFailure | None = None
        for number, answer in zip(numbers, await self._checked(numbers, at_once), strict=True):
            match answer:
                case Done() | Begun():
                    records.append(self._step_record(number, Event.UNDO_INTENT))
                case NotDone():
                    note = "nothing was left of it"
                    self._settle_later(self._step_record(number, Event.UNDONE, note=note))
                case Blocked() if self._leaves_changed:
                    self._settle_later(self._step_record(number, Event.LEFT, note=answer.why))
                case Blocked() | Unknown():
                    records.append(self._step_record(number, Event.UNDO_FAILED, note=answer.why))
                    failed = failed or self._failure(number, f"cannot be undone: {answer.why}", asks=True)
        return self._intended(records), failed

    async def _checked(self, numbers: Sequence[int], at_once: int) -> list[Answer]:
        """How the world stands to each of these steps."""
        questions = [
            partial(self._ask, number, self._steps[number - 1].check, self._state.before(number))
            for number in numbers
        ]
        return await side_by_side(questions, at_once=at_once)

    def _intended(self, records: Sequence[StepRecord]) -> Sequence[int]:
        """Write down what was found and what is meant. Gives the steps that will be done, or undone."""
        intended = [each.step for each in records if each.event in (Event.INTENT, Event.UNDO_INTENT)]
        self._record(records, durably=bool(intended))
        return intended

    async def _each(
        self,
        numbers: Sequence[int],
        act: Callable[[int], Awaitable[_StepFailure | None]],
        at_once: int,
    ) -> _StepFailure | None:
        """Do, or undo, every step whose intent was just recorded.

        Forward, no other one is begun after a failure. Backward, what can be undone is.
        """
        waiting = iter(numbers)
        failures: list[_StepFailure] = []

        async def work() -> None:
            for number in waiting:
                failure = await act(number)
                if failure is not None:
                    failures.append(failure)
                if self._is_stopping or (failures and self._state.aim is Aim.FINISH):
                    return
                await asyncio.sleep(0)  # steps that never wait would keep Ctrl-C from being heard

        workers = [asyncio.ensure_future(work()) for _ in range(min(at_once, len(numbers)))]
        await self._to_their_end(workers)
        failures += await self._settle()
        if self._is_stopping:
            raise asyncio.CancelledError
        return failures[0] if failures else None

    async def _settle(self) -> list[_StepFailure]:
        """Let the results that wait for it survive a power cut, then record them."""
        unsettled, self._unsettled = self._unsettled, []
        records, failures = [], []
        for record in unsettled:
            step = self._steps[record.step - 1]
            failure = await called(step, step.settle(self._world))
            if failure is not None:
                self._defect = self._defect or failure.defect
                record = replace(record, event=_NOT_SETTLED[record.event], note=failure.why)
                failures.append(self._failure(record.step, failure.why, asks=False))
            records.append(record)
        self._note(records, durably=False)
        return failures

    def _settle_later(self, record: StepRecord) -> None:
        self._unsettled.append(record)
        self._tell(record)

    async def _to_their_end(self, workers: Sequence[asyncio.Task[None]]) -> None:
        """Wait for the workers. Ctrl-C lets those who change something finish that, and no more."""
        if not workers:
            return
        try:
            await asyncio.wait(workers)
        except asyncio.CancelledError:
            self._is_stopping = True
            for worker in workers:
                if worker not in self._acting:
                    worker.cancel()
            try:
                await asyncio.wait(workers)
            except asyncio.CancelledError:  # whoever asks twice does not wait: the steps' checks will tell
                for worker in workers:
                    worker.cancel()
                await asyncio.wait(workers)
        # What the journal, or a listener to progress, raised. All are asked, since asyncio complains of unheard ones.
        raised = [worker.exception() for worker in workers if not worker.cancelled()]
        for error in raised:
            if error is not None:
                raise error

    async def _do(self, number: int) -> _StepFailure | None:
        step, before = self._steps[number - 1], self._state.before(number)
        assert before is not None, "the intent is recorded before the step is done"
        begun_at = self._now()
        pause_s = step.limits.pause_s
        for attempts_left in range(step.limits.attempts - 1, -1, -1):
            failure = await self._call(step, step.do, before)
            if failure is not None:
                found = await self._ask(number, step.check, before)
                if isinstance(found, Blocked | Unknown):
                    why = f"{failure.why}; whether it happened is not known: {found.why}"
                    return self._failed(number, Event.FAILED, why, begun_at, asks=True)
                if not isinstance(found, Done):
                    if not (failure.may_try_again and attempts_left):
                        return self._failed(number, Event.FAILED, failure.why, begun_at)
                    await self._pause(number, failure, pause_s)
                    pause_s *= 2
                    continue
            found = await self._ask(number, step.verify, before)
            if isinstance(found, Done):
                self._settled(number, Event.DONE, found.note, begun_at)
                return None
            why = found.why if isinstance(found, Begun | Blocked | Unknown) else "nothing has changed"
            return self._failed(number, Event.FAILED, f"it was done, and is not as wanted: {why}", begun_at)
        raise AssertionError("the last attempt returns")

    async def _undo(self, number: int) -> _StepFailure | None:
        step, before = self._steps[number - 1], self._state.before(number)
        assert before is not None, "only what was intended can be undone"
        begun_at = self._now()
        pause_s = step.limits.pause_s
        for attempts_left in range(step.limits.attempts - 1, -1, -1):
            failure = await self._call(step, step.undo, before)
            found = await self._ask(number, step.check, before)
            if isinstance(found, NotDone):
                self._settled(number, Event.UNDONE, "", begun_at)
                return None
            if failure is None:
                why = found.why if isinstance(found, Begun | Blocked | Unknown) else "it still stands"
                failure = Failure(why=f"it was undone, and is not as before: {why}")
            if failure.is_not_ours and self._leaves_changed:
                self._settled(number, Event.LEFT, failure.why, begun_at)
                return None
            if not (failure.may_try_again and attempts_left):
                why = f"cannot be undone: {failure.why}"
                return self._failed(number, Event.UNDO_FAILED, why, begun_at, asks=True)
            await self._pause(number, failure, pause_s)
            pause_s *= 2
        raise AssertionError("the last attempt returns")

    async def _call(
        self,
        step: Step[World_contra],
        act: Callable[[World_contra, Before], Coroutine[Any, Any, None]],
        before: Before,
    ) -> Failure | None:
        """Await do or undo, out of the reach of Ctrl-C."""
        worker = asyncio.current_task()
        assert worker is not None, "a step is done by a worker"
        self._acting.add(worker)
        try:
            failure = await called(step, act(self._world, before))
        finally:
            self._acting.discard(worker)
        if failure is not None:
            self._defect = self._defect or failure.defect
        return failure

    async def _ask(
        self,
        number: int,
        question: Callable[[World_contra, Any], Awaitable[Answer]],
        before: Before | None,
    ) -> Answer:
        answer, failure = await asked(self._steps[number - 1], question, self._world, before)
        if failure is not None:
            self._defect = self._defect or failure.defect
        return answer

    async def _pause(self, number: int, failure: Failure, pause_s: float) -> None:
        self._record([self._step_record(number, Event.RETRIED, note=failure.why)])
        await asyncio.sleep(pause_s)

    def _settled(self, number: int, event: Event, note: str, begun_at: datetime) -> None:
        record = self._step_record(number, event, note=note, begun_at=begun_at)
        if self._steps[number - 1].settles_with_its_batch:
            self._settle_later(record)
        else:
            self._record([record])

    def _failed(
        self, number: int, event: Event, why: str, begun_at: datetime, *, asks: bool = False
    ) -> _StepFailure:
        self._record([self._step_record(number, event, note=why, begun_at=begun_at)])
        return self._failure(number, why, asks=asks)

    def _failure(self, number: int, why: str, *, asks: bool) -> _StepFailure:
        return _StepFailure(why=f"step {number}, {storable(self._steps[number - 1].title)}: {why}", asks=asks)

    def _step_record(
        self,
        number: int,
        event: Event,
        *,
        note: str = "",
        before: Before | None = None,
        begun_at: datetime | None = None,
    ) -> StepRecord:
        at = self._now()
        # A clock that is set back meanwhile makes no negative time.
        took_s = None if begun_at is None else max(0.0, (at - begun_at).total_seconds())
        return StepRecord(at=at, step=number, event=event, note=storable(note), took_s=took_s, before=before)

    def _record(self, records: Sequence[Record], *, durably: bool = False) -> None:
        """Note the records, and tell of them."""
        self._note(records, durably=durably)
        for record in records:
            if isinstance(record, StepRecord):
                self._tell(record)

    def _note(self, records: Sequence[Record], *, durably: bool) -> None:
        """Write to the journal. A result becomes durable with the next intent, or with the end."""
        if records:
            self._journal.append(records, durably=durably)
        for record in records:
            self._state.add(record)

    def _tell(self, record: StepRecord) -> None:
        if self._on_progress is not None:
            title = self._steps[record.step - 1].title
            self._on_progress(self._meter.progress(self._state.aim, record, title))

    def _is_settled(self, number: int) -> bool:
        return self._state.standing(number) in SETTLED[self._state.aim]

    def _phases(self) -> Iterator[tuple[Phase[World_contra], int]]:
        """Every phase, and the number of its first step."""
        first = 1
        for phase in self._plan.phases:
            yield phase, first
            first += len(phase.steps)

    def _interrupted(self) -> Interrupted:
        self._record([Stopped(at=self._now(), why="stopped by Ctrl-C")], durably=True)
        settled = sum(phase.settled for phase in status_of_state(self._state).phases)
        way = "done" if self._state.aim is Aim.FINISH else "taken back, or never done"
        return Interrupted(
            f"{self._plan.name}: stopped",
            kept=f"{settled} of {len(self._steps)} steps are {way}; the journal knows which",
            next_step=commands_of(self._state.plan, self._state.aim),
        )

    def _outcome(self) -> Outcome:
        status = status_of_state(self._state)
        if self._state.ending is Ending.DONE:
            return Finished(status=status)
        if self._state.ending is Ending.UNDONE:
            return TakenBack(status=status, why=self._state.turned_because, left=self._left())
        standing = self._state.steps_in(
            Standing.DOING, Standing.DONE, Standing.FAILED, Standing.UNDOING, Standing.UNDO_FAILED
        )
        titles = {step.number: step.title for step in self._state.plan.steps}
        return Halted(
            status=status,
            why=status.why,
            stands=tuple(titles[number] for number in standing),
            next_step=status.next_step,
        )

    def _left(self) -> tuple[str, ...]:
        titles = {step.number: step.title for step in self._state.plan.steps}
        numbers = self._state.steps_in(Standing.LEFT)
        return tuple(f"{titles[number]}: {self._state.note(number)}" for number in numbers)

    def _refuse_another_plan(self) -> None:
        found = differences(self._state.plan, self._plan.description)
        if not found:
            return
        more = len(found) - _DIFFERENCES_SHOWN
        shown = [*found[:_DIFFERENCES_SHOWN], *([f"and {more} more"] if more > 0 else [])]
        raise PlanDiffers(
            "\n  ".join([f"{self._plan.name}: this is not the plan that was begun", *shown]),
            kept="the journal, and everything as it stands",
            next_step="give it the same input as when it was begun; the journal holds the plan",
        )


class _Meter:
    """Counts a phase's steps as they are settled."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._begun_at = now()
        self._name = ""
        self._numbers = range(0)
        self._settled = 0

    def begin(self, phase: Phase[Any], first: int, state: JournalState) -> None:
        self._begun_at = self._now()
        self._name = phase.name
        self._numbers = range(first, first + len(phase.steps))
        self._settled = sum(state.standing(number) in SETTLED[state.aim] for number in self._numbers)

    def progress(self, aim: Aim, record: StepRecord, title: str) -> Progress:
        self._settled += _SETTLES[aim].get(record.event, 0)
        return Progress(
            aim=aim,
            phase=self._name,
            step=title,
            event=record.event,
            settled=self._settled,
            left=len(self._numbers) - self._settled,
            elapsed_s=max(0.0, (record.at - self._begun_at).total_seconds()),
        )


_NOT_SETTLED: Final = {
    Event.DONE: Event.FAILED,
    Event.UNDONE: Event.UNDO_FAILED,
    Event.LEFT: Event.UNDO_FAILED,
}
_SETTLES: Final = {
    Aim.FINISH: {Event.DONE: 1, Event.FOUND_DONE: 1},
    Aim.UNDO: {Event.UNDONE: 1, Event.LEFT: 1},
}
