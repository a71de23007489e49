"""Live bars of one session: its history, then each bar as it closes, in order, with gaps filled from the history.

Minute bars come by the stream. Longer ones are asked for when their span is over, so that they are the very bars that
the vendor archives, and are told once. No bar is told before it has closed.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Coroutine, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Final

from magellan.engine import events as e
from magellan.errors import FixInput, MagellanError
from magellan.ports.live_bars import FeedDown, FeedUp, LiveBar, LiveBars, TradingStatus
from magellan.ports.pace import Pace, Tally
from magellan.trading.bar import Bar, Bars, instant, nanoseconds
from magellan.trading.session import ExchangeCalendar, day_number, exchange_date, exchange_midnight
from magellan.trading.timeframe import DAY_NS, MINUTE, Timeframe
from magellan.workspace.config import DataTerms

AFTER_A_BAR: Final = timedelta(seconds=1.5)  # until the vendor has put it together
AFTER_A_SESSION: Final = timedelta(minutes=5)  # until a daily bar holds the closing auction
FIRST_PAUSE: Final = timedelta(
    seconds=2
)  # before a bar that had not come is asked for again, doubled each time
ASKED_FOR: Final = timedelta(seconds=90)  # a bar that has not come by then had no trades
_GIVES_WAY: Final = 4  # turns of the loop at most: an order needs three to be on the wire

Put = Callable[[Callable[[datetime], e.Event]], None]
Begin = Callable[[Coroutine[object, object, None]], None]
At = Callable[[str, datetime, Callable[[], None]], None]


class BarsOfSession:
    """Bars of every symbol that a session reads.

    history_from: the first bar asked for; aware, UTC.
    put:          takes an event that wants to know the present.
    at:           calls back at an instant.
    begin:        carries out a coroutine beside.
    arrived:      told of every message, of those that no event follows from too.
    gives_way:    whether something is on its way out, which the next bar waits for.
    """

    def __init__(
        self,
        *,
        source: LiveBars,
        pace: Pace,
        calendar: ExchangeCalendar,
        terms: DataTerms,
        symbols: tuple[str, ...],
        history_from: datetime,
        put: Put,
        at: At,
        begin: Begin,
        arrived: Callable[[], None],
        gives_way: Callable[[], bool],
        tally: Tally,
    ) -> None:
        if terms.hours == "by-clock" or terms.clock == "utc":
            raise FixInput(
                f"data.hours {terms.hours} with data.clock {terms.clock} repeats old research, and is not traded",
                next_step="set data.hours to regular and data.clock to exchange",
            )
        self._source = source
        self._pace = pace
        self._calendar = calendar
        self._opens_ns: list[int] = calendar.opens_at_ns.tolist()
        self._closes_ns: list[int] = calendar.closes_at_ns.tolist()
        self._regular = terms.hours == "regular"
        self._timeframe = Timeframe.parse(terms.timeframe)
        self._symbols = symbols
        self._history_from = history_from
        self._put = put
        self._at = at
        self._begin = begin
        self._arrived = arrived
        self._gives_way = gives_way
        self._tally = tally
        self._newest_ns: dict[str, int] = {}  # start of the newest bar told, per symbol
        self._held: list[LiveBar] | None = []  # what the stream tells while older bars are being asked for
        self._questions = 0

    @property
    def asking(self) -> bool:
        """Whether an answer of the source is awaited."""
        return self._questions > 0

    async def history(self) -> Mapping[str, Bars]:
        """Closed bars of every symbol from the beginning. Raises what the source raises."""
        found = await self._source.history(
            self._symbols, self._timeframe, self._history_from, self._known_until(self._pace.now())
        )
        history = {symbol: self._taking_part(found[symbol]) for symbol in self._symbols}
        self._newest_ns = {
            symbol: int(bars.opened_at_ns[-1]) for symbol, bars in history.items() if len(bars)
        }
        return history

    def started(self) -> None:
        """The history has been told: go on with what has closed since."""
        if self._timeframe == MINUTE:
            self._begin(self._fill_gap())
        else:
            self._held = None
            self._put(lambda at: e.FeedUp(at=at, source=self._source.source))
            self._wait_for_next_end(self._pace.now())

    async def listen(self) -> None:
        """Take what the source's stream tells, until it ends. Raises FixInput when the source refuses."""
        if self._timeframe != MINUTE:
            return
        async for told in self._source.stream(self._symbols):
            match told:
                case LiveBar():
                    self._tally.bars += 1
                    self._arrived()
                    self._take(told)
                    # Whoever handles it comes first: bars of a burst wait where they are, and nothing waits for them.
                    await asyncio.sleep(0)
                    for _ in range(_GIVES_WAY):
                        if not self._gives_way():
                            break
                        await asyncio.sleep(0)
                case FeedUp():
                    self._put(lambda at: e.FeedUp(at=at, source=self._source.source))
                    if self._held is None:
                        self._held = []
                        self._begin(self._fill_gap())
                case FeedDown(why=why):
                    self._put(
                        lambda at, why=why: e.FeedDown(at=at, source=self._source.source, why=why)  # type: ignore[misc]
                    )
                case TradingStatus(symbol=symbol, halted=halted, reason=reason):
                    self._put(
                        lambda at, symbol=symbol, halted=halted, reason=reason: e.SymbolHalted(  # type: ignore[misc]
                            at=at, symbol=symbol, halted=halted, reason=reason
                        )
                    )

    # -- minute bars ---------------------------------------------------------------------------------------

    def _take(self, told: LiveBar) -> None:
        if self._held is not None:
            self._held.append(told)
        elif self._takes_part(told.bar):
            self._tell(told.symbol, told.bar, corrects=told.corrects)

    async def _fill_gap(self) -> None:
        """Tell what closed while nobody listened, then what the stream has told meanwhile."""
        await self._ask_and_tell(self._pace.now())
        held, self._held = self._held or [], None
        for told in held:
            self._take(told)

    def _tell(self, symbol: str, bar: Bar, *, corrects: bool = False) -> None:
        opened_at_ns = nanoseconds(bar.opened_at)
        source = self._source.source
        if corrects:
            self._put(lambda at: e.BarCorrected(at=at, symbol=symbol, bar=bar, source=source))
            return
        if opened_at_ns <= self._newest_ns.get(symbol, -1):
            return
        self._newest_ns[symbol] = opened_at_ns
        self._put(lambda at: e.BarClosed(at=at, symbol=symbol, bar=bar, source=source))

    # -- longer bars ---------------------------------------------------------------------------------------

    def _wait_for_next_end(self, now: datetime) -> None:
        end = self._next_end(now)
        pause = AFTER_A_SESSION if self._timeframe.is_daily else AFTER_A_BAR
        self._at("bars are due", end + pause, lambda: self._begin(self._ask_for(end, FIRST_PAUSE)))

    async def _ask_for(self, end: datetime, pause: timedelta) -> None:
        """Ask for bars that ended at `end`, again and again until every symbol's has come or had no trades."""
        await self._ask_and_tell(end)
        now = self._pace.now()
        waited = now - end
        missing = any(self._newest_ns.get(symbol, -1) < self._start_of(end) for symbol in self._symbols)
        grace = AFTER_A_SESSION if self._timeframe.is_daily else AFTER_A_BAR
        if missing and waited < ASKED_FOR + grace:
            self._at("bars are late", now + pause, lambda: self._begin(self._ask_for(end, 2 * pause)))
        else:
            self._wait_for_next_end(now)

    def _next_end(self, now: datetime) -> datetime:
        """When the next bar that takes part will have closed."""
        on = exchange_date(now)
        for days in range(30):
            hours = self._calendar.hours(on + timedelta(days=days))
            if hours is None:
                continue
            if self._timeframe.is_daily:
                if hours[1] > now:
                    return hours[1]
                continue
            for end in self._ends(hours, on + timedelta(days=days)):
                if end > now:
                    return end
        raise FixInput(
            f"calendar {self._calendar.name} holds no session in the 30 days from {on}",
            next_step="update exchange-calendars",
        )

    def _ends(self, hours: tuple[datetime, datetime], on: date) -> Iterator[datetime]:
        span_ns = self._timeframe.span_ns
        if self._regular:
            first_ns, last_ns = (nanoseconds(at) for at in hours)
        else:
            first_ns, last_ns = (nanoseconds(exchange_midnight(on + timedelta(days=days))) for days in (0, 1))
        start_ns = first_ns // span_ns * span_ns
        while start_ns < last_ns:
            start_ns += span_ns
            yield instant(start_ns)

    def _start_of(self, end: datetime) -> int:
        """Start of the bar that ended at `end`."""
        if self._timeframe.is_daily:
            return day_number(exchange_date(end)) * DAY_NS
        return nanoseconds(end) - self._timeframe.span_ns

    # -- both ----------------------------------------------------------------------------------------------

    async def _ask_and_tell(self, until: datetime) -> None:
        """Ask the source for every bar after the newest that has been told, and tell those in order of time."""
        self._questions += 1
        try:
            oldest_ns = min(
                (self._newest_ns.get(s, nanoseconds(self._history_from)) for s in self._symbols),
                default=nanoseconds(self._history_from),
            )
            found = await self._source.history(
                self._symbols, self._timeframe, instant(oldest_ns), self._known_until(until)
            )
        except MagellanError as error:
            why = error.message
            self._put(lambda at: e.FeedDown(at=at, source=self._source.source, why=why))
            return
        finally:
            self._questions -= 1
            self._arrived()  # also where nothing new was told: time waits for the answer
        rows = [
            (int(bars.opened_at_ns[row]), self._symbols.index(symbol), symbol, bars.bar(row))
            for symbol, bars in ((s, self._taking_part(found[s])) for s in self._symbols)
            for row in range(len(bars))
        ]
        for _, _, symbol, bar in sorted(rows, key=lambda each: each[:2]):
            self._tell(symbol, bar)

    def _known_until(self, now: datetime) -> datetime:
        """The end of what can have closed: a daily bar only after its session."""
        if not self._timeframe.is_daily:
            return now
        on = exchange_date(now)
        hours = self._calendar.hours(on)
        over = hours is not None and now >= hours[1]
        return exchange_midnight(on + timedelta(days=1) if over else on)

    def _taking_part(self, bars: Bars) -> Bars:
        return bars.rows(self._calendar.regular(bars)) if self._regular and len(bars) else bars

    def _takes_part(self, bar: Bar) -> bool:
        if not self._regular:
            return True
        at_ns = nanoseconds(bar.opened_at)
        at = bisect_right(self._closes_ns, at_ns)
        return at < len(self._closes_ns) and at_ns + self._timeframe.span_ns > self._opens_ns[at]
