"""/assets and /options/contracts: what can be traded here."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from magellan.exchange.error_catalogue import refusal
from magellan.exchange.market.asset import Asset, AssetClass
from magellan.exchange.market.option_contract import (
    MULTIPLIER,
    OptionContract,
    Right,
    listed_expiries,
    listed_strikes,
)
from magellan.exchange.market.trading_hours import day_of
from magellan.exchange.venue.api.call import Answer, Call, ok
from magellan.exchange.venue.era import Era
from magellan.exchange.venue.order_entry import find_asset
from magellan.exchange.venue.wire_format import date_of, number, optional_text, text

_CONTRACTS, _CONTRACTS_MAX = 100, 10_000


def asset_body(asset: Asset, era: Era) -> dict[str, Any]:
    """An asset as Alpaca sends it on that day."""
    body: dict[str, Any] = {
        "id": str(asset.id),
        "class": asset.asset_class.value,
        "exchange": asset.exchange,
        "symbol": asset.symbol,
        "name": asset.name,
        "status": "active" if asset.active else "inactive",
        "tradable": asset.tradable,
        "marginable": asset.marginable,
        "shortable": asset.shortable,
        "fractionable": asset.fractionable,
        "maintenance_margin_requirement": float(asset.margin_requirement_long),
        "margin_requirement_long": text(asset.margin_requirement_long),
        "margin_requirement_short": text(asset.margin_requirement_short),
        "attributes": list(asset.attributes),
    }
    if era.easy_to_borrow:
        body["easy_to_borrow"] = asset.easy_to_borrow
    if era.borrow_status and asset.asset_class is AssetClass.US_EQUITY:
        body["borrow_status"] = "easy_to_borrow" if asset.easy_to_borrow else "hard_to_borrow"
    if asset.asset_class is AssetClass.CRYPTO:
        body["min_order_size"] = optional_text(asset.min_order_size)
        body["min_trade_increment"] = optional_text(asset.min_trade_increment)
        body["price_increment"] = optional_text(asset.price_increment)
    return body


def list_assets(call: Call) -> Answer:
    """Assets by class, exchange and symbol, filtered; shares where no class is asked for."""
    wanted_class = call.value("asset_class") or AssetClass.US_EQUITY.value
    status, exchange = call.value("status"), call.value("exchange")
    attributes = set(call.values("attributes"))
    chosen = [
        asset
        for asset in call.book.market.assets()
        if asset.asset_class.value == wanted_class
        and (status is None or asset.active == (status == "active"))
        and (exchange is None or asset.exchange == exchange)
        and (not attributes or attributes & set(asset.attributes))
    ]
    chosen.sort(key=lambda asset: (asset.asset_class.value, asset.exchange, asset.symbol))
    return ok([asset_body(asset, call.book.era) for asset in chosen])


def get_asset(call: Call, symbol_or_id: str) -> Answer:
    """One asset by symbol or id."""
    asset = find_asset(call.book, symbol_or_id)
    if asset is None:
        return refusal("asset_not_found", symbol=symbol_or_id)
    return ok(asset_body(asset, call.book.era))


# Option contracts


def contract_body(call: Call, contract: OptionContract) -> dict[str, Any]:
    """An option contract as Alpaca sends it."""
    book = call.book
    share = book.market.asset(contract.underlying)
    active = contract.expires_on >= day_of(book.now_ns)
    body: dict[str, Any] = {
        "id": contract.id,
        "symbol": contract.symbol,
        "name": contract.name,
        "status": "active" if active else "inactive",
        "tradable": active,
        "expiration_date": contract.expires_on.isoformat(),
        "root_symbol": contract.underlying,
        "underlying_symbol": contract.underlying,
        "underlying_asset_id": str(share.id) if share else "",
        "type": contract.right.value,
        "style": "american",
        "strike_price": text(contract.strike),
        "multiplier": str(MULTIPLIER),
        "size": str(MULTIPLIER),
        "ppind": False,
    }
    if share is not None and call.value("show_deliverables") == "true":
        body["deliverables"] = [
            {
                "type": "equity",
                "symbol": contract.underlying,
                "asset_id": str(share.id),
                "amount": str(MULTIPLIER),
                "allocation_percentage": "100",
                "settlement_type": "T+1",
                "settlement_method": "CCC",
                "delayed_settlement": False,
            }
        ]
    return body


def get_contract(call: Call, symbol_or_id: str) -> Answer:
    """One contract by symbol or id."""
    contract = OptionContract.parse(symbol_or_id)
    if contract is None:
        contract = next((each for each in _listed(call) if each.id == symbol_or_id), None)
    if contract is None or call.book.market.asset(contract.symbol) is None:
        return refusal("contract_not_found", symbol=symbol_or_id)
    return ok(contract_body(call, contract))


def list_contracts(call: Call) -> Answer:
    """Contracts by symbol, filtered, in pages; those that expire until the next weekend unless asked otherwise."""
    today = day_of(call.book.now_ns)
    bounds: dict[str, date | None] = {}
    for name in ("expiration_date", "expiration_date_gte", "expiration_date_lte"):
        written = call.value(name)
        bounds[name] = date_of(written) if written is not None else None
        if written is not None and bounds[name] is None:
            return refusal("invalid_parameter", name=name, value=written)
    if all(bound is None for bound in bounds.values()):
        bounds["expiration_date_lte"] = _next_weekend(today)
    strikes: dict[str, Decimal | None] = {}
    for name in ("strike_price_gte", "strike_price_lte"):
        written = call.value(name)
        strikes[name] = number(written) if written is not None else None
        if written is not None and strikes[name] is None:
            return refusal("invalid_parameter", name=name, value=written)
    limit = call.value("limit") or str(_CONTRACTS)
    if not limit.isdigit() or not 1 <= int(limit) <= _CONTRACTS_MAX:
        return refusal("invalid_parameter", name="limit", value=limit)
    token = call.value("page_token") or ""
    if call.value("status") == "inactive" or call.value("style") == "european":
        return ok({"option_contracts": [], "next_page_token": None})
    chosen = [
        contract
        for contract in _listed(call)
        if _within(contract, bounds, strikes)
        and call.value("type") in (None, contract.right.value)
        and contract.symbol > token
    ]
    chosen.sort(key=lambda contract: contract.symbol)
    page = chosen[: int(limit)]
    more = page[-1].symbol if len(chosen) > len(page) else None
    return ok({"option_contracts": [contract_body(call, each) for each in page], "next_page_token": more})


def _next_weekend(today: date) -> date:
    """The Sunday that ends the week; on a weekend, the one after it, since the week's own contracts have expired."""
    in_week = today if today.weekday() < 5 else today + timedelta(days=2)
    return in_week + timedelta(days=6 - in_week.weekday())


