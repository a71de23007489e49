"""Shown bars: closed bars put together into the span that a client asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from magellan.exchange.market.bar_span import BarSpan
from magellan.exchange.market.tape import trade_counts, weighted_prices
from magellan.trading.bar import Floats, Instants


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShownBars:
    """Bars of one symbol as a client sees them; shapes (n,), oldest first."""

    symbol: str
    label_ns: Instants  # start of each span, UTC
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    trades: NDArray[np.int64]
    vwap: Floats

    def __len__(self) -> int:
        return len(self.label_ns)

    def chosen(self, rows: slice | NDArray[np.bool_]) -> ShownBars:
        """The chosen rows, in their order."""
        return ShownBars(symbol=self.symbol, **{name: getattr(self, name)[rows] for name in _COLUMNS})

    def relabelled(self, label_ns: Instants) -> ShownBars:
        """The same bars under other starts."""
        return replace(self, label_ns=label_ns)


_COLUMNS = ("label_ns", "open", "high", "low", "close", "volume", "trades", "vwap")


def shown(
    symbol: str,
    label_ns: Instants,
    open_: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    volume: Floats,
    *,
    tick: float,
    lot: float,
) -> ShownBars:
    """Bars as they are, with the trade counts and weighted prices of their tape."""
    return ShownBars(
        symbol=symbol,
        label_ns=label_ns,
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=volume,
        trades=trade_counts(volume, lot),
        vwap=weighted_prices(open_, high, low, close, volume, tick=tick, lot=lot),
    )


def put_together(bars: ShownBars, span: BarSpan, *, utc: bool) -> ShownBars:
    """First open, highest high, lowest low, last close; summed volume and trades; the volume's mean price."""
    if len(bars) == 0:
        return bars
    label_ns = span.labels(bars.label_ns, utc=utc)
    first = np.flatnonzero(np.diff(label_ns, prepend=label_ns[0] - 1))
    if len(first) == len(label_ns):
        return bars.relabelled(label_ns)
    last = np.append(first[1:], len(label_ns)) - 1
    volume = np.add.reduceat(bars.volume, first)
    paid = np.add.reduceat(bars.vwap * bars.volume, first)
    plain: Floats = np.add.reduceat(bars.vwap, first) / (last - first + 1).astype(np.float64)
    mean: Floats = np.divide(paid, volume, out=plain, where=volume > 0.0)
    return ShownBars(
        symbol=bars.symbol,
        label_ns=label_ns[first],
        open=bars.open[first],
        high=np.maximum.reduceat(bars.high, first),
        low=np.minimum.reduceat(bars.low, first),
        close=bars.close[last],
        volume=volume,
        trades=np.add.reduceat(bars.trades, first),
        vwap=np.asarray(np.round(mean, 6), dtype=np.float64),
    )
