"""Rows: those on days without a session, those that repeat, those without volume, those below zero."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from magellan.archive.dataset import SetRecord
from magellan.archive.quality.finding import Finding, Kind, Severity, counted, few, places, told
from magellan.trading.bar import PRICE_COLUMNS, Bars, Mask, instant, nanoseconds
from magellan.trading.session import ExchangeCalendar
from magellan.trading.timeframe import DAY_NS, HOUR, HOUR_NS

FAR_NS = 9 * HOUR_NS  # further from any session than evening and early-morning trading reach
COMMON_SHARE = 0.1  # of the rows
BY_CHANCE = 3  # rows
BY_CHANCE_SHARE = 0.002  # of the rows, with two trades of a hundred shares at one price


def row_findings(bars: Bars, record: SetRecord, calendar: ExchangeCalendar) -> Iterator[Finding]:
    """What is odd about rows taken one by one, or beside the row before."""
    yield from _phantoms(bars, calendar)
    yield from _dropped_duplicates(record)
    yield from _repeated(bars)
    yield from _without_volume(bars)
    yield from _not_above_zero(bars)
    yield from _from_the_future(bars, record)


def _phantoms(bars: Bars, calendar: ExchangeCalendar) -> Iterator[Finding]:
    covered = _covered(bars, calendar)
    if not covered.all():
        at = bars.opened_at_ns[~covered]
        yield Finding(
            kind=Kind.OUTSIDE_CALENDAR,
            severity=Severity.WARN,
            count=len(at),
            first_at=instant(int(at[0])),
            measured=counted(len(at), "bar"),
            expected=f"bars that calendar {calendar.name} covers",
            explanation="the exchange's calendar does not reach these bars, so nobody judged their days",
            examples=places(at, daily=bars.timeframe.is_daily),
        )
    inside = bars.rows(covered)
    far = ~calendar.regular(inside) if bars.timeframe.is_daily else _far_from_sessions(inside, calendar)
    if not far.any():
        return
    phantom = inside.rows(far)
    share = float(far.mean())
    volume_share = _typical_volume(phantom) / max(_typical_volume(inside.rows(~far)), 1e-12)
    genuine = share > COMMON_SHARE and volume_share > COMMON_SHARE
    days = phantom.opened_at_ns.astype("datetime64[ns]").astype("datetime64[D]")
    weekend = np.isin((days.astype(np.int64) + 3) % 7, (5, 6))
    yield Finding(
        kind=Kind.PHANTOM_DAYS,
        severity=Severity.REFUSE if genuine else Severity.WARN,
        count=len(phantom),
        first_at=instant(int(phantom.opened_at_ns[0])),
        measured=f"{len(phantom)} of {len(bars)} bars: {int(weekend.sum())} on weekends,"
        f" {int((~weekend).sum())} on weekdays; typical volume {volume_share:.2%} of a session's",
        expected=f"bars on the sessions of {calendar.name}",
        explanation="bars stand on days on which the exchange was closed",
        examples=tuple(f"{day} {day.astype(object):%a}" for day in days[:5]),
        advice="the set's calendar seems wrong: import with --calendar"
        if genuine
        else "run on regular hours, which leaves them out: an indicator takes each for a day of its own",
    )


def _far_from_sessions(bars: Bars, calendar: ExchangeCalendar) -> Mask:
    after = np.searchsorted(calendar.closes_at_ns, bars.opened_at_ns, side="right")
    last = len(calendar.closes_at_ns) - 1
    next_open = calendar.opens_at_ns[np.minimum(after, last)]
    previous_close = calendar.closes_at_ns[np.maximum(after - 1, 0)]
    until_next = next_open - (bars.opened_at_ns + bars.timeframe.span_ns)
    since_previous = bars.opened_at_ns - previous_close
    return np.asarray((until_next > FAR_NS) & (since_previous > FAR_NS))


def _covered(bars: Bars, calendar: ExchangeCalendar) -> Mask:
    if len(calendar.session_on) == 0:
        return np.zeros(len(bars), dtype=bool)
    day = bars.opened_at_ns // DAY_NS
    return np.asarray((day >= calendar.session_on[0]) & (day <= calendar.session_on[-1]))


def _typical_volume(bars: Bars) -> float:
    return float(np.median(bars.volume)) if len(bars) else 0.0


def _dropped_duplicates(record: SetRecord) -> Iterator[Finding]:
    with_repeats = [source for source in record.sources if source.repeated_rows]
    if with_repeats:
        count = sum(source.repeated_rows for source in with_repeats)
        yield Finding(
            kind=Kind.DUPLICATES,
            severity=Severity.NOTE,
            count=count,
            first_at=None,
            measured=f"{counted(count, 'row')} dropped at import",
            expected="every instant once",
            explanation="source files held rows twice, value for value; the archive holds each once",
            examples=few([f"{source.name}: {source.repeated_rows}" for source in with_repeats]),
        )


def _repeated(bars: Bars) -> Iterator[Finding]:
    same = np.zeros(len(bars), dtype=bool)
    same[1:] = np.logical_and.reduce(
        [getattr(bars, name)[1:] == getattr(bars, name)[:-1] for name in PRICE_COLUMNS]
    )
    if bars.timeframe < HOUR:
        # Quiet minutes repeat a price by nature; only one that moved and repeats its volume too was copied.
        same[1:] &= (bars.volume[1:] == bars.volume[:-1]) & (bars.high[1:] > bars.low[1:])
    if not same.any():
        return
    at = bars.opened_at_ns[same]
    what = "prices" if bars.timeframe >= HOUR else "prices and volume"
    rare = not bars.timeframe.is_daily and (len(at) < BY_CHANCE or float(same.mean()) < BY_CHANCE_SHARE)
    yield Finding(
        kind=Kind.REPEATED_ROWS,
        severity=Severity.NOTE if rare else Severity.WARN,
        count=len(at),
        first_at=instant(int(at[0])),
        measured=f"{len(at)} of {len(bars)} bars",
        expected=f"{what} that differ from the bar before",
        explanation=f"bars repeat the {what} of the bar before"
        + ("; that few may be chance" if rare else ": the vendor filled a gap with them"),
        examples=places(at, daily=bars.timeframe.is_daily),
        advice="" if rare else "nothing was traded in them: volatility looks smaller than it was",
    )


def _without_volume(bars: Bars) -> Iterator[Finding]:
    none = bars.volume == 0
    if not none.any():
        return
    at = bars.opened_at_ns[none]
    everywhere = bool(none.all())
    yield Finding(
        kind=Kind.ZERO_VOLUME,
        severity=Severity.REFUSE if float(none.mean()) > COMMON_SHARE else Severity.WARN,
        count=len(at),
        first_at=instant(int(at[0])),
        measured=f"{len(at)} of {len(bars)} bars",
        expected="bars in which something was traded",
        explanation="no bar has volume" if everywhere else "bars have prices but no volume",
        examples=places(at, daily=bars.timeframe.is_daily),
        advice="nothing could have been bought or sold at these prices",
    )


def _not_above_zero(bars: Bars) -> Iterator[Finding]:
    low = bars.low <= 0
    if low.any():
        rows = np.flatnonzero(low)
        yield Finding(
            kind=Kind.NOT_ABOVE_ZERO,
            severity=Severity.WARN,
            count=len(rows),
            first_at=instant(int(bars.opened_at_ns[rows[0]])),
            measured=f"lowest {float(bars.low.min()):g}",
            expected="prices above zero, for all but a few contracts",
            explanation="the instrument traded at or below zero, and the import allowed it",
            examples=few(
                [
                    f"{told(int(bars.opened_at_ns[row]), daily=bars.timeframe.is_daily)}:"
                    f" open {bars.open[row]:g}, low {bars.low[row]:g}, close {bars.close[row]:g}"
                    for row in rows[:5].tolist()
                ]
            ),
            advice="returns across zero have no meaning; a strategy in percent cannot hold through it",
        )


def _from_the_future(bars: Bars, record: SetRecord) -> Iterator[Finding]:
    span_ns = 0 if bars.timeframe.is_daily else bars.timeframe.span_ns
    late = bars.opened_at_ns + span_ns > nanoseconds(record.fetched_at)
    if late.any():
        at = bars.opened_at_ns[late]
        yield Finding(
            kind=Kind.FUTURE_BARS,
            severity=Severity.REFUSE,
            count=len(at),
            first_at=instant(int(at[0])),
            measured=f"{counted(len(at), 'bar')} ending after {record.fetched_at:%Y-%m-%dT%H:%MZ}, when fetched",
            expected="bars of the past",
            explanation="bars lie in the future of their own download: the zone or the label is wrong",
            examples=places(at, daily=bars.timeframe.is_daily),
            advice="import again with the right --timezone or --label",
        )
