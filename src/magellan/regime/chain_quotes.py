"""Chain quotes: option quotes as they were made, and what of them was known when each bar closed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from magellan.regime.option_chain import ChainColumns
from magellan.trading.bar import Bars, Floats, Instants
from magellan.trading.session import exchange_offset_ns
from magellan.trading.timeframe import DAY_NS, MINUTE_NS

QUOTED: Final = ("call_price", "put_price", "call_iv", "put_iv", "call_interest", "put_interest")
_STALE_NS: Final = DAY_NS
_EXPIRES_NS: Final = 16 * 60 * MINUTE_NS  # on the exchange's clock
_YEAR_NS: Final = 365 * DAY_NS


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChainQuotes:
    """A quote per row, shapes (n,), n >= 1; by time, then expiry, then strike. NaN where a number is missing."""

    source: str  # who says so
    quoted_at_ns: Instants  # UTC
    expires_day: NDArray[np.int64]  # days since 1970-01-01
    strike: Floats
    call_price: Floats
    put_price: Floats
    call_iv: Floats  # implied volatility per year
    put_iv: Floats
    call_interest: Floats  # open interest, contracts
    put_interest: Floats

    def __len__(self) -> int:
        return len(self.strike)


def chain_over(bars: Bars, quotes: ChainQuotes, *, strikes: int = 7, expiries: int = 3) -> ChainColumns:
    """The chain as known at each bar's close: the newest quotes that are not later, and not a day old.

    strikes:  an odd number; the middle one is nearest the bar's close.
    expiries: at most; the nearest ones that are still to come. They end at 16:00 on the exchange's clock.
    """
    n = len(bars)
    known_at_ns = bars.opened_at_ns + bars.timeframe.span_ns
    moments, begins = np.unique(quotes.quoted_at_ns, return_index=True)
    ends = np.append(begins[1:], len(quotes))
    newest = np.searchsorted(moments, known_at_ns, side="right") - 1  # -1: none yet
    fresh = (newest >= 0) & (known_at_ns - moments[newest] < _STALE_NS)
    expires_ns = _expires_ns(quotes.expires_day)
    of_moment = [
        _expiries(quotes, begin, end) for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)
    ]
    expiries = min(expiries, max(len(each) for each in of_moment))
    years = np.full((n, expiries), np.nan)
    at = np.full((n, expiries, strikes), -1, dtype=np.int64)  # rows of the quotes
    around = np.arange(strikes) - strikes // 2
    for moment in np.unique(newest[fresh]).tolist():
        rows = np.arange(*np.searchsorted(newest, (moment, moment + 1)))
        rows = rows[fresh[rows]]
        slot = np.zeros(len(rows), dtype=np.int64)
        for begin, end in of_moment[moment]:
            left = (expires_ns[begin] - known_at_ns[rows]) / _YEAR_NS
            taken = (left > 0.0) & (slot < expiries)
            into = rows[taken], slot[taken]
            years[into] = left[taken]
            place = _nearest(quotes.strike[begin:end], bars.close[into[0]])[:, None] + around
            at[into] = np.where((place >= 0) & (place < end - begin), begin + place, -1)
            slot += taken
    missing = at < 0
    return ChainColumns(
        source=quotes.source,
        strike=np.where(missing, np.nan, quotes.strike[at]),
        years=years,
        **{name: np.where(missing, np.nan, getattr(quotes, name)[at]) for name in QUOTED},
    )


def _expires_ns(day: NDArray[np.int64]) -> Instants:
    wall_ns = day * DAY_NS + _EXPIRES_NS
    return wall_ns - exchange_offset_ns(wall_ns)


def _expiries(quotes: ChainQuotes, first: int, last: int) -> list[tuple[int, int]]:
    """First and one past the last row of each expiry among quotes of one moment."""
    edges = first + 1 + np.flatnonzero(np.diff(quotes.expires_day[first:last]))
    return list(zip([first, *edges.tolist()], [*edges.tolist(), last], strict=True))


def _nearest(strikes: Floats, price: Floats) -> NDArray[np.int64]:
    """Place of the strike nearest each price; the lower one where two are."""
    above = np.clip(np.searchsorted(strikes, price), 1, max(len(strikes) - 1, 1))
    below = above - 1
    upper = np.minimum(above, len(strikes) - 1)
    return np.where(strikes[upper] - price < price - strikes[below], upper, below)
