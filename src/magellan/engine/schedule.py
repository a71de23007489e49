"""Schedule: what the exchange's calendar says about bars and instants. All instants in ns UTC."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import date

from magellan.trading.bar import instant, nanoseconds
from magellan.trading.session import ExchangeCalendar, day_date, day_number, exchange_date, exchange_midnight
from magellan.trading.timeframe import DAY_NS, MINUTE_NS, Timeframe


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSession:
    """One session of the exchange."""

    on: date
    opens_ns: int
    closes_ns: int


class Schedule:
    """When bars end, when sessions open and close, and what is due at a bar's close."""

    def __init__(self, calendar: ExchangeCalendar, timeframe: Timeframe) -> None:
        self.timeframe = timeframe
        self.span_ns = timeframe.span_ns
        self._days: list[int] = calendar.session_on.tolist()
        self._opens: list[int] = calendar.opens_at_ns.tolist()
        self._closes: list[int] = calendar.closes_at_ns.tolist()
        self._sessions: dict[int, ExchangeSession] = {}  # by row, as they are asked for
        self._phase_ns = 0
        self._midnights: dict[int, int] = {}
        self._ends: dict[int, int] = {}  # of bars, by their start, as they are asked for

    def aligned_to(self, bar_start_ns: int) -> None:
        """Bars begin a whole number of spans from this one: hourly bars may begin at the hour or at half past."""
        self._phase_ns = 0 if self.timeframe.is_daily else bar_start_ns % self.span_ns

    # --- Sessions ---------------------------------------------------------------------------------------------

    def session_at(self, at_ns: int) -> ExchangeSession | None:
        """The session that is open at an instant."""
        row = bisect_right(self._closes, at_ns)
        if row == len(self._closes) or at_ns < self._opens[row]:
            return None
        return self._session(row)

    def next_session(self, at_ns: int) -> ExchangeSession | None:
        """The first session that opens after an instant; None where the calendar ends."""
        row = bisect_right(self._opens, at_ns)
        return self._session(row) if row < len(self._opens) else None

    def session_of_bar(self, start_ns: int) -> ExchangeSession | None:
        """The session that a bar belongs to; None outside all."""
        if self.timeframe.is_daily:
            row = bisect_left(self._days, start_ns // DAY_NS)
            return (
                self._session(row)
                if row < len(self._days) and self._days[row] == start_ns // DAY_NS
                else None
            )
        row = bisect_right(self._closes, start_ns)
        if row == len(self._closes) or start_ns + self.span_ns <= self._opens[row]:
            return None
        return self._session(row)

    def trading_s(self, from_ns: int, to_ns: int) -> float:
        """Seconds of open sessions between two instants."""
        total = 0
        row = bisect_right(self._closes, from_ns)
        while row < len(self._opens) and self._opens[row] < to_ns:
            total += max(0, min(self._closes[row], to_ns) - max(self._opens[row], from_ns))
            row += 1
        return total / 1e9

    # --- Bars -------------------------------------------------------------------------------------------------

    def ends_ns(self, start_ns: int) -> int:
        """When a bar is over: after its span, or with its session if that closes before."""
        known = self._ends.get(start_ns)
        if known is None:
            if len(self._ends) > 4096:
                self._ends.clear()
            known = self._ends[start_ns] = self._end_of(start_ns)
        return known

    def bar_at(self, at_ns: int) -> int:
        """The start of the bar that an instant falls into."""
        if self.timeframe.is_daily:
            return day_number(exchange_date(instant(at_ns))) * DAY_NS
        return at_ns - (at_ns - self._phase_ns) % self.span_ns

    def opens_ns(self, start_ns: int) -> int:
        """When trading in a bar begins: with the bar, or with its session if that opens later."""
        session = self.session_of_bar(start_ns)
        return start_ns if session is None else max(start_ns, session.opens_ns)

    def day_of_bar(self, start_ns: int) -> int:
        """The date of a bar on the exchange's clock, as days since 1970-01-01."""
        if self.timeframe.is_daily:
            return start_ns // DAY_NS
        session = self.session_of_bar(start_ns)
        return day_number(session.on if session else exchange_date(instant(start_ns)))

    def trading_goes_on_ns(self, end_ns: int) -> int | None:
        """The first instant from a bar's end on at which the exchange is open; None where the calendar ends."""
        if self.session_at(end_ns) is not None:
            return end_ns
        after = self.next_session(end_ns - 1)
        return None if after is None else after.opens_ns

    def minute_of_day(self, start_ns: int) -> int:
        """Minutes after midnight on the exchange's clock at which a bar begins; 0 for a daily bar."""
        if self.timeframe.is_daily:
            return 0
        return (start_ns - self._midnight_ns(start_ns)) // MINUTE_NS

    def minutes_to_close(self, start_ns: int) -> float | None:
        """Minutes from a bar's start to its session's close; None outside sessions."""
        session = self.session_of_bar(start_ns)
        return None if session is None else (session.closes_ns - start_ns) / MINUTE_NS

    def closes_session(self, start_ns: int) -> bool:
        """Whether the session is over when that bar ends."""
        if self.timeframe.is_daily:
            return True
        left = self.minutes_to_close(start_ns)
        return left is not None and left <= self.timeframe.minutes

    def at_minute_ns(self, minute: int, after_ns: int) -> int | None:
        """The first instant from `after_ns` on at which, in a session, the exchange's clock shows that minute or more.

        That is when a market order "at 15:45" is due; None where the calendar ends.
        """
        row = bisect_right(self._closes, after_ns)
        while row < len(self._opens):
            midnight = nanoseconds(exchange_midnight(day_date(self._days[row])))
            due = max(self._opens[row], midnight + minute * MINUTE_NS)
            if due < self._closes[row] and due >= after_ns:
                return due
            row += 1
        return None

    def _session(self, row: int) -> ExchangeSession:
        known = self._sessions.get(row)
        if known is None:
            known = self._sessions[row] = ExchangeSession(
                on=day_date(self._days[row]), opens_ns=self._opens[row], closes_ns=self._closes[row]
            )
        return known

    def _end_of(self, start_ns: int) -> int:
        session = self.session_of_bar(start_ns)
        if self.timeframe.is_daily:
            return session.closes_ns if session else start_ns + DAY_NS
        if session is not None and start_ns < session.closes_ns:
            return min(start_ns + self.span_ns, session.closes_ns)
        return start_ns + self.span_ns

    def _midnight_ns(self, at_ns: int) -> int:
        day = at_ns // (15 * MINUTE_NS)  # no clock changes within a quarter of an hour
        known = self._midnights.get(day)
        if known is None:
            if len(self._midnights) > 4096:
                self._midnights.clear()
            known = self._midnights[day] = nanoseconds(exchange_midnight(exchange_date(instant(at_ns))))
        return known
