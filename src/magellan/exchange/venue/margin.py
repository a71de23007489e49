"""Margin: what an account is worth, what its positions tie up, and what it may still buy.

Documented rules of Alpaca: Reg T asks 50 % when a position is opened; maintenance is 30 % of a long position (all of
it below 2.50 $) and 30 % of a short one, at least 5.00 $ a share (2.50 $ below 5.00 $). Buying power of a 4x account is
four times what the last close left above maintenance; outside the session Reg T's twofold holds. Two of our own: a 4x
account never buys beyond four times its equity now, and below the least equity for margin it is a cash account.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from magellan.exchange.market.asset import Asset, AssetClass
from magellan.exchange.venue.account import Account, Position
from magellan.exchange.venue.book import Book
from magellan.exchange.venue.wire_format import ZERO

INITIAL = Decimal("0.5")
MARGIN_EQUITY_MIN_USD = Decimal(2_000)
DAY_TRADER_EQUITY_MIN_USD = Decimal(25_000)
_PERCENT = Decimal(100)
_CHEAP_LONG_USD = Decimal("2.50")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An account's money at one instant, in USD. Short market value is below zero."""

    cash_usd: Decimal
    long_usd: Decimal
    short_usd: Decimal
    initial_usd: Decimal
    maintenance_usd: Decimal
    reserved_usd: Decimal  # by open orders
    multiplier: int  # in force now
    opened_today_usd: Decimal  # exposure beyond that of the last close
    last_equity_usd: Decimal
    last_maintenance_usd: Decimal

    @property
    def equity_usd(self) -> Decimal:
        return self.cash_usd + self.long_usd + self.short_usd

    @property
    def exposure_usd(self) -> Decimal:
        return self.long_usd - self.short_usd

    @property
    def regt_usd(self) -> Decimal:
        """What may be opened for the night."""
        if self.multiplier == 1:
            return self._cash_power
        return max(ZERO, (self.equity_usd - self.initial_usd) * 2 - self.reserved_usd)

    @property
    def day_usd(self) -> Decimal:
        """What may be opened for the day."""
        if self.multiplier < 4:
            return self.regt_usd
        by_last_close = 4 * (self.last_equity_usd - self.last_maintenance_usd) - self.opened_today_usd
        by_now = 4 * self.equity_usd - self.exposure_usd
        return max(ZERO, min(by_last_close, by_now) - self.reserved_usd)

    @property
    def non_marginable_usd(self) -> Decimal:
        """What may be spent on coins and options, which cannot be bought on credit."""
        return max(ZERO, min(self.cash_usd, self.equity_usd - self.initial_usd) - self.reserved_usd)

    @property
    def _cash_power(self) -> Decimal:
        return max(ZERO, self.cash_usd - self.reserved_usd)


def standing(book: Book, account: Account) -> Standing:
    """Where the account stands now, at the market's prices."""
    long = short = initial = maintenance = opened = ZERO
    for position in account.positions.values():
        price = book.position_price(position)
        value = position.value_usd(price)
        if value >= 0:
            long += value
        else:
            short += value
        initial += initial_usd(position, value)
        maintenance += maintenance_usd(position, price, abs(value))
        today = abs(position.qty) - abs(position.qty_at_close)
        if today > 0:
            opened += today * position.point_value * position.average_price
    equity = account.cash_usd + long + short
    return Standing(
        cash_usd=account.cash_usd,
        long_usd=long,
        short_usd=short,
        initial_usd=initial,
        maintenance_usd=maintenance,
        reserved_usd=account.reserved_usd,
        multiplier=multiplier_in_force(book, account, equity),
        opened_today_usd=opened,
        last_equity_usd=account.last_equity_usd,
        last_maintenance_usd=account.last_maintenance_usd,
    )


def multiplier_in_force(book: Book, account: Account, equity_usd: Decimal) -> int:
    """The account's multiplier, as far as its equity allows it.

    Until 2026-07-05 fourfold buying power asked for 25,000 $; since then for 2,000 $.
    """
    if equity_usd < MARGIN_EQUITY_MIN_USD:
        return 1
    allowed = account.multiplier
    if allowed == 4 and book.era.pattern_day_trading and equity_usd < DAY_TRADER_EQUITY_MIN_USD:
        return 2
    return allowed


def initial_usd(position: Position, value_usd: Decimal) -> Decimal:
    """Reg T's requirement for one position: half, or all of what cannot be margined."""
    return abs(value_usd) * (INITIAL if _marginable(position.asset) else 1)


def maintenance_usd(position: Position, price: Decimal, value: Decimal) -> Decimal:
    """The maintenance requirement of one position. value: of the position at that price, without its sign."""
    if not _marginable(position.asset):
        return value
    if position.qty > 0:
        return value if price < _CHEAP_LONG_USD else value * position.asset.margin_requirement_long / _PERCENT
    least = Decimal("2.50") if price < 5 else Decimal(5)
    fraction = Decimal(1) if price < 5 else position.asset.margin_requirement_short / _PERCENT
    return max(least * abs(position.qty), value * fraction)


def _marginable(asset: Asset) -> bool:
    return asset.marginable and asset.asset_class is AssetClass.US_EQUITY
