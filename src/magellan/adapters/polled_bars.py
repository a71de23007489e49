"""Live bars from a vendor that streams none to us: asked for again shortly after each minute has closed.

What comes is what the vendor tells then. A bar that appears late, or that the vendor corrects within a few minutes, is
told when it is seen; one that never appears is found missing by whoever reads (`usecases/live_bars.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final

from magellan.archive.dataset import Adjustment, DateRange
from magellan.errors import TryAgain
from magellan.ports.live_bars import FeedDown, FeedUp, LiveBar
from magellan.ports.vendor import BarVendor
from magellan.trading.bar import Bar, Bars, joined, nanoseconds
from magellan.trading.session import exchange_date, exchange_offset_ns
from magellan.trading.timeframe import MINUTE, Timeframe

_LOOKS_BACK: Final = timedelta(minutes=10)  # for bars that come late, and for corrections
_FIRST_PAUSE_S: Final = 5.0
_LONGEST_PAUSE_S: Final = 60.0

Told = LiveBar | FeedUp | FeedDown


class PolledBars:
    """Keeps `ports.live_bars.LiveBars` over a vendor that `data fetch` knows, with bars adjusted for splits.

    delay_s: how long after a minute's end the vendor usually has its bar.
    """

    def __init__(
        self,
        vendor: BarVendor,
        *,
        delay_s: float,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._vendor = vendor
        self._delay = timedelta(seconds=delay_s)
        self._clock = clock
        self._sleep = sleep
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"{vendor.name}-bars")
        self._waiting: asyncio.Future[None] | None = None
        self._is_closed = False

    @property
    def source(self) -> str:
        """See the port."""
        set_id = self._vendor.set_id("ANY", MINUTE, feed=None, adjustment=Adjustment.SPLIT, hours=None)
        return f"{set_id.vendor}/{set_id.feed}"

    async def history(
        self, symbols: Sequence[str], timeframe: Timeframe, start_at: datetime, end_at: datetime
    ) -> Mapping[str, Bars]:
        """See the port. One request per symbol, or several where the vendor gives little at once."""
        loop = asyncio.get_running_loop()
        return {
            symbol: await loop.run_in_executor(
                self._pool, self._read, symbol, timeframe, start_at, min(end_at, self._clock())
            )
            for symbol in symbols
        }

    async def stream(self, symbols: Sequence[str]) -> AsyncIterator[Told]:
        """See the port. The first answer tells where the feed stands; bars are told from the second on."""
        told: dict[str, dict[int, Bar]] = {}  # by symbol and start, of the last minutes
        is_up, failures = False, 0
        while not self._is_closed:
            now = self._clock()
            try:
                found = await self.history(symbols, MINUTE, now - _LOOKS_BACK, now)
            except TryAgain as error:
                failures += 1
                is_up = False
                yield FeedDown(at=self._clock(), why=error.message)
                await self._pause(min(_FIRST_PAUSE_S * 2 ** (failures - 1), _LONGEST_PAUSE_S))
                continue
            failures = 0
            newly = {symbol: _by_start(bars) for symbol, bars in found.items()}
            if is_up:
                for each in self._changes(told, newly):
                    yield each
            else:
                is_up = True
                yield FeedUp(at=self._clock())
            told = newly
            await self._pause((_next_minute(self._clock()) + self._delay - self._clock()).total_seconds())

    async def close(self) -> None:
        """See the port."""
        self._is_closed = True
        if self._waiting is not None:
            self._waiting.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _read(self, symbol: str, timeframe: Timeframe, start_at: datetime, end_at: datetime) -> Bars:
        set_id = self._vendor.set_id(symbol, timeframe, feed=None, adjustment=Adjustment.SPLIT, hours=None)
        first_on, last_on = exchange_date(start_at), exchange_date(end_at)
        at_once = timedelta(days=self._vendor.days_per_request(timeframe) - 1)
        found = []
        while first_on <= last_on:
            until = min(first_on + at_once, last_on)
            found.append(self._vendor.bars(set_id, DateRange(first_on=first_on, last_on=until)))
            first_on = until + timedelta(days=1)
        bars = joined(found)
        opened_at_ns = bars.opened_at_ns
        if timeframe.is_daily:  # labelled with UTC's midnight, and opened at the exchange's
            opened_at_ns = opened_at_ns - exchange_offset_ns(opened_at_ns)
            closed = opened_at_ns < nanoseconds(end_at)
        else:  # the running bar is sent like a closed one
            closed = opened_at_ns + timeframe.span_ns <= nanoseconds(end_at)
        return bars.rows((opened_at_ns >= nanoseconds(start_at)) & closed).checked()

    def _changes(
        self, told: Mapping[str, Mapping[int, Bar]], newly: Mapping[str, Mapping[int, Bar]]
    ) -> Iterator[LiveBar]:
        """What is new, and what differs from what was told: by time, then in the order of symbols."""
        rows = [
            (start_ns, place, symbol, bar, start_ns in told[symbol])
            for place, (symbol, bars) in enumerate(newly.items())
            for start_ns, bar in bars.items()
            if told[symbol].get(start_ns) != bar
        ]
        for _, _, symbol, bar, corrects in sorted(rows, key=lambda row: row[:2]):
            yield LiveBar(
                symbol=symbol,
                timeframe=MINUTE,
                bar=bar,
                source=self.source,
                received_at=self._clock(),
                corrects=corrects,
            )

    async def _pause(self, seconds: float) -> None:
        self._waiting = asyncio.ensure_future(self._sleep(max(seconds, 0.0)))
        await asyncio.wait([self._waiting])


def _by_start(bars: Bars) -> dict[int, Bar]:
    return {int(bars.opened_at_ns[row]): bars.bar(row) for row in range(len(bars))}


def _next_minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0) + timedelta(minutes=1)
