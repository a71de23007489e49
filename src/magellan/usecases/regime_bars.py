"""Regime bars: one symbol's archived bars as the regime model sees them, adjusted for splits, in regular hours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from magellan.archive.actions import CorporateActionTable
from magellan.archive.adjust import adjusted, still_in_prices
from magellan.archive.dataset import find_set
from magellan.archive.discontinuity import Discontinuity, discontinuities
from magellan.errors import FixInput
from magellan.ports.bars import BarArchive
from magellan.trading.bar import Bars, Floats, instant
from magellan.trading.session import (
    ExchangeCalendar,
    Hours,
    SessionColumns,
    exchange_midnight,
    session_columns,
)
from magellan.trading.timeframe import Timeframe

CalendarOf = Callable[[str], ExchangeCalendar]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegimeBars:
    """Bars, and where they came from."""

    bars: Bars
    session: SessionColumns
    source: str  # the set's name as `magellan data list` shows it, or the scenario's
    first_at: datetime  # aware, UTC: start of the first bar
    last_at: datetime  # of the last
    generated: bool
    jumps: tuple[
        Discontinuity, ...
    ] = ()  # that no corporate action explains: what is seen there is no market's


def of_bars(bars: Bars, source: str, *, generated: bool, jumps: tuple[Discontinuity, ...] = ()) -> RegimeBars:
    """Raises FixInput where there is no bar."""
    if len(bars) == 0:
        raise FixInput(f"{bars.symbol}: no {bars.timeframe} bar in that range of {source}")
    return RegimeBars(
        bars=bars,
        session=session_columns(bars),
        source=source,
        first_at=instant(int(bars.opened_at_ns[0])),
        last_at=instant(int(bars.opened_at_ns[-1])),
        generated=generated,
        jumps=jumps,
    )


def archived_bars(
    symbol: str,
    timeframe: Timeframe,
    *,
    archive: BarArchive,
    actions: CorporateActionTable,
    calendar_of: CalendarOf,
    from_on: date | None = None,
    to_on: date | None = None,
) -> RegimeBars:
    """The one set of that symbol and timeframe, without hours outside sessions.

    from_on, to_on: exchange dates, both included; None leaves that side open.
    Raises: SetNotFound for what the archive does not hold; FixInput for a range without bars.
    """
    record = find_set(archive.sets(), symbol.upper(), timeframe)
    start_at = None if from_on is None else _begins(from_on, timeframe)
    end_at = None if to_on is None else _begins(to_on + timedelta(days=1), timeframe)
    bars = archive.read(record.id, start_at, end_at)
    calendar = calendar_of(record.calendar)
    if record.id.hours is not Hours.REGULAR or timeframe.is_daily:
        bars = bars.rows(calendar.regular(bars))
    expected = still_in_prices(actions.of(record.id.symbol), record.id.adjustment)
    jumps = discontinuities(bars, expected)
    bars = adjusted(bars, expected, "split")
    return of_bars(bars, record.id.slug, generated=record.generated, jumps=jumps)


def returns_beside(bars: Bars, others: Sequence[Bars]) -> Floats:
    """Log returns of other symbols over the same bars, shape (n, symbols), for the correlation with them.

    From the close at the bar before to the close at this one; NaN where the other symbol lacks one of the two.
    Raises: FixInput for a symbol without a bar in common, or of another timeframe.
    """
    found = np.full((len(bars), len(others)), np.nan)
    for at, other in enumerate(others):
        if other.timeframe != bars.timeframe:
            raise FixInput(f"{other.symbol} has {other.timeframe} bars, {bars.symbol} {bars.timeframe}")
        _, ours, theirs = np.intersect1d(
            bars.opened_at_ns, other.opened_at_ns, assume_unique=True, return_indices=True
        )
        if len(ours) == 0:
            raise FixInput(f"{other.symbol} has no bar at the time of any of {bars.symbol}")
        close = np.full(len(bars), np.nan)
        close[ours] = np.log(other.close[theirs])
        found[1:, at] = np.diff(close)
    return found


def _begins(on: date, timeframe: Timeframe) -> datetime:
    return datetime.combine(on, time(), tzinfo=UTC) if timeframe.is_daily else exchange_midnight(on)
