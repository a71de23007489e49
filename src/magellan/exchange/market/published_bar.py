"""Published bars: a day's bars prepared for the stream, so that each costs a few microseconds when it closes."""

from __future__ import annotations

from collections.abc import Iterator
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
    """One symbol's bars of one day by the instant at which they close.

    What streams ask for, every bar in turn, is prepared when they first ask; the newest alone costs none of that.

    columns: its bars; end_ns: when each closes; regular: which belong to the regular session; day_label_ns: the
    start of the day.
    """

    def __init__(self, columns: ShownBars, end_ns: Instants, regular: Mask, day_label_ns: int) -> None:
        self._given = (columns, end_ns, regular, day_label_ns)
        self._shown: list[tuple[ShownBars, Instants] | None] = [_with_volume(columns, end_ns), None]
        self._by_close: list[dict[int, PublishedBar] | None] = [None, None]

    def at(self, closed_ns: int, day_so_far: bool) -> PublishedBar | None:
        """What is published at an instant: the bar that closes, or the day up to it."""
        found = self._by_close[day_so_far]
        if found is None:
            found = self._by_close[day_so_far] = _by_close(*self._rows(day_so_far))
        return found.get(closed_ns)

    def newest(self, now_ns: int, day_so_far: bool) -> PublishedBar | None:
        """What was published last, at or before an instant."""
        columns, end_ns = self._rows(day_so_far)
        place = int(end_ns.searchsorted(now_ns, side="right"))
        if place == 0:
            return None
        (row,) = _rows(columns.chosen(slice(place - 1, place)))
        return PublishedBar(*row)

    def _rows(self, day_so_far: bool) -> tuple[ShownBars, Instants]:
        found = self._shown[day_so_far]
        if found is None:
            found = self._shown[day_so_far] = _with_volume(*_so_far(*self._given))
        return found


def _so_far(
    columns: ShownBars, end_ns: Instants, regular: Mask, day_label_ns: int
) -> tuple[ShownBars, Instants]:
    """The day up to each bar's close: prices of the regular session, volume of all hours."""
    traded = np.flatnonzero(regular)
    if len(traded) == 0:
        return columns.chosen(slice(0)), end_ns[:0]
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
    return day.chosen(begun), end_ns[begun]


def _with_volume(columns: ShownBars, end_ns: Instants) -> tuple[ShownBars, Instants]:
    seen = columns.volume > 0.0
    return (columns, end_ns) if seen.all() else (columns.chosen(seen), end_ns[seen])


def _by_close(columns: ShownBars, end_ns: Instants) -> dict[int, PublishedBar]:
    rows = _rows(columns)
    return {closed_ns: PublishedBar(*row) for closed_ns, row in zip(end_ns.tolist(), rows, strict=True)}


def _rows(columns: ShownBars) -> Iterator[tuple[int, float, float, float, float, float, int, float]]:
    return zip(
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
