"""Published bars: a day's bars prepared for the stream, so that each costs a few microseconds when it closes."""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

import numpy as np

from magellan.exchange.market.shown_bars import ShownBars
from magellan.trading.bar import Instants, Mask


class PublishedBar(NamedTuple):
    """One bar as plain numbers."""

    label_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int
    vwap: float


class PublishedDay:
    """One symbol's bars of one day by the instant at which they close."""

    def __init__(self, bars: dict[int, PublishedBar], days_so_far: dict[int, PublishedBar]) -> None:
        """Both by the instant at which they are published, in its order."""
        self._by_kind = (bars, days_so_far)
        self._instants = (tuple(bars), tuple(days_so_far))

    def at(self, closed_ns: int, day_so_far: bool) -> PublishedBar | None:
        """What is published at an instant: the bar that closes, or the day up to it."""
        return self._by_kind[day_so_far].get(closed_ns)

    def newest(self, now_ns: int, day_so_far: bool) -> PublishedBar | None:
        """What was published last, at or before an instant."""
        instants = self._instants[day_so_far]
        place = bisect_right(instants, now_ns)
        return self._by_kind[day_so_far][instants[place - 1]] if place else None


def published_day(columns: ShownBars, end_ns: Instants, regular: Mask, day_label_ns: int) -> PublishedDay:
    """Prepare a day.

    columns: its bars; end_ns: when each closes; regular: which belong to the regular session; day_label_ns: the
    start of the day.
    """
    return PublishedDay(_by_close(columns, end_ns), _so_far(columns, end_ns, regular, day_label_ns))


def _so_far(
    columns: ShownBars, end_ns: Instants, regular: Mask, day_label_ns: int
) -> dict[int, PublishedBar]:
    """The day up to each bar's close: prices of the regular session, volume of all hours."""
    traded = np.flatnonzero(regular)
    if len(traded) == 0:
        return {}
    volume = np.where(regular, columns.volume, 0.0)
    weight = np.cumsum(volume)
    vwap = np.divide(np.cumsum(columns.vwap * volume), weight, out=columns.close.copy(), where=weight > 0.0)
    newest = np.maximum.accumulate(np.where(regular, np.arange(len(regular)), 0))
    day = ShownBars(
        symbol=columns.symbol,
        label_ns=np.full(len(regular), day_label_ns, dtype=np.int64),
        open=np.full(len(regular), columns.open[traded[0]]),
        high=np.maximum.accumulate(np.where(regular, columns.high, -np.inf)),
        low=np.minimum.accumulate(np.where(regular, columns.low, np.inf)),
        close=columns.close[newest],
        volume=np.cumsum(columns.volume),
        trades=np.cumsum(columns.trades),
        vwap=np.asarray(np.round(vwap, 6)),
    )
    # Before the first regular bar there is no day yet.
    begun = slice(int(traded[0]), None)
    return _by_close(day.chosen(begun), end_ns[begun])


def _by_close(columns: ShownBars, end_ns: Instants) -> dict[int, PublishedBar]:
    rows = zip(
        columns.label_ns.tolist(),
        columns.open.tolist(),
        columns.high.tolist(),
        columns.low.tolist(),
        columns.close.tolist(),
        columns.volume.tolist(),
        columns.trades.tolist(),
        columns.vwap.tolist(),
        strict=True,
    )
    return {
        closed_ns: PublishedBar(*row)
        for closed_ns, row in zip(end_ns.tolist(), rows, strict=True)
        if row[5] > 0.0
    }
