"""Session memory: where one symbol's bars lie in their sessions, worked out for each row once while bars are added."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magellan.trading.bar import Bars, Floats
from magellan.trading.session import (
    ExchangeCalendar,
    SessionClock,
    SessionColumns,
    minutes_to_close,
    session_columns,
)

_Columns = tuple[NDArray[Any], ...]


class SessionMemory:
    """For whoever makes a `MarketView` of the same symbol again at every bar. Other rows than before are noticed.

    like: a memory of another symbol, with the same clock, calendar and timeframe. Most symbols' newest bars begin at
          the same instants, so that what one has worked out of them holds for the others.
    """

    def __init__(
        self, clock: SessionClock, calendar: ExchangeCalendar, *, like: SessionMemory | None = None
    ) -> None:
        def sessions(bars: Bars) -> _Columns:
            found = session_columns(bars, clock)
            return found.day, found.minute, found.first

        self._sessions: _Kept = _Kept(sessions, {} if like is None else like._sessions.newest)
        self._to_close: _Kept = _Kept(
            lambda bars: (minutes_to_close(bars, calendar),),
            {} if like is None else like._to_close.newest,
        )

    def session(self, bars: Bars) -> SessionColumns:
        """As `session_columns`."""
        day, minute, first = self._sessions.of(bars)
        last = np.ones(len(bars), dtype=bool)
        last[:-1] = first[1:]
        return SessionColumns(day=day, minute=minute, first=first, last=last)

    def minutes_to_close(self, bars: Bars) -> Floats:
        """As the function of that name."""
        minutes: Floats = self._to_close.of(bars)[0]
        return minutes


class _Kept:
    """Columns whose rows depend on the start of their own bar, and on that of the one before.

    newest: the columns of two bars by the starts of both, for others to find; holds one pair.
    """

    def __init__(self, work: Callable[[Bars], _Columns], newest: dict[tuple[int, int], _Columns]) -> None:
        self._work = work
        self.newest = newest
        self._rows = 0
        self._newest_ns = 0  # start of the newest bar known
        self._columns: list[NDArray[Any]] = []

    def of(self, bars: Bars) -> _Columns:
        n = len(bars)
        # Bars lie in order: one that was inserted has moved the newest known one from its row.
        continued = 0 < self._rows <= n and int(bars.opened_at_ns[self._rows - 1]) == self._newest_ns
        if not continued:
            self._columns, self._rows = [], 0
        if self._rows < n or not self._columns:
            self._add(bars)
        return tuple(column[:n] for column in self._columns)

    def _add(self, bars: Bars) -> None:
        known, n = self._rows, len(bars)
        since = max(0, known - 1)
        found = self._of_two(bars) if n == since + 2 else self._work(bars.rows(slice(since, None)))
        if not self._columns:
            self._columns = [np.empty(0, dtype=new.dtype) for new in found]
        for at, new in enumerate(found):
            if len(self._columns[at]) < n:
                longer = np.empty(2 * n, dtype=new.dtype)
                longer[:known] = self._columns[at][:known]
                self._columns[at] = longer
            self._columns[at][known:n] = new[known - since :]
        self._rows = n
        self._newest_ns = int(bars.opened_at_ns[-1]) if n else 0

    def _of_two(self, bars: Bars) -> _Columns:
        """The columns of the newest two bars."""
        starts = (int(bars.opened_at_ns[-2]), int(bars.opened_at_ns[-1]))
        found = self.newest.get(starts)
        if found is None:
            self.newest.clear()
            found = self.newest[starts] = self._work(bars.rows(slice(-2, None)))
        return found
