"""What a measure may come out as, and what an instant must be to be relied on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from magellan.gate.evidence import Measured, Unmeasured

CLOCK_SKEW_MAX: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Unusable:
    """Evidence that must not be used; an error of every criterion that rests on it."""

    reason: str


Found = Measured | Unmeasured | Unusable


def is_instant(at: datetime) -> bool:
    """Whether it says where on earth it is."""
    return at.utcoffset() is not None


def is_after(at: datetime, other: datetime) -> bool:
    """Whether it is later by more than clocks may differ."""
    return at > other + CLOCK_SKEW_MAX
