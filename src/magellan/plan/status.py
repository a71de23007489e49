"""How a plan stands, step by step: for people, and for programs that show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from magellan.plan.plan import PlanDescription
from magellan.plan.records import Aim, Record
from magellan.plan.standing import SETTLED, JournalState


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStatus:
    """One step."""

    number: int  # from 1, across all phases
    title: str
    word: str  # a Standing ("done"), or what a dry run found ("would be done")
    is_settled: bool  # nothing is left to do
    note: str = ""  # evidence, or why not
    took_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseStatus:
    """One phase."""

    name: str
    steps: tuple[StepStatus, ...]

    @property
    def settled(self) -> int:
        """How many of its steps have nothing left to do."""
        return sum(each.is_settled for each in self.steps)

    @property
    def left(self) -> int:
        """How many are left."""
        return len(self.steps) - self.settled

    @property
    def took_s(self) -> float:
        """The steps' times together. Steps that were under way at once count each."""
        return sum(each.took_s or 0.0 for each in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStatus:
    """A plan, and where it stands."""

    name: str
    subject: str
    word: str  # "dry run", "under way", "stopped", "done", "undone"
    why: str  # it turned back or stopped; "" otherwise
    by: str  # who was at it last; "" for a dry run
    begun_at: datetime | None  # aware, UTC; None for a dry run
    last_at: datetime | None  # aware, UTC: of the newest record
    next_step: str  # what a person can do now; "" when nothing is left
    phases: tuple[PhaseStatus, ...]


def status_of(records: Sequence[Record]) -> PlanStatus:
    """What a journal says: what was under way, for whom, since when, and how far it came. Raises JournalDamaged."""
    return status_of_state(JournalState(records))


def status_of_state(state: JournalState) -> PlanStatus:
    """The same, from records that were read already."""
    if state.ending is not None:
        word = str(state.ending)
    elif state.stopped_because:
        word = "stopped"
    else:
        word = "under way"
    settled = SETTLED[state.aim]
    return PlanStatus(
        name=state.plan.name,
        subject=state.plan.subject,
        word=word,
        why="; ".join(each for each in (state.turned_because, state.stopped_because) if each),
        by=str(state.by),
        begun_at=state.head.at,
        last_at=state.last_at,
        next_step=next_commands(state),
        phases=tuple(
            PhaseStatus(
                name=phase.name,
                steps=tuple(
                    StepStatus(
                        number=step.number,
                        title=step.title,
                        word=str(state.standing(step.number)),
                        is_settled=state.standing(step.number) in settled,
                        note=state.note(step.number),
                        took_s=state.took_s(step.number),
                    )
                    for step in phase.steps
                ),
            )
            for phase in state.plan.phases
        ),
    )


def next_commands(state: JournalState) -> str:
    """What a person can do about a plan that did not come to its end; "" when it did."""
    if state.ending is not None:
        return ""
    return commands_of(state.plan, state.aim)


def commands_of(plan: PlanDescription, aim: Aim) -> str:
    """The commands that go on with the plan."""
    if aim is Aim.UNDO:
        return f"`{plan.undo_with}` goes on undoing it"
    return f"`{plan.resume_with}` goes on with it; `{plan.undo_with}` takes it back"
