"""What Robinhood's tools say of accounts, positions and symbols, as our values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from magellan.adapters.robinhood.told_values import number, number_or_none, reading
from magellan.trading.account import AccountSnapshot, BrokerPosition, TradableAsset


def position_of(told: Any, as_of: datetime) -> BrokerPosition | None:
    """A position; None for one of no shares. Raises RobinhoodUnreadable, as the functions below do."""
    with reading("a position", told):
        quantity = number(told["quantity"])
        if quantity == 0:
            return None
        return BrokerPosition(
            symbol=str(told["symbol"]),
            quantity=quantity,
            available=number(told["shares_available_for_sells"]) if quantity > 0 else None,
            average_entry_price=number_or_none(told.get("average_buy_price")),
            market_price=None,
            as_of=as_of,
        )


def account_of(account: Mapping[str, Any], portfolio: Mapping[str, Any], as_of: datetime) -> AccountSnapshot:
    """An account, from what two tools tell of it. Blocked is also one that this login may only read."""
    with reading("an account", account):
        power = portfolio["buying_power"]
        blocked = (
            account["state"] != "active" or bool(account["deactivated"]) or not account["agentic_allowed"]
        )
        return AccountSnapshot(
            account_id=str(account["account_number"]),
            as_of=as_of,
            cash_usd=number(portfolio["cash"]),
            equity_usd=number(portfolio["total_value"]),
            last_equity_usd=None,
            buying_power_usd=None if power is None else number(power["buying_power"]),
            multiplier=None if account["type"] == "margin" else Decimal(1),
            shorting_enabled=False,
            trading_blocked=blocked,
            currency=str(portfolio["currency"]),
        )


def asset_of(told: Any, account_type: str) -> TradableAsset:
    """What may be done with a symbol in an account of that type."""
    with reading("a symbol", told):
        of_account = {
            each["account_type"]: each["account_type_tradability"]
            for each in told.get("account_type_tradabilities") or ()
        }
        tradable = bool(told["tradeable"]) and told.get("state", "active") == "active"
        halted = "regular_hours" in (told.get("internal_halt_sessions") or ())
        return TradableAsset(
            symbol=str(told["symbol"]),
            tradable=tradable and not halted and of_account.get(account_type, "tradable") == "tradable",
            shortable=False,
            easy_to_borrow=False,
            fractionable=told.get("fractional_tradability") == "tradable",
            marginable=None,
            asset_class="us_equity",
        )
