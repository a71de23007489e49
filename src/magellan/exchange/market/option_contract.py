"""Option contracts: the symbol that names one, and which contracts are listed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from magellan.exchange.market.asset import asset_id

_SYMBOL = re.compile(r"([A-Z]{1,6})(\d{2})(\d{2})(\d{2})([CP])(\d{8})")
MULTIPLIER = 100
_WEEKLY_EXPIRIES, _MONTHLY_EXPIRIES = 6, 6
_STRIKES_EACH_SIDE = 12
_FRIDAY = 4


class Right(StrEnum):
    """What the holder may do, in Alpaca's words."""

    CALL = "call"
    PUT = "put"


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionContract:
    """One American option on a hundred shares."""

    underlying: str
    expires_on: date
    right: Right
    strike: Decimal  # USD

    @classmethod
    def parse(cls, symbol: str) -> OptionContract | None:
        """Read an OCC symbol, for example AAPL241220C00300000; None when it is not one."""
        match = _SYMBOL.fullmatch(symbol)
        if match is None:
            return None
        underlying, year, month, day, right, strike = match.groups()
        try:
            expires_on = date(2000 + int(year), int(month), int(day))
        except ValueError:
            return None
        return cls(
            underlying=underlying,
            expires_on=expires_on,
            right=Right.CALL if right == "C" else Right.PUT,
            strike=Decimal(strike) / 1000,
        )

    @property
    def symbol(self) -> str:
        """The OCC symbol."""
        letter = "C" if self.right is Right.CALL else "P"
        return f"{self.underlying}{self.expires_on:%y%m%d}{letter}{int(self.strike * 1000):08d}"

    @property
    def name(self) -> str:
        """For people: AAPL Dec 20 2024 300 Call."""
        return (
            f"{self.underlying} {self.expires_on:%b %d %Y} {self.strike.normalize():f} {self.right.title()}"
        )

    @property
    def id(self) -> str:
        """The asset's id."""
        return str(asset_id(self.symbol))


def listed_expiries(today: date) -> tuple[date, ...]:
    """The next six Fridays and the third Fridays of the next six months, today included. Ours."""
    friday = today + timedelta(days=(_FRIDAY - today.weekday()) % 7)
    weekly = {friday + timedelta(weeks=week) for week in range(_WEEKLY_EXPIRIES)}
    month = today.replace(day=1)
    monthly: set[date] = set()
    while len(monthly) < _MONTHLY_EXPIRIES:
        third = month + timedelta(days=(_FRIDAY - month.weekday()) % 7 + 14)
        if third >= today:
            monthly.add(third)
        month = (month + timedelta(days=32)).replace(day=1)
    return tuple(sorted(weekly | monthly))


def strike_step(price: float) -> Decimal:
    """How far apart strikes lie around a price, in USD. Ours, after the usual listing rules."""
    for below, step in ((25, "0.5"), (100, "1"), (200, "2.5"), (500, "5"), (2000, "10")):
        if price < below:
            return Decimal(step)
    return Decimal(50)


def listed_strikes(price: float) -> tuple[Decimal, ...]:
    """The strikes around a price, twelve steps to either side, those above zero."""
    step = strike_step(price)
    nearest = round(Decimal(price) / step) * step
    strikes = (nearest + step * away for away in range(-_STRIKES_EACH_SIDE, _STRIKES_EACH_SIDE + 1))
    return tuple(strike for strike in strikes if strike > 0)


def is_listed(contract: OptionContract, today: date) -> bool:
    """Whether a contract can trade: it expires on a Friday within a year, and its strike lies on a half dollar."""
    days = (contract.expires_on - today).days
    return (
        contract.expires_on.weekday() == _FRIDAY
        and 0 <= days <= 366
        and contract.strike > 0
        and contract.strike % Decimal("0.5") == 0
    )
