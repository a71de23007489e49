"""Locks: who changes something now, so that nobody else does."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from magellan.errors import AskOperator
from magellan.plan.actor import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a lock, or held it when the process died."""

    by: Actor
    since: datetime  # aware, UTC
    what: str  # the name of the plan

    def __str__(self) -> str:
        return f"{self.by}, since {self.since:%Y-%m-%d %H:%M:%S} UTC: {self.what}"


class PlanHeld(AskOperator):
    """Somebody else is changing the same thing. Two at once would undo each other's work, so the second one stops."""


class PlanLocks(Protocol):
    """Kept by `adapters/local/plan_locks.py`."""

    def hold(self, subject: str, holder: Holder) -> AbstractContextManager[Holder | None]:
        """Hold the lock of that subject until the `with` ends, or until this process dies, however it dies.

        Gives the dead holder: one that had it last and died with it. None: it was given back in order.
        Raises PlanHeld, naming who holds it; AskOperator when a lock cannot be made.
        """
        ...

    def holder(self, subject: str) -> Holder | None:
        """Who holds it now. None: nobody who is alive, or one who has not written his name yet."""
        ...
