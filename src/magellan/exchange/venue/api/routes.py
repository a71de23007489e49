"""Routes: which path and method is answered by whom."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from magellan.exchange.error_catalogue import refusal
from magellan.exchange.venue.api import (
    accounts,
    activities,
    announcements,
    assets,
    market_clock,
    orders,
    portfolio_history,
    positions,
    watchlists,
)
from magellan.exchange.venue.api.call import Answer, Call, Endpoint

# A place in braces takes one or more characters without a slash; {symbol} may hold one, for coin pairs.
ROUTES: dict[str, dict[str, Endpoint]] = {
    "/account": {"GET": accounts.get_account},
    "/account/configurations": {"GET": accounts.get_settings, "PATCH": accounts.patch_settings},
    "/account/activities": {"GET": activities.list_activities},
    "/account/activities/{kind}": {"GET": activities.list_activities},
    "/account/portfolio/history": {"GET": portfolio_history.get_portfolio_history},
    "/clock": {"GET": market_clock.get_clock},
    "/calendar": {"GET": market_clock.get_calendar},
    "/v3/clock": {"GET": market_clock.get_clock_v3},
    "/v3/calendar/{market}": {"GET": market_clock.get_calendar_v3},
    "/assets": {"GET": assets.list_assets},
    "/assets/{symbol}": {"GET": assets.get_asset},
    "/options/contracts": {"GET": assets.list_contracts},
    "/options/contracts/{contract}": {"GET": assets.get_contract},
    "/orders": {"GET": orders.list_orders, "POST": orders.post_order, "DELETE": orders.delete_all},
    "/orders:by_client_order_id": {"GET": orders.get_by_client_id},
    "/orders/{order_id}": {
        "GET": orders.get_order,
        "PATCH": orders.patch_order,
        "DELETE": orders.delete_order,
    },
    "/positions": {"GET": positions.list_positions, "DELETE": positions.close_all},
    "/positions/{contract}/exercise": {"POST": positions.exercise},
    "/positions/{contract}/do-not-exercise": {"POST": positions.do_not_exercise},
    "/positions/{symbol}": {"GET": positions.get_position, "DELETE": positions.close_position},
    "/watchlists": {"GET": watchlists.list_watchlists, "POST": watchlists.create_watchlist},
    "/watchlists:by_name": {
        "GET": watchlists.get_watchlist,
        "PUT": watchlists.put_watchlist,
        "POST": watchlists.add_to_watchlist,
        "DELETE": watchlists.delete_watchlist,
    },
    "/watchlists/{watchlist_id}": {
        "GET": watchlists.get_watchlist,
        "PUT": watchlists.put_watchlist,
        "POST": watchlists.add_to_watchlist,
        "DELETE": watchlists.delete_watchlist,
    },
    "/watchlists/{watchlist_id}/{symbol}": {"DELETE": watchlists.remove_from_watchlist},
    "/corporate_actions/announcements": {"GET": announcements.list_announcements},
    "/corporate_actions/announcements/{announcement_id}": {"GET": announcements.get_announcement},
}

# What Alpaca has, and this exchange does not lend: answered as for an account that is not enabled for it.
UNAVAILABLE = {
    "/wallets": "crypto wallets",
    "/tokenization": "tokenization",
    "/v1/locates": "locates",
    "/v2beta1": "activity events",
    "/perpetuals": "perpetual futures",
    "/assets/fixed_income": "fixed income",
}


class _Pattern(NamedTuple):
    path: re.Pattern[str]
    methods: dict[str, Endpoint]


def _compiled(route: str) -> re.Pattern[str]:
    written = re.escape(route).replace(r"\{", "{").replace(r"\}", "}")
    written = re.sub(r"\{symbol\}", r"([^/]+(?:/[^/]+)?)", written)
    return re.compile(re.sub(r"\{\w+\}", r"([^/]+)", written))


_FIXED = {route: methods for route, methods in ROUTES.items() if "{" not in route}
_PATTERNS: Sequence[_Pattern] = [
    _Pattern(_compiled(route), methods) for route, methods in ROUTES.items() if "{" in route
]


def answer(call: Call) -> Answer:
    """Find who answers the call, and let them."""
    path, method = call.request.path, call.request.method.upper()
    methods = _FIXED.get(path)
    places: tuple[str, ...] = ()
    if methods is None:
        for prefix, feature in UNAVAILABLE.items():
            if path == prefix or path.startswith(f"{prefix}/"):
                return refusal("feature_unavailable", feature=feature)
        for pattern in _PATTERNS:
            match = pattern.path.fullmatch(path)
            if match is not None:
                methods, places = pattern.methods, match.groups()
                break
    if methods is None:
        return refusal("endpoint_not_found")
    endpoint = methods.get(method)
    return refusal("method_not_allowed") if endpoint is None else endpoint(call, *places)
