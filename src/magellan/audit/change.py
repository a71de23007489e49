"""Change: one thing that a person, or Magellan by itself, did to what trades. What came of it is a change as well."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from magellan.plan.actor import Actor


class Result(StrEnum):
    """What came of it, as far as is known when it is recorded."""

    BEGUN = "begun"  # written before anything is done; another one follows, unless the process was killed
    DONE = "done"
    TAKEN_BACK = "taken back"  # nothing of it is left
    HALTED = "halted"  # it stands in between, and a person goes on
    REFUSED = "refused"  # nothing was done
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One record: who, what, when, where, why, which release, evidence, result. Never with a secret in it."""

    at: datetime  # aware, UTC
    by: Actor
    action: str  # the command's words: "deploy", "rollback", "secrets rotate", "restore"
    subject: str  # what is changed: "prod/bear_trap"
    where: str  # the target, host or account
    why: str  # in the person's words, or what Magellan acted upon
    result: Result
    release: str | None = None  # its id
    evidence: tuple[str, ...] = ()  # what it rests on: verdicts, journals, approvals, measured figures
    note: str = ""  # what came of it, in a sentence

    def __post_init__(self) -> None:
        if self.at.utcoffset() != timedelta(0):
            raise ValueError(f"the change '{self.action}' is stamped {self.at!r}, not in UTC")
        if not (self.action and self.subject):
            raise ValueError("a change says what was done, and to what")
