"""A plan: steps in order, in named phases, and what becomes of them when one fails."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Generic

import orjson

from magellan.errors import FixInput
from magellan.plan.step import Step, World_contra, storable


class OnFailure(StrEnum):
    """What becomes of the steps that were done when a later one fails."""

    UNDO = (
        "undo"  # all of them are undone, the newest first: the world is as it was, or whole as it should be
    )
    KEEP = "keep"  # they stay; a person resumes the plan or undoes it


@dataclass(frozen=True, kw_only=True)
class Phase(Generic[World_contra]):
    """Steps that belong together, under a name that progress is shown by."""

    name: str
    steps: tuple[Step[World_contra], ...]
    # The steps do not depend on each other. All of them are checked and all intents are on disk before the first one
    # is done, with one wait for the disk instead of one per step.
    batch: bool = False
    at_once: int = 1  # how many steps of a batch are under way at the same time

    def __post_init__(self) -> None:
        if self.at_once < 1 or (self.at_once > 1 and not self.batch):
            raise ValueError(
                f"phase {self.name}: {self.at_once} steps at once; only a batch takes more than one"
            )
        if self.batch:
            _refuse_dependence(self)

    @property
    def groups(self) -> tuple[Sequence[int], ...]:
        """Indices of the steps that share one wait for the disk, in order."""
        everything = range(len(self.steps))
        if self.batch:
            return (everything,) if self.steps else ()
        return tuple(range(at, at + 1) for at in everything)


@dataclass(frozen=True, kw_only=True)
class Plan(Generic[World_contra]):
    """What is to be done, before anything is. Two processes that build it from the same input build the same plan."""

    name: str  # "deploy opening_gap to prod"
    subject: str  # what it changes, e.g. "prod/opening_gap"; one plan at a time is carried out on it
    phases: tuple[Phase[World_contra], ...]
    on_failure: OnFailure = OnFailure.UNDO
    resume_with: str  # the command by which a person goes on with it after a kill
    undo_with: str  # the command by which a person takes it back

    @property
    def steps(self) -> Iterator[Step[World_contra]]:
        """All steps in order. Their numbers are counted from 1."""
        for phase in self.phases:
            yield from phase.steps

    @cached_property
    def description(self) -> PlanDescription:
        """What a journal keeps of the plan."""
        phases = []
        number = 0
        for phase in self.phases:
            steps = []
            for step in phase.steps:
                number += 1
                steps.append(
                    StepDescription(
                        number=number,
                        title=storable(step.title),
                        kind=type(step).__name__,
                        fields=step.description(),
                    )
                )
            phases.append(PhaseDescription(name=phase.name, batch=phase.batch, steps=tuple(steps)))
        return PlanDescription(
            name=self.name,
            subject=self.subject,
            phases=tuple(phases),
            on_failure=self.on_failure,
            resume_with=self.resume_with,
            undo_with=self.undo_with,
        )


@dataclass(frozen=True, kw_only=True)
class StepDescription:
    """A step as data: for people, and to tell whether two processes mean the same step."""

    number: int  # from 1, across all phases
    title: str
    kind: str  # the name of its class
    fields: Mapping[str, Any] = field(hash=False)  # JSON

    @cached_property
    def digest(self) -> str:
        """SHA-256 of kind and fields, in hexadecimal. A better worded title is still the same step."""
        told = orjson.dumps([self.kind, self.fields], option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(told).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseDescription:
    """A phase as data."""

    name: str
    batch: bool
    steps: tuple[StepDescription, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDescription:
    """A plan as data, as it stands at the head of its journal."""

    name: str
    subject: str
    phases: tuple[PhaseDescription, ...]
    on_failure: OnFailure
    resume_with: str
    undo_with: str

    @property
    def steps(self) -> Iterator[StepDescription]:
        """All steps in order."""
        for phase in self.phases:
            yield from phase.steps


def differences(recorded: PlanDescription, built: PlanDescription) -> list[str]:
    """In what a plan that was built anew differs from the recorded one, a line each; empty when they are the same."""
    found = [
        f"{what}: {was!r} was recorded, {now!r} is given"
        for what, was, now in (
            ("the name", recorded.name, built.name),
            ("the subject", recorded.subject, built.subject),
            ("on failure", str(recorded.on_failure), str(built.on_failure)),
            (
                "the phases",
                [_shape(each) for each in recorded.phases],
                [_shape(each) for each in built.phases],
            ),
        )
        if was != now
    ]
    before, after = list(recorded.steps), list(built.steps)
    if len(before) != len(after):
        found.append(f"{len(before)} steps were recorded, {len(after)} are given")
    for was_step, now_step in zip(before, after, strict=False):
        if was_step.digest != now_step.digest:
            found.append(f"step {was_step.number}: {_difference(was_step, now_step)}")
    return found


def _shape(phase: PhaseDescription) -> str:
    return f"{phase.name} ({len(phase.steps)}{', batch' if phase.batch else ''})"


def _difference(was: StepDescription, now: StepDescription) -> str:
    if was.kind != now.kind:
        return f"{was.title!r} was recorded, {now.title!r} is given"
    names = sorted(
        name for name in was.fields.keys() | now.fields.keys() if was.fields.get(name) != now.fields.get(name)
    )
    return "; ".join(
        f"{name} was {was.fields.get(name)!r} and is now {now.fields.get(name)!r}" for name in names
    )


def _refuse_dependence(phase: Phase[World_contra]) -> None:
    """Raises FixInput where a step of a batch changes what another one changes or needs."""
    changed_by: dict[str, int] = {}
    for at, step in enumerate(phase.steps):
        for name in step.changes:
            other = changed_by.setdefault(name, at)
            if other != at:
                raise FixInput(
                    f"phase {phase.name}: {phase.steps[other].title!r} and {step.title!r} both change {name}"
                )
    for at, step in enumerate(phase.steps):
        for name in step.needs:
            if changed_by.get(name, at) != at:
                raise FixInput(f"phase {phase.name}: {step.title!r} needs {name}, which another step changes")
