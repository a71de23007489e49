"""Generate: from a market's description to its rows, and to the corporate actions that explain them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from magellan.archive.generated.defect import applied, explanation
from magellan.archive.generated.market import Market
from magellan.archive.generated.minute_path import (
    AFTER_HOURS_MINUTES,
    PREMARKET_MINUTES,
    after_hours_rows,
    premarket_rows,
    session_rows,
)
from magellan.archive.generated.rows import Rows, aggregated, put_together
from magellan.archive.generated.session import sessions_of
from magellan.archive.generated.style import NUMBERS
from magellan.errors import FixInput
from magellan.trading.bar import Bars
from magellan.trading.corporate_action import CorporateAction
from magellan.trading.session import ExchangeCalendar, Hours, day_number
from magellan.trading.timeframe import DAY, MINUTE_NS

_NEXT_SESSION_WITHIN = timedelta(days=14)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Generated:
    """What a market's description stands for."""

    market: Market
    rows: Rows  # as a vendor would deliver them, defects included
    actions: tuple[CorporateAction, ...]  # what the table of corporate actions says about them

    def bars(self) -> Bars:
        """The rows as sound bars. Raises FixInput where a defect (a duplicate, a NaN) forbids it."""
        return self.rows.bars()


def generate(market: Market, calendar: ExchangeCalendar, *, seed: int) -> Generated:
    """The market's rows: a pure function, the same bytes for the same arguments on every machine we test.

    calendar: whose sessions, half days and clock changes the rows follow; it reaches past the range.
    seed:     >= 0; one seed is one world, in which all symbols share the market's days.
    Raises:   FixInput for a range without sessions or outside the calendar, and for defects without a place.
    """
    if seed < 0:
        raise FixInput(f"a seed is 0 or more, not {seed}")
    rows = aggregated(_minutes(market, calendar, seed), market.timeframe)
    for defect in market.defects:
        rows = applied(defect, rows, seed, calendar)
    explained = (explanation(defect, market.symbol) for defect in market.defects)
    return Generated(market=market, rows=rows, actions=tuple(each for each in explained if each is not None))


def _minutes(market: Market, calendar: ExchangeCalendar, seed: int) -> Rows:
    numbers = NUMBERS[market.style]
    if not calendar.sessions(market.first_on, market.last_on):
        raise FixInput(
            f"{market.symbol}: no session of {calendar.name} lies from {market.first_on} to {market.last_on}"
        )
    longest = int((calendar.closes_at_ns - calendar.opens_at_ns).max() // MINUTE_NS)
    extended = market.hours is Hours.ALL
    if extended and PREMARKET_MINUTES + longest + AFTER_HOURS_MINUTES > DAY.minutes:
        raise FixInput(f"{market.symbol}: sessions of {calendar.name} leave no room for hours around them")
    # The night after the last session leads to the session after it.
    reach = market.last_on + _NEXT_SESSION_WITHIN if extended else market.last_on
    known = sessions_of(
        seed,
        market.symbol,
        numbers,
        market.first_price_usd,
        market.listed_on or market.first_on,
        reach,
        calendar,
    )
    first = int(np.searchsorted(known.day, day_number(market.first_on)))
    last = int(np.searchsorted(known.day, day_number(market.last_on), side="right"))
    sessions = known.rows(slice(first, last))
    regular = session_rows(seed, market.symbol, numbers, sessions, longest)
    if not extended:
        return regular
    before = premarket_rows(seed, market.symbol, numbers, sessions)
    after = after_hours_rows(seed, market.symbol, numbers, sessions, known.gap[first + 1 : last + 1])
    return put_together((before, regular, after))
