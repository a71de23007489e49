"""Pipeline: the four stages that a change goes through, and what came of each. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class PipelineStage(StrEnum):
    """In this order; what follows a stage that failed is not reached."""

    VALIDATE = "validate"  # code, config and data, without an order
    TEST = "test"  # every gate, on archived bars
    DEPLOY = "deploy"  # a release, brought to its targets
    CHECK = "check"  # what runs there now, by its own word


class Came(StrEnum):
    """What came of a stage."""

    PASSED = "passed"
    FAILED = "failed"
    LOOKED_AT = "looked at"  # nothing was changed, since nobody said --yes
    NOT_REACHED = "not reached"  # an earlier stage failed
    NOT_ASKED = "not asked for"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One thing that a stage looked at."""

    what: str
    is_well: bool
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageOutcome:
    """One stage of a pipeline that was run."""

    stage: PipelineStage
    came: Came
    findings: tuple[Looked, ...] = ()
    note: str = ""  # what came of it, in a sentence
    took_s: float = 0.0

    @property
    def lets_on(self) -> bool:
        """Whether the next stage may begin."""
        return self.came in (Came.PASSED, Came.LOOKED_AT)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineReport:
    """A pipeline that came to its end, one way or the other."""

    strategy: str  # prod/bear_trap
    version: str  # of its config; "" where it could not be read
    to: str  # the stage that it was to be deployed to; "" for none
    release: str  # its name; "" where none was built
    release_id: str
    by: str
    began_at: datetime  # aware, UTC
    ended_at: datetime
    outcomes: tuple[StageOutcome, ...]  # one per stage, in order

    @property
    def passed(self) -> bool:
        """Whether every stage that was asked for came to its end."""
        return bool(self.outcomes) and all(
            each.came in (Came.PASSED, Came.LOOKED_AT, Came.NOT_ASKED) for each in self.outcomes
        )

    @property
    def took(self) -> timedelta:
        return self.ended_at - self.began_at

    @property
    def verdict(self) -> str:
        """In one sentence."""
        failed = next((each for each in self.outcomes if each.came is Came.FAILED), None)
        if failed is not None:
            return f"failed at {failed.stage}: {failed.note}"
        if not self.to:
            return "validated and tested; nothing was to be deployed"
        if any(each.came is Came.LOOKED_AT for each in self.outcomes):
            return f"may be deployed to {self.to}; nothing was changed"
        return f"{self.release} trades in {self.to}"
