"""Small markets that the exchange's tests look at: an own calendar, drawn bars, generated bars."""

from datetime import date, timedelta
from functools import cache

import numpy as np

from magellan.exchange.market.generated_bars import GeneratedBars
from magellan.exchange.market.market import Market
from magellan.exchange.market.trading_hours import day_start_ns
from magellan.trading.bar import Bars
from magellan.trading.session import ExchangeCalendar, Hours, day_number
from magellan.trading.timeframe import HOUR_NS, MINUTE, MINUTE_NS, SECOND_NS, Timeframe

HALF_DAY = date(2025, 7, 3)
HOLIDAY = date(2025, 7, 4)
MONDAY = date(2025, 7, 7)
OPENS_NS = 9 * HOUR_NS + 30 * MINUTE_NS
PREMARKET_NS = 5 * HOUR_NS + 30 * MINUTE_NS


@cache
def new_york(first_on: date = date(2024, 1, 2), last_on: date = date(2026, 12, 31)) -> ExchangeCalendar:
    """Weekdays from 09:30 to 16:00, but for one holiday, one half day, and New Year's Days."""
    days = [first_on + timedelta(days=day) for day in range((last_on - first_on).days + 1)]
    closed = {HOLIDAY} | {date(year, 1, 1) for year in range(2020, 2030)}
    sessions = [day for day in days if day.weekday() < 5 and day not in closed]
    opens = [day_start_ns(day) + OPENS_NS for day in sessions]
    lengths = [(3 if day == HALF_DAY else 6) * HOUR_NS + 30 * MINUTE_NS for day in sessions]
    return ExchangeCalendar(
        name="test",
        session_on=np.array([day_number(day) for day in sessions], dtype=np.int32),
        opens_at_ns=np.array(opens, dtype=np.int64),
        closes_at_ns=np.array(opens, dtype=np.int64) + np.array(lengths, dtype=np.int64),
    )


@cache
def generated(*symbols: str, seed: int = 7, hours: Hours = Hours.ALL) -> Market:
    """A market of generated minutes in the test calendar's sessions. Shared: no test may change it."""
    return fresh(*symbols, seed=seed, hours=hours)


def fresh(*symbols: str, seed: int = 7, hours: Hours = Hours.ALL) -> Market:
    """The same, for a test that changes it."""
    return Market(GeneratedBars(symbols, new_york(), seed=seed, hours=hours), new_york(), seed=seed)


def bars_of(
    symbol: str, opened_at_ns: list[int], rows: list[tuple[float, ...]], timeframe: Timeframe = MINUTE
) -> Bars:
    """Bars from (open, high, low, close, volume)."""
    columns = np.array(rows, dtype=np.float64).reshape(len(rows), 5)
    names = ("open", "high", "low", "close", "volume")
    return Bars(
        symbol=symbol,
        timeframe=timeframe,
        opened_at_ns=np.array(opened_at_ns, dtype=np.int64),
        **{name: columns[:, place].copy() for place, name in enumerate(names)},
    ).checked()


def at(on: date, hour: int, minute: int = 0, second: float = 0.0) -> int:
    """An instant by the exchange's clock."""
    return day_start_ns(on) + hour * HOUR_NS + minute * MINUTE_NS + int(second * SECOND_NS)
