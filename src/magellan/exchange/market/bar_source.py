"""Bar sources: where the bars of the shown market come from, already stamped with the times at which they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from magellan.errors import FixInput
from magellan.trading.bar import Bars
from magellan.trading.timeframe import Timeframe


class BarSource(Protocol):
    """Whole bars of some symbols, past and future."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol, in the market's order."""
        ...

    @property
    def timeframe(self) -> Timeframe:
        """The timeframe that all bars share."""
        ...

    @property
    def first_ns(self) -> int:
        """No bar of any symbol is labelled earlier."""
        ...

    def bars(self, symbol: str, start_ns: int, end_ns: int) -> Bars:
        """The symbol's bars whose label lies in [start_ns, end_ns). Raises KeyError for a foreign symbol."""
        ...


class ArchivedBars:
    """Bars in memory."""

    def __init__(self, bars: Mapping[str, Bars]) -> None:
        """bars: by symbol, all of one timeframe. Raises FixInput when there are none, or of two timeframes."""
        if not bars:
            raise FixInput("an exchange needs at least one symbol's bars")
        timeframes = sorted({each.timeframe for each in bars.values()})
        if len(timeframes) > 1:
            named = " and ".join(str(each) for each in timeframes)
            raise FixInput(f"the bars of one exchange share a timeframe; these have {named}")
        self._bars = dict(bars)
        self.symbols = tuple(bars)
        self.timeframe = timeframes[0]
        self.first_ns = min((int(each.opened_at_ns[0]) for each in bars.values() if len(each)), default=0)

    def bars(self, symbol: str, start_ns: int, end_ns: int) -> Bars:
        """See `BarSource`."""
        bars = self._bars[symbol]
        first, last = np.searchsorted(bars.opened_at_ns, (start_ns, end_ns)).tolist()
        return bars.rows(slice(first, max(first, last)))
