"""Sessions: those without bars, those with few, and bars outside of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from magellan.archive.dataset import DateRange, SetRecord
from magellan.archive.quality.finding import Finding, Kind, Severity, counted, few, places
from magellan.archive.quality.session_grid import SessionGrid
from magellan.trading.bar import Bars, Mask, instant
from magellan.trading.session import ExchangeCalendar, Hours, day_date, day_number, session_columns
from magellan.trading.timeframe import HOUR_NS

SHORT_SHARE = 0.05  # of the sessions asked for, missing before the first or after the last bar
MISSING_SHARE = 0.02  # of the sessions asked for, missing in between
THIN = 0.5  # median share of a session's places that have a bar
TOO_THIN = 0.1
FEW = 5  # sessions
_LONGEST_DAY_NS = 12 * HOUR_NS  # of an exchange that has nights


def session_findings(
    bars: Bars, record: SetRecord, grid: SessionGrid, calendar: ExchangeCalendar
) -> Iterator[Finding]:
    """What is missing of the sessions asked for, and how the bars lie to them."""
    yield from _missing(record, grid)
    yield from _few(grid)
    yield from _thin(bars, grid)
    yield from _not_requested(bars, record)
    if not bars.timeframe.is_daily:
        if np.median(calendar.closes_at_ns - calendar.opens_at_ns) <= _LONGEST_DAY_NS:
            yield from _extended(bars, record, grid, calendar)
        yield from _half_days(grid)


def _missing(record: SetRecord, grid: SessionGrid) -> Iterator[Finding]:
    empty = grid.filled == 0
    if not empty.any():
        return
    edge = np.zeros(len(empty), dtype=bool)
    for dates in record.requested:
        edge |= _empty_ends(grid, dates)
    for source in record.sources:
        # A source that came back short is told of even where others lie around it; its last quiet day is not.
        if source.requested is not None:
            ends = _empty_ends(grid, source.requested)
            if ends.sum() > SHORT_SHARE * _within(grid, source.requested).sum():
                edge |= ends
    inner = empty & ~edge
    if edge.any():
        share = float(edge.mean())
        yield Finding(
            kind=Kind.SHORT_RANGE,
            severity=Severity.REFUSE if share > SHORT_SHARE else Severity.WARN,
            count=int(edge.sum()),
            first_at=instant(int(grid.opens_at_ns[edge][0])),
            measured=f"{int(edge.sum())} of {counted(len(edge), 'session')} missing at the ends",
            expected=", ".join(str(dates) for dates in record.requested),
            explanation="the set holds less than was asked for: the vendor cut the range off",
            examples=_spans(grid, edge),
            advice="fetch or import the rest; or, if there is no more, import with --accept-range",
        )
    if inner.any():
        share = float(inner.mean())
        yield Finding(
            kind=Kind.MISSING_SESSIONS,
            severity=Severity.REFUSE if share > MISSING_SHARE and grid.dense >= THIN else Severity.WARN,
            count=int(inner.sum()),
            first_at=instant(int(grid.opens_at_ns[inner][0])),
            measured=f"{int(inner.sum())} of {counted(len(inner), 'session')} without a bar",
            expected="a bar in every session asked for",
            explanation="whole sessions are missing",
            examples=_spans(grid, inner),
            advice="fetch those days again; an indicator takes the bar before for yesterday's",
        )


def _empty_ends(grid: SessionGrid, dates: DateRange) -> Mask:
    """Sessions of these dates without a bar that lie before the first or behind the last one with a bar."""
    inside = _within(grid, dates)
    held = np.flatnonzero(inside & (grid.filled > 0))
    if len(held):
        number = np.arange(len(inside))
        inside &= (number < held[0]) | (number > held[-1])
    return inside


def _within(grid: SessionGrid, dates: DateRange) -> Mask:
    return np.asarray(
        (grid.session_on >= day_number(dates.first_on)) & (grid.session_on <= day_number(dates.last_on))
    )


def _few(grid: SessionGrid) -> Iterator[Finding]:
    held = grid.filled > 0
    if held.sum() < FEW:
        yield Finding(
            kind=Kind.FEW_SESSIONS,
            severity=Severity.WARN,
            count=int(held.sum()),
            first_at=None,
            measured=f"{counted(int(held.sum()), 'session')} with a bar",
            expected=f"at least {FEW}",
            explanation="the set is too short to judge anything by it, its quality included",
            examples=_spans(grid, held),
        )


def _thin(bars: Bars, grid: SessionGrid) -> Iterator[Finding]:
    held = grid.filled > 0
    if bars.timeframe.is_daily or not held.any():
        return
    median, typical_places = float(np.median(grid.filled[held])), int(np.median(grid.places[held]))
    measured = f"median {median:g} of {typical_places} bars a session"
    if grid.dense < THIN:
        yield Finding(
            kind=Kind.THIN_SYMBOL,
            severity=Severity.REFUSE if grid.dense < TOO_THIN else Severity.WARN,
            count=int(grid.filled[held].sum()),
            first_at=instant(int(grid.opens_at_ns[held][0])),
            measured=measured,
            expected=f"at least {THIN:.0%} of {typical_places}",
            explanation="the symbol hardly trades: most bars are missing because nothing happened in them",
            advice="prices stand still and fills are fiction: take a longer timeframe or another symbol",
        )
        return
    quiet = int((grid.places - grid.filled)[held].sum())
    if quiet:
        yield Finding(
            kind=Kind.QUIET_MINUTES,
            severity=Severity.NOTE,
            count=quiet,
            first_at=None,
            measured=measured,
            expected=f"{typical_places} bars a session, if something is traded in each",
            explanation="bars are missing within sessions: but for halts and holes, because nobody traded",
        )


def _not_requested(bars: Bars, record: SetRecord) -> Iterator[Finding]:
    day = session_columns(bars).day
    asked = np.zeros(len(bars), dtype=bool)
    for dates in record.requested:
        asked |= (day >= day_number(dates.first_on)) & (day <= day_number(dates.last_on))
    if not asked.all():
        at = bars.opened_at_ns[~asked]
        yield Finding(
            kind=Kind.NOT_REQUESTED,
            severity=Severity.NOTE,
            count=len(at),
            first_at=instant(int(at[0])),
            measured=counted(len(at), "bar"),
            expected="none outside " + ", ".join(str(dates) for dates in record.requested),
            explanation="the set holds bars of dates that nobody asked for",
            examples=places(at, daily=bars.timeframe.is_daily),
        )


def _extended(
    bars: Bars, record: SetRecord, grid: SessionGrid, calendar: ExchangeCalendar
) -> Iterator[Finding]:
    outside = ~calendar.regular(bars)
    if outside.any():
        declared_regular = record.id.hours is Hours.REGULAR
        volume = float(bars.volume.sum()) or 1.0
        yield Finding(
            kind=Kind.EXTENDED_HOURS,
            severity=Severity.REFUSE if declared_regular else Severity.NOTE,
            count=int(outside.sum()),
            first_at=instant(int(bars.opened_at_ns[np.argmax(outside)])),
            measured=f"{outside.mean():.0%} of the bars,"
            f" {float(bars.volume[outside].sum()) / volume:.0%} of the volume",
            expected="none, as the set is declared"
            if declared_regular
            else "any share, as the set is declared",
            explanation="bars lie outside the regular session",
            advice="import them again with --hours all"
            if declared_regular
            else "a strategy has to say whether it decides on them; results differ greatly",
        )
    early = bars.opened_at_ns < grid.opens_at_ns[grid.session_of_bar] if len(grid.opens_at_ns) else outside
    mixed = early & (grid.session_of_bar >= 0)
    if mixed.any():
        yield Finding(
            kind=Kind.MIXED_OPENING_BAR,
            severity=Severity.NOTE,
            count=int(mixed.sum()),
            first_at=instant(int(bars.opened_at_ns[np.argmax(mixed)])),
            measured=counted(int(mixed.sum()), "bar"),
            expected="bars that begin with the session",
            explanation="the first bar of a session mixes premarket and session",
            advice="its open is a premarket price: take a shorter timeframe where the open matters",
        )


def _half_days(grid: SessionGrid) -> Iterator[Finding]:
    length = grid.closes_at_ns - grid.opens_at_ns
    short = (length < length.max(initial=0)) & (grid.filled > 0)
    if short.any():
        yield Finding(
            kind=Kind.HALF_DAYS,
            severity=Severity.NOTE,
            count=int(short.sum()),
            first_at=instant(int(grid.opens_at_ns[short][0])),
            measured=counted(int(short.sum()), "session"),
            expected="as the exchange's calendar says",
            explanation="the calendar knows these half days: fewer bars on them are no gap",
            examples=_spans(grid, short),
        )


def _spans(grid: SessionGrid, chosen: Mask) -> tuple[str, ...]:
    """The chosen sessions, those in a row as one: '2024-03-04..2024-03-08 (5)'."""
    rows = np.flatnonzero(chosen)
    runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    return few([_span([day_date(int(grid.session_on[row])).isoformat() for row in run]) for run in runs])


def _span(days: list[str]) -> str:
    if not days:
        return "none"
    return days[0] if len(days) == 1 else f"{days[0]}..{days[-1]} ({len(days)})"
