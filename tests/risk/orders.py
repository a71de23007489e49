"""An account in which everything is known and nothing stands in an entry's way, and orders to check against it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from magellan.risk.limits import EntryHours, Hours, RiskLimits, RiskView
from magellan.trading.order import OrderRequest, OrderSide, OrderType

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)

# As wide as a limit can be, so that a test can tighten one of them alone.
WIDE = RiskLimits(
    price_collar_fraction_max=Decimal(1),
    position_fraction_max=Decimal(10),
    gross_exposure_fraction_max=Decimal(10),
    orders_per_minute_max=10_000,
    orders_per_second_max=10_000,
    bar_age_s_max=Decimal(10**9),
    account_age_s_max=Decimal(10**9),
    reconciliation_age_s_max=Decimal(10**9),
    clock_skew_s_max=Decimal(10**9),
)

# Every limit set, and kept by `order()` in `view()`.
ALL_SET = RiskLimits(
    order_usd_max=Decimal(1000),
    order_units_max=Decimal(10),
    price_collar_fraction_max=Decimal("0.05"),
    position_usd_max=Decimal(1000),
    position_fraction_max=Decimal("0.05"),
    symbol_exposure_usd_max=Decimal(1000),
    gross_exposure_fraction_max=Decimal(1),
    open_positions_max=5,
    trades_per_day_max=10,
    loss_per_day_fraction_max=Decimal("0.03"),
    loss_per_day_usd_max=Decimal(3000),
    entry_hours=EntryHours.OPEN,
)


def view(**changed: Any) -> RiskView:
    """An account of 100,000 $ without positions, at noon, told of a second ago."""
    known: dict[str, Any] = {
        "at": NOW,
        "halted": False,
        "lease_lapsed": "",
        "breakers_tripped": (),
        "reference_price": Decimal(100),
        "last_price": Decimal(100),
        "position_units": Decimal(0),
        "working_entry_usd": Decimal(0),
        "working_reducing_units": Decimal(0),
        "same_intent_pending": False,
        "symbol_halted": False,
        "bar_age_s": Decimal(1),
        "trading_blocked": False,
        "equity_usd": Decimal(100_000),
        "buying_power_usd": Decimal(100_000),
        "gross_exposure_usd": Decimal(0),
        "working_entries_usd": Decimal(0),
        "open_symbols": frozenset(),
        "trades_today": 0,
        "entries_last_minute": 0,
        "entries_last_second": 0,
        "day_start_equity_usd": Decimal(100_000),
        "realised_today_usd": Decimal(0),
        "hours": Hours.REGULAR,
        "account_told_at": NOW - timedelta(seconds=1),
        "reconciled_at": NOW - timedelta(seconds=1),
        "clock_skew_s": Decimal(0),
    }
    return RiskView(**(known | changed))


def order(**changed: Any) -> OrderRequest:
    """To buy ten shares of AMC at the market."""
    asked: dict[str, Any] = {
        "client_order_id": "mg1-1",
        "symbol": "AMC",
        "side": OrderSide.BUY,
        "type": OrderType.MARKET,
        "quantity": Decimal(10),
    }
    return OrderRequest(**(asked | changed))
