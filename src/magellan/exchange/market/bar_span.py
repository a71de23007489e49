"""Bar spans: the timeframes that Alpaca serves, and where each of their bars begins and ends."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from magellan.errors import FixInput
from magellan.trading.bar import Instants
from magellan.trading.session import clock_changed_ns, exchange_offset_ns
from magellan.trading.timeframe import DAY_NS, HOUR_NS, MINUTE_NS

_SPELLING = re.compile(r"([1-9][0-9]?)(Min|T|Hour|H|Day|D|Week|W|Month|M)")
_MONDAY = 4  # 1970-01-05, in days since 1970-01-01


class SpanUnit(Enum):
    """The units of Alpaca's timeframes."""

    MINUTE = "Min"
    HOUR = "Hour"
    DAY = "Day"
    WEEK = "Week"
    MONTH = "Month"


_COUNTS = {
    SpanUnit.MINUTE: range(1, 60),
    SpanUnit.HOUR: range(1, 24),
    SpanUnit.DAY: (1,),
    SpanUnit.WEEK: (1,),
    SpanUnit.MONTH: (1, 2, 3, 4, 6, 12),
}
_UNITS = {
    "Min": SpanUnit.MINUTE,
    "T": SpanUnit.MINUTE,
    "Hour": SpanUnit.HOUR,
    "H": SpanUnit.HOUR,
    "Day": SpanUnit.DAY,
    "D": SpanUnit.DAY,
    "Week": SpanUnit.WEEK,
    "W": SpanUnit.WEEK,
    "Month": SpanUnit.MONTH,
    "M": SpanUnit.MONTH,
}


@dataclass(frozen=True, slots=True)
class BarSpan:
    """How much time one served bar covers: 1 to 59 minutes, 1 to 23 hours, a day, a week, or 1 to 12 months.

    Minutes and hours count from midnight, days begin at midnight, weeks on Monday, months with the year:
    on the exchange's clock for shares and options, in UTC for crypto.
    Source: documented are the counts and that bars carry the start of their span; that hours count from
    midnight is said by Alpaca's support (bars of 4 hours begin at 00:00, 04:00, 08:00). That this midnight is
    the exchange's, that counts which do not divide a day begin anew at midnight, and that no span reaches across a
    change of clocks, is ours.
    """

    count: int
    unit: SpanUnit

    @classmethod
    def parse(cls, text: str) -> BarSpan:
        """Read '5Min', '5T', '1Hour', '1D', '1Week', '3M'. Raises FixInput for anything else."""
        match = _SPELLING.fullmatch(text)
        if match is None or int(match[1]) not in _COUNTS[_UNITS[match[2]]]:
            raise FixInput(
                f"'{text}' is not a timeframe",
                next_step="write 1 to 59 Min, 1 to 23 Hour, 1Day, 1Week, or 1, 2, 3, 4, 6 or 12 Month",
            )
        return cls(int(match[1]), _UNITS[match[2]])

    @property
    def is_intraday(self) -> bool:
        return self.unit in (SpanUnit.MINUTE, SpanUnit.HOUR)

    @property
    def span_ns(self) -> int:
        """Length of an intraday span."""
        return self.count * (MINUTE_NS if self.unit is SpanUnit.MINUTE else HOUR_NS)

    def labels(self, at_ns: Instants, *, utc: bool) -> Instants:
        """The start of the span that holds each instant; shape (n,), UTC nanoseconds."""
        offset_ns = np.zeros_like(at_ns) if utc else exchange_offset_ns(at_ns)
        wall_ns = at_ns + offset_ns
        day = wall_ns // DAY_NS
        if self.is_intraday:
            into_ns = wall_ns - day * DAY_NS
            # Counted on the clock's face, so that bars keep their places on days on which clocks change.
            starts_ns = np.asarray(at_ns - into_ns % self.span_ns)
            return starts_ns if utc or len(at_ns) == 0 else np.maximum(starts_ns, clock_changed_ns(at_ns))
        return midnights(self._first_days(day), utc=utc)

    def next_label(self, label_ns: int, *, utc: bool) -> int:
        """The start of the span after the one that starts at `label_ns`: the end of that one."""
        if self.is_intraday:
            return self._next_intraday_label(label_ns, utc=utc)
        offset_ns = 0 if utc else int(exchange_offset_ns(np.array([label_ns]))[0])
        day = (label_ns + offset_ns) // DAY_NS
        if self.unit is SpanUnit.MONTH:
            month = np.datetime64(int(day), "D").astype("datetime64[M]") + np.timedelta64(self.count, "M")
            following = month.astype("datetime64[D]").astype(np.int64)
        else:
            following = day + (7 if self.unit is SpanUnit.WEEK else 1)
        return int(midnights(np.array([following], dtype=np.int64), utc=utc)[0])

    def _next_intraday_label(self, label_ns: int, *, utc: bool) -> int:
        today = BarSpan(1, SpanUnit.DAY)
        tomorrow_ns = int(today.next_label(self._day_label(label_ns, utc), utc=utc))
        if utc:
            return min(label_ns + self.span_ns, tomorrow_ns)
        offset_ns = int(exchange_offset_ns(np.array([label_ns]))[0])
        into_ns = (label_ns + offset_ns) % DAY_NS
        following_ns = min(label_ns + self.span_ns - into_ns % self.span_ns, tomorrow_ns)
        changed_ns = int(clock_changed_ns(np.array([following_ns - 1]))[0])
        return changed_ns if changed_ns > label_ns else following_ns

    def _day_label(self, at_ns: int, utc: bool) -> int:
        return int(BarSpan(1, SpanUnit.DAY).labels(np.array([at_ns], dtype=np.int64), utc=utc)[0])

    def _first_days(self, day: NDArray[np.int64]) -> NDArray[np.int64]:
        if self.unit is SpanUnit.DAY:
            return day
        if self.unit is SpanUnit.WEEK:
            return np.asarray(day - (day - _MONDAY) % 7)
        month = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)  # since 1970-01
        first = month - month % self.count
        return first.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def midnights(day: NDArray[np.int64], *, utc: bool) -> Instants:
    """The instants at which days (since 1970-01-01) begin: on the exchange's clock, or in UTC."""
    if utc:
        return day * DAY_NS
    # Clocks change at 02:00; 05:00 UTC lies before that and after midnight on either side of the change.
    return day * DAY_NS - exchange_offset_ns(day * DAY_NS + 5 * HOUR_NS)
