"""Coverage: how much of what was asked for a set of bars holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from magellan.archive.dataset import DateRange
from magellan.trading.bar import Bars
from magellan.trading.session import ExchangeCalendar, day_date, exchange_date


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """What was asked for and what came."""

    requested: DateRange
    returned: DateRange
    sessions_requested: int
    sessions_missing_before: int  # sessions asked for that lie before the first bar
    sessions_missing_after: int  # and behind the last one

    @property
    def sessions_missing(self) -> int:
        """Sessions asked for that lie before the first or behind the last bar."""
        return self.sessions_missing_before + self.sessions_missing_after

    @property
    def explanation(self) -> str:
        """What came instead of what was asked for, in one sentence."""
        missing = [
            f"{count} {where}"
            for count, where in (
                (self.sessions_missing_before, "before the first bar"),
                (self.sessions_missing_after, "after the last bar"),
            )
            if count
        ]
        return (
            f"asked for {self.requested}, holds {self.returned}: of {self.sessions_requested} sessions"
            f" {' and '.join(missing)} are missing"
        )


def shortfall(bars: Bars, requested: DateRange, calendar: ExchangeCalendar) -> Shortfall:
    """Compare bars with the range asked for, by the sessions of `calendar`. There must be at least one bar.

    Gaps between the first and the last bar are another matter: see `quality`.
    """
    returned = returned_dates(bars)
    sessions = sessions_between(calendar, requested)
    return Shortfall(
        requested=requested,
        returned=returned,
        sessions_requested=len(sessions),
        sessions_missing_before=sum(session_on < returned.first_on for session_on in sessions),
        sessions_missing_after=sum(session_on > returned.last_on for session_on in sessions),
    )


def returned_dates(bars: Bars) -> DateRange:
    """The exchange dates of the first and the last bar. There must be at least one bar."""
    first, last = bars.bar(0).opened_at, bars.bar(len(bars) - 1).opened_at
    if bars.timeframe.is_daily:
        return DateRange(first_on=first.date(), last_on=last.date())
    return DateRange(first_on=exchange_date(first), last_on=exchange_date(last))


def sessions_between(calendar: ExchangeCalendar, dates: DateRange) -> tuple[date, ...]:
    """The sessions in `dates`, as far as the calendar reaches: outside it, nobody knows of any."""
    if len(calendar.session_on) == 0:
        return ()
    first_on = max(dates.first_on, day_date(int(calendar.session_on[0])))
    last_on = min(dates.last_on, day_date(int(calendar.session_on[-1])))
    return calendar.sessions(first_on, last_on) if first_on <= last_on else ()
