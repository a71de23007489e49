"""Journals: where plans write down what they are about to do, and what became of it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from magellan.errors import AskOperator
from magellan.plan.actor import Actor
from magellan.plan.journal import Journal, JournalText
from magellan.plan.plan import PlanDescription
from magellan.ports.plan_lock import Holder


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One journal among the others."""

    name: str  # "20260120T143100Z-deploy-opening-gap-to-prod"; names sort by time
    is_finished: bool  # its plan came to an end: it is evidence, and nothing is left to do


class PlanUnfinished(AskOperator):
    """An earlier plan on the same subject was stopped, or killed, and has come to no end. Nothing new was begun."""


class Journals(Protocol):
    """Kept by `adapters/local/journal_files.py`. One plan at a time is at work on a subject."""

    def begin(self, plan: PlanDescription, *, by: Actor, at: datetime) -> AbstractContextManager[Journal]:
        """A new journal with the plan at its head, on disk; and the subject's lock, until the `with` ends.

        at:     aware, UTC.
        Raises: PlanHeld when somebody is changing the subject; PlanUnfinished when an earlier plan on it has come to
                no end; AskOperator when the journal cannot be written.
        """
        ...

    def reopen(self, name: str, *, by: Actor, at: datetime) -> AbstractContextManager[Journal]:
        """Go on with a journal; and the lock, as above. An unfinished last record is cut off, and that is recorded.

        A finished one can be reopened to take its plan back.
        Raises: PlanHeld; PlanUnfinished when another plan on the subject is; JournalDamaged; FixInput for a name that
                there is none of, and for a plan that was taken back; AskOperator.
        """
        ...

    def read(self, name: str) -> JournalText:
        """What it holds, without touching it. Raises JournalDamaged; FixInput for a name that there is none of."""
        ...

    def at_work(self, subject: str) -> Holder | None:
        """Who carries out a plan on that subject now. None: nobody, so what is unfinished was stopped or killed."""
        ...

    def all(self) -> tuple[JournalEntry, ...]:
        """All of them, the oldest first."""
        ...
