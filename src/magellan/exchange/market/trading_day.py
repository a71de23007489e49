"""One trading day of one symbol: its bars laid into the spans in which they trade."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from magellan.exchange.market.live_bar import LiveBar
from magellan.exchange.market.trading_hours import Session
from magellan.trading.bar import Bars, Instants, Mask


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TradingDay:
    """The bars of one day with their spans; shapes (n,), oldest first, spans apart from each other."""

    bars: Bars
    start_ns: Instants
    end_ns: Instants
    regular: Mask  # which bars trade in the regular session

    def at(self, now_ns: int) -> LiveBar | None:
        """The bar whose span holds an instant."""
        row = int(np.searchsorted(self.start_ns, now_ns, side="right")) - 1
        return self.row(row) if row >= 0 and now_ns < self.end_ns[row] else None

    def last_closed(self, now_ns: int) -> LiveBar | None:
        """The newest bar that ended at or before an instant."""
        row = int(np.searchsorted(self.end_ns, now_ns, side="right")) - 1
        return self.row(row) if row >= 0 else None

    def row(self, row: int) -> LiveBar:
        """Row `row` as a value."""
        bars = self.bars
        return LiveBar(
            symbol=bars.symbol,
            label_ns=int(bars.opened_at_ns[row]),
            start_ns=int(self.start_ns[row]),
            end_ns=int(self.end_ns[row]),
            open=float(bars.open[row]),
            high=float(bars.high[row]),
            low=float(bars.low[row]),
            close=float(bars.close[row]),
            volume=float(bars.volume[row]),
            in_regular_session=bool(self.regular[row]),
        )


def trading_day(bars: Bars, session: Session | None) -> TradingDay:
    """Lay bars into their day.

    bars:    of one day. session: of that day; None where trading never closes (crypto), or for a day without
             one. A bar that overlaps the regular session trades in the part of its span inside it.
    """
    start_ns = bars.opened_at_ns.copy()
    end_ns = start_ns + bars.timeframe.span_ns
    if session is None:
        return TradingDay(bars=bars, start_ns=start_ns, end_ns=end_ns, regular=np.ones(len(bars), dtype=bool))
    if bars.timeframe.is_daily:
        start_ns[:], end_ns[:] = session.opens_at_ns, session.closes_at_ns
        return TradingDay(bars=bars, start_ns=start_ns, end_ns=end_ns, regular=np.ones(len(bars), dtype=bool))
    regular = (start_ns < session.closes_at_ns) & (end_ns > session.opens_at_ns)
    start_ns[regular] = np.maximum(start_ns[regular], session.opens_at_ns)
    end_ns[regular] = np.minimum(end_ns[regular], session.closes_at_ns)
    return TradingDay(bars=bars, start_ns=start_ns, end_ns=end_ns, regular=regular)
