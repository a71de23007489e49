"""The market that is shown, as a function of the instant that is asked about. Pure: no clock, no chance of its own."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache

import numpy as np

from magellan.archive.adjust import action_at
from magellan.exchange.market.asset import Asset
from magellan.exchange.market.bar_source import ArchivedBars, BarSource
from magellan.exchange.market.halt import Halt
from magellan.exchange.market.instant import Instant, InstantKind
from magellan.exchange.market.live_bar import LiveBar
from magellan.exchange.market.quote import Quote
from magellan.exchange.market.spread import SpreadModel
from magellan.exchange.market.trading_day import TradingDay, trading_day
from magellan.exchange.market.trading_hours import Session, TradingHours, day_of, day_start_ns
from magellan.trading.bar import Bars, nanoseconds
from magellan.trading.corporate_action import CorporateAction
from magellan.trading.session import ExchangeCalendar, day_date, day_number
from magellan.trading.timeframe import DAY_NS, SECOND_NS, Timeframe

CLOSE_BEFORE_END_NS = 1_000_000  # the CLOSE instant lies this long before a bar's end
QUOTE_STEP_NS = SECOND_NS  # a quote is made at every whole second


class Market:
    """Bars, prices, quotes, sessions and happenings. Nothing after `now_ns` shows in any answer, except in `bar`.

    `bar` returns the whole bar that trades now, its close included: it is for matching, never for clients.
    All instants are nanoseconds UTC. Methods raise KeyError for a symbol that `asset` does not know.
    """

    def __init__(
        self,
        source: BarSource | Mapping[str, Bars],
        calendar: ExchangeCalendar,
        *,
        assets: Iterable[Asset] = (),
        actions: Iterable[CorporateAction] = (),
        spread: SpreadModel | None = None,
        seed: int = 0,
    ) -> None:
        """source: bars stamped with the times at which they are shown; calendar: covers them.

        assets:  terms of symbols that are not ordinary shares. actions: of any symbols, on the same time line.
        seed:    of quotes and sizes; bars have their own.
        """
        self._source = ArchivedBars(source) if isinstance(source, Mapping) else source
        self.symbols: tuple[str, ...] = self._source.symbols
        self.timeframe: Timeframe = self._source.timeframe
        self.calendar = calendar
        self.hours = TradingHours(calendar)
        self._order = {symbol: place for place, symbol in enumerate(self.symbols)}
        self._assets = {symbol: Asset.equity(symbol) for symbol in self.symbols}
        self._assets.update({asset.symbol: asset for asset in assets})
        self._actions = tuple(sorted(actions, key=action_at))
        self._halts: list[Halt] = []
        self._spread = spread or SpreadModel(seed=seed)
        self._day = lru_cache(maxsize=64 * max(4, len(self.symbols)))(self._laid_out)
        self._instants_of = lru_cache(maxsize=8)(self._day_instants)

    # -- what trades ---------------------------------------------------------------------------------------

    def asset(self, symbol: str) -> Asset | None:
        """The terms of a symbol; None for one that does not exist here."""
        return self._assets.get(symbol)

    def assets(self) -> Sequence[Asset]:
        """Every asset, in the market's order."""
        return tuple(self._assets.values())

    # -- prices --------------------------------------------------------------------------------------------

    def bar(self, symbol: str, now_ns: int) -> LiveBar | None:
        """The bar whose span holds now, whole. None: nothing trades now."""
        return self._day(symbol, day_of(now_ns)).at(now_ns)

    def price(self, symbol: str, now_ns: int) -> float | None:
        """The path price now; the last close when there is no bar now; None before the first bar."""
        live = self.bar(symbol, now_ns)
        if live is not None:
            return live.price(now_ns, float(self._assets[symbol].tick))
        last = self._last_closed(symbol, now_ns)
        return None if last is None else last.close

    def quote(self, symbol: str, now_ns: int) -> Quote | None:
        """The newest quote: around the path price of the last whole second, or around the last close."""
        live = self.bar(symbol, now_ns)
        tick = float(self._assets[symbol].tick)
        if live is not None:
            at_ns = max(live.start_ns, now_ns - now_ns % QUOTE_STEP_NS)
            return self._spread.quote(symbol, live.price(at_ns, tick), tick, at_ns)
        last = self._last_closed(symbol, now_ns)
        if last is None:
            return None
        return self._spread.quote(symbol, last.close, tick, last.end_ns - CLOSE_BEFORE_END_NS)

    def previous_close(self, symbol: str, now_ns: int) -> float | None:
        """The last regular close of the session before the newest one that has begun; None before it."""
        started = self.hours.last_session(now_ns)
        if started is None:
            return None
        day = day_number(started.on)
        for _ in range(_LOOK_BACK_DAYS):
            day -= 1
            laid = self._day(symbol, day_date(day))
            regular = np.flatnonzero(laid.regular)
            if len(regular):
                return float(laid.bars.close[regular[-1]])
        return None

    # -- sessions ------------------------------------------------------------------------------------------

    def is_open(self, now_ns: int) -> bool:
        """Whether an instant lies in a regular session of the exchange (crypto trades always)."""
        return self.hours.session_at(now_ns) is not None

    def session(self, on: date) -> Session | None:
        """The session of a date; None when the exchange is closed. Raises FixInput outside the calendar."""
        return self.hours.session(on)

    def next_open(self, now_ns: int) -> int:
        """The first opening after now."""
        return self.hours.next_open_ns(now_ns)

    def next_close(self, now_ns: int) -> int:
        """The first closing after now."""
        return self.hours.next_close_ns(now_ns)

    # -- what happens --------------------------------------------------------------------------------------

    def instants(self, after_ns: int, until_ns: int) -> Iterator[Instant]:
        """Everything that happens in (after_ns, until_ns], in the order of work, to the calendar's end."""
        last_day = min(day_number(day_of(until_ns)), int(self.calendar.session_on[-1]))
        carried: list[Instant] = []
        for day in range(day_number(day_of(after_ns)), last_day + 1):
            ends_ns = day_start_ns(day_date(day + 1))
            happening = self._instants_of(day_date(day))
            if carried:
                happening = tuple(sorted((*carried, *happening), key=_order_of_work))
                carried = []
            for instant in happening[bisect_right(happening, after_ns, key=_at_ns) :]:
                if instant.at_ns > until_ns:
                    return
                if instant.at_ns > ends_ns:
                    carried.append(instant)
                else:
                    yield instant

    def actions(self, symbol: str, after_ns: int, until_ns: int) -> tuple[CorporateAction, ...]:
        """Corporate actions of a symbol that count from an instant in (after_ns, until_ns], oldest first."""
        return tuple(
            action
            for action in self._actions
            if action.symbol == symbol and after_ns < nanoseconds(action_at(action)) <= until_ns
        )

    def halted(self, symbol: str, now_ns: int) -> Halt | None:
        """The halt that a symbol is under now."""
        return next((each for each in self._halts if each.symbol == symbol and each.covers(now_ns)), None)

    def halt(self, halt: Halt) -> None:
        """Add a halt; a fault plan or the control API calls this."""
        self._halts.append(halt)

    # -- inside --------------------------------------------------------------------------------------------

    def _last_closed(self, symbol: str, now_ns: int) -> LiveBar | None:
        day = day_number(day_of(now_ns))
        for back in range(_LOOK_BACK_DAYS):
            last = self._day(symbol, day_date(day - back)).last_closed(now_ns)
            if last is not None:
                return last
        return None

    def _laid_out(self, symbol: str, on: date) -> TradingDay:
        if self.timeframe.is_daily:
            label_ns = day_number(on) * DAY_NS
            bars = self._source.bars(symbol, label_ns, label_ns + 1)
        else:
            bars = self._source.bars(symbol, day_start_ns(on), day_start_ns(on + timedelta(days=1)))
        covered = self.calendar.session_on[0] <= day_number(on) <= self.calendar.session_on[-1]
        return trading_day(bars, self.hours.session(on) if covered else None)

    def _day_instants(self, on: date) -> tuple[Instant, ...]:
        """What begins on one date of the exchange's clock, in the order of work."""
        starting: dict[tuple[int, int], list[str]] = {}
        for symbol in self.symbols:
            day = self._day(symbol, on)
            for span in zip(day.start_ns.tolist(), day.end_ns.tolist(), strict=True):
                starting.setdefault(span, []).append(symbol)
        found = [Instant(at_ns=day_start_ns(on), kind=InstantKind.DAY_CHANGE, symbols=())]
        session = self.hours.session(on)
        if session is not None:
            found.append(Instant(at_ns=session.opens_at_ns, kind=InstantKind.SESSION_OPEN, symbols=()))
            found.append(Instant(at_ns=session.closes_at_ns, kind=InstantKind.SESSION_CLOSE, symbols=()))
        shared: dict[tuple[str, ...], tuple[str, ...]] = {}
        for (start_ns, end_ns), symbols in starting.items():
            named = tuple(symbols)
            named = shared.setdefault(named, named)
            middle_ns = start_ns + (end_ns - start_ns) // 2
            found.append(Instant(at_ns=start_ns, kind=InstantKind.OPEN, symbols=named))
            found.append(Instant(at_ns=middle_ns, kind=InstantKind.RANGE, symbols=named))
            found.append(Instant(at_ns=end_ns - CLOSE_BEFORE_END_NS, kind=InstantKind.CLOSE, symbols=named))
            found.append(Instant(at_ns=end_ns, kind=InstantKind.BAR_CLOSED, symbols=named))
        return tuple(sorted(found, key=_order_of_work))


_LOOK_BACK_DAYS = 14  # no pause of an exchange is longer; the longest since 1970 was seven days, in 2001


def _at_ns(instant: Instant) -> int:
    return instant.at_ns


def _order_of_work(instant: Instant) -> tuple[int, int, tuple[str, ...]]:
    return instant.at_ns, instant.kind, instant.symbols
