"""Bars: what a market did in equal spans of time, as columns and as single values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from magellan.errors import FixInput
from magellan.trading.timeframe import Timeframe

Floats = NDArray[np.float64]
Instants = NDArray[np.int64]  # nanoseconds since 1970-01-01 UTC
Mask = NDArray[np.bool_]

PRICE_COLUMNS = ("open", "high", "low", "close")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def instant(at_ns: int) -> datetime:
    """The instant `at_ns` nanoseconds after 1970-01-01 UTC, to the microsecond."""
    # Days, seconds, microseconds by position: by name a timedelta takes three times as long to make, and this is
    # asked many times for every event of a session.
    return _EPOCH + timedelta(0, 0, int(at_ns) // 1000)


def nanoseconds(at: datetime) -> int:
    """Nanoseconds from 1970-01-01 UTC to an aware instant."""
    if at.tzinfo is None:
        raise FixInput(f"{at} has no time zone", next_step="give an aware datetime, for example in UTC")
    return ((at - _EPOCH) // _MICROSECOND) * 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar, as a decision or a report sees it. Prices in the instrument's currency, volume in units traded."""

    opened_at: datetime  # aware, UTC: the start of the span
    open: float
    high: float
    low: float
    close: float
    volume: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bars:
    """One symbol's bars as columns, oldest first; all columns share the shape (n,).

    Construction checks shapes and types in constant time. `checked` also reads every row; whatever comes
    from outside the process goes through it once, at the door.
    """

    symbol: str
    timeframe: Timeframe
    opened_at_ns: Instants  # start of each bar, UTC, strictly increasing
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats  # units traded; >= 0

    def __post_init__(self) -> None:
        n = len(self.opened_at_ns)
        if self.opened_at_ns.dtype != np.int64:
            raise FixInput(f"{self.symbol}: bar times are {self.opened_at_ns.dtype}, not int64 nanoseconds")
        for name in (*PRICE_COLUMNS, "volume"):
            column = getattr(self, name)
            if column.dtype != np.float64 or column.shape != (n,):
                raise FixInput(
                    f"{self.symbol}: column '{name}' is {column.dtype}{column.shape}, not float64({n},)"
                )

    def __len__(self) -> int:
        return len(self.opened_at_ns)

    def bar(self, row: int) -> Bar:
        """Row `row` as a value. Raises IndexError outside the columns."""
        return Bar(
            opened_at=instant(int(self.opened_at_ns[row])),
            open=float(self.open[row]),
            high=float(self.high[row]),
            low=float(self.low[row]),
            close=float(self.close[row]),
            volume=float(self.volume[row]),
        )

    def rows(self, chosen: slice | Mask | NDArray[np.intp]) -> Bars:
        """The chosen rows, in their order. A slice shares memory with this object."""
        return Bars(
            symbol=self.symbol,
            timeframe=self.timeframe,
            opened_at_ns=self.opened_at_ns[chosen],
            **{name: getattr(self, name)[chosen] for name in (*PRICE_COLUMNS, "volume")},
        )

    def between(self, start_at: datetime | None, end_at: datetime | None) -> Bars:
        """Bars that open in [start_at, end_at); None leaves that side open."""
        first = 0 if start_at is None else int(np.searchsorted(self.opened_at_ns, nanoseconds(start_at)))
        last = len(self) if end_at is None else int(np.searchsorted(self.opened_at_ns, nanoseconds(end_at)))
        return self.rows(slice(first, max(first, last)))

    def checked(self, *, allow_negative_prices: bool = False) -> Bars:
        """This object, after reading every row: times increase, prices are finite and ordered, volume is >= 0.

        Raises FixInput naming the first offending row. Negative prices are refused unless the instrument
        can have them (crude oil did, on 2020-04-20).
        """
        backwards = np.flatnonzero(np.diff(self.opened_at_ns) <= 0)
        if len(backwards):
            row = int(backwards[0]) + 1
            raise self._refusal(row, "its time does not lie after the row before")
        for name in (*PRICE_COLUMNS, "volume"):
            broken = np.flatnonzero(~np.isfinite(getattr(self, name)))
            if len(broken):
                raise self._refusal(int(broken[0]), f"{name} is {getattr(self, name)[broken[0]]}")
        inside = np.minimum(self.open, self.close)
        above = np.maximum(self.open, self.close)
        crossed = np.flatnonzero((self.low > inside) | (self.high < above))
        if len(crossed):
            raise self._refusal(int(crossed[0]), "open or close lies outside low..high")
        if not allow_negative_prices:
            negative = np.flatnonzero(self.low <= 0)
            if len(negative):
                raise self._refusal(int(negative[0]), f"low is {self.low[negative[0]]}, not above zero")
        short = np.flatnonzero(self.volume < 0)
        if len(short):
            raise self._refusal(int(short[0]), f"volume is {self.volume[short[0]]}")
        return self

    def _refusal(self, row: int, why: str) -> FixInput:
        at = instant(int(self.opened_at_ns[row])).isoformat()
        return FixInput(
            f"{self.symbol} {self.timeframe}, row {row} ({at}): {why}",
            next_step="run `magellan data check` on the set, then import a corrected file",
        )


def joined(parts: Sequence[Bars]) -> Bars:
    """One symbol's bars from parts that follow each other, at least one of them."""
    if len(parts) == 1:
        return parts[0]
    return Bars(
        symbol=parts[0].symbol,
        timeframe=parts[0].timeframe,
        opened_at_ns=np.concatenate([part.opened_at_ns for part in parts]),
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in (*PRICE_COLUMNS, "volume")
        },
    )
