"""An account at the venue: cash, positions, settings, and what it has lived through."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from magellan.exchange.market.asset import Asset, AssetClass
from magellan.exchange.venue.order import SHARES_PER_CONTRACT, Order
from magellan.exchange.venue.terms import AccountTerms
from magellan.exchange.venue.wire_format import NANO, ZERO

# Finer than the average price that is shown, so that a sale in parts leaves it where it was.
_COST_STEP = Decimal("1e-15")


@dataclass(slots=True, kw_only=True, eq=False)
class Position:
    """Units held of one asset; below zero when short. Changed by fills, corporate actions and exercises alone.

    cost_usd carries the sign of qty: what the units were bought for, or what a short sale brought, negative.
    """

    asset: Asset
    qty: Decimal
    cost_usd: Decimal
    opened_ns: int
    qty_at_close: Decimal = ZERO  # held when the last session ended
    today_usd: Decimal = ZERO  # spent on today's units, net; below zero when more was sold

    @property
    def point_value(self) -> int:
        return SHARES_PER_CONTRACT if self.asset.asset_class is AssetClass.US_OPTION else 1

    @property
    def average_price(self) -> Decimal:
        """Of the units held, to nine decimals."""
        return (self.cost_usd / (self.qty * self.point_value)).quantize(NANO)

    def value_usd(self, price: Decimal) -> Decimal:
        """Market value, signed."""
        return self.qty * self.point_value * price

    def take(self, signed_qty: Decimal, price: Decimal) -> Decimal:
        """Book units that changed hands at a price; returns the profit that this realised, in USD.

        What is bought or sold beyond the position opens the other side at that price.
        """
        realised = ZERO
        closing = ZERO
        if self.qty * signed_qty < 0:
            closing = min(abs(signed_qty), abs(self.qty))
            cost = (
                self.cost_usd
                if closing == abs(self.qty)
                else (self.cost_usd * closing / abs(self.qty)).quantize(_COST_STEP)
            )
            received = closing * self.point_value * price * (1 if self.qty > 0 else -1)
            realised = received - cost
            self.cost_usd -= cost
        opening = abs(signed_qty) - closing
        sign = 1 if signed_qty > 0 else -1
        self.qty += signed_qty
        self.cost_usd += sign * opening * self.point_value * price
        self.today_usd += signed_qty * self.point_value * price
        return realised


@dataclass(slots=True, kw_only=True)
class Settings:
    """What the account's owner may change: the account configurations of the API."""

    dtbp_check: str = "entry"
    pdt_check: str = "entry"
    fractional_trading: bool = True
    max_margin_multiplier: str = "4"
    max_options_trading_level: int = 3
    no_shorting: bool = False
    ptp_no_exception_entry: bool = False
    suspend_trade: bool = False
    trade_confirm_email: str = "all"
    disable_overnight_trading: bool = False


@dataclass(slots=True, kw_only=True)
class Watchlist:
    """A list of assets under a name, in the order in which they were added."""

    id: str
    name: str
    created_ns: int
    updated_ns: int
    symbols: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One line of the account's history: a fill, a dividend, a split. `body` is what the API answers."""

    id: str  # sorts by time
    at_ns: int
    kind: str  # FILL, DIV, SPLIT, ...
    order_id: str | None
    body: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayTrade:
    """A position opened and closed on one day."""

    on: date
    symbol: str


@dataclass(slots=True, kw_only=True, eq=False)
class Account:
    """One customer's account. Changed by `Book` alone."""

    id: str
    key_id: str
    number: str
    opened_ns: int
    terms: AccountTerms
    cash_usd: Decimal
    deposits_usd: Decimal
    settings: Settings
    realised_usd: Decimal = ZERO
    income_usd: Decimal = ZERO  # dividends and the like, net
    fees_usd: Decimal = ZERO  # commission paid
    reserved_usd: Decimal = ZERO  # of the buying power, by open orders
    last_equity_usd: Decimal = ZERO  # at the close of the last session
    last_maintenance_usd: Decimal = ZERO
    balance_on: date
    positions: dict[str, Position] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)  # by id, in the order of arrival
    by_client_id: dict[str, Order] = field(default_factory=dict)
    live: dict[str, Order] = field(default_factory=dict)  # orders that have not ended, by id
    activities: list[Activity] = field(default_factory=list)
    watchlists: dict[str, Watchlist] = field(default_factory=dict)
    equity_history: list[tuple[int, Decimal]] = field(default_factory=list)  # (instant, equity), bar by bar
    opened_today: set[str] = field(
        default_factory=set
    )  # symbols bought or sold short since the last day trade
    day_trades: list[DayTrade] = field(default_factory=list)
    do_not_exercise: set[str] = field(default_factory=set)
    trading_blocked: bool = False
    account_blocked: bool = False

    @property
    def multiplier(self) -> int:
        """What the account's terms and its owner's settings allow."""
        return min(self.terms.multiplier, int(self.settings.max_margin_multiplier))

    @property
    def may_short(self) -> bool:
        return self.terms.shorting and self.multiplier > 1 and not self.settings.no_shorting

    @property
    def options_level(self) -> int:
        return min(self.terms.options_level, self.settings.max_options_trading_level)

    def held(self, symbol: str) -> Decimal:
        """Units held, signed; 0 without a position."""
        position = self.positions.get(symbol)
        return position.qty if position else ZERO
