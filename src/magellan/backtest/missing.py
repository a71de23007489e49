"""Missing: why a number is not there. What cannot be computed is never shown as 0, infinity or a default."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Missing:
    """Stands where a number would stand, and says why there is none."""

    reason: str  # for people, e.g. "no trade was closed"


Measured = float | Missing
