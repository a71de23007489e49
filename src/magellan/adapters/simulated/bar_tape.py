"""The bar tape: the market that a simulated broker trades in, bar by bar, and the instants at which bars match orders.

Three instants a bar: its OPEN at its start, its RANGE half-way, its CLOSE a millisecond before its end. The local paper
exchange keeps the same ones (docs/guides/exchange.md), and both are the steps of docs/assumptions.md spread over time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from magellan.trading.bar import Bars
from magellan.trading.session import ExchangeCalendar
from magellan.trading.timeframe import DAY_NS

MILLISECOND_NS: Final = 1_000_000


class Phase(IntEnum):
    """Which part of a bar matches orders."""

    OPEN = 0
    RANGE = 1
    CLOSE = 2


@dataclass(frozen=True, slots=True)
class TapeBar:
    """One bar with its span in time; ns UTC."""

    symbol: str
    start_ns: int
    end_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    ends_session: bool

    def price_at(self, at_ns: int) -> float:
        """The price on the way through the bar: to the nearer extreme first, then to the other, then to the close."""
        part = (at_ns - self.start_ns) / (self.end_ns - self.start_ns)
        first, second = (self.low, self.high) if self.close >= self.open else (self.high, self.low)
        legs = (self.open, first, second, self.close)
        leg = min(int(part * 3), 2)
        return legs[leg] + (legs[leg + 1] - legs[leg]) * (part * 3 - leg)


@dataclass(frozen=True, slots=True)
class Tick:
    """All bars that match orders at one instant."""

    at_ns: int
    phase: Phase
    bars: tuple[TapeBar, ...]  # in the order of the symbols


class BarTape:
    """Bars of some symbols on an exchange's calendar."""

    def __init__(self, bars: Mapping[str, Bars], calendar: ExchangeCalendar) -> None:
        days: list[int] = calendar.session_on.tolist()
        self.opens_ns: list[int] = calendar.opens_at_ns.tolist()
        self.closes_ns: list[int] = calendar.closes_at_ns.tolist()
        self.bars: dict[str, list[TapeBar]] = {}
        self._ends: dict[str, list[int]] = {}
        found: dict[tuple[int, Phase], list[TapeBar]] = {}
        for symbol, columns in bars.items():
            rows = self._rows(symbol, columns, days)
            self.bars[symbol] = rows
            self._ends[symbol] = [bar.end_ns for bar in rows]
            for bar in rows:
                middle_ns = bar.start_ns + (bar.end_ns - bar.start_ns) // 2
                found.setdefault((bar.start_ns, Phase.OPEN), []).append(bar)
                found.setdefault((middle_ns, Phase.RANGE), []).append(bar)
                found.setdefault((bar.end_ns - MILLISECOND_NS, Phase.CLOSE), []).append(bar)
        self.ticks = [Tick(at_ns, phase, tuple(found[at_ns, phase])) for at_ns, phase in sorted(found)]

    def running(self, symbol: str, at_ns: int) -> TapeBar | None:
        """The bar whose span holds the instant; None when nothing trades then."""
        row = bisect_right(self._ends[symbol], at_ns)
        if row == len(self._ends[symbol]) or self.bars[symbol][row].start_ns > at_ns:
            return None
        return self.bars[symbol][row]

    def begins_session(self, bar: TapeBar) -> bool:
        """Whether it is the first bar of its symbol in a session."""
        row = bisect_right(self._ends[bar.symbol], bar.start_ns)
        return row == 0 or self.bars[bar.symbol][row - 1].ends_session

    def last_price(self, symbol: str, at_ns: int) -> float | None:
        """The newest price: of the bar that runs, else the last close; None before the first bar."""
        bar = self.running(symbol, at_ns)
        if bar is not None:
            return bar.price_at(at_ns)
        row = bisect_right(self._ends[symbol], at_ns) - 1
        return self.bars[symbol][row].close if row >= 0 else None

    def is_open(self, at_ns: int) -> bool:
        """Whether a session is open at an instant."""
        row = bisect_right(self.closes_ns, at_ns)
        return row < len(self.closes_ns) and self.opens_ns[row] <= at_ns

    def _rows(self, symbol: str, columns: Bars, days: list[int]) -> list[TapeBar]:
        rows = []
        starts = columns.opened_at_ns.tolist()
        values = zip(
            columns.open.tolist(),
            columns.high.tolist(),
            columns.low.tolist(),
            columns.close.tolist(),
            columns.volume.tolist(),
            strict=True,
        )
        for at, (start_ns, prices) in enumerate(zip(starts, values, strict=True)):
            if columns.timeframe.is_daily:
                session = days.index(start_ns // DAY_NS)
                start_ns, end_ns = self.opens_ns[session], self.closes_ns[session]
                ends_session = True
            else:
                session = bisect_right(self.closes_ns, start_ns)
                closes_ns = self.closes_ns[session]
                end_ns = min(start_ns + columns.timeframe.span_ns, closes_ns)
                later = at + 1 < len(starts) and starts[at + 1] < closes_ns
                ends_session = not later
            rows.append(TapeBar(symbol, start_ns, end_ns, *prices, ends_session))
        return rows
