"""Kept history: the bars that an instance has read while it stood by, so that taking over need not wait for them.

Ten days of minute bars of eight symbols are most of what a session waits for when it begins. An instance that stands by
reads them ahead, and again every quarter of an hour; its session asks for what is newer, and for the last hours again,
in which a vendor may have corrected something. Where those do not agree with what was kept, as on the morning of a
split, everything is asked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from magellan.ports.live_bars import FeedDown, FeedUp, LiveBar, LiveBars, TradingStatus
from magellan.trading.bar import Bars, joined
from magellan.trading.timeframe import Timeframe

READ_EVERY: Final = timedelta(minutes=15)
_KEPT_FOR: Final = timedelta(minutes=30)
_ASKED_AGAIN: Final = timedelta(hours=2)
_SPANS_ASKED_AGAIN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    source: str
    timeframe: Timeframe
    start_at: datetime
    end_at: datetime
    bars: Mapping[str, Bars]


class KeptHistory:
    """Of one process. Sources of one session after the other are asked through `over`."""

    def __init__(self) -> None:
        self._kept: _Kept | None = None

    def over(self, source: LiveBars) -> LiveBars:
        """The source, asked for as little of its history as is not known."""
        return _AskedForLess(source, self)

    async def history(
        self,
        source: LiveBars,
        symbols: Sequence[str],
        timeframe: Timeframe,
        start_at: datetime,
        end_at: datetime,
    ) -> Mapping[str, Bars]:
        """As the source would tell it, and kept. Raises what the source raises."""
        bars = await self._with_newer(source, symbols, timeframe, start_at, end_at)
        if bars is None:
            bars = await source.history(symbols, timeframe, start_at, end_at)
        self._kept = _Kept(
            source=source.source, timeframe=timeframe, start_at=start_at, end_at=end_at, bars=bars
        )
        return bars

    async def _with_newer(
        self,
        source: LiveBars,
        symbols: Sequence[str],
        timeframe: Timeframe,
        start_at: datetime,
        end_at: datetime,
    ) -> Mapping[str, Bars] | None:
        """What is kept and what is newer; None: everything has to be asked for."""
        kept = self._kept
        if (
            kept is None
            or (kept.source, kept.timeframe) != (source.source, timeframe)
            or not set(symbols) <= kept.bars.keys()
            or not kept.start_at <= start_at
            or not kept.end_at <= end_at <= kept.end_at + _KEPT_FOR
        ):
            return None
        span = timedelta(microseconds=timeframe.span_ns / 1000)
        from_at = max(start_at, kept.end_at - max(_ASKED_AGAIN, _SPANS_ASKED_AGAIN * span))
        newer = await source.history(symbols, timeframe, from_at, end_at)
        if not all(_agree(kept.bars[each], newer[each], from_at) for each in symbols):
            return None
        return {each: joined([kept.bars[each].between(start_at, from_at), newer[each]]) for each in symbols}


@dataclass(frozen=True, slots=True)
class _AskedForLess:
    """Keeps `ports.live_bars.LiveBars`."""

    told: LiveBars
    kept: KeptHistory

    @property
    def source(self) -> str:
        return self.told.source

    async def history(
        self, symbols: Sequence[str], timeframe: Timeframe, start_at: datetime, end_at: datetime
    ) -> Mapping[str, Bars]:
        return await self.kept.history(self.told, symbols, timeframe, start_at, end_at)

    def stream(self, symbols: Sequence[str]) -> AsyncIterator[LiveBar | FeedUp | FeedDown | TradingStatus]:
        return self.told.stream(symbols)

    async def close(self) -> None:
        await self.told.close()


def _agree(kept: Bars, newer: Bars, from_at: datetime) -> bool:
    """Whether what was kept from that instant on is told again as it was. Its last bar may have been running still.

    Without a bar that both tell, as in the night, nothing shows that prices still mean the same.
    """
    again = kept.between(from_at, None)
    rows = len(again) - 1
    if rows < 1:
        return len(kept) == 0
    return len(newer) >= rows and all(
        np.array_equal(getattr(again, name)[:rows], getattr(newer, name)[:rows])
        for name in ("opened_at_ns", "open", "high", "low", "close", "volume")
    )
