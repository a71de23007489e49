"""A halt: a stretch of time in which a symbol does not trade."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """Trading of one symbol stands still in [from_ns, until_ns); until_ns None: until somebody ends it."""

    symbol: str
    from_ns: int
    until_ns: int | None
    reason_code: str = "T1"  # as the listing exchange names it: T1 news, T12 information, LUDP volatility
    reason: str = "Halt - News Pending"

    def covers(self, at_ns: int) -> bool:
        """Whether the symbol stands still at an instant."""
        return self.from_ns <= at_ns and (self.until_ns is None or at_ns < self.until_ns)
