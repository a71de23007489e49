"""Arming: which release may trade an account. One per account and host; whoever is not named stands by.

A hand-over is one change of this one value, so it can be done, seen and undone as a whole; and a process that was
started by mistake, or was cut off while the others went on, trades nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from magellan.errors import AskOperator


@dataclass(frozen=True, slots=True, kw_only=True)
class Armed:
    """Who may trade an account."""

    instance: str | None  # its key; None: nobody
    release_id: str | None
    epoch: int  # counts the changes; 0: nobody was ever armed
    by: str  # who changed it last
    at: datetime | None  # aware, UTC

    def written(self) -> bytes:
        told = {
            "instance": self.instance,
            "release_id": self.release_id,
            "epoch": self.epoch,
            "by": self.by,
            "at": None if self.at is None else self.at.isoformat(),
        }
        return json.dumps(told, indent=1, sort_keys=True).encode() + b"\n"

    @classmethod
    def parsed(cls, content: bytes, *, name: str) -> Self:
        """Raises AskOperator for anything that was not written so: nobody trades then."""
        try:
            told: dict[str, Any] = json.loads(content)
            at = told.pop("at")
            armed = cls(**told, at=None if at is None else datetime.fromisoformat(at))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise AskOperator(
                f"{name} cannot be read ({error}), so nobody is armed",
                next_step="move it away and deploy again",
            ) from None
        return armed


NOBODY = Armed(instance=None, release_id=None, epoch=0, by="", at=None)
