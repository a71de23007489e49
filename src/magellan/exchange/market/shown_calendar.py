"""Shown calendars: the sessions that clients are told of, where they are not the exchange's own."""

from __future__ import annotations

from datetime import date

import numpy as np

from magellan.exchange.market.bar_span import midnights
from magellan.trading.session import ExchangeCalendar, day_number
from magellan.trading.timeframe import MINUTE_NS


def around_the_clock(first_on: date, last_on: date) -> ExchangeCalendar:
    """Every date is a session from 00:00 to 23:59 on the exchange's clock: open whenever a person looks.

    The one minute at the end of each day is the only time at which it is closed, so that sessions still end,
    day orders still expire, and a date still belongs to one session.
    """
    day = np.arange(day_number(first_on), day_number(last_on) + 1, dtype=np.int64)
    return ExchangeCalendar(
        name="around the clock",
        session_on=day.astype(np.int32),
        opens_at_ns=midnights(day, utc=False),
        closes_at_ns=midnights(day + 1, utc=False) - MINUTE_NS,
    )
