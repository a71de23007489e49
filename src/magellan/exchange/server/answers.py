"""Answers that the venue has no part in: refusals of the error catalogue, and what faults make of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from magellan.exchange.error_catalogue import refusal
from magellan.exchange.server.faults.plan import SchemaDrift
from magellan.exchange.venue.wire import Reply

# Why an order can be refused at submission: entries of the error catalogue, and the values that they need.
REASONS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "insufficient_buying_power": ("insufficient_buying_power", {"buying_power": "0", "cost_basis": "1"}),
    "not_shortable": ("cannot_be_sold_short", {}),
    "not_fractionable": ("not_fractionable", {}),
    "inactive_asset": ("asset_not_active", {}),
    "wash_trade": (
        "wash_trade",
        {
            "existing_order_id": "00000000-0000-4000-8000-000000000000",
            "reject_reason": "opposite side market/stop order exists",
        },
    ),
    "pattern_day_trading": ("pattern_day_trading", {}),
    "trading_suspended": ("suspended_by_user", {}),
    "closing_only": ("closing_only", {"times": "6"}),
    "hard_to_borrow": ("hard_to_borrow_day", {}),
}


def catalogued(entry: str, /, **values: str) -> Reply:
    """An error answer from the catalogue."""
    refused = refusal(entry, **values)
    return Reply(status=refused.status, body=dict(refused.body))


def too_many(is_data: bool) -> Reply:
    """A client has asked more often than its rate limit allows."""
    return catalogued("data_rate_limited" if is_data else "rate_limited")


def replace_refused(message: str) -> Reply:
    """A replacement is refused, in one of the two ways in which Alpaca does that."""
    if message == "order chain not fully replaced":
        return catalogued("replace_chain")
    return catalogued("replace_accepted", status="accepted")


def skewed(timestamp: str, skew_s: float) -> str:
    """An instant as a clock tells it that is so many seconds ahead."""
    return (datetime.fromisoformat(timestamp) + timedelta(seconds=skew_s)).isoformat()


def drifted(body: Any, terms: SchemaDrift, *, is_top: bool) -> Any:
    """A document as another version of the protocol would have it: fields gone, empty or new."""
    if isinstance(body, list):
        return [drifted(each, terms, is_top=is_top) for each in body]
    if not isinstance(body, dict):
        return body
    fields = {
        name: None if name in terms.null else drifted(value, terms, is_top=False)
        for name, value in body.items()
        if name not in terms.remove
    }
    return {**fields, **terms.add} if is_top else fields
