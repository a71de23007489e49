"""Regime bars: one symbol's archived bars as the regime model sees them, adjusted for splits, in regular hours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from magellan.archive.actions import CorporateActionTable
from magellan.archive.adjust import adjusted, still_in_prices
from magellan.archive.dataset import find_set
from magellan.errors import FixInput
from magellan.ports.bars import BarArchive
from magellan.trading.bar import Bars, instant
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


def of_bars(bars: Bars, source: str, *, generated: bool) -> RegimeBars:
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
    bars = adjusted(bars, still_in_prices(actions.of(record.id.symbol), record.id.adjustment), "split")
    return of_bars(bars, record.id.slug, generated=record.generated)


def _begins(on: date, timeframe: Timeframe) -> datetime:
    return datetime.combine(on, time(), tzinfo=UTC) if timeframe.is_daily else exchange_midnight(on)
