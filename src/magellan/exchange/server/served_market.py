"""Which market is served, and where its exchange time begins and ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from magellan.errors import FixInput
from magellan.exchange.market.generated_bars import LISTED_ON, GeneratedBars
from magellan.exchange.market.shift import SESSIONS_AHEAD, Shift
from magellan.exchange.market.shown_calendar import around_the_clock
from magellan.exchange.market.trading_hours import TradingHours, day_of
from magellan.exchange.server.disturbed_market import DisturbedMarket
from magellan.trading.bar import Bars
from magellan.trading.corporate_action import CorporateAction
from magellan.trading.session import ExchangeCalendar, day_date, session_columns
from magellan.trading.timeframe import MINUTE_NS

AROUND_SESSIONS_NS = (
    5 * MINUTE_NS
)  # exchange time begins so long before the first opening, and ends after the last close
_GENERATED_AHEAD = timedelta(days=SESSIONS_AHEAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketAsked:
    """What somebody wants served.

    dates:  first and last exchange date; None: the newest ones.
    is_now: the last session is moved onto today and is open now.
    now_ns: the wall clock, UTC.
    """

    symbols: tuple[str, ...]
    dates: tuple[date, date] | None
    timeframe: str
    is_now: bool
    seed: int
    now_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedMarket:
    """A market and its time. end_ns None: without end."""

    market: DisturbedMarket
    start_ns: int
    end_ns: int | None


def generated_now(symbols: Iterable[str], *, seed: int, now_ns: int) -> ServedMarket:
    """Generated minutes, open at whatever hour somebody looks, with sessions behind and ahead of now."""
    today = day_of(now_ns)
    calendar = around_the_clock(LISTED_ON, today + _GENERATED_AHEAD)
    market = DisturbedMarket(GeneratedBars(symbols, calendar, seed=seed), calendar, seed=seed)
    return ServedMarket(market=market, start_ns=now_ns, end_ns=None)


def generated_sessions(
    symbols: Iterable[str], calendar: ExchangeCalendar, first_on: date, last_on: date, *, seed: int
) -> ServedMarket:
    """Generated minutes in the exchange's own sessions, from one date to another."""
    market = DisturbedMarket(GeneratedBars(symbols, calendar, seed=seed), calendar, seed=seed)
    return _between(market, calendar, first_on, last_on)


def archived_sessions(
    bars: Mapping[str, Bars],
    calendar: ExchangeCalendar,
    actions: Iterable[CorporateAction],
    first_on: date,
    last_on: date,
    *,
    seed: int,
) -> ServedMarket:
    """Archived bars on their own dates. Bars before the first date are there as history."""
    return _between(DisturbedMarket(bars, calendar, actions=actions, seed=seed), calendar, first_on, last_on)


def archived_now(
    bars: Mapping[str, Bars],
    calendar: ExchangeCalendar,
    actions: Iterable[CorporateAction],
    first_on: date,
    last_on: date,
    *,
    seed: int,
    now_ns: int,
) -> ServedMarket:
    """Archived sessions moved onto today: the last one is open now, those before it lie on the dates before."""
    shift = Shift.open_now(calendar, first_on, last_on, now_ns)
    shown = {symbol: shift.bars(each) for symbol, each in bars.items()}
    market = DisturbedMarket(shown, shift.calendar, actions=shift.actions(actions), seed=seed)
    return ServedMarket(market=market, start_ns=now_ns, end_ns=None)


def _between(
    market: DisturbedMarket, calendar: ExchangeCalendar, first_on: date, last_on: date
) -> ServedMarket:
    sessions = calendar.sessions(first_on, last_on)
    if not sessions:
        raise FixInput(f"{calendar.name} has no session from {first_on} to {last_on}")
    hours = TradingHours(calendar)
    first, last = hours.session(sessions[0]), hours.session(sessions[-1])
    assert first is not None and last is not None, "a calendar has the hours of its sessions"
    return ServedMarket(
        market=market,
        start_ns=first.opens_at_ns - AROUND_SESSIONS_NS,
        end_ns=last.closes_at_ns + AROUND_SESSIONS_NS,
    )


def newest_dates(calendar: ExchangeCalendar, now_ns: int, *, sessions: int) -> tuple[date, date]:
    """The last so many sessions that are over."""
    over = int(np.searchsorted(calendar.closes_at_ns, now_ns, side="right"))
    return day_date(int(calendar.session_on[over - sessions])), day_date(int(calendar.session_on[over - 1]))


def held_dates(
    bars: Mapping[str, Bars], calendar: ExchangeCalendar, asked: tuple[date, date] | None, *, sessions: int
) -> tuple[date, date]:
    """The dates that were asked for, or the last so many sessions of which there are bars.

    Raises FixInput where no symbol has a bar on the dates that were asked for.
    """
    held = {
        day_date(int(day))
        for each in bars.values()
        for day in np.unique(session_columns(each.rows(calendar.regular(each))).day)
    }
    if asked is None:
        newest = sorted(held)[-sessions:]
        return newest[0], newest[-1]
    inside = [day for day in held if asked[0] <= day <= asked[1]]
    if not inside:
        raise FixInput(
            f"{', '.join(bars)}: the archive holds no bar from {asked[0]} to {asked[1]}",
            next_step=f"choose dates from {min(held)} to {max(held)}" if held else "import some bars first",
        )
    return asked
