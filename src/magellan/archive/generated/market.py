"""Market: what to generate. The description is small; the rows that it stands for may be millions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from magellan.archive.generated.defect import Defect
from magellan.archive.generated.style import Style
from magellan.errors import FixInput
from magellan.trading.session import Hours
from magellan.trading.timeframe import DAY, MINUTE, Timeframe

EARLIEST_ON = date(1980, 1, 1)  # days count from 1970, and a day depends on the months before it


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One generated symbol over one range.

    The same seed, symbol, style and listing give the same prices whatever the range, the timeframe and the
    hours: hours and days are put together from the same minutes, and a part of a range equals the same part
    of the whole. Symbols of one seed share the market's days, so they move together.
    """

    symbol: str
    style: Style
    first_on: date  # exchange calendar dates, both included
    last_on: date
    timeframe: Timeframe = MINUTE
    hours: Hours = Hours.REGULAR
    listed_on: date | None = None  # the price starts here; None is first_on
    first_price_usd: float | None = (
        None  # before the first session of the listing; None draws one of the style
    )
    defects: tuple[Defect, ...] = ()  # done to the sound rows, in this order

    def __post_init__(self) -> None:
        if self.last_on < self.first_on:
            raise FixInput(
                f"{self.symbol}: a range from {self.first_on} to {self.last_on} ends before it begins"
            )
        if (self.listed_on or self.first_on) < EARLIEST_ON:
            raise FixInput(f"{self.symbol}: generated markets begin in {EARLIEST_ON.year}, not before")
        if self.listed_on is not None and self.listed_on > self.first_on:
            raise FixInput(
                f"{self.symbol}: listed on {self.listed_on}, after its first bar on {self.first_on}"
            )
        if self.first_price_usd is not None and self.first_price_usd <= 0:
            raise FixInput(f"{self.symbol}: a first price of {self.first_price_usd} USD")
        if not self.timeframe.is_daily and DAY.minutes % self.timeframe.minutes:
            raise FixInput(f"{self.symbol}: days cannot be cut into bars of {self.timeframe}")
