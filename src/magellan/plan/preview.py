"""A dry run: what carrying a plan out, or taking it back, would do. Nothing is changed, and nothing is journaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

from magellan.plan.asking import asked, side_by_side
from magellan.plan.plan import Plan
from magellan.plan.records import Aim, Record
from magellan.plan.standing import SETTLED, JournalState
from magellan.plan.status import PhaseStatus, PlanStatus, StepStatus
from magellan.plan.step import Answer, Begun, Blocked, Done, NotDone, Step, Unknown, World_contra


class Finding(StrEnum):
    """What a dry run can find of a step."""

    DONE_ALREADY = "done already"
    WOULD_BE_DONE = "would be done"
    CANNOT_BE_DONE = "cannot be done"
    NOTHING_TO_UNDO = "nothing to undo"
    WOULD_BE_UNDONE = "would be undone"
    CANNOT_BE_UNDONE = "cannot be undone"
    # One that comes before it on that way changes what this one looks at, so that asking now tells nothing.
    DEPENDS = "depends on another step"
    NOT_KNOWN = "not known"


_ASKED_AT_ONCE: Final = 16  # nothing is changed meanwhile, so no question waits for another one's answer
_SETTLED: Final = (Finding.DONE_ALREADY, Finding.NOTHING_TO_UNDO)
_REFUSED: Final = (Finding.CANNOT_BE_DONE, Finding.CANNOT_BE_UNDONE, Finding.NOT_KNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a dry run found."""

    status: PlanStatus

    @property
    def refusals(self) -> tuple[StepStatus, ...]:
        """Steps that would fail, with their reasons. Where there are any, going that way is no use."""
        return tuple(step for phase in self.status.phases for step in phase.steps if step.word in _REFUSED)


async def preview(plan: Plan[World_contra], world: World_contra) -> Preview:
    """What carrying it out would do."""
    shadow = _Shadow()
    found = []
    answers: list[Answer] = []
    for phase in plan.phases:
        questions = [partial(asked, step, step.check, world, None) for step in phase.steps]
        answers += [answer for answer, _ in await side_by_side(questions, at_once=_ASKED_AT_ONCE)]
    for number, (step, answer) in enumerate(zip(plan.steps, answers, strict=True), start=1):
        found.append(shadow.status(number, step, _FORWARD[type(answer)], answer))
    return _preview(plan, "dry run", found)


async def preview_back(plan: Plan[World_contra], world: World_contra, records: Sequence[Record]) -> Preview:
    """What taking it back would do, and what somebody has changed since. records: those of its journal."""
    state = JournalState(records)
    shadow = _Shadow()
    found = []
    for number, step in reversed(list(enumerate(plan.steps, start=1))):
        answer: Answer = NotDone()
        if state.standing(number) not in SETTLED[Aim.UNDO]:
            answer, _ = await asked(step, step.check, world, state.before(number))
        found.append(shadow.status(number, step, _BACKWARD[type(answer)], answer))
    return _preview(plan, "dry run of the way back", found[::-1])


_FORWARD: Final[dict[type, Finding]] = {
    NotDone: Finding.WOULD_BE_DONE,
    Begun: Finding.CANNOT_BE_DONE,
    Done: Finding.DONE_ALREADY,
    Blocked: Finding.CANNOT_BE_DONE,
    Unknown: Finding.NOT_KNOWN,
}
_BACKWARD: Final[dict[type, Finding]] = {
    NotDone: Finding.NOTHING_TO_UNDO,
    Begun: Finding.WOULD_BE_UNDONE,
    Done: Finding.WOULD_BE_UNDONE,
    Blocked: Finding.CANNOT_BE_UNDONE,
    Unknown: Finding.NOT_KNOWN,
}


class _Shadow:
    """What the steps so far would change. What lies in it cannot be judged by how it is now."""

    def __init__(self) -> None:
        self._changed_by: dict[str, int] = {}

    def status(self, number: int, step: Step[World_contra], finding: Finding, answer: Answer) -> StepStatus:
        """The step's own, after those that would come before it; and it casts its shadow on those after it."""
        note = answer.note if isinstance(answer, Done) else ""
        if isinstance(answer, Begun | Blocked | Unknown):
            note = answer.why
        about = answer.about if isinstance(answer, Blocked) else frozenset()
        names = about or step.changes | step.needs
        others = [self._changed_by[name] for name in names if name in self._changed_by]
        if others and finding not in (Finding.WOULD_BE_DONE, Finding.WOULD_BE_UNDONE):
            finding, note = Finding.DEPENDS, f"on step {min(others)}"
        if finding not in _SETTLED:
            for name in step.changes:
                self._changed_by.setdefault(name, number)
        return StepStatus(
            number=number, title=step.title, word=str(finding), is_settled=finding in _SETTLED, note=note
        )


def _preview(plan: Plan[World_contra], word: str, found: Sequence[StepStatus]) -> Preview:
    statuses = iter(found)
    phases = tuple(
        PhaseStatus(name=phase.name, steps=tuple(next(statuses) for _ in phase.steps))
        for phase in plan.phases
    )
    return Preview(
        status=PlanStatus(
            name=plan.name,
            subject=plan.subject,
            word=word,
            why="",
            by="",
            begun_at=None,
            last_at=None,
            next_step="",
            phases=phases,
        )
    )
