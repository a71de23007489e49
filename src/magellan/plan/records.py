"""What a journal records: the plan at its head, then what happened, in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import orjson

from magellan.plan.actor import Actor
from magellan.plan.plan import OnFailure, PhaseDescription, PlanDescription, StepDescription

FORMAT: Final = 1  # of journals; a reader refuses every other one


class Event(StrEnum):
    """What can happen to a step."""

    FOUND_DONE = "found-done"  # it was as wanted before we did anything; it is not ours to undo
    INTENT = "intent"  # it is about to be done
    RETRIED = "retried"  # an attempt failed, and another one begins
    DONE = "done"
    FAILED = "failed"
    UNDO_INTENT = "undo-intent"  # it is about to be undone
    UNDONE = "undone"
    UNDO_FAILED = "undo-failed"
    LEFT = "left"  # somebody changed what it made, and a person wants it left at that


class Aim(StrEnum):
    """Where a plan is going."""

    FINISH = "finish"
    UNDO = "undo"


class Ending(StrEnum):
    """How a plan came to its end. Whatever has no ending is unfinished."""

    DONE = "done"  # every step
    UNDONE = "undone"  # nothing that we did is left


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The first record: what is under way, for whom, since when."""

    at: datetime  # aware, UTC
    by: Actor
    plan: PlanDescription


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """Something that happened to one step."""

    at: datetime  # aware, UTC
    step: int  # its number, from 1
    event: Event
    note: str = ""  # evidence, or why it failed
    took_s: float | None = (
        None  # wall-clock time of the attempts; only with DONE, FAILED, UNDONE and UNDO_FAILED
    )
    before: Mapping[str, Any] | None = field(
        default=None, hash=False
    )  # only with INTENT: what undo will need


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """Another process took over."""

    at: datetime  # aware, UTC
    by: Actor
    torn_bytes: int  # of an unfinished last record that was cut off


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """From here on the plan goes back. It never turns twice."""

    at: datetime  # aware, UTC
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """Nothing more happens until a person resumes or undoes it."""

    at: datetime  # aware, UTC
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The last record. Nothing is added after it."""

    at: datetime  # aware, UTC
    ending: Ending


Record = Head | StepRecord | Resumed | Turned | Stopped | Ended


class UnreadableRecord(ValueError):
    """What stands there is no record of this format."""


def encoded(record: Record, number: int) -> bytes:
    """The record as one line of JSON, without its newline. number: its place in the journal, from 0."""
    at = record.at.isoformat()
    match record:
        case StepRecord():
            told: dict[str, Any] = {
                "number": number,
                "record": str(record.event),
                "at": at,
                "step": record.step,
            }
            if record.note:
                told["note"] = record.note
            if record.took_s is not None:
                told["took_s"] = record.took_s
            if record.before is not None:
                told["before"] = record.before
        case Head():
            told = {
                "number": number,
                "record": "head",
                "format": FORMAT,
                "at": at,
                "by": record.by,
                "plan": _plan_json(record.plan),
            }
        case Resumed():
            told = {
                "number": number,
                "record": "resumed",
                "at": at,
                "by": record.by,
                "torn_bytes": record.torn_bytes,
            }
        case Turned():
            told = {"number": number, "record": "turned", "at": at, "why": record.why}
        case Stopped():
            told = {"number": number, "record": "stopped", "at": at, "why": record.why}
        case Ended():
            told = {"number": number, "record": "ended", "at": at, "ending": str(record.ending)}
    return orjson.dumps(told, default=dict)


def decoded(line: bytes, number: int) -> Record:
    """The record in that line. Raises UnreadableRecord."""
    try:
        told = orjson.loads(line)
        if told.pop("number") != number:
            raise ValueError("it stands in the wrong place")
        kind = told.pop("record")
        at = datetime.fromisoformat(told.pop("at"))
        if at.utcoffset() is None:
            raise ValueError("its time has no zone")
        read = _READERS.get(kind)
        record = StepRecord(at=at, event=Event(kind), **told) if read is None else read(at, told)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnreadableRecord(str(error)) from error
    return record


def _head(at: datetime, told: dict[str, Any]) -> Head:
    if told.pop("format") != FORMAT:
        raise ValueError("another version of Magellan wrote it")
    return Head(at=at, by=Actor(**told.pop("by")), plan=_plan(**told.pop("plan"), **told))


def _plan(
    *,
    name: str,
    subject: str,
    on_failure: str,
    resume_with: str,
    undo_with: str,
    phases: list[dict[str, Any]],
) -> PlanDescription:
    number = 0
    read = []
    for phase in phases:
        steps = []
        for step in phase["steps"]:
            number += 1
            steps.append(StepDescription(number=number, **step))
        read.append(PhaseDescription(name=phase["name"], batch=phase["batch"], steps=tuple(steps)))
    return PlanDescription(
        name=name,
        subject=subject,
        on_failure=OnFailure(on_failure),
        resume_with=resume_with,
        undo_with=undo_with,
        phases=tuple(read),
    )


def _plan_json(plan: PlanDescription) -> dict[str, Any]:
    return {
        "name": plan.name,
        "subject": plan.subject,
        "on_failure": str(plan.on_failure),
        "resume_with": plan.resume_with,
        "undo_with": plan.undo_with,
        "phases": [
            {
                "name": phase.name,
                "batch": phase.batch,
                "steps": [
                    {"title": step.title, "kind": step.kind, "fields": step.fields} for step in phase.steps
                ],
            }
            for phase in plan.phases
        ],
    }


_READERS: Final[Mapping[str, Callable[[datetime, dict[str, Any]], Record]]] = {
    "head": _head,
    "resumed": lambda at, told: Resumed(at=at, by=Actor(**told.pop("by")), **told),
    "turned": lambda at, told: Turned(at=at, **told),
    "stopped": lambda at, told: Stopped(at=at, **told),
    "ended": lambda at, told: Ended(at=at, ending=Ending(told.pop("ending")), **told),
}
