"""/watchlists, by id and by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from magellan.exchange.error_catalogue import Refusal, refusal
from magellan.exchange.venue.account import Watchlist
from magellan.exchange.venue.api.assets import asset_body
from magellan.exchange.venue.api.call import Answer, Call, no_content, ok
from magellan.exchange.venue.order_entry import find_asset
from magellan.exchange.venue.wire_format import instant_text

_NAME_MAX = 64


def _body(call: Call, watchlist: Watchlist, *, with_assets: bool = True) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": watchlist.id,
        "account_id": call.account.id,
        "created_at": instant_text(watchlist.created_ns),
        "updated_at": instant_text(watchlist.updated_ns),
        "name": watchlist.name,
    }
    if with_assets:
        assets = (call.book.market.asset(symbol) for symbol in watchlist.symbols)
        body["assets"] = [asset_body(asset, call.book.era) for asset in assets if asset is not None]
    return body


def list_watchlists(call: Call) -> Answer:
    """Every watchlist, without its assets."""
    return ok([_body(call, each, with_assets=False) for each in call.account.watchlists.values()])


def create_watchlist(call: Call) -> Answer:
    """A new watchlist."""
    terms = _terms(call, None)
    if isinstance(terms, Refusal):
        return terms
    name, symbols = terms
    if name is None:
        return refusal("watchlist_name_missing")
    now = call.book.now_ns
    watchlist = Watchlist(
        id=call.book.identities.next_uuid(), name=name, created_ns=now, updated_ns=now, symbols=symbols or []
    )
    call.account.watchlists[watchlist.id] = watchlist
    return ok(_body(call, watchlist))


def _find(call: Call, watchlist_id: str | None) -> Watchlist | Refusal:
    """The watchlist of that id, or of the name in the query."""
    if watchlist_id is not None:
        found = call.account.watchlists.get(watchlist_id)
    else:
        name = call.value("name")
        found = next((each for each in call.account.watchlists.values() if each.name == name), None)
    return found if found is not None else refusal("watchlist_not_found")


def get_watchlist(call: Call, watchlist_id: str | None = None) -> Answer:
    """One watchlist by id or name."""
    watchlist = _find(call, watchlist_id)
    return watchlist if isinstance(watchlist, Refusal) else ok(_body(call, watchlist))


def put_watchlist(call: Call, watchlist_id: str | None = None) -> Answer:
    """Another name, or other assets; what is not named stays."""
    watchlist = _find(call, watchlist_id)
    if isinstance(watchlist, Refusal):
        return watchlist
    terms = _terms(call, watchlist)
    if isinstance(terms, Refusal):
        return terms
    name, symbols = terms
    watchlist.name = name or watchlist.name
    watchlist.symbols = watchlist.symbols if symbols is None else symbols
    watchlist.updated_ns = call.book.now_ns
    return ok(_body(call, watchlist))


def add_to_watchlist(call: Call, watchlist_id: str | None = None) -> Answer:
    """Put an asset at the end."""
    watchlist = _find(call, watchlist_id)
    if isinstance(watchlist, Refusal):
        return watchlist
    body = call.request.body
    symbol = body.get("symbol") if isinstance(body, Mapping) else None
    if not isinstance(symbol, str) or not symbol:
        return refusal("symbol_required")
    asset = find_asset(call.book, symbol)
    if asset is None:
        return refusal("asset_not_found", symbol=symbol)
    if asset.symbol in watchlist.symbols:
        return refusal("watchlist_asset_taken", symbol=asset.symbol)
    watchlist.symbols.append(asset.symbol)
    watchlist.updated_ns = call.book.now_ns
    return ok(_body(call, watchlist))


def delete_watchlist(call: Call, watchlist_id: str | None = None) -> Answer:
    """Delete the list."""
    watchlist = _find(call, watchlist_id)
    if isinstance(watchlist, Refusal):
        return watchlist
    del call.account.watchlists[watchlist.id]
    return no_content()


def remove_from_watchlist(call: Call, watchlist_id: str, symbol: str) -> Answer:
    """Take an asset off the list."""
    watchlist = _find(call, watchlist_id)
    if isinstance(watchlist, Refusal):
        return watchlist
    if symbol not in watchlist.symbols:
        return refusal("asset_not_found", symbol=symbol)
    watchlist.symbols.remove(symbol)
    watchlist.updated_ns = call.book.now_ns
    return ok(_body(call, watchlist))


def _terms(call: Call, current: Watchlist | None) -> tuple[str | None, list[str] | None] | Refusal:
    """Name and symbols of the body; None for what it does not name."""
    body = call.request.body
    if not isinstance(body, Mapping):
        return refusal("malformed_body")
    name, symbols = body.get("name"), body.get("symbols")
    if name is not None:
        if not isinstance(name, str) or not 0 < len(name) <= _NAME_MAX:
            return refusal("watchlist_name_missing")
        if any(each.name == name and each is not current for each in call.account.watchlists.values()):
            return refusal("watchlist_name_taken")
    if symbols is None:
        return name, None
    if not isinstance(symbols, list):
        return refusal("malformed_body")
    found: list[str] = []
    for symbol in symbols:
        asset = find_asset(call.book, str(symbol))
        if asset is None:
            return refusal("asset_not_found", symbol=symbol)
        if asset.symbol not in found:
            found.append(asset.symbol)
    return name, found
