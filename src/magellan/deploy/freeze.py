"""Freeze: when nothing new goes to where real money trades.

Pure: windows come from magellan.toml and from lists of dates, the exchange's hours from its calendar, and the time is
handed in. Every window is a span of instants; those that touch are one freeze, whose end is the end of the last.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from magellan.deploy.freeze_override import Override
from magellan.trading.session import ExchangeCalendar, exchange_date, exchange_instant, exchange_midnight
from magellan.workspace.freeze_terms import FreezeTerms

_REGULAR_CLOSE: Final = time(16)  # times of day in magellan.toml are meant for a session that closes then
_LONG_AGO: Final = date(1970, 1, 1)
_LOOKED_BACK: Final = timedelta(days=40)  # weeks and sessions around now
_LOOKED_AHEAD: Final = timedelta(days=120)  # of windows that follow one another without a gap


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedEvent:
    """A date that somebody wrote into a file: a meeting, or a company's earnings."""

    name: str  # FOMC; NVDA earnings
    first_on: date  # exchange calendar
    last_on: date  # included
    symbol: str | None = None  # None: it moves the whole market


@dataclass(frozen=True, slots=True, kw_only=True)
class EventList:
    """What a file of dates holds."""

    file: str  # as people know it
    events: tuple[DatedEvent, ...]

    @property
    def known_until(self) -> date | None:
        """The newest date in it: about later ones it says nothing."""
        return max((each.last_on for each in self.events), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeRules:
    """Everything that windows are made of."""

    terms: FreezeTerms
    calendar: ExchangeCalendar
    events: EventList | None  # None: magellan.toml names no file
    earnings: EventList | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One reason not to deploy, from one instant to another."""

    name: str
    from_at: datetime  # aware, UTC
    until_at: datetime | None  # no longer part of it; None: until somebody says more

    def holds(self, at: datetime) -> bool:
        """Whether it holds at that time."""
        return self.from_at <= at and (self.until_at is None or at < self.until_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Nothing is frozen."""

    advice: tuple[str, ...]  # why another hour would be better, a sentence each


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """Nothing is deployed, unless a person overrides it."""

    windows: tuple[Window, ...]  # that hold now, never empty
    until_at: datetime | None  # when no window holds any more; None: until somebody says more
    override: Override | None  # that lets it through all the same


FreezeAnswer = Open | Frozen


def freeze_at(
    at: datetime,
    rules: FreezeRules,
    *,
    subject: str = "",
    symbols: Collection[str] = (),
    overrides: Iterable[Override] = (),
) -> FreezeAnswer:
    """Whether something may be deployed now.

    at:      aware, UTC.
    subject: what is to be deployed, for overrides: prod/bear_trap.
    symbols: that are held or traded by it; the earnings of others do not matter.
    Raises:  FixInput for times outside the exchange's calendar.
    """
    windows = tuple(windows_between(at - _LOOKED_BACK, at + _LOOKED_AHEAD, rules, symbols))
    now = tuple(each for each in windows if each.holds(at))
    if not now:
        return Open(advice=tuple(_advice(at, rules)))
    held = [each for each in overrides if each.holds(subject, at)]
    return Frozen(windows=now, until_at=_over_at(at, windows), override=held[-1] if held else None)


def _over_at(at: datetime, windows: Sequence[Window]) -> datetime | None:
    """When the windows that hold, and those that follow without a gap, are over."""
    over_at = at
    while holding := [each.until_at for each in windows if each.holds(over_at)]:
        ends = [each for each in holding if each is not None]
        if len(ends) < len(holding):
            return None
        over_at = max(ends)
    return over_at


def windows_between(
    from_at: datetime, until_at: datetime, rules: FreezeRules, symbols: Collection[str]
) -> Iterator[Window]:
    """Every window that touches a span of time, in no order. Raises FixInput outside the exchange's calendar."""
    first_on, last_on = exchange_date(from_at), exchange_date(until_at)
    sessions = rules.calendar.sessions(
        first_on - timedelta(days=30), last_on + timedelta(days=30)
    )  # neighbours of the events at either end
    found = (
        *_weekly(rules, first_on, last_on),
        *_yearly(rules.terms.yearly, first_on, last_on),
        *_of_events(rules, sessions),
        *_of_earnings(rules, sessions, symbols),
        *_unknown(rules, symbols),
    )
    for each in found:
        if each.from_at < until_at and (each.until_at is None or each.until_at > from_at):
            yield each


def _weekly(rules: FreezeRules, first_on: date, last_on: date) -> Iterator[Window]:
    """From late in each week's last session until Monday."""
    after = _time_of(rules.terms.friday_after)
    if after is None:
        return
    monday = first_on - timedelta(days=first_on.weekday() + 7)
    while monday <= last_on:
        following = monday + timedelta(days=7)
        sessions = rules.calendar.sessions(monday, following - timedelta(days=1))
        working = [each for each in sessions if each.weekday() < 5]
        if working:
            begins = _as_early_as_it_closes(after, working[-1], rules.calendar)
            yield Window(name="the week's end", from_at=begins, until_at=exchange_midnight(following))
        monday = following


def _as_early_as_it_closes(wanted: time, on: date, calendar: ExchangeCalendar) -> datetime:
    """That time of a session that closes at four; on a half day as long before its close, never before its opening."""
    hours = calendar.hours(on)
    assert hours is not None, "only sessions are asked for"
    regular = exchange_instant(on, _REGULAR_CLOSE)
    earlier = max(timedelta(0), regular - hours[1])
    return max(hours[0], exchange_instant(on, wanted) - earlier)


def _yearly(spans: Sequence[str], first_on: date, last_on: date) -> Iterator[Window]:
    for span in spans:
        first, last = ((int(each[:2]), int(each[3:])) for each in span.split("/"))
        for year in range(first_on.year - 1, last_on.year + 1):
            begins = _on(year, *first)
            ends = _on(year + (last < first), *last)
            yield Window(
                name=f"{begins:%d %b} to {ends:%d %b}",
                from_at=exchange_midnight(begins),
                until_at=exchange_midnight(ends + timedelta(days=1)),
            )


def _on(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:  # 29 February of a year without one
        return date(year, month, 28)


def _of_events(rules: FreezeRules, sessions: Sequence[date]) -> Iterator[Window]:
    if rules.events is not None:
        terms = rules.terms
        for each in rules.events.events:
            yield _around(each, sessions, terms.event_sessions_before, terms.event_sessions_after)


def _of_earnings(rules: FreezeRules, sessions: Sequence[date], symbols: Collection[str]) -> Iterator[Window]:
    if rules.earnings is not None:
        terms = rules.terms
        for each in rules.earnings.events:
            if each.symbol in symbols:
                yield _around(each, sessions, terms.earnings_sessions_before, terms.earnings_sessions_after)


def _around(event: DatedEvent, sessions: Sequence[date], before: int, after: int) -> Window:
    """The dates of an event, and whole sessions before and after it."""
    earlier = [each for each in sessions if each < event.first_on][-before:] if before else []
    later = [each for each in sessions if each > event.last_on][:after]
    return Window(
        name=event.name,
        from_at=exchange_midnight(min([event.first_on, *earlier])),
        until_at=exchange_midnight(max([event.last_on, *later]) + timedelta(days=1)),
    )


def _unknown(rules: FreezeRules, symbols: Collection[str]) -> Iterator[Window]:
    """What lies after the newest date of a file: nobody wrote down whether anything happens then."""
    for told in (rules.events, rules.earnings if symbols else None):
        if told is not None:
            known = told.known_until
            yield Window(
                name=f"{told.file} says nothing after {known}" if known else f"{told.file} holds no date",
                from_at=exchange_midnight(_LONG_AGO if known is None else known + timedelta(days=1)),
                until_at=None,
            )


def _advice(at: datetime, rules: FreezeRules) -> Iterator[str]:
    begins, ends = _time_of(rules.terms.hours_from), _time_of(rules.terms.hours_to)
    if begins is None or ends is None:
        return
    on = exchange_date(at)
    if rules.calendar.hours(on) is None:
        yield f"the exchange is closed on {on}: nothing that is deployed now shows that it trades"
        return
    latest = _as_early_as_it_closes(ends, on, rules.calendar)
    if not exchange_instant(on, begins) <= at < latest:
        yield f"better between {begins:%H:%M} and {ends:%H:%M} of the exchange's clock, while somebody can watch it"


def _time_of(text: str) -> time | None:
    return time.fromisoformat(text) if text else None
