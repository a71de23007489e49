"""The tape: the trades inside a bar. A bar tells how far the price went; the tape says when, always the same way.

Every bar trades at thirteen points of its span, evenly apart: at the open, along the path through both
extremes, and at the close. Their sizes add up to the bar's volume, so volume, extremes and the volume-weighted
price of any bar can be recomputed from its trades. Ours: a real minute of a liquid share has thousands of trades.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magellan.exchange.market.trading_day import TradingDay
from magellan.trading.bar import Floats, Instants

POINTS = 13
CLOSE_BEFORE_END_NS = (
    1_000_000  # the last trade of a bar, and its CLOSE instant, lie this long before its end
)

# Where few units trade, the open trades first, then the close, the extremes, and the rest.
_RANK = (0, 4, 5, 6, 2, 7, 8, 9, 3, 10, 11, 12, 1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DayTape:
    """Every trade of one symbol on one day, oldest first; shapes (n,)."""

    at_ns: Instants  # strictly increasing
    price: Floats
    size: Floats
    number: NDArray[np.int64]  # the trade's id, the same in every feed, unique on its day


def day_tape(day: TradingDay, volume: Floats, tick: float, lot: float) -> DayTape:
    """The trades of a day. volume: shape (bars,), what the feed sees of each bar."""
    bars = day.bars
    size = trade_sizes(volume, lot).ravel()
    traded = size > 0.0
    return DayTape(
        at_ns=trade_times(day.start_ns, day.end_ns).ravel()[traded],
        price=trade_prices(bars.open, bars.high, bars.low, bars.close, tick).ravel()[traded],
        size=size[traded],
        number=np.flatnonzero(traded) + 1,
    )


def trade_times(start_ns: Instants, end_ns: Instants) -> NDArray[np.int64]:
    """When each bar's points trade; shape (n, 13)."""
    steps = np.arange(POINTS, dtype=np.int64)
    at_ns = start_ns[:, None] + (end_ns - start_ns)[:, None] * steps // (POINTS - 1)
    at_ns[:, -1] = end_ns - CLOSE_BEFORE_END_NS
    return at_ns


def trade_prices(open_: Floats, high: Floats, low: Floats, close: Floats, tick: float) -> Floats:
    """At what price each point trades; shape (n, 13). On the path of `LiveBar.price`."""
    corners = _corners(open_, high, low, close)
    points = [_point_prices(point, corners, high, low, tick) for point in range(POINTS)]
    return np.stack(points, axis=1)


def trade_sizes(volume: Floats, lot: float) -> Floats:
    """How much trades at each point; shape (n, 13), rows add up to the volume. 0: the point does not trade.

    lot: smallest size; 1 for shares, 0 for any fraction.
    """
    return np.stack([_point_sizes(point, volume, lot) for point in range(POINTS)], axis=1)


def weighted_prices(
    open_: Floats, high: Floats, low: Floats, close: Floats, volume: Floats, *, tick: float, lot: float
) -> Floats:
    """Volume-weighted price of each bar's trades, to six decimals; the close where nothing traded. Shape (n,)."""
    corners = _corners(open_, high, low, close)
    paid = np.zeros_like(close)
    # Point by point: ten thousand bars at once are common, and thirteen columns of them would be large.
    for point in range(POINTS):
        paid += _point_prices(point, corners, high, low, tick) * _point_sizes(point, volume, lot)
    mean = np.divide(paid, volume, out=close.copy(), where=volume > 0.0)
    return np.asarray(np.round(mean, 6))


def _corners(open_: Floats, high: Floats, low: Floats, close: Floats) -> tuple[Floats, ...]:
    rising = close >= open_
    return open_, np.where(rising, low, high), np.where(rising, high, low), close


def _point_prices(point: int, corners: tuple[Floats, ...], high: Floats, low: Floats, tick: float) -> Floats:
    if point in (0, POINTS - 1):
        return corners[0] if point == 0 else corners[3]
    leg, into = divmod(point, 4)
    price = corners[leg] + (corners[leg + 1] - corners[leg]) * (into / 4)
    if tick > 0.0:
        price = np.round(np.rint(price / tick) * tick, 9)
    return np.asarray(np.clip(price, low, high))


def _point_sizes(point: int, volume: Floats, lot: float) -> Floats:
    if lot <= 0.0:
        return volume / POINTS
    each, left = np.divmod(np.rint(volume / lot), POINTS)
    return np.asarray((each + (_RANK[point] < left)) * lot)


def trade_counts(volume: Floats, lot: float) -> NDArray[np.int64]:
    """How many points of each bar trade; shape (n,)."""
    if lot <= 0.0:
        return np.where(volume > 0.0, POINTS, 0).astype(np.int64)
    return np.minimum(np.rint(volume / lot), POINTS).astype(np.int64)
