"""Prepare a host: make a machine ready to be a target, as a plan that root carries out there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from magellan.deploy.preparation import HostRoot
from magellan.plan.carry_out import Outcome, Progress
from magellan.plan.plan import Plan
from magellan.plan.preview import preview
from magellan.plan.status import PlanStatus
from magellan.usecases.recorded_plan import Records, carry_out_recorded, unfinished


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareAsked:
    """What a person asks for."""

    target: str
    why: str = ""
    resume: bool = False
    undo: bool = False


async def show_preparation(plan: Plan[HostRoot], root: HostRoot) -> PlanStatus:
    """What would be done. Changes nothing."""
    return (await preview(plan, root)).status


async def prepare_host(
    asked: PrepareAsked,
    plan: Plan[HostRoot],
    root: HostRoot,
    records: Records,
    *,
    on_progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Carry it out, go on with it, or take it back; recorded in the audit log.

    Raises: FixInput where there is nothing to go on with; PlanUnfinished, PlanHeld; what the machine raises.
    """
    journal = unfinished(records, plan.subject) if asked.resume or asked.undo else None
    change = records.change("prepare host", plan.subject, asked.target, asked.why)
    return await carry_out_recorded(
        plan, root, records, change, journal_name=journal, back=asked.undo, on_progress=on_progress
    )
