"""Corporate actions: splits and dividends, and moves that a person has confirmed to be neither."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal


def _must_be_utc(at: datetime, what: str) -> None:
    if at.utcoffset() != timedelta(0):
        raise ValueError(f"{what} is stamped {at!r}, not in UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """`old_shares` become `new_shares`: 10 for 1 divides the price by 10, 1 for 20 (reverse) multiplies it by 20."""

    symbol: str
    effective_at: datetime  # aware, UTC: the first bar that opens at or after it is on the new basis
    new_shares: int
    old_shares: int

    def __post_init__(self) -> None:
        if self.new_shares <= 0 or self.old_shares <= 0 or self.new_shares == self.old_shares:
            raise ValueError(f"{self.symbol}: a split of {self.new_shares} for {self.old_shares} is none")
        _must_be_utc(self.effective_at, f"split of {self.symbol}")

    @property
    def price_factor(self) -> float:
        """New price over old price, had nothing else happened: 0.1 for 10 new shares for 1 old."""
        return self.old_shares / self.new_shares

    @property
    def share_factor(self) -> float:
        """Shares held after over shares held before."""
        return self.new_shares / self.old_shares


@dataclass(frozen=True, slots=True, kw_only=True)
class CashDividend:
    """Cash per share, credited to whoever held the share before the ex-date (and debited to who was short)."""

    symbol: str
    ex_at: datetime  # aware, UTC: the first bar that opens at or after it trades without the dividend
    amount_usd: Decimal  # per share, > 0, on the share basis in force at ex_at

    def __post_init__(self) -> None:
        if self.amount_usd <= 0:
            raise ValueError(f"{self.symbol}: a dividend of {self.amount_usd} USD")
        _must_be_utc(self.ex_at, f"dividend of {self.symbol}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmedMove:
    """A price jump that a person has looked at and found genuine: news, not a split and not a bad print."""

    symbol: str
    at: datetime  # aware, UTC: the opening of the first bar after the jump
    reason: str
    confirmed_by: str

    def __post_init__(self) -> None:
        if not self.reason.strip() or not self.confirmed_by.strip():
            raise ValueError(f"{self.symbol}: a confirmed move names its reason and who confirmed it")
        _must_be_utc(self.at, f"confirmed move of {self.symbol}")


CorporateAction = Split | CashDividend | ConfirmedMove
