"""Drill a roll-back: go to the release before and back again, and write down how long each way took.

What is never rehearsed does not work on the day it is needed. In staging it costs nothing; in production it is a real
hand-over, twice, and is asked for by its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from magellan.audit.change import Change, Result
from magellan.errors import AskOperator
from magellan.plan.carry_out import Finished, Progress
from magellan.plan.status import PlanStatus
from magellan.release.manifest import shown
from magellan.usecases.deploy import begin_deploy
from magellan.usecases.deploy_history import release_before, release_now
from magellan.usecases.prepare_deploy import DeployAsked, DeploySources, prepare_deploy
from magellan.workspace.workspace import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilled:
    """Both ways."""

    release: str  # id of the one that traded before and trades again
    before: str  # id of the one that it was rolled back to
    there_s: float
    back_s: float


async def drill_rollback(
    strategy: str,
    stage: Stage,
    sources: DeploySources,
    *,
    why: str,
    typed_number: str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Drilled:
    """Carry both out. Raises: FixInput where there is no release before; AskOperator when a way did not end well."""
    now, before = (
        release_now(sources.changes, strategy, stage),
        release_before(sources.changes, strategy, stage),
    )
    asked = DeployAsked(
        strategy=strategy,
        stage=stage,
        release=before,
        why=why or "a drill",
        typed_number=typed_number,
        watch_s=0.0,
        action="rollback",
        at_once=True,
    )
    took = []
    for each in (asked, replace(asked, release=now, why=f"{asked.why}, and back")):
        outcome = await begin_deploy(await prepare_deploy(each, sources), sources, on_progress=on_progress)
        if not isinstance(outcome, Finished):
            raise AskOperator(
                f"the drill did not come through: {outcome.status.name}: {outcome.why}",
                kept="one whole release trades; `magellan deployments` says which",
                next_step="mend what it says, then drill again: the day it is needed will not wait",
            )
        took.append(_took_s(outcome.status))
    drilled = Drilled(release=now, before=before, there_s=took[0], back_s=took[1])
    sources.changes.append(
        Change(
            at=sources.clock(),
            by=sources.actor,
            action="drill rollback",
            subject=f"{stage}/{strategy}",
            where=", ".join(sources.settings.stage(stage).targets),
            why=asked.why,
            result=Result.DONE,
            release=now,
            evidence=(f"there {drilled.there_s:.2f} s", f"back {drilled.back_s:.2f} s"),
            note=f"to {shown(before)} and back",
        )
    )
    return drilled


def _took_s(status: PlanStatus) -> float:
    assert status.begun_at is not None, "it was carried out"
    assert status.last_at is not None, "it was carried out"
    return (status.last_at - status.begun_at) / timedelta(seconds=1)
