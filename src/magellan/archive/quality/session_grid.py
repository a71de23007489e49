"""The session grid: which sessions a set should hold, which bars in each, and which bar fills which place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from magellan.archive.dataset import DateRange
from magellan.trading.bar import Bars, Instants, nanoseconds
from magellan.trading.session import ExchangeCalendar, day_number
from magellan.trading.timeframe import DAY_NS, HOUR_NS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SessionGrid:
    """m sessions and n bars. A session of 390 minutes has 390 places for bars of a minute, 7 for hours."""

    session_on: NDArray[np.int32]  # (m,) days since 1970-01-01
    opens_at_ns: Instants  # (m,)
    closes_at_ns: Instants  # (m,)
    first_place_ns: Instants  # (m,) the label of the first bar that touches the session
    places: NDArray[np.int64]  # (m,) how many bars of the set's timeframe touch it
    filled: NDArray[np.int64]  # (m,) how many bars the set holds of it
    session_of_bar: NDArray[np.int64]  # (n,) index of the session that the bar touches; -1 for none of them
    place_of_bar: NDArray[
        np.int64
    ]  # (n,) 0 for a session's first place; meaningless where there is no session

    @property
    def dense(self) -> float:
        """Of the sessions with a bar, the median share of places that is filled; 0 where none has one."""
        held = self.filled > 0
        return float(np.median(self.filled[held] / self.places[held])) if held.any() else 0.0


def session_grid(
    bars: Bars, calendar: ExchangeCalendar, requested: Iterable[DateRange], until: datetime
) -> SessionGrid:
    """Lay the bars on the sessions that were asked for, as far as they had closed by `until`."""
    wanted = np.zeros(len(calendar.session_on), dtype=bool)
    for dates in requested:
        wanted |= (calendar.session_on >= day_number(dates.first_on)) & (
            calendar.session_on <= day_number(dates.last_on)
        )
    wanted &= calendar.closes_at_ns <= nanoseconds(until)
    session_on = calendar.session_on[wanted]
    opens, closes = calendar.opens_at_ns[wanted], calendar.closes_at_ns[wanted]
    if bars.timeframe.is_daily:
        first_place, places = session_on.astype(np.int64) * DAY_NS, np.ones(len(session_on), dtype=np.int64)
        session, place = _same_date(bars, session_on), np.zeros(len(bars), dtype=np.int64)
    else:
        first_place, places = _places(bars, opens, closes)
        session = _touched(bars, opens, closes)
        place = (
            (bars.opened_at_ns - first_place[session]) // bars.timeframe.span_ns if len(opens) else session
        )
    return SessionGrid(
        session_on=session_on,
        opens_at_ns=opens,
        closes_at_ns=closes,
        first_place_ns=first_place,
        places=places,
        filled=np.bincount(session[session >= 0], minlength=len(session_on)),
        session_of_bar=session,
        place_of_bar=place,
    )


def _places(bars: Bars, opens: Instants, closes: Instants) -> tuple[Instants, NDArray[np.int64]]:
    span = bars.timeframe.span_ns
    # Bars begin on a grid, but not always on the hour: some vendors cut hours from 09:30 on.
    phase = int(bars.opened_at_ns[0]) % min(span, HOUR_NS) if len(bars) else 0
    step = min(span, HOUR_NS)
    first = (opens - phase) // step * step + phase
    return first, -((first - closes) // span)


def _same_date(bars: Bars, session_on: NDArray[np.int32]) -> NDArray[np.int64]:
    if len(session_on) == 0:
        return np.full(len(bars), -1, dtype=np.int64)
    day = bars.opened_at_ns // DAY_NS
    at = np.minimum(np.searchsorted(session_on, day), len(session_on) - 1)
    return np.where(session_on[at] == day, at, -1)


def _touched(bars: Bars, opens: Instants, closes: Instants) -> NDArray[np.int64]:
    if len(opens) == 0:
        return np.full(len(bars), -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(closes, bars.opened_at_ns, side="right"), len(closes) - 1)
    touches = (bars.opened_at_ns + bars.timeframe.span_ns > opens[at]) & (bars.opened_at_ns < closes[at])
    return np.where(touches, at, -1)
