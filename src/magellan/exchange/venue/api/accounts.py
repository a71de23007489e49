"""GET /account, GET and PATCH /account/configurations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from magellan.exchange.error_catalogue import refusal
from magellan.exchange.venue.account import Account
from magellan.exchange.venue.api.call import Answer, Call, ok
from magellan.exchange.venue.book import Book
from magellan.exchange.venue.margin import standing
from magellan.exchange.venue.order_money import day_trade_count
from magellan.exchange.venue.wire import EventKind
from magellan.exchange.venue.wire_format import ZERO, instant_text, money_text, text

_OLD_SETTINGS = ("dtbp_check", "pdt_check")
_CHOICES: dict[str, tuple[Any, ...]] = {
    "dtbp_check": ("both", "entry", "exit"),
    "pdt_check": ("both", "entry", "exit"),
    "fractional_trading": (True, False),
    "max_margin_multiplier": ("1", "2", "4"),
    "max_options_trading_level": (0, 1, 2, 3),
    "no_shorting": (True, False),
    "ptp_no_exception_entry": (True, False),
    "suspend_trade": (True, False),
    "trade_confirm_email": ("all", "none"),
    "disable_overnight_trading": (True, False),
}


def account_body(book: Book, account: Account) -> dict[str, Any]:
    """The account as Alpaca sends it; all amounts as text."""
    now = standing(book, account)
    power = now.day_usd
    body: dict[str, Any] = {
        "id": account.id,
        "admin_configurations": {},
        "user_configurations": None,
        "account_number": account.number,
        "status": "ACTIVE",
        "crypto_status": "ACTIVE",
        "options_approved_level": account.terms.options_level,
        "options_trading_level": account.options_level,
        "currency": "USD",
        "buying_power": money_text(power),
        "regt_buying_power": money_text(now.regt_usd),
        "effective_buying_power": money_text(power),
        "non_marginable_buying_power": money_text(now.non_marginable_usd),
        "options_buying_power": money_text(now.non_marginable_usd),
        "bod_dtbp": "0",
        "cash": money_text(account.cash_usd),
        "accrued_fees": "0",
        "portfolio_value": money_text(now.equity_usd),
        "trading_blocked": account.trading_blocked,
        "transfers_blocked": False,
        "account_blocked": account.account_blocked,
        "created_at": instant_text(account.opened_ns),
        "trade_suspended_by_user": account.settings.suspend_trade,
        "multiplier": str(now.multiplier),
        "shorting_enabled": account.may_short,
        "equity": money_text(now.equity_usd),
        "last_equity": money_text(account.last_equity_usd),
        "long_market_value": money_text(now.long_usd),
        "short_market_value": money_text(now.short_usd),
        "position_market_value": money_text(now.exposure_usd),
        "initial_margin": money_text(now.initial_usd),
        "maintenance_margin": money_text(now.maintenance_usd),
        "last_maintenance_margin": money_text(account.last_maintenance_usd),
        "sma": money_text(max(ZERO, now.equity_usd - now.initial_usd)),
        "balance_asof": account.balance_on.isoformat(),
        "crypto_tier": 1,
        "intraday_adjustments": "0",
        "pending_reg_taf_fees": "0",
        "pending_transfer_in": "0",
        "pending_transfer_out": "0",
    }
    if book.era.pattern_day_trading:
        count = day_trade_count(book, account)
        flagged = account.terms.pattern_day_trader or count > 3
        body["pattern_day_trader"] = flagged
        body["daytrade_count"] = count
        body["daytrading_buying_power"] = money_text(power if now.multiplier == 4 else Decimal(0))
    return body


def get_account(call: Call) -> Answer:
    """The account as it stands now."""
    return ok(account_body(call.book, call.account))


def _settings_body(call: Call) -> dict[str, Any]:
    body = asdict(call.account.settings)
    if not call.book.era.pattern_day_trading:
        for name in _OLD_SETTINGS:
            del body[name]
    return body


def get_settings(call: Call) -> Answer:
    """The configurations that the account's owner may change."""
    return ok(_settings_body(call))


def patch_settings(call: Call) -> Answer:
    """Change what is named; members that are null stay as they are, and all or nothing is changed."""
    asked = call.request.body
    if not isinstance(asked, Mapping):
        return refusal("malformed_body")
    changes: dict[str, Any] = {}
    for name, value in asked.items():
        if value is None or name not in _CHOICES:
            continue
        if name == "max_margin_multiplier":
            value = text(Decimal(str(value))) if str(value).replace(".", "", 1).isdigit() else value
        if value not in _CHOICES[name] or isinstance(value, bool) != isinstance(_CHOICES[name][0], bool):
            return refusal("invalid_parameter", name=name, value=value)
        changes[name] = value
    for name, value in changes.items():
        setattr(call.account.settings, name, value)
    call.book.emit(call.account.id, EventKind.ACCOUNT, account_body(call.book, call.account))
    return ok(_settings_body(call))
