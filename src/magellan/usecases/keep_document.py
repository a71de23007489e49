"""Keep the document by which a target takes calls through Systems Manager."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from magellan.deploy.call_document import Documents
from magellan.plan.carry_out import Outcome, Progress
from magellan.plan.plan import Plan
from magellan.plan.preview import preview
from magellan.plan.status import PlanStatus
from magellan.usecases.recorded_plan import Records, carry_out_recorded, unfinished


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentAsked:
    """What a person asks for."""

    target: str
    why: str = ""
    resume: bool = False
    undo: bool = False


async def show_document(plan: Plan[Documents], documents: Documents) -> PlanStatus:
    """What would be done. Changes nothing."""
    return (await preview(plan, documents)).status


async def keep_document(
    asked: DocumentAsked,
    plan: Plan[Documents],
    documents: Documents,
    records: Records,
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Carry it out, go on with it, or take it back; recorded in the audit log.

    Raises: FixInput where there is nothing to go on with; PlanUnfinished, PlanHeld; what Amazon raises.
    """
    journal = unfinished(records, plan.subject) if asked.resume or asked.undo else None
    change = records.change("store document", plan.subject, asked.target, asked.why)
    return await carry_out_recorded(
        plan, documents, records, change, journal_name=journal, back=asked.undo, on_progress=on_progress
    )
