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
_RANK = np.array([0, 4, 5, 6, 2, 7, 8, 9, 3, 10, 11, 12, 1], dtype=np.int64)


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
    rising = close >= open_
    corners = np.stack([open_, np.where(rising, low, high), np.where(rising, high, low), close], axis=1)
    prices = np.empty((len(open_), POINTS))
    for point in range(POINTS - 1):
        leg, into = divmod(point, 4)
        prices[:, point] = corners[:, leg] + (corners[:, leg + 1] - corners[:, leg]) * (into / 4)
    prices[:, -1] = close
    if tick > 0.0:
        inner = np.round(np.rint(prices / tick) * tick, 9)
        inner[:, 0], inner[:, -1] = open_, close
        prices = inner
    return np.clip(prices, low[:, None], high[:, None])


def trade_sizes(volume: Floats, lot: float) -> Floats:
    """How much trades at each point; shape (n, 13), rows add up to the volume. 0: the point does not trade.

    lot: smallest size; 1 for shares, 0 for any fraction.
    """
    if lot <= 0.0:
        return np.repeat(volume[:, None] / POINTS, POINTS, axis=1)
    lots = np.rint(volume / lot)
    each, left = np.divmod(lots, POINTS)
    return np.asarray((each[:, None] + (left[:, None] > _RANK)) * lot)


def trade_counts(volume: Floats, lot: float) -> NDArray[np.int64]:
    """How many points of each bar trade; shape (n,)."""
    if lot <= 0.0:
        return np.where(volume > 0.0, POINTS, 0).astype(np.int64)
    return np.minimum(np.rint(volume / lot), POINTS).astype(np.int64)


def weighted_prices(prices: Floats, sizes: Floats) -> Floats:
    """Volume-weighted price of each bar, to six decimals; the plain mean where nothing traded. Shape (n,)."""
    volume = sizes.sum(axis=1)
    traded = volume > 0.0
    paid = (prices * sizes).sum(axis=1)
    mean = np.divide(paid, volume, out=prices.mean(axis=1), where=traded)
    return np.asarray(np.round(mean, 6))