def _within(
    contract: OptionContract, bounds: dict[str, date | None], strikes: dict[str, Decimal | None]
) -> bool:
    on, earliest, latest = bounds.values()
    least, most = strikes.values()
    return (
        (on is None or contract.expires_on == on)
        and (earliest is None or contract.expires_on >= earliest)
        and (latest is None or contract.expires_on <= latest)
        and (least is None or contract.strike >= least)
        and (most is None or contract.strike <= most)
    )


def _listed(call: Call) -> list[OptionContract]:
    """The contracts on the shares that are asked for, or on all of them."""
    book = call.book
    today = day_of(book.now_ns)
    wanted = call.values("underlying_symbols") or call.values("root_symbol")
    found = []
    for asset in book.market.assets():
        if asset.asset_class is not AssetClass.US_EQUITY or (wanted and asset.symbol not in wanted):
            continue
        close = book.market.previous_close(asset.symbol, book.now_ns)
        if close is None or "has_options" not in asset.attributes:
            continue
        for expires_on in listed_expiries(today):
            for right in Right:
                for strike in listed_strikes(close):
                    contract = OptionContract(
                        underlying=asset.symbol, expires_on=expires_on, right=right, strike=strike
                    )
                    if book.market.asset(contract.symbol) is not None:
                        found.append(contract)
    return found
