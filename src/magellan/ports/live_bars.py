"""Live bars: closed bars as they come, and the history before them, from one source of a stated feed.

Kept by `adapters/alpaca/live_bars.py`, and held to by tests/contracts. There is no path from here to the archive.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from magellan.trading.bar import Bar, Bars
from magellan.trading.timeframe import Timeframe


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveBar:
    """A bar that has closed, as the source told it."""

    symbol: str
    timeframe: Timeframe
    bar: Bar
    source: str  # vendor and feed, for example "alpaca/sip"
    received_at: datetime  # aware, UTC
    corrects: bool = False  # takes the place of one that was told before


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedUp:
    """The feed is connected and listening to every symbol. Bars before this instant may have been missed."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedDown:
    """The feed is lost, and why."""

    at: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingStatus:
    """A symbol's trading was halted, or goes on."""

    symbol: str
    halted: bool
    reason: str
    at: datetime


class LiveBars(Protocol):
    """One vendor's feed, with the user's key."""

    @property
    def source(self) -> str:
        """Vendor and feed, as each bar carries it."""
        ...

    async def history(
        self, symbols: Sequence[str], timeframe: Timeframe, start_at: datetime, end_at: datetime
    ) -> Mapping[str, Bars]:
        """Closed bars that open in [start_at, end_at), adjusted for splits; empty columns where there are none.

        A daily bar opens with its date on the exchange's clock. Whether a session is over the source does not say: ask
        for its daily bar after its close.
        Raises TryAgain when the vendor is not ready or its answer is incomplete; FixInput when it refuses.
        """
        ...

    def stream(self, symbols: Sequence[str]) -> AsyncIterator[LiveBar | FeedUp | FeedDown | TradingStatus]:
        """Minute bars as they close; reconnects by itself, and says so. Ends when the source is closed.

        Raises FixInput when the vendor refuses the key or the feed.
        """
        ...

    async def close(self) -> None: ...
