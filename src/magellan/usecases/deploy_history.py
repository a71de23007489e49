"""Deploy history: which releases traded, and which were taken back, by the audit log and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from magellan.audit.change import Result
from magellan.errors import FixInput
from magellan.plan.records import Ending
from magellan.plan.status import PlanStatus, status_of
from magellan.ports.change_log import ChangeLog
from magellan.ports.journal import Journals
from magellan.workspace.workspace import Stage

ACTIONS: Final = ("deploy", "rollback", "promote")  # that change which release trades, in the audit log


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """One roll-out that came to its end, as the audit log has it."""

    at: datetime
    action: str
    release_id: str
    result: Result
    note: str


def history(changes: ChangeLog, strategy: str, stage: Stage) -> tuple[Deployed, ...]:
    """The roll-outs of a strategy to a stage that came to an end, oldest first, by the audit log."""
    subject = f"{stage}/{strategy}"
    return tuple(
        Deployed(
            at=each.change.at,
            action=each.change.action,
            release_id=each.change.release,
            result=each.change.result,
            note=each.change.note,
        )
        for each in changes.changes()
        if each.change.subject == subject
        and each.change.action in ACTIONS
        and each.change.release is not None
        and each.change.result in (Result.DONE, Result.TAKEN_BACK, Result.HALTED)
    )


def release_now(changes: ChangeLog, strategy: str, stage: Stage) -> str:
    """The id of the release that trades, by the audit log. Raises FixInput when there is none."""
    traded = _traded(changes, strategy, stage)
    if not traded:
        raise FixInput(
            f"no release of {strategy} trades in {stage}", next_step="deploy one with `magellan deploy`"
        )
    return traded[-1]


def release_before(changes: ChangeLog, strategy: str, stage: Stage) -> str:
    """The id of the release that traded before the one that trades now. Raises FixInput when there was none."""
    traded = _traded(changes, strategy, stage)
    for release_id in reversed(traded):
        if release_id != traded[-1]:
            return release_id
    raise FixInput(
        f"no release of {strategy} traded in {stage} before the one that does now",
        kept="that one",
        next_step=f"name one of `magellan release list {strategy}`, or stop entries with `magellan halt`",
    )


def bad_releases(changes: ChangeLog, strategy: str, stage: Stage) -> dict[str, str]:
    """Releases whose newest roll-out to that stage was taken back, with the reason: nothing picks them by itself."""
    newest = {each.release_id: each for each in history(changes, strategy, stage)}
    return {release_id: each.note for release_id, each in newest.items() if each.result is not Result.DONE}


def _traded(changes: ChangeLog, strategy: str, stage: Stage) -> list[str]:
    """Ids of the releases that came to trade and were not taken back, oldest first."""
    bad = bad_releases(changes, strategy, stage)
    return [
        each.release_id
        for each in history(changes, strategy, stage)
        if each.result is Result.DONE and each.release_id not in bad
    ]


def catch_up(subject: str, *, changes: ChangeLog, journals: Journals, at: datetime) -> None:
    """Record what came of a roll-out whose process was killed between the end of its journal and the audit log."""
    ours = [
        each.change
        for each in changes.changes()
        if each.change.subject == subject and each.change.action in ACTIONS
    ]
    if not ours or ours[-1].result is not Result.BEGUN:
        return
    status = status_of(journals.read(journal_of(subject, journals, undo=True)).records)
    begun = ours[-1]
    if status.begun_at is None or status.begun_at < begun.at - timedelta(minutes=1):
        result, note = Result.FAILED, "its process was killed before its journal was begun"
    else:
        result = Result.DONE if status.word == Ending.DONE else Result.TAKEN_BACK
        note = status.why or "recorded afterwards: its process was killed at the end"
    changes.append(replace(begun, at=at, result=result, note=note, evidence=shown_by(status)))


def journal_of(subject: str, journals: Journals, *, undo: bool) -> str:
    """The newest journal of that subject; to go on with, one that came to no end. Raises FixInput."""
    for entry in reversed(journals.all()):
        if entry.is_finished and not undo:
            continue
        if status_of(journals.read(entry.name).records).subject == subject:
            return entry.name
    what = "nothing was deployed to" if undo else "no roll-out was stopped on its way to"
    raise FixInput(f"{what} {subject}", next_step="look with `magellan deployments`")


def shown_by(status: PlanStatus) -> tuple[str, ...]:
    """What each step showed."""
    return tuple(f"{step.title}: {step.note}" for phase in status.phases for step in phase.steps if step.note)
