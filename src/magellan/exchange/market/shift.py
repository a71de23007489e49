"""Shift: archived sessions shown on other dates, minute by minute. Prices stay; time moves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from magellan.archive.adjust import action_at
from magellan.errors import FixInput
from magellan.exchange.market.trading_hours import (
    AFTER_CLOSE_NS,
    BEFORE_OPEN_NS,
    day_of,
    day_start_ns,
)
from magellan.trading.bar import Bars, Instants, Mask, instant, nanoseconds
from magellan.trading.corporate_action import CashDividend, ConfirmedMove, CorporateAction, Split
from magellan.trading.session import ExchangeCalendar, day_date, day_number
from magellan.trading.timeframe import DAY_NS, MINUTE_NS

_Rows = NDArray[np.intp]
SESSIONS_AHEAD = 366  # days after today: longer than an exchange of this machine runs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shift:
    """A map of time: session k of the archive is shown as session k of another calendar, open on open.

    What lies n minutes after an archived opening is shown n minutes after the shown one. A half day shown on a
    whole day ends early; a whole day shown on a half day would lose its close, so it is refused.
    """

    archived_opens_ns: Instants  # shape (k,), increasing
    archived_closes_ns: Instants
    shown_opens_ns: Instants
    archived_day: Instants  # dates of the sessions, days since 1970-01-01
    shown_day: Instants
    calendar: ExchangeCalendar  # the sessions that are shown

    @classmethod
    def onto(
        cls,
        archived: ExchangeCalendar,
        first_on: date,
        last_on: date,
        shown: ExchangeCalendar,
        last_shown_on: date,
    ) -> Shift:
        """Show the archived sessions of [first_on, last_on] so that the last one falls on `last_shown_on`.

        Raises FixInput when a range has no session, the shown calendar has too few, or one is too short.
        """
        source = _rows(archived, first_on, last_on)
        last = int(np.searchsorted(shown.session_on, day_number(last_shown_on), side="right"))
        if last < len(source) or shown.session_on[last - 1] != day_number(last_shown_on):
            raise FixInput(
                f"{last_shown_on} is no session of {shown.name} with {len(source) - 1} sessions before it",
                next_step="choose a date on which the exchange trades, or fewer archived sessions",
            )
        target = np.arange(last - len(source), last)
        lengths = (archived.closes_at_ns - archived.opens_at_ns)[source]
        room = (shown.closes_at_ns - shown.opens_at_ns)[target]
        if (lengths > room).any():
            at = int(np.flatnonzero(lengths > room)[0])
            raise FixInput(
                f"the session of {day_date(int(archived.session_on[source[at]]))} is longer than that of "
                f"{day_date(int(shown.session_on[target[at]]))}, on which it would be shown",
                next_step="choose another last date, so that whole days do not fall on half days",
            )
        return cls._between(archived, source, shown, target)

    @classmethod
    def open_now(
        cls, archived: ExchangeCalendar, first_on: date, last_on: date, now_ns: int, *, minutes_in: int = 30
    ) -> Shift:
        """Show the archived sessions of [first_on, last_on] on today's and the days before, the last one open now.

        Its opening lies `minutes_in` minutes ago, on a whole minute; the sessions before it opened at the same
        time of day on the dates before. Where that would run over midnight of the exchange's clock, the last
        session opens as late as it can and still ends today, or as early as today begins. The days that follow have
        sessions too, at the same time and without bars: a clock has a next opening, and a trade a day to settle on.
        """
        source = _rows(archived, first_on, last_on)
        lengths = (archived.closes_at_ns - archived.opens_at_ns)[source]
        lengths = np.append(lengths, np.full(SESSIONS_AHEAD, lengths[-1]))
        today = day_number(day_of(now_ns))
        day = np.arange(today - len(source) + 1, today + 1 + SESSIONS_AHEAD, dtype=np.int64)
        starts_ns = np.array(
            [day_start_ns(day_date(int(each))) for each in (*day, day[-1] + 1)], dtype=np.int64
        )
        starts_ns, ends_ns = starts_ns[:-1], starts_ns[1:]
        wanted_ns = now_ns - now_ns % MINUTE_NS - minutes_in * MINUTE_NS
        into_ns = max(0, wanted_ns - int(starts_ns[len(source) - 1]))
        # Each by its own day: one is an hour shorter than the others.
        opens_ns = starts_ns + np.clip(ends_ns - starts_ns - MINUTE_NS - lengths, 0, into_ns)
        shown = ExchangeCalendar(
            name=f"{archived.name}, shifted",
            session_on=day.astype(np.int32),
            opens_at_ns=opens_ns,
            closes_at_ns=opens_ns + lengths,
        )
        return cls._between(archived, source, shown, np.arange(len(source)))

    @classmethod
    def _between(
        cls, archived: ExchangeCalendar, source: _Rows, shown: ExchangeCalendar, target: _Rows
    ) -> Shift:
        lengths = (archived.closes_at_ns - archived.opens_at_ns)[source]
        closes_ns = shown.closes_at_ns.copy()
        closes_ns[target] = shown.opens_at_ns[target] + lengths
        return cls(
            archived_opens_ns=archived.opens_at_ns[source],
            archived_closes_ns=archived.closes_at_ns[source],
            shown_opens_ns=shown.opens_at_ns[target],
            archived_day=archived.session_on[source].astype(np.int64),
            shown_day=shown.session_on[target].astype(np.int64),
            calendar=replace(shown, closes_at_ns=closes_ns),
        )

    def bars(self, bars: Bars) -> Bars:
        """The bars at the times at which they are shown; bars of other sessions are left out."""
        if bars.timeframe.is_daily:
            place = np.searchsorted(self.archived_day, bars.opened_at_ns // DAY_NS)
            place = np.minimum(place, len(self.archived_day) - 1)
            kept = self.archived_day[place] == bars.opened_at_ns // DAY_NS
            return replace(bars.rows(kept), opened_at_ns=self.shown_day[place[kept]] * DAY_NS)
        place, kept = self._places(bars.opened_at_ns)
        chosen = bars.rows(kept)
        moved = chosen.opened_at_ns + (self.shown_opens_ns - self.archived_opens_ns)[place[kept]]
        return replace(chosen, opened_at_ns=moved)

    def shown(self, archived_ns: int) -> int | None:
        """When an archived instant is shown; None outside the shifted sessions."""
        place, kept = self._places(np.array([archived_ns], dtype=np.int64))
        if not kept[0]:
            return None
        return archived_ns + int((self.shown_opens_ns - self.archived_opens_ns)[place[0]])

    def actions(self, actions: Iterable[CorporateAction]) -> tuple[CorporateAction, ...]:
        """Corporate actions at the times at which they are shown.

        One that counts from before a session's opening counts from midnight of the day on which that is shown;
        those outside the shifted sessions are left out.
        """
        moved = []
        for action in actions:
            at_ns = nanoseconds(action_at(action))
            after = int(np.searchsorted(self.archived_opens_ns, at_ns))
            inside = self.shown(at_ns)
            if after == 0 and at_ns < self.archived_opens_ns[0] - DAY_NS:
                continue
            if inside is None and after == len(self.archived_opens_ns):
                continue
            if inside is None:
                inside = int(self.shown_opens_ns[after]) - BEFORE_OPEN_NS
            moved.append(_at(action, inside))
        return tuple(moved)

    def _places(self, at_ns: Instants) -> tuple[Instants, Mask]:
        """For each instant the session it belongs to, its hours before and after included, and whether one is."""
        place = np.searchsorted(self.archived_opens_ns - BEFORE_OPEN_NS, at_ns, side="right") - 1
        kept = (place >= 0) & (at_ns < self.archived_closes_ns[np.maximum(place, 0)] + AFTER_CLOSE_NS)
        return place, kept


def _rows(calendar: ExchangeCalendar, first_on: date, last_on: date) -> _Rows:
    low, high = day_number(first_on), day_number(last_on)
    rows = np.flatnonzero((calendar.session_on >= low) & (calendar.session_on <= high))
    if len(rows) == 0:
        raise FixInput(f"no session of {calendar.name} lies from {first_on} to {last_on}")
    return rows


def _at(action: CorporateAction, at_ns: int) -> CorporateAction:
    match action:
        case Split():
            return replace(action, effective_at=instant(at_ns))
        case CashDividend():
            return replace(action, ex_at=instant(at_ns))
        case ConfirmedMove():
            return replace(action, at=instant(at_ns))
