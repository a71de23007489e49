"""The market that is shown, as a function of the instant that is asked about. Pure: no clock, no chance of its own."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import lru_cache

import numpy as np

from magellan.archive.adjust import action_at
from magellan.exchange.market.adjustment import RAW, Adjustment, adjust
from magellan.exchange.market.asset import Asset, AssetClass
from magellan.exchange.market.bar_source import ArchivedBars, BarSource
from magellan.exchange.market.bar_span import BarSpan, SpanUnit, midnights
from magellan.exchange.market.halt import Halt
from magellan.exchange.market.instant import Instant, InstantKind
from magellan.exchange.market.live_bar import LiveBar
from magellan.exchange.market.option_board import OptionBoard, OptionState
from magellan.exchange.market.price_band import REFERENCE_NS, PriceBand, price_band
from magellan.exchange.market.published_bar import PublishedBar, PublishedDay
from magellan.exchange.market.quote import Quote
from magellan.exchange.market.shown_bars import ShownBars, put_together, shown
from magellan.exchange.market.spread import SpreadModel
from magellan.exchange.market.tape import CLOSE_BEFORE_END_NS, DayTape, day_tape
from magellan.exchange.market.trading_day import TradingDay, trading_day
from magellan.exchange.market.trading_hours import Session, TradingHours, day_of, day_start_ns
from magellan.trading.bar import Bars, Floats, Instants, Mask, joined, nanoseconds
from magellan.trading.corporate_action import CorporateAction
from magellan.trading.session import ExchangeCalendar, day_date, day_number
from magellan.trading.timeframe import DAY_NS, SECOND_NS, Timeframe

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
        self._assets = {symbol: _ordinary(symbol) for symbol in self.symbols}
        self._assets.update({asset.symbol: asset for asset in assets})
        classes = {symbol: self._assets[symbol].asset_class for symbol in self.symbols}
        self._pairs = frozenset(each for each in classes if classes[each] is AssetClass.CRYPTO)
        shares = frozenset(each for each in classes if classes[each] is AssetClass.US_EQUITY)
        self.options = OptionBoard(shares, seed)
        self._actions = tuple(sorted(actions, key=action_at))
        self._halts: list[Halt] = []
        self._live: dict[str, LiveBar] = {}  # the newest of each symbol that was asked for
        self._quiet_ns = (0, 0)  # from the first to before the second of these, nothing happens
        self._spread = spread or SpreadModel(seed=seed)
        self._day = lru_cache(maxsize=64 * max(4, len(self.symbols)))(self._laid_out)
        self._option_day = lru_cache(maxsize=4096)(self._priced_day)
        self._option_terms = lru_cache(maxsize=4096)(self.options.asset)
        self._quote_at = lru_cache(maxsize=8 * max(4, len(self.symbols)))(self._live_quote)
        self._tape = lru_cache(maxsize=256)(self._day_tape)
        self._published = lru_cache(maxsize=8 * max(4, len(self.symbols)))(self._published_day)
        self._instants_of = lru_cache(maxsize=8)(self._day_instants)

    @property
    def first_ns(self) -> int:
        """No bar is labelled earlier."""
        return self._source.first_ns

    # -- what trades ---------------------------------------------------------------------------------------

    def asset(self, symbol: str) -> Asset | None:
        """The terms of a symbol, an option contract's too; None for one that does not exist here."""
        return self._assets.get(symbol) or self.options.asset(symbol)

    def assets(self) -> Sequence[Asset]:
        """Every asset but option contracts, in the market's order."""
        return tuple(self._assets.values())

    # -- prices --------------------------------------------------------------------------------------------

    def bar(self, symbol: str, now_ns: int) -> LiveBar | None:
        """The bar whose span holds now, whole. None: nothing trades now."""
        known = self._live.get(symbol)
        if known is not None and known.start_ns <= now_ns < known.end_ns:
            return known
        found = self._day(symbol, day_of(now_ns)).at(now_ns)
        if found is not None:
            self._live[symbol] = found
        return found

    def price(self, symbol: str, now_ns: int) -> float | None:
        """The path price now; the last close when there is no bar now; None before the first bar."""
        live = self.bar(symbol, now_ns)
        if live is not None:
            return live.price(now_ns, self._tick(symbol))
        last = self._last_closed(symbol, now_ns)
        return None if last is None else last.close

    def quote(self, symbol: str, now_ns: int) -> Quote | None:
        """The newest quote: around the path price of the last whole second, or around the last close."""
        live = self.bar(symbol, now_ns)
        if live is not None:
            return self._quote_at(symbol, max(live.start_ns, now_ns - now_ns % QUOTE_STEP_NS))
        last = self._last_closed(symbol, now_ns)
        if last is None:
            return None
        return self._quoted(symbol, last.close, last.end_ns - CLOSE_BEFORE_END_NS)

    def previous_close(self, symbol: str, now_ns: int) -> float | None:
        """The last close of the session before the one that trades now or, between sessions, traded last.

        A session trades from its first minute before the open on. None before the second session.
        """
        if self._never_closes(symbol):
            before = self.newest_days(symbol, now_ns - now_ns % DAY_NS, 1)
            return before[0].close if before else None
        started = self.hours.extended_session_at(now_ns) or self.hours.last_session(now_ns)
        if started is None:
            return None
        day = day_number(started.on)
        for back in range(1, _LOOK_BACK_DAYS):
            bars = self._regular_bars(symbol, day_date(day - back))
            if len(bars):
                return float(bars.close[-1])
        return None

    def closed_bars(
        self,
        symbol: str,
        span: BarSpan,
        start_ns: int,
        end_ns: int,
        now_ns: int,
        adjustment: Adjustment = RAW,
        extended: bool = True,
        volume_share: float = 1.0,
    ) -> ShownBars:
        """Bars whose span starts in [start_ns, end_ns], put together from the bars that have closed by now.

        So the newest one may be a part of its span, and none shows what has not happened. A day's prices are
        those of its regular session, its volume that of all hours; weeks and months are made of days. Spans that
        are finer than this market's bars have none.

        extended:     whether intraday bars hold trades outside the regular session.
        volume_share: the part of the volume that a feed sees, in (0, 1]; bars without any are left out.
        """
        utc = self._never_closes(symbol)
        first_ns = max(start_ns, self._source.first_ns)
        last_ns = min(end_ns, now_ns)
        if last_ns < first_ns or self._is_finer(span):
            return _shown_columns(symbol, self._bars_of(symbol, 0, 0), self._tick(symbol), self._lot(symbol))
        edges = span.labels(np.array([first_ns, last_ns], dtype=np.int64), utc=utc).tolist()
        # A daily bar is labelled with midnight UTC, which is another instant than the midnight it is shown at.
        margin_ns = DAY_NS if self.timeframe.is_daily else 0
        bars = self._bars_of(symbol, edges[0] - margin_ns, span.next_label(edges[1], utc=utc) + margin_ns)
        ends_ns, regular = self._ends(symbol, bars)
        closed = ends_ns <= now_ns
        bars, regular = bars.rows(closed), regular[closed]
        bars = self._adjusted(bars, adjustment, now_ns)
        if volume_share < 1.0:
            lot = self._lot(symbol)
            seen = _seen(bars.volume, volume_share, lot)
            bars, regular = replace(bars, volume=seen).rows(seen > 0.0), regular[seen > 0.0]
        columns = _shown_columns(symbol, bars, self._tick(symbol), self._lot(symbol))
        if bars.timeframe.is_daily:
            columns = columns.relabelled(midnights(bars.opened_at_ns // DAY_NS, utc=utc))
            whole = put_together(columns, span, utc=utc)
        elif span.is_intraday:
            whole = put_together(columns if extended else columns.chosen(regular), span, utc=utc)
        else:
            whole = put_together(_days(columns, regular, utc), span, utc=utc)
        inside = (whole.label_ns >= start_ns) & (whole.label_ns <= end_ns)
        return whole.chosen(inside)

    def newest_days(
        self, symbol: str, now_ns: int, count: int, volume_share: float = 1.0
    ) -> tuple[PublishedBar, ...]:
        """The newest days that have begun to trade, oldest first, each as far as it has come; fewer where none are."""
        return self._newest(symbol, now_ns, count, volume_share, days_so_far=True)

    def newest_bar(self, symbol: str, now_ns: int, volume_share: float = 1.0) -> PublishedBar | None:
        """The newest bar that has closed, as it was published; None before the first."""
        found = self._newest(symbol, now_ns, 1, volume_share, days_so_far=False)
        return found[0] if found else None

    def published_bars(
        self,
        symbols: Iterable[str],
        closed_ns: int,
        volume_share: Callable[[str], float],
        *,
        days_so_far: bool = False,
    ) -> Iterator[tuple[str, PublishedBar]]:
        """The bars that close at an instant, as they are published then, where anything was seen.

        volume_share: what the feed sees of each symbol's volume. days_so_far: instead of each bar, its day up to
        its close; none before the regular session has traded.
        """
        # What closes at midnight belongs to the day that ends.
        exchange_on, utc_on = day_of(closed_ns - 1), day_date((closed_ns - 1) // DAY_NS)
        published = self._published
        for symbol in symbols:
            on = utc_on if symbol in self._pairs else exchange_on
            bar = published(symbol, on, volume_share(symbol)).at(closed_ns, days_so_far)
            if bar is not None:
                yield symbol, bar

    def ticks(self, symbol: str, on: date, volume_share: float = 1.0) -> DayTape:
        """All trades of a date on the exchange's clock, those still to come included: cut them at `now`."""
        return self._tape(symbol, on, volume_share)

    def last_trade(
        self, symbol: str, now_ns: int, volume_share: float = 1.0
    ) -> tuple[int, float, float, int] | None:
        """Instant, price, size and number of the newest trade; None before the first."""
        day = day_number(day_of(now_ns))
        for back in range(_LOOK_BACK_DAYS):
            tape = self._tape(symbol, day_date(day - back), volume_share)
            place = int(np.searchsorted(tape.at_ns, now_ns, side="right")) - 1
            if place >= 0:
                price, size = float(tape.price[place]), float(tape.size[place])
                return int(tape.at_ns[place]), price, size, int(tape.number[place])
        return None

    def quotes(self, symbol: str, start_ns: int, end_ns: int, descending: bool = False) -> Iterator[Quote]:
        """Every quote of [start_ns, end_ns]: one at each whole second in which the symbol trades."""
        dates = _dates(max(start_ns, self.first_ns), end_ns, descending)
        for on in dates:
            day = self._day(symbol, on)
            rows = range(len(day.bars) - 1, -1, -1) if descending else range(len(day.bars))
            for row in rows:
                first_ns, last_ns = int(day.start_ns[row]), int(day.end_ns[row]) - 1
                if last_ns < start_ns or first_ns > end_ns:
                    continue
                live = day.row(row)
                tick = self._tick(symbol)
                for at_ns in _seconds(max(first_ns, start_ns), min(last_ns, end_ns), first_ns, descending):
                    yield self._quoted(symbol, live.price(at_ns, tick), at_ns)

    def band(self, symbol: str, now_ns: int) -> PriceBand | None:
        """The price band of a share; None outside the regular session, and before five minutes of it are known."""
        session = self.hours.session_at(now_ns)
        if session is None or self._never_closes(symbol) or self.timeframe.span_ns > REFERENCE_NS:
            return None
        span = BarSpan(1, SpanUnit.MINUTE)
        recent = self.closed_bars(symbol, span, now_ns - REFERENCE_NS, now_ns, now_ns, extended=False)
        if len(recent) == 0:
            return None
        at_ns = int(recent.label_ns[-1]) + self.timeframe.span_ns
        return price_band(float(recent.vwap.mean()), at_ns, session.closes_at_ns)

    def option_state(self, symbol: str, now_ns: int) -> OptionState | None:
        """Implied volatility and greeks of a contract; None before its share has a price, and after it expired."""
        contract = self.options.contract(symbol)
        if contract is None or now_ns >= self.options.expires_ns(contract):
            return None
        spot = self.price(contract.underlying, now_ns)
        last = self.bar(contract.underlying, now_ns) or self._last_closed(contract.underlying, now_ns)
        if spot is None or last is None:
            return None
        day = self._regular_bars(contract.underlying, day_of(last.start_ns))
        # The day's volatility is known from its first regular trade on; before that, the newest price has to do.
        begun = len(day) > 0 and int(day.opened_at_ns[0]) <= last.start_ns
        day_open = float(day.open[0]) if begun else spot
        return self.options.state(contract, spot, day_open, now_ns)

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
        quiet_from_ns, quiet_until_ns = self._quiet_ns
        if quiet_from_ns <= after_ns and until_ns < quiet_until_ns:
            return iter(())
        return self._happening(after_ns, until_ns)

    def _happening(self, after_ns: int, until_ns: int) -> Iterator[Instant]:
        last_day = min(day_number(day_of(until_ns)), int(self.calendar.session_on[-1]))
        carried: list[Instant] = []
        for day in range(day_number(day_of(after_ns)), last_day + 1):
            ends_ns = day_start_ns(day_date(day + 1))
            happening = self._instants_of(day_date(day))
            if carried:
                happening = tuple(sorted((*carried, *happening), key=_order_of_work))
                carried = []
            for place in range(bisect_right(happening, after_ns, key=_at_ns), len(happening)):
                instant = happening[place]
                if instant.at_ns > until_ns:
                    if not carried:
                        self._quiet_ns = (until_ns, min(instant.at_ns, ends_ns))
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
        covered = self.calendar.session_on[0] <= day_number(on) <= self.calendar.session_on[-1]
        session = self.hours.session(on) if covered and not self._never_closes(symbol) else None
        return trading_day(self._bars_on(symbol, on), session)

    def _bars_on(self, symbol: str, on: date) -> Bars:
        if self.timeframe.is_daily:
            label_ns = day_number(on) * DAY_NS
            return self._bars_of(symbol, label_ns, label_ns + 1)
        return self._bars_of(symbol, day_start_ns(on), day_start_ns(on + timedelta(days=1)))

    def _bars_of(self, symbol: str, start_ns: int, end_ns: int) -> Bars:
        """Whole bars whose label lies in [start_ns, end_ns), of an option too."""
        if symbol in self._order:
            return self._source.bars(symbol, start_ns, end_ns)
        contract = self.options.contract(symbol)
        if contract is None:
            raise KeyError(symbol)
        if end_ns <= start_ns:
            return replace(self._source.bars(contract.underlying, 0, 0), symbol=symbol)
        # A contract's volatility is set for a day by its share's first price, so days are priced one by one.
        days = range(day_number(day_of(start_ns)), day_number(day_of(end_ns - 1)) + 1)
        priced = [self._option_day(symbol, day_date(day)) for day in days]
        whole = joined([bars for bars in priced if len(bars)] or priced[:1])
        low, high = np.searchsorted(whole.opened_at_ns, (start_ns, end_ns)).tolist()
        return whole.rows(slice(low, max(low, high)))

    def _priced_day(self, symbol: str, on: date) -> Bars:
        contract = self.options.contract(symbol)
        assert contract is not None, f"{symbol} was recognised as an option before"
        return self.options.bars(contract, self._regular_bars(contract.underlying, on))

    def _day_tape(self, symbol: str, on: date, volume_share: float) -> DayTape:
        day = self._day(symbol, on)
        volume = day.bars.volume
        if volume_share < 1.0:
            volume = _seen(volume, volume_share, self._lot(symbol))
        return day_tape(day, volume, self._tick(symbol), self._lot(symbol))

    def _newest(
        self, symbol: str, now_ns: int, count: int, volume_share: float, *, days_so_far: bool
    ) -> tuple[PublishedBar, ...]:
        on = day_date(now_ns // DAY_NS) if self._never_closes(symbol) else day_of(now_ns)
        found: list[PublishedBar] = []
        for back in range(count + _LOOK_BACK_DAYS):
            day = self._published(symbol, on - timedelta(days=back), volume_share)
            newest = day.newest(now_ns, days_so_far)
            if newest is not None:
                found.insert(0, newest)
            if len(found) == count:
                break
        return tuple(found)

    def _published_day(self, symbol: str, on: date, volume_share: float) -> PublishedDay:
        if self._never_closes(symbol):
            label_ns = day_number(on) * DAY_NS
            day = trading_day(self._bars_of(symbol, label_ns, label_ns + DAY_NS), None)
        else:
            label_ns = day_start_ns(on)
            day = self._day(symbol, on)
        volume = day.bars.volume
        if volume_share < 1.0:
            volume = _seen(volume, volume_share, self._lot(symbol))
        bars = replace(day.bars, volume=volume)
        columns = _shown_columns(symbol, bars, self._tick(symbol), self._lot(symbol))
        if self.timeframe.is_daily:
            columns = columns.relabelled(np.full(len(bars), label_ns, dtype=np.int64))
        return PublishedDay(columns, day.end_ns, day.regular, label_ns)

    def _regular_bars(self, symbol: str, on: date) -> Bars:
        day = self._day(symbol, on)
        return day.bars.rows(day.regular)

    def _is_finer(self, span: BarSpan) -> bool:
        return span.is_intraday and span.span_ns < self.timeframe.span_ns

    def _ends(self, symbol: str, bars: Bars) -> tuple[Instants, Mask]:
        """When each bar closes, and whether it belongs to a regular session."""
        everything = np.ones(len(bars), dtype=bool)
        span_ns = bars.timeframe.span_ns
        if self._never_closes(symbol) or len(bars) == 0:
            return bars.opened_at_ns + span_ns, everything
        opens_ns, closes_ns = self.calendar.opens_at_ns, self.calendar.closes_at_ns
        if bars.timeframe.is_daily:
            at = np.searchsorted(self.calendar.session_on, bars.opened_at_ns // DAY_NS)
            return closes_ns[np.minimum(at, len(closes_ns) - 1)], everything
        at = np.minimum(np.searchsorted(closes_ns, bars.opened_at_ns, side="right"), len(closes_ns) - 1)
        ends_ns = bars.opened_at_ns + span_ns
        regular = (ends_ns > opens_ns[at]) & (bars.opened_at_ns < closes_ns[at])
        return np.where(regular, np.minimum(ends_ns, closes_ns[at]), ends_ns), regular

    def _adjusted(self, bars: Bars, adjustment: Adjustment, now_ns: int) -> Bars:
        if adjustment == RAW or len(bars) == 0:
            return bars
        actions = self.actions(bars.symbol, int(bars.opened_at_ns[0]), now_ns)
        closes = {}
        for action in actions:
            at_ns = nanoseconds(action_at(action))
            before = self._last_closed(bars.symbol, at_ns)
            if before is not None:
                closes[at_ns] = before.close
        return adjust(bars, actions, adjustment, closes)

    def _live_quote(self, symbol: str, at_ns: int) -> Quote:
        live = self.bar(symbol, at_ns)
        assert live is not None, "quotes are made in a bar's span"
        return self._quoted(symbol, live.price(at_ns, self._tick(symbol)), at_ns)

    def _quoted(self, symbol: str, price: float, at_ns: int) -> Quote:
        asset_class = self._terms(symbol).asset_class
        return self._spread.quote(symbol, price, self._tick(symbol), at_ns, asset_class)

    def _tick(self, symbol: str) -> float:
        return float(self._terms(symbol).tick)

    def _lot(self, symbol: str) -> float:
        return 0.0 if self._never_closes(symbol) else 1.0

    def _never_closes(self, symbol: str) -> bool:
        return symbol in self._pairs

    def _terms(self, symbol: str) -> Asset:
        asset = self._assets.get(symbol) or self._option_terms(symbol)
        if asset is None:
            raise KeyError(symbol)
        return asset

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


def _ordinary(symbol: str) -> Asset:
    return Asset.crypto(symbol) if "/" in symbol else Asset.equity(symbol)


def _shown_columns(symbol: str, bars: Bars, tick: float, lot: float) -> ShownBars:
    return shown(
        symbol,
        bars.opened_at_ns,
        bars.open,
        bars.high,
        bars.low,
        bars.close,
        bars.volume,
        tick=tick,
        lot=lot,
    )


def _seen(volume: Floats, share: float, lot: float) -> Floats:
    """The part of each bar's volume that a feed sees, in whole lots."""
    return volume * share if lot <= 0.0 else np.floor(volume * share / lot) * lot


def _dates(start_ns: int, end_ns: int, descending: bool) -> Iterator[date]:
    """The dates on the exchange's clock of [start_ns, end_ns]."""
    first, last = day_number(day_of(start_ns)), day_number(day_of(end_ns))
    days = range(last, first - 1, -1) if descending else range(first, last + 1)
    return (day_date(day) for day in days)


def _seconds(first_ns: int, last_ns: int, opened_ns: int, descending: bool) -> Iterable[int]:
    """The bar's opening and the whole seconds after it, of [first_ns, last_ns]."""
    whole = range(-(-first_ns // QUOTE_STEP_NS), last_ns // QUOTE_STEP_NS + 1)
    seconds = [second * QUOTE_STEP_NS for second in whole]
    if first_ns == opened_ns and opened_ns % QUOTE_STEP_NS:
        seconds.insert(0, opened_ns)
    return reversed(seconds) if descending else seconds


def _days(columns: ShownBars, regular: Mask, utc: bool) -> ShownBars:
    """Days: prices of the regular session, volume and trades of all hours."""
    span = BarSpan(1, SpanUnit.DAY)
    sessions = put_together(columns.chosen(regular), span, utc=utc)
    if regular.all() or len(sessions) == 0:
        return sessions
    everything = put_together(columns, span, utc=utc)
    of_all = everything.chosen(np.isin(everything.label_ns, sessions.label_ns))
    return replace(sessions, volume=of_all.volume, trades=of_all.trades)


_LOOK_BACK_DAYS = 14  # no pause of an exchange is longer; the longest since 1970 was seven days, in 2001


def _at_ns(instant: Instant) -> int:
    return instant.at_ns


def _order_of_work(instant: Instant) -> tuple[int, int, tuple[str, ...]]:
    return instant.at_ns, instant.kind, instant.symbols
