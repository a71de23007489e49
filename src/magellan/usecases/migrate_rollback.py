"""Take a migration back, to the byte; what somebody changed since is told, and never overwritten."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from magellan.errors import FixInput
from magellan.migration.apply_plan import Recorded, plan_of
from magellan.migration.git_steps import Checkout
from magellan.plan.carry_out import Outcome, Progress, take_back
from magellan.plan.plan import Plan
from magellan.plan.preview import Preview, preview_back
from magellan.plan.records import Ending
from magellan.plan.standing import JournalState
from magellan.usecases.migrate_apply import Desk, recorded_of


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """A migration that can be taken back, and what taking it back would do."""

    recorded: Recorded
    journal: str  # its name
    plan: Plan[Checkout]
    preview: Preview


def way_back(desk: Desk, migration_id: str = "") -> WayBack:
    """Look at the way back of a migration: the one of that id, otherwise the newest that stands. Nothing is changed.

    Raises: FixInput where there is none, and where it was taken back already.
    """
    for entry in reversed(desk.journals.all()):
        recorded = recorded_of(entry.name, desk)
        if recorded is None or (migration_id and recorded.id != migration_id):
            continue
        records = desk.journals.read(entry.name).records
        if JournalState(records).ending is Ending.UNDONE:
            if migration_id:
                raise FixInput(f"{migration_id} was taken back already: nothing is left to do")
            continue
        plan = plan_of(recorded, folder=desk.folder)
        found = asyncio.run(preview_back(plan, desk.checkout, records))
        return WayBack(recorded=recorded, journal=entry.name, plan=plan, preview=found)
    known = ", ".join(desk.migrations.ids()[-3:])
    what = f"there is no migration {migration_id} of" if migration_id else "no migration stands in"
    raise FixInput(f"{what} {desk.folder}", next_step=f"known are {known}" if known else "")


def roll_back(way: WayBack, desk: Desk, *, on_progress: Callable[[Progress], None] | None = None) -> Outcome:
    """Go the way back. Raises what `take_back` does."""
    with desk.journals.reopen(way.journal, by=desk.actor, at=desk.now()) as journal:
        return asyncio.run(
            take_back(
                way.plan,
                desk.checkout,
                journal,
                why=f"asked by {desk.actor.person}",
                now=desk.now,
                on_progress=on_progress,
            )
        )
