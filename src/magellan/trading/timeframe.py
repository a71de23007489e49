"""Timeframe: how much time one bar covers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from magellan.errors import FixInput

MICROSECOND_NS = 1_000
SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS

_UNITS = {"Min": MINUTE_NS, "Hour": HOUR_NS, "Day": DAY_NS}
_SPELLING = re.compile(r"([1-9][0-9]*)(Min|Hour|Day)")


@dataclass(frozen=True, slots=True, order=True)
class Timeframe:
    """The span of one bar: 1Min, 5Min, 1Hour, 1Day.

    A bar is labelled with the instant at which its span starts. A daily bar covers one exchange
    session, whatever its length, and is labelled with midnight UTC of the session's date.
    """

    span_ns: int

    def __post_init__(self) -> None:
        if self.span_ns <= 0 or self.span_ns % MINUTE_NS:
            raise FixInput(f"a timeframe is a whole number of minutes, not {self.span_ns} ns")
        if self.span_ns > DAY_NS:
            raise FixInput(f"{self.span_ns // DAY_NS} days in one bar: the longest timeframe is 1Day")

    @classmethod
    def parse(cls, text: str) -> Timeframe:
        """Read '1Min', '15Min', '1Hour', '1Day'. Raises FixInput for anything else."""
        match = _SPELLING.fullmatch(text)
        if match is None:
            raise FixInput(
                f"'{text}' is not a timeframe", next_step="write it as 1Min, 5Min, 15Min, 1Hour or 1Day"
            )
        return cls(int(match[1]) * _UNITS[match[2]])

    @property
    def is_daily(self) -> bool:
        return self.span_ns == DAY_NS

    @property
    def minutes(self) -> int:
        return self.span_ns // MINUTE_NS

    def __str__(self) -> str:
        for unit, span_ns in reversed(_UNITS.items()):
            if self.span_ns % span_ns == 0:
                return f"{self.span_ns // span_ns}{unit}"
        raise AssertionError("a timeframe is a whole number of minutes, checked at birth")


MINUTE = Timeframe(MINUTE_NS)
HOUR = Timeframe(HOUR_NS)
DAY = Timeframe(DAY_NS)
