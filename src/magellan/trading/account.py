"""Accounts and positions as a broker tells them: numbers with their age, and nothing invented where it is silent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSnapshot:
    """An account at one instant. None: the broker did not say, so nobody knows."""

    account_id: str  # what the user pins in the configuration: the account number
    as_of: datetime  # aware, UTC: when the broker answered
    cash_usd: Decimal | None
    equity_usd: Decimal | None
    last_equity_usd: Decimal | None  # at the close of the session before
    buying_power_usd: Decimal | None
    multiplier: Decimal | None  # 1 for a cash account
    shorting_enabled: bool | None
    trading_blocked: bool | None  # for whatever reason: by the broker, by the user, by the account's state
    currency: str = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerPosition:
    """What an account holds of one symbol, as the broker tells it."""

    symbol: str
    quantity: Decimal  # signed: long > 0, short < 0; never 0
    available: Decimal | None  # what no order holds
    average_entry_price: Decimal | None
    market_price: Decimal | None
    as_of: datetime  # aware, UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class TradableAsset:
    """What a broker lets us do with a symbol. None: it did not say."""

    symbol: str
    tradable: bool | None
    shortable: bool | None
    easy_to_borrow: bool | None
    fractionable: bool | None
    marginable: bool | None
    asset_class: str
