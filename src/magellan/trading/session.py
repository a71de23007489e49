"""Sessions: which exchange day an instant belongs to, and what time the exchange's clock shows.

This is the one file that knows the exchange's time zone. Calendars (which days are sessions, when they open
and close) arrive as an `ExchangeCalendar`, built by an adapter from the exchange-calendars library.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from magellan.errors import FixInput
from magellan.trading.bar import Bars, Floats, Instants, Mask, nanoseconds
from magellan.trading.timeframe import DAY_NS, MINUTE_NS, SECOND_NS

EXCHANGE_ZONE = ZoneInfo("America/New_York")
_EPOCH_ON = date(1970, 1, 1)


class Hours(StrEnum):
    """Which bars take part: those of the regular session, or every bar there is."""

    REGULAR = "regular"
    ALL = "all"


class SessionClock(StrEnum):
    """Whose wall clock dates and times of day are read from.

    UTC exists to reproduce research that read naive UTC timestamps as if they were exchange time; a run on
    it is marked, and no gate opens for it.
    """

    EXCHANGE = "exchange"
    UTC = "utc"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExchangeCalendar:
    """An exchange's sessions: date, opening and closing instant of each, oldest first; shapes (m,)."""

    name: str  # ISO 10383 market code, for example XNYS
    session_on: NDArray[np.int32]  # days since 1970-01-01
    opens_at_ns: Instants
    closes_at_ns: Instants

    def sessions(self, first_on: date, last_on: date) -> tuple[date, ...]:
        """The dates of all sessions from first_on to last_on, both included. Raises FixInput outside the calendar."""
        low, high = day_number(first_on), day_number(last_on)
        self._must_cover(low, high)
        chosen = self.session_on[(self.session_on >= low) & (self.session_on <= high)]
        return tuple(day_date(int(day)) for day in chosen)

    def hours(self, session_on: date) -> tuple[datetime, datetime] | None:
        """Opening and closing instant (UTC) of that date's session; None when the exchange is closed."""
        day = day_number(session_on)
        self._must_cover(day, day)
        at = int(np.searchsorted(self.session_on, day))
        if at == len(self.session_on) or self.session_on[at] != day:
            return None
        seconds = (int(self.opens_at_ns[at]) // SECOND_NS, int(self.closes_at_ns[at]) // SECOND_NS)
        return datetime.fromtimestamp(seconds[0], UTC), datetime.fromtimestamp(seconds[1], UTC)

    def regular(self, bars: Bars) -> Mask:
        """Which bars belong to the regular session.

        An intraday bar does when any part of its span lies inside the session (the 09:00 hourly bar holds
        30 minutes of it); a daily bar does when its date is a session.
        """
        if len(bars) == 0:
            return np.zeros(0, dtype=bool)
        if bars.timeframe.is_daily:
            days = (bars.opened_at_ns // DAY_NS).astype(np.int32)
            self._must_cover(int(days[0]), int(days[-1]))
            at = np.minimum(np.searchsorted(self.session_on, days), len(self.session_on) - 1)
            return np.asarray(self.session_on[at] == days)
        self._must_cover(int(bars.opened_at_ns[0] // DAY_NS), int(bars.opened_at_ns[-1] // DAY_NS))
        # The first session that closes after the bar opens is the only one the bar can touch.
        at = np.searchsorted(self.closes_at_ns, bars.opened_at_ns, side="right")
        at = np.minimum(at, len(self.session_on) - 1)
        overlaps = (bars.opened_at_ns + bars.timeframe.span_ns > self.opens_at_ns[at]) & (
            bars.opened_at_ns < self.closes_at_ns[at]
        )
        return np.asarray(overlaps)

    def _must_cover(self, first_day: int, last_day: int) -> None:
        if len(self.session_on) == 0 or first_day < self.session_on[0] or last_day > self.session_on[-1]:
            covered = (
                f"{day_date(int(self.session_on[0]))} to {day_date(int(self.session_on[-1]))}"
                if len(self.session_on)
                else "no day at all"
            )
            raise FixInput(
                f"calendar {self.name} covers {covered}, not {day_date(first_day)} to {day_date(last_day)}",
                next_step="choose a range inside the calendar, or update exchange-calendars",
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SessionColumns:
    """For each bar, where in its session it stands; shapes (n,)."""

    day: NDArray[np.int32]  # date on the session clock, days since 1970-01-01
    minute: NDArray[np.int16]  # minutes after midnight on the session clock at which the bar opens
    first: Mask  # the first bar of its day
    last: Mask  # the last bar of its day that these bars hold

    def rows(self, chosen: slice) -> SessionColumns:
        """The chosen bars; shares memory."""
        return SessionColumns(
            day=self.day[chosen], minute=self.minute[chosen], first=self.first[chosen], last=self.last[chosen]
        )


def session_columns(bars: Bars, clock: SessionClock = SessionClock.EXCHANGE) -> SessionColumns:
    """Date and time of day of each bar on the session clock.

    A daily bar is labelled with midnight UTC of its own date, so its date is read in UTC and its minute is 0.
    `last` looks one bar ahead at timestamps only: it says where the file's day ends, which a live session
    knows from the calendar.
    """
    wall_ns = bars.opened_at_ns
    if clock is SessionClock.EXCHANGE and not bars.timeframe.is_daily:
        wall_ns = wall_ns + exchange_offset_ns(bars.opened_at_ns)
    day = (wall_ns // DAY_NS).astype(np.int32)
    minute = ((wall_ns - day.astype(np.int64) * DAY_NS) // MINUTE_NS).astype(np.int16)
    change = np.ones(len(day) + 1, dtype=bool)
    if len(day):
        np.not_equal(day[1:], day[:-1], out=change[1:-1])
    return SessionColumns(day=day, minute=minute, first=change[:-1], last=change[1:])


def minutes_to_close(bars: Bars, calendar: ExchangeCalendar) -> Floats:
    """Minutes from each bar's opening to its session's close; NaN outside sessions."""
    at = np.searchsorted(calendar.closes_at_ns, bars.opened_at_ns, side="right")
    at = np.minimum(at, len(calendar.closes_at_ns) - 1)
    minutes = (calendar.closes_at_ns[at] - bars.opened_at_ns) / MINUTE_NS
    return np.where(calendar.regular(bars), minutes, np.nan)


def exchange_offset_ns(at_ns: Instants) -> Instants:
    """What to add to UTC to read the exchange's wall clock, per instant; shape (n,)."""
    if len(at_ns) == 0:
        return np.zeros(0, dtype=np.int64)
    changes_at_ns, offsets_ns = _changes_around(at_ns)
    return offsets_ns[np.searchsorted(changes_at_ns, at_ns, side="right") - 1]


def clock_changed_ns(at_ns: Instants) -> Instants:
    """When the exchange's clock was last put forward or back, at or before each instant; shape (n,), not empty."""
    changes_at_ns, _ = _changes_around(at_ns)
    return changes_at_ns[np.searchsorted(changes_at_ns, at_ns, side="right") - 1]


def _changes_around(at_ns: Instants) -> tuple[Instants, Instants]:
    return _offset_changes(instant_year(int(at_ns.min())) - 1, instant_year(int(at_ns.max())) + 1)


def exchange_midnight(on: date) -> datetime:
    """The instant (UTC) at which that date begins on the exchange's wall clock."""
    return exchange_instant(on, time())


def exchange_instant(on: date, at: time) -> datetime:
    """The instant (UTC) at which the exchange's wall clock shows that date and time."""
    return datetime.combine(on, at, tzinfo=EXCHANGE_ZONE).astimezone(UTC)


def exchange_date(at: datetime) -> date:
    """The date that the exchange's wall clock shows at an aware instant."""
    return at.astimezone(EXCHANGE_ZONE).date()


def day_number(on: date) -> int:
    """Days from 1970-01-01 to that date."""
    return (on - _EPOCH_ON).days


def day_date(day: int) -> date:
    """The date that lies `day` days after 1970-01-01."""
    return _EPOCH_ON + timedelta(days=day)


def instant_year(at_ns: int) -> int:
    """The UTC year of an instant."""
    return datetime.fromtimestamp(at_ns // SECOND_NS, UTC).year


@lru_cache(maxsize=8)
def _offset_changes(first_year: int, last_year: int) -> tuple[Instants, Instants]:
    """Instants at which the exchange's UTC offset changes, and the offset from each of them on."""
    at = datetime(first_year, 1, 1, tzinfo=UTC)
    end = datetime(last_year + 1, 1, 1, tzinfo=UTC)
    changes, offsets = [at], [_offset(at)]
    while at < end:
        ahead = at + timedelta(days=1)
        if _offset(ahead) != offsets[-1]:
            low, high = at, ahead
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) // 2
                low, high = (middle, high) if _offset(middle) == offsets[-1] else (low, middle)
            change = high.replace(second=0, microsecond=0)
            changes.append(change)
            offsets.append(_offset(change))
        at = ahead
    return (
        np.array([nanoseconds(change) for change in changes], dtype=np.int64),
        np.array([offset // timedelta(microseconds=1) * 1000 for offset in offsets], dtype=np.int64),
    )


def _offset(at: datetime) -> timedelta:
    offset = at.astimezone(EXCHANGE_ZONE).utcoffset()
    assert offset is not None, "an aware instant has an offset"
    return offset
