"""Rows as a vendor may deliver them: columns that need not be sound, which `Bars` must be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magellan.trading.bar import PRICE_COLUMNS, Bars, Floats, Instants, Mask
from magellan.trading.timeframe import Timeframe

COLUMNS = (*PRICE_COLUMNS, "volume")
TICKS_PER_USD = 100  # prices lie on a tick of 0.01 USD


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Columns of one symbol, as delivered; all share the shape (n,)."""

    symbol: str
    timeframe: Timeframe
    opened_at_ns: Instants  # start of each row's span, UTC
    session_day: NDArray[np.int32]  # date of the session that the row belongs to, days since 1970-01-01
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __len__(self) -> int:
        return len(self.opened_at_ns)

    def chosen(self, rows: slice | Mask | NDArray[np.intp]) -> Rows:
        """The chosen rows, in their order."""
        return Rows(
            symbol=self.symbol,
            timeframe=self.timeframe,
            opened_at_ns=self.opened_at_ns[rows],
            session_day=self.session_day[rows],
            **{name: getattr(self, name)[rows] for name in COLUMNS},
        )

    def changed(self, **columns: Floats) -> Rows:
        """The same rows with other prices or volumes."""
        return Rows(
            symbol=self.symbol,
            timeframe=self.timeframe,
            opened_at_ns=self.opened_at_ns,
            session_day=self.session_day,
            **{name: columns.get(name, getattr(self, name)) for name in COLUMNS},
        )

    def bars(self) -> Bars:
        """The rows as sound bars. Raises FixInput naming the first row that no sound bars hold."""
        return Bars(
            symbol=self.symbol,
            timeframe=self.timeframe,
            opened_at_ns=self.opened_at_ns,
            **{name: getattr(self, name) for name in COLUMNS},
        ).checked()


def put_together(parts: tuple[Rows, ...]) -> Rows:
    """All rows of the parts by time; rows of one instant keep the order of the parts."""
    opened_at_ns = np.concatenate([part.opened_at_ns for part in parts])
    order = np.argsort(opened_at_ns, kind="stable")
    return Rows(
        symbol=parts[0].symbol,
        timeframe=parts[0].timeframe,
        opened_at_ns=opened_at_ns[order],
        session_day=np.concatenate([part.session_day for part in parts])[order],
        **{name: np.concatenate([getattr(part, name) for part in parts])[order] for name in COLUMNS},
    )


def aggregated(minutes: Rows, timeframe: Timeframe) -> Rows:
    """One-minute rows put into longer ones: first open, highest high, lowest low, last close, summed volume.

    An intraday row holds the minutes of one whole span of UTC time (the 09:00 row of the exchange holds
    09:30 to 10:00 of the session); a daily row holds its session's minutes.
    """
    if timeframe.minutes == 1 or len(minutes) == 0:
        return minutes
    if timeframe.is_daily:
        label = minutes.session_day.astype(np.int64) * timeframe.span_ns
    else:
        label = minutes.opened_at_ns - minutes.opened_at_ns % timeframe.span_ns
    first = np.flatnonzero(np.diff(label, prepend=label[0] - 1))
    last = np.append(first[1:], len(label)) - 1
    return Rows(
        symbol=minutes.symbol,
        timeframe=timeframe,
        opened_at_ns=label[first],
        session_day=minutes.session_day[first],
        open=minutes.open[first],
        high=np.maximum.reduceat(minutes.high, first),
        low=np.minimum.reduceat(minutes.low, first),
        close=minutes.close[last],
        volume=np.add.reduceat(minutes.volume, first),
    )


def on_tick(prices_usd: Floats) -> Floats:
    """The nearest prices on a tick, and never below one tick."""
    return np.maximum(1.0, np.rint(prices_usd * TICKS_PER_USD)) / TICKS_PER_USD
