"""Generated bars: minutes for any symbol, made when they are first asked for.

A symbol's minutes depend on its name, the seed and the date alone: who starts the exchange again tomorrow finds
the same yesterday. Prices move as `archive/generated` tells; nothing here is history.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from functools import cached_property, lru_cache

import numpy as np

from magellan.archive.generated.minute_path import (
    AFTER_HOURS_MINUTES,
    PREMARKET_MINUTES,
    after_hours_rows,
    premarket_rows,
    session_rows,
)
from magellan.archive.generated.rows import COLUMNS, put_together
from magellan.archive.generated.session import Sessions, sessions_of
from magellan.archive.generated.style import NUMBERS, Style, StyleNumbers
from magellan.errors import FixInput
from magellan.trading.bar import Bars, joined
from magellan.trading.session import ExchangeCalendar, Hours, day_date, day_number
from magellan.trading.timeframe import DAY, DAY_NS, MINUTE, MINUTE_NS, Timeframe

LISTED_ON = date(2024, 1, 2)  # every generated symbol's first day

_NAME = re.compile(r"[A-Z0-9][A-Z0-9._-]*")  # what can stand in a list and in an address

_BLOCK = 8  # sessions that are made at once
_BLOCKS_KEPT = 64  # per symbol: two years of sessions

_INDEX_FUNDS = frozenset({"SPY", "QQQ", "IWM", "DIA", "VTI", "VOO", "IVV"})

# Units per day and per trade are thousandths of a coin; minutes of crypto trade fractions.
_COIN_UNITS = 1000.0
_CRYPTO = {
    "BTC/USD": (52_000.0, 72_000.0, 4.0e6),
    "ETH/USD": (2_200.0, 3_400.0, 3.0e7),
}
CRYPTO_PAIRS = tuple(_CRYPTO)


def style_of(symbol: str) -> Style:
    """How a symbol behaves when nobody says: a broad fund if it is a known one, else a large cap."""
    return Style.INDEX if symbol in _INDEX_FUNDS else Style.LARGE_CAP


def crypto_calendar(calendar: ExchangeCalendar) -> ExchangeCalendar:
    """Days from midnight to midnight UTC, without a pause, from LISTED_ON on, as far as `calendar` reaches."""
    day = np.arange(day_number(LISTED_ON), int(calendar.session_on[-1]) + 1, dtype=np.int32)
    opens_at_ns = day.astype(np.int64) * DAY_NS
    return ExchangeCalendar(
        name="24/7", session_on=day, opens_at_ns=opens_at_ns, closes_at_ns=opens_at_ns + DAY_NS
    )


class GeneratedBars:
    """A bar source that makes its minutes as they are needed, whole sessions at a time."""

    timeframe: Timeframe = MINUTE

    def __init__(
        self,
        symbols: Iterable[str],
        calendar: ExchangeCalendar,
        *,
        seed: int = 0,
        hours: Hours = Hours.ALL,
        styles: dict[str, Style] | None = None,
    ) -> None:
        """symbols: share symbols, and pairs of CRYPTO_PAIRS. calendar: whose sessions shares follow.

        hours:  ALL generates minutes before and after the sessions too, where they leave room.
        styles: by symbol; the others are as `style_of` says.
        Raises: FixInput for a pair that cannot be generated, what is no symbol, a seed below 0, or no symbol at all.
        """
        self.symbols = tuple(dict.fromkeys(symbols))
        if not self.symbols:
            raise FixInput(
                "an exchange needs at least one symbol", next_step="name some: --symbols AAPL,MSFT"
            )
        if seed < 0:
            raise FixInput(f"a seed is 0 or more, not {seed}")
        always = crypto_calendar(calendar)
        self.first_ns = int(always.opens_at_ns[0])
        self._minutes: dict[str, _Minutes] = {}
        for symbol in self.symbols:
            if "/" in symbol:
                self._minutes[symbol] = _Minutes(seed, symbol, _coin(symbol), always, coin=True)
            elif not _NAME.fullmatch(symbol):
                raise FixInput(
                    f"'{symbol}' is no symbol",
                    next_step="name it in capitals and digits, with a point or a dash inside: BRK.B",
                )
            else:
                numbers = NUMBERS[(styles or {}).get(symbol, style_of(symbol))]
                extended = hours is Hours.ALL and _leaves_room(calendar)
                self._minutes[symbol] = _Minutes(seed, symbol, numbers, calendar, extended=extended)

    def bars(self, symbol: str, start_ns: int, end_ns: int) -> Bars:
        """See `BarSource`."""
        return self._minutes[symbol].bars(start_ns, end_ns)


class _Minutes:
    """One symbol's minutes, a few sessions at a time."""

    def __init__(
        self,
        seed: int,
        symbol: str,
        numbers: StyleNumbers,
        calendar: ExchangeCalendar,
        *,
        extended: bool = False,
        coin: bool = False,
    ) -> None:
        self._seed, self._symbol, self._numbers, self._calendar = seed, symbol, numbers, calendar
        self._extended, self._coin = extended, coin
        self._longest = int((calendar.closes_at_ns - calendar.opens_at_ns).max() // MINUTE_NS)
        self._block = lru_cache(maxsize=_BLOCKS_KEPT)(self._made)

    def bars(self, start_ns: int, end_ns: int) -> Bars:
        known = self._sessions
        # A session's minutes lie within a day of its opening, whatever its hours.
        first = int(np.searchsorted(known.opens_at_ns, start_ns - DAY_NS))
        last = int(np.searchsorted(known.opens_at_ns, end_ns + DAY_NS))
        # The night after the last session leads to one that nobody knows.
        last = min(last, len(known.day) - 1)
        blocks = range(first // _BLOCK, -(-last // _BLOCK) if last > first else first // _BLOCK)
        bars = joined([self._block(block) for block in blocks]) if blocks else _none(self._symbol)
        low, high = np.searchsorted(bars.opened_at_ns, (start_ns, end_ns)).tolist()
        return bars.rows(slice(low, max(low, high)))

    @cached_property
    def _sessions(self) -> Sessions:
        last_on = day_date(int(self._calendar.session_on[-1]))
        known = sessions_of(self._seed, self._symbol, self._numbers, None, LISTED_ON, last_on, self._calendar)
        if not self._coin:
            return known
        # A market that never closes has no gap over night: each day opens where the last one closed.
        before = np.concatenate([[known.open_level[0]], known.close_level[:-1]])
        return replace(known, open_level=before, gap=np.zeros_like(known.gap))

    def _made(self, block: int) -> Bars:
        """The minutes of sessions [block * _BLOCK, (block + 1) * _BLOCK)."""
        known = self._sessions
        first, last = block * _BLOCK, min((block + 1) * _BLOCK, len(known.day) - 1)
        sessions = known.rows(slice(first, last))
        rows = session_rows(self._seed, self._symbol, self._numbers, sessions, self._longest)
        if self._extended:
            before = premarket_rows(self._seed, self._symbol, self._numbers, sessions)
            next_gap = known.gap[first + 1 : last + 1]
            after = after_hours_rows(self._seed, self._symbol, self._numbers, sessions, next_gap)
            rows = put_together((before, rows, after))
        bars = rows.bars()
        return replace(bars, volume=bars.volume / _COIN_UNITS) if self._coin else bars


def _leaves_room(calendar: ExchangeCalendar) -> bool:
    """Whether a day has room for the minutes before and after its session."""
    longest = int((calendar.closes_at_ns - calendar.opens_at_ns).max() // MINUTE_NS)
    return PREMARKET_MINUTES + longest + AFTER_HOURS_MINUTES <= DAY.minutes


def _coin(symbol: str) -> StyleNumbers:
    if symbol not in _CRYPTO:
        raise FixInput(
            f"{symbol} cannot be generated", next_step=f"choose among {', '.join(CRYPTO_PAIRS)}, or shares"
        )
    lowest, highest, per_day = _CRYPTO[symbol]
    return StyleNumbers(
        lowest_price_usd=lowest,
        highest_price_usd=highest,
        market_beta=0.6,
        own_volatility=0.022,
        own_trend_per_year=0.1,
        shares_per_day=per_day,
        shares_per_trade=40.0,
        extended_share=0.0,
        wild_days=False,
    )


def _none(symbol: str) -> Bars:
    nothing = np.zeros(0)
    return Bars(
        symbol=symbol,
        timeframe=MINUTE,
        opened_at_ns=np.zeros(0, dtype=np.int64),
        **dict.fromkeys(COLUMNS, nothing),
    )
