"""The tools of Robinhood's server that we use, and what we need of each.

The server's own list is read when a connection is made. A tool that is missing, has lost an argument that we send, or
wants one that we do not know, ends the connection before anything is asked: a changed protocol is for a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from magellan.errors import AskOperator

READING: Final[Mapping[str, frozenset[str]]] = {
    "get_accounts": frozenset(),
    "get_portfolio": frozenset({"account_number"}),
    "get_equity_positions": frozenset({"account_number", "cursor"}),
    "get_equity_orders": frozenset(
        {"account_number", "order_id", "state", "symbol", "created_at_gte", "cursor"}
    ),
    "get_equity_tradability": frozenset({"account_number", "symbols"}),
}

_ORDER: Final = frozenset(
    {
        *("account_number", "symbol", "side", "type", "quantity", "dollar_amount"),
        *("limit_price", "stop_price", "time_in_force", "market_hours"),
    }
)

ORDERING: Final[Mapping[str, frozenset[str]]] = {
    "review_equity_order": _ORDER,
    "place_equity_order": _ORDER | {"ref_id"},
    "cancel_equity_order": frozenset({"account_number", "order_id"}),
}


def must_fit(offered: Mapping[str, Mapping[str, Any]], *, orders: bool) -> None:
    """Refuse a server whose tools are not those that we know.

    offered: the input schema of each tool that the server lists.
    orders:  whether orders will be sent too.
    Raises: AskOperator, naming every difference.
    """
    differences = []
    for tool, sent in ({**READING, **ORDERING} if orders else READING).items():
        schema = offered.get(tool)
        if schema is None:
            differences.append(f"{tool} is not there")
            continue
        known = frozenset(schema.get("properties", {}))
        if gone := sorted(sent - known):
            differences.append(f"{tool} takes no {', '.join(gone)} any more")
        if wanted := sorted(frozenset(schema.get("required", ())) - sent):
            differences.append(f"{tool} now wants {', '.join(wanted)}")
    if differences:
        raise AskOperator(
            f"Robinhood's tools are not those that this version knows: {'; '.join(differences)}",
            kept="nothing was asked, and no order was sent",
            next_step="trade there by its own application, and look for a newer version of Magellan",
        )
