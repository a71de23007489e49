"""A dry run: what carrying a plan out would do. Nothing is changed, and nothing is journaled."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from magellan.plan.asking import asked
from magellan.plan.plan import Plan
from magellan.plan.status import PhaseStatus, PlanStatus, StepStatus
from magellan.plan.step import Answer, Begun, Blocked, Done, NotDone, Step, Unknown, World_contra


class Finding(StrEnum):
    """What a dry run can find of a step."""

    DONE_ALREADY = "done already"
    WOULD_BE_DONE = "would be done"
    DEPENDS = (
        "depends on an earlier step"  # which changes what this one looks at, so that asking now tells nothing
    )
    CANNOT_BE_DONE = "cannot be done"
    NOT_KNOWN = "not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a dry run found."""

    status: PlanStatus

    @property
    def refusals(self) -> tuple[StepStatus, ...]:
        """Steps that would fail. Where there are any, carrying the plan out is no use."""
        refused = (Finding.CANNOT_BE_DONE, Finding.NOT_KNOWN)
        return tuple(step for phase in self.status.phases for step in phase.steps if step.word in refused)


async def preview(plan: Plan[World_contra], world: World_contra) -> Preview:
    """Ask every step how the world stands to it."""
    will_change: dict[str, int] = {}  # the step that would be the first to change it
    number = 0
    phases = []
    for phase in plan.phases:
        found = []
        for step in phase.steps:
            number += 1
            answer, _ = await asked(step, step.check, world, None)
            status = _found(step, number, answer, will_change)
            if status.word != Finding.DONE_ALREADY:
                for name in step.changes:
                    will_change.setdefault(name, number)
            found.append(status)
        phases.append(PhaseStatus(name=phase.name, steps=tuple(found)))
    return Preview(
        status=PlanStatus(
            name=plan.name,
            subject=plan.subject,
            word="dry run",
            why="",
            by="",
            begun_at=None,
            last_at=None,
            next_step="",
            phases=tuple(phases),
        )
    )


def _found(step: Step[World_contra], number: int, answer: Answer, will_change: dict[str, int]) -> StepStatus:
    earlier = min(
        (will_change[name] for name in step.changes | step.needs if name in will_change), default=None
    )
    note = answer.why if isinstance(answer, Begun | Blocked | Unknown) else ""
    match answer:
        case NotDone():
            finding = Finding.WOULD_BE_DONE
        case _ if earlier is not None:
            finding, note = Finding.DEPENDS, f"on step {earlier}"
        case Done():
            finding, note = Finding.DONE_ALREADY, answer.note
        case Blocked() | Begun():
            finding = Finding.CANNOT_BE_DONE
        case Unknown():
            finding = Finding.NOT_KNOWN
    return StepStatus(
        number=number,
        title=step.title,
        word=str(finding),
        is_settled=finding is Finding.DONE_ALREADY,
        note=note,
    )
