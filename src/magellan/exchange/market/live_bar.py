"""A live bar: one whole bar, known in advance, laid into the time in which clients meet it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveBar:
    """One bar and the span [start_ns, end_ns) in which it trades. Prices in USD, volume in units.

    The span is the part of the bar's time in which its market is open: a daily bar spans its session, the
    09:00 hourly bar of the regular session spans 09:30 to 10:00.
    """

    symbol: str
    label_ns: int  # how the bar is stamped when it is published, UTC; may lie before start_ns
    start_ns: int
    end_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    in_regular_session: bool

    def price(self, now_ns: int, tick: float) -> float:
        """The path price at an instant of the span, on the nearest tick and never outside low..high.

        Piecewise linear: open, low, high, close when the bar closes at or above its open, else open, high,
        low, close; the extremes are reached at one and at two thirds of the span.
        """
        passed = min(1.0, max(0.0, (now_ns - self.start_ns) / (self.end_ns - self.start_ns)))
        if passed == 0.0:
            return self.open
        if passed == 1.0:
            return self.close
        rising = self.close >= self.open
        first, second = (self.low, self.high) if rising else (self.high, self.low)
        corners = (self.open, first, second, self.close)
        leg = min(2, int(passed * 3.0))
        price = corners[leg] + (corners[leg + 1] - corners[leg]) * (passed * 3.0 - leg)
        if tick > 0.0:
            price = round(round(price / tick) * tick, 9)
        return min(self.high, max(self.low, price))
