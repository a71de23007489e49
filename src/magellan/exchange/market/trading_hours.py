"""Trading hours: which session an instant lies in, and which one comes next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np

from magellan.trading.bar import instant, nanoseconds
from magellan.trading.session import ExchangeCalendar, day_date, day_number, exchange_date, exchange_midnight
from magellan.trading.timeframe import HOUR_NS, MINUTE_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session: its date on the exchange's clock and its instants, UTC."""

    on: date
    opens_at_ns: int
    closes_at_ns: int
    extended_opens_at_ns: int  # trading before the open begins: 04:00 on the exchange's clock
    extended_closes_at_ns: int  # trading after the close ends: 20:00, and 17:00 after a half day

    @property
    def span_ns(self) -> int:
        """Length of the regular session."""
        return self.closes_at_ns - self.opens_at_ns


BEFORE_OPEN_NS = 5 * HOUR_NS + HOUR_NS // 2
AFTER_CLOSE_NS = 4 * HOUR_NS


class TradingHours:
    """Questions to a calendar in nanoseconds, each in a few microseconds."""

    def __init__(self, calendar: ExchangeCalendar) -> None:
        self._calendar = calendar
        self._opens = calendar.opens_at_ns
        self._closes = calendar.closes_at_ns

    def session(self, on: date) -> Session | None:
        """The session of that date; None when the exchange is closed. Raises FixInput outside the calendar."""
        if self._calendar.hours(on) is None:
            return None
        return self._session(int(np.searchsorted(self._calendar.session_on, day_number(on))))

    def session_at(self, now_ns: int) -> Session | None:
        """The regular session that an instant lies in; None between sessions."""
        at = int(np.searchsorted(self._closes, now_ns, side="right"))
        if at == len(self._closes) or self._opens[at] > now_ns:
            return None
        return self._session(at)

    def last_session(self, now_ns: int) -> Session | None:
        """The newest session that opened at or before an instant; None before the first."""
        at = int(np.searchsorted(self._opens, now_ns, side="right")) - 1
        return self._session(at) if at >= 0 else None

    def extended_session_at(self, now_ns: int) -> Session | None:
        """The session whose hours, those before and after it included, an instant lies in."""
        at = int(np.searchsorted(self._closes, now_ns, side="right"))
        for near in (at - 1, at):
            if 0 <= near < len(self._closes):
                session = self._session(near)
                if session.extended_opens_at_ns <= now_ns < session.extended_closes_at_ns:
                    return session
        return None

    def sessions_between(self, after_ns: int, until_ns: int) -> tuple[Session, ...]:
        """Sessions that touch [after_ns, until_ns], their extended hours included, oldest first."""
        first = max(0, int(np.searchsorted(self._closes, after_ns)) - 1)
        last = min(len(self._opens), int(np.searchsorted(self._opens, until_ns, side="right")) + 1)
        near = (self._session(at) for at in range(first, last))
        return tuple(
            each
            for each in near
            if each.extended_closes_at_ns >= after_ns and each.extended_opens_at_ns <= until_ns
        )

    def next_open_ns(self, now_ns: int) -> int:
        """The first opening after an instant."""
        return int(self._opens[int(np.searchsorted(self._opens, now_ns, side="right"))])

    def next_close_ns(self, now_ns: int) -> int:
        """The first closing after an instant."""
        return int(self._closes[int(np.searchsorted(self._closes, now_ns, side="right"))])

    def previous_close_ns(self, now_ns: int) -> int | None:
        """The last closing at or before an instant; None before the first."""
        at = int(np.searchsorted(self._closes, now_ns, side="right"))
        return int(self._closes[at - 1]) if at else None

    def _session(self, at: int) -> Session:
        opens_at_ns, closes_at_ns = int(self._opens[at]), int(self._closes[at])
        on = day_date(int(self._calendar.session_on[at]))
        # A session ends on the day on which it began, also by a clock that shows hours and minutes only: not at 00:00.
        last_minute_ns = day_start_ns(on + timedelta(days=1)) - MINUTE_NS
        # Around-the-clock sessions leave no room: their extended hours are their regular ones.
        return Session(
            on=on,
            opens_at_ns=opens_at_ns,
            closes_at_ns=closes_at_ns,
            extended_opens_at_ns=max(day_start_ns(on), opens_at_ns - BEFORE_OPEN_NS),
            extended_closes_at_ns=max(closes_at_ns, min(last_minute_ns, closes_at_ns + AFTER_CLOSE_NS)),
        )


@lru_cache(maxsize=4096)
def day_start_ns(on: date) -> int:
    """Midnight of a date on the exchange's clock, as UTC nanoseconds."""
    return nanoseconds(exchange_midnight(on))


def day_of(now_ns: int) -> date:
    """The date that the exchange's clock shows."""
    return _day_of_hour(now_ns // HOUR_NS)


@lru_cache(maxsize=4096)
def _day_of_hour(hour: int) -> date:
    """The date of an hour since 1970: the exchange's clock is whole hours from UTC, so each has one date."""
    return exchange_date(instant(hour * HOUR_NS))
