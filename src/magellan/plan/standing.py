"""Where each step of a plan stands, as its journal tells.

STANDINGS is the rule: {standing: {event: next standing}}. A record that has no place in it makes the journal damaged.

    waiting ── intent ──> doing ──> done
       │                    │ └───> failed ── intent ──> doing
       └─> found done       │           │
                            └───────────┴─ undo-intent ──> undoing ──> undone
                                                              └──────> undo failed ── undo-intent ──> undoing

Whatever was begun and is not undone can also be left as somebody has changed it: that ends it.

`doing` and `undoing` without a process at work mean that it may have happened or not: the step's `check` tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from magellan.errors import AskOperator
from magellan.plan.actor import Actor
from magellan.plan.journal import JournalDamaged
from magellan.plan.plan import PlanDescription
from magellan.plan.records import (
    Aim,
    Ended,
    Ending,
    Event,
    Head,
    Record,
    Resumed,
    StepRecord,
    Stopped,
    Turned,
)


class Standing(StrEnum):
    """Where a step stands."""

    WAITING = "waiting"
    FOUND_DONE = "found done"
    DOING = "doing"
    DONE = "done"
    FAILED = "failed"
    UNDOING = "undoing"
    UNDONE = "undone"
    UNDO_FAILED = "undo failed"
    LEFT = "left"


STANDINGS: Final[Mapping[Standing, Mapping[Event, Standing]]] = {
    Standing.WAITING: {Event.FOUND_DONE: Standing.FOUND_DONE, Event.INTENT: Standing.DOING},
    Standing.FOUND_DONE: {},
    Standing.DOING: {
        Event.INTENT: Standing.DOING,  # a process that took over begins it again
        Event.RETRIED: Standing.DOING,
        Event.DONE: Standing.DONE,
        Event.FAILED: Standing.FAILED,
        Event.UNDO_INTENT: Standing.UNDOING,
        Event.UNDONE: Standing.UNDONE,  # it turned out that nothing had happened
        Event.UNDO_FAILED: Standing.UNDO_FAILED,
        Event.LEFT: Standing.LEFT,
    },
    Standing.DONE: {
        Event.UNDO_INTENT: Standing.UNDOING,
        Event.UNDONE: Standing.UNDONE,  # somebody else had undone it
        Event.UNDO_FAILED: Standing.UNDO_FAILED,
        Event.LEFT: Standing.LEFT,
    },
    Standing.FAILED: {
        Event.INTENT: Standing.DOING,
        Event.DONE: Standing.DONE,  # it had happened after all
        Event.FAILED: Standing.FAILED,
        Event.UNDO_INTENT: Standing.UNDOING,
        Event.UNDONE: Standing.UNDONE,
        Event.UNDO_FAILED: Standing.UNDO_FAILED,
        Event.LEFT: Standing.LEFT,
    },
    Standing.UNDOING: {
        Event.UNDO_INTENT: Standing.UNDOING,
        Event.RETRIED: Standing.UNDOING,
        Event.UNDONE: Standing.UNDONE,
        Event.UNDO_FAILED: Standing.UNDO_FAILED,
        Event.LEFT: Standing.LEFT,
    },
    Standing.UNDONE: {},
    Standing.LEFT: {},
    Standing.UNDO_FAILED: {
        Event.UNDO_INTENT: Standing.UNDOING,
        Event.UNDONE: Standing.UNDONE,
        Event.UNDO_FAILED: Standing.UNDO_FAILED,
        Event.LEFT: Standing.LEFT,
    },
}

SETTLED: Final[Mapping[Aim, frozenset[Standing]]] = {
    Aim.FINISH: frozenset({Standing.DONE, Standing.FOUND_DONE}),
    Aim.UNDO: frozenset({Standing.WAITING, Standing.FOUND_DONE, Standing.UNDONE, Standing.LEFT}),
}
"""Where every step of a plan that came to its end stands."""

_ENDINGS: Final = {Ending.DONE: Aim.FINISH, Ending.UNDONE: Aim.UNDO}


class JournalState:
    """What follows from a journal's records. Fed record by record, it never says more than the records do."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = iter(records)
        head = next(self._records)
        assert isinstance(head, Head), "the head comes first"
        self.head: Final = head
        self.plan: Final[PlanDescription] = head.plan
        count = sum(1 for _ in head.plan.steps)
        self._standings = [Standing.WAITING] * count
        self._notes = [""] * count
        self._took_s: list[float | None] = [None] * count
        self._befores: list[Mapping[str, Any] | None] = [None] * count
        self.by: Actor = head.by  # who was at it last
        self.last_at: datetime = head.at
        self.aim = Aim.FINISH
        self.turned_because = ""
        self.stopped_because = ""  # "" while it is under way, or was killed
        self.ending: Ending | None = None
        for record in self._records:
            self.add(record)

    def standing(self, step: int) -> Standing:
        """Of the step with that number, from 1."""
        return self._standings[step - 1]

    def note(self, step: int) -> str:
        """What was last noted of the step: evidence, or why it failed."""
        return self._notes[step - 1]

    def took_s(self, step: int) -> float | None:
        """How long the last thing that happened to it took; None: not timed."""
        return self._took_s[step - 1]

    def before(self, step: int) -> Mapping[str, Any] | None:
        """What its undo needs to know; None: its intent is not recorded."""
        return self._befores[step - 1]

    def steps_in(self, *standings: Standing) -> Sequence[int]:
        """Numbers of the steps that stand there, in order."""
        return [number for number, each in enumerate(self._standings, start=1) if each in standings]

    def add(self, record: Record) -> None:
        """Take note of the next record. Raises JournalDamaged for one that cannot follow."""
        # What is done can still be taken back, by a process that says so first.
        may_follow = self.ending is None or (
            self.ending is Ending.DONE and isinstance(record, Resumed | Turned)
        )
        if not may_follow:
            raise _impossible(f"{type(record).__name__.lower()} follows the end of the plan")
        match record:
            case StepRecord():
                self._add_step(record)
            case Resumed():
                self.by = record.by
                self.stopped_because = ""
            case Turned():
                if self.aim is Aim.UNDO:
                    raise _impossible("the plan turns twice")
                self.aim, self.turned_because, self.ending = Aim.UNDO, record.why, None
            case Stopped():
                self.stopped_because = record.why
            case Ended():
                if _ENDINGS[record.ending] is not self.aim or not SETTLED[self.aim].issuperset(
                    self._standings
                ):
                    raise _impossible(f"the plan cannot have ended as {record.ending}")
                self.ending = record.ending
            case Head():
                raise _impossible("a second head")
        self.last_at = max(self.last_at, record.at)

    def _add_step(self, record: StepRecord) -> None:
        at = record.step - 1
        if not 0 <= at < len(self._standings):
            raise _impossible(f"the plan has no step {record.step}")
        follows = STANDINGS[self._standings[at]].get(record.event)
        if follows is None:
            raise _impossible(f"{record.event} of step {record.step}, which was {self._standings[at]}")
        if (record.event is Event.INTENT) != (record.before is not None):
            raise _impossible(f"{record.event} of step {record.step} is not whole")
        if record.before is not None:
            if self._befores[at] not in (None, record.before):
                raise _impossible(f"step {record.step} has two accounts of what was before it")
            self._befores[at] = record.before
        self._standings[at] = follows
        self._notes[at] = record.note
        self._took_s[at] = record.took_s


def _impossible(why: str) -> AskOperator:
    return JournalDamaged(
        f"the journal contradicts itself: {why}",
        kept="the journal, as it is, and whatever its plan had done",
        next_step="restore it from a backup; without it, compare by hand what it names",
    )
