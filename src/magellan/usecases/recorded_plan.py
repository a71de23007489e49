"""Carry a plan out with a record in the audit log before it is begun, and another one of what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from magellan.audit.change import Change, Result
from magellan.errors import FixInput, MagellanError
from magellan.plan.actor import Actor
from magellan.plan.carry_out import Finished, Outcome, Progress, TakenBack, carry_out, take_back
from magellan.plan.plan import Plan
from magellan.plan.standing import JournalState
from magellan.ports.change_log import ChangeLog
from magellan.ports.journal import Journals

World = TypeVar("World")


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """Where plans and changes are written down, and by whom."""

    journals: Journals
    changes: ChangeLog
    actor: Actor
    clock: Callable[[], datetime]  # now, aware, UTC

    def change(self, action: str, subject: str, where: str, why: str) -> Change:
        """A change that begins now."""
        return Change(
            at=self.clock(),
            by=self.actor,
            action=action,
            subject=subject,
            where=where,
            why=why,
            result=Result.BEGUN,
        )


def unfinished(records: Records, subject: str) -> str:
    """The journal of the plan on that subject that has come to no end. Raises FixInput where there is none."""
    for entry in records.journals.all():
        if not entry.is_finished:
            state = JournalState(records.journals.read(entry.name).records)
            if state.plan.subject == subject and state.ending is None:
                return entry.name
    raise FixInput(
        f"no plan on {subject} is unfinished", next_step="run the command without --resume or --undo"
    )


async def carry_out_recorded(
    plan: Plan[World],
    world: World,
    records: Records,
    change: Change,
    *,
    journal_name: str | None = None,
    back: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Carry a plan out, or go on with one, or take it back.

    change:       what is recorded; its result and note are filled in here.
    journal_name: of the plan that is gone on with; None: a new one.
    back:         take it back.
    Raises: as `carry_out`; what was recorded then says that it failed.
    """
    journals, now = records.journals, records.clock
    opening = (
        journals.begin(plan.description, by=records.actor, at=now())
        if journal_name is None
        else journals.reopen(journal_name, by=records.actor, at=now())
    )
    with opening as journal:
        records.changes.append(change)
        try:
            if back:
                outcome = await take_back(
                    plan, world, journal, why=change.why, now=now, on_progress=on_progress
                )
            else:
                outcome = await carry_out(plan, world, journal, now=now, on_progress=on_progress)
        except MagellanError as error:
            records.changes.append(replace(change, at=now(), result=Result.FAILED, note=error.message))
            raise
    result, note = _told(outcome)
    records.changes.append(replace(change, at=now(), result=result, note=note))
    return outcome


def _told(outcome: Outcome) -> tuple[Result, str]:
    match outcome:
        case Finished():
            return Result.DONE, ""
        case TakenBack(why=why):
            return Result.TAKEN_BACK, why
        case halted:
            return Result.HALTED, halted.why
