"""Market view: what features may read: one symbol's bars and sessions, other symbols, longer timeframes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from magellan.errors import FixInput
from magellan.strategy.session_memory import SessionMemory
from magellan.trading.bar import Bars, Floats, Instants, Mask
from magellan.trading.session import (
    ExchangeCalendar,
    SessionClock,
    SessionColumns,
    minutes_to_close,
    session_columns,
)
from magellan.trading.timeframe import Timeframe


class MarketView:
    """One symbol's bars for feature computation, with the sessions they belong to.

    Everything it hands out is causal: a row of another symbol or of a longer timeframe is the newest one that had
    closed when this symbol's bar closed.

    memory: of the same symbol, clock and calendar, where a view is made at every bar.
    """

    def __init__(
        self,
        bars: Bars,
        *,
        clock: SessionClock = SessionClock.EXCHANGE,
        calendar: ExchangeCalendar | None = None,
        others: Mapping[str, Bars] | None = None,
        memory: SessionMemory | None = None,
    ) -> None:
        self.bars = bars
        self._clock = clock
        self._calendar = calendar
        self._others = others or {}
        self._memory = memory

    def __len__(self) -> int:
        return len(self.bars)

    @property
    def symbol(self) -> str:
        return self.bars.symbol

    @property
    def timeframe(self) -> Timeframe:
        return self.bars.timeframe

    @property
    def open(self) -> Floats:
        return self.bars.open

    @property
    def high(self) -> Floats:
        return self.bars.high

    @property
    def low(self) -> Floats:
        return self.bars.low

    @property
    def close(self) -> Floats:
        return self.bars.close

    @property
    def volume(self) -> Floats:
        return self.bars.volume

    @property
    def opened_at_ns(self) -> Instants:
        return self.bars.opened_at_ns

    @cached_property
    def session(self) -> SessionColumns:
        """Date and minute of day of each bar on the session clock, and where sessions begin and end."""
        if self._memory is not None:
            return self._memory.session(self.bars)
        return session_columns(self.bars, self._clock)

    @property
    def day(self) -> NDArray[np.int32]:
        return self.session.day

    @property
    def minute(self) -> NDArray[np.int16]:
        """Minutes after midnight on the session clock at which each bar opens."""
        return self.session.minute

    @cached_property
    def minutes_to_close(self) -> Floats:
        """Minutes from each bar's opening to its session's close, by the exchange calendar; NaN outside sessions."""
        if self._calendar is None:
            raise FixInput(
                f"{self.symbol}: minutes to the session's close are unknown without an exchange calendar",
                next_step="name one in the strategy's config under data.calendar, for example XNYS",
            )
        if self._memory is not None:
            return self._memory.minutes_to_close(self.bars)
        return minutes_to_close(self.bars, self._calendar)

    def other(self, symbol: str, column: Callable[[Bars], Floats]) -> Floats:
        """Another symbol's column, as it stood when each of our bars closed; NaN before its first bar.

        Raises FixInput when the run does not hold that symbol.
        """
        if symbol not in self._others:
            held = ", ".join(sorted(self._others)) or "none"
            raise FixInput(
                f"{self.symbol}'s features read {symbol}, which is not part of this run (others: {held})",
                next_step=f"add {symbol} to the run's symbols, or to data.reference_symbols in the config",
            )
        bars = self._others[symbol]
        return _as_known(self.bars, bars.opened_at_ns + bars.timeframe.span_ns, column(bars))

    def higher(self, timeframe: Timeframe | str, column: Callable[[Bars], Floats]) -> Floats:
        """A column computed on longer bars made of ours, as it stood when each of our bars closed.

        Only completed longer bars count: at 10:05 the newest hourly value is that of 09:00 to 10:00. A daily bar
        ends with its session, and bars after the close are in none. NaN before the first is complete.
        """
        longer = Timeframe.parse(timeframe) if isinstance(timeframe, str) else timeframe
        made, known_at_row = self._resampled(longer)
        values = column(made)
        if len(made) == 0:
            return np.full(len(self), np.nan)
        newest = np.searchsorted(known_at_row, np.arange(len(self)), side="right") - 1
        return np.where(newest >= 0, values[np.maximum(newest, 0)], np.nan)

    def _resampled(self, longer: Timeframe) -> tuple[Bars, NDArray[np.intp]]:
        """Longer bars made of ours, and for each the row of ours at whose close it was known to be complete.

        A bucket is complete when a bar closes at its end. Where its last minutes are missing, nobody knows that it
        is over before the next bar has come.
        """
        if longer.span_ns <= self.timeframe.span_ns or longer.span_ns % self.timeframe.span_ns:
            raise FixInput(f"{longer} bars cannot be made of {self.timeframe} bars")
        n = len(self)
        bucket = self.day.astype(np.int64) if longer.is_daily else self.opened_at_ns // longer.span_ns
        # Whether bars follow a session's close nobody knows at the close, so they cannot belong to its day.
        after = self._opens_after_close() if longer.is_daily else np.zeros(n, dtype=bool)
        begins = (bucket[1:] != bucket[:-1]) | (after[1:] != after[:-1])
        first = np.flatnonzero(np.append(True, begins)) if n else np.zeros(0, dtype=np.intp)
        last = np.append(first[1:], n)[: len(first)] - 1
        if longer.is_daily:
            reaches_end = self.closes_session(last)
        else:
            reaches_end = (
                self.opened_at_ns[last] + self.timeframe.span_ns >= (bucket[last] + 1) * longer.span_ns
            )
        known = np.where(reaches_end, last, last + 1)
        complete = (known < n) & ~after[first]
        made = Bars(
            symbol=self.symbol,
            timeframe=longer,
            opened_at_ns=(bucket[first] * longer.span_ns)[complete],
            open=self.open[first][complete],
            high=np.maximum.reduceat(self.high, first)[complete] if n else self.high,
            low=np.minimum.reduceat(self.low, first)[complete] if n else self.low,
            close=self.close[last][complete],
            volume=np.add.reduceat(self.volume, first)[complete] if n else self.volume,
        )
        return made, known[complete]

    def _opens_after_close(self) -> Mask:
        """Bars that open when their day's session is over: by the calendar; without one it is unknown, so none."""
        if self._calendar is None or len(self._calendar.session_on) == 0:
            return np.zeros(len(self), dtype=bool)
        sessions = self._calendar.session_on
        at = np.minimum(np.searchsorted(sessions, self.day), len(sessions) - 1)
        return np.asarray((sessions[at] == self.day) & (self.opened_at_ns >= self._calendar.closes_at_ns[at]))

    def closes_session(self, rows: NDArray[np.intp]) -> Mask:
        """Whether the session is over when those bars close: by the calendar; without one it is unknown, so no."""
        if self._calendar is None:
            return np.zeros(len(rows), dtype=bool)
        remaining = minutes_to_close(self.bars.rows(rows), self._calendar)
        return np.asarray(~np.isnan(remaining) & (remaining <= self.timeframe.minutes))


def _as_known(bars: Bars, known_at_ns: Instants, values: Floats) -> Floats:
    """For each bar, the newest value known when it closed."""
    closes_at_ns = bars.opened_at_ns + bars.timeframe.span_ns
    newest = np.searchsorted(known_at_ns, closes_at_ns, side="right") - 1
    if len(values) == 0:
        return np.full(len(bars), np.nan)
    return np.where(newest >= 0, values[np.maximum(newest, 0)], np.nan)
