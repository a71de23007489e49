"""GET /account/activities: what the account has lived through, in pages."""

from __future__ import annotations

from datetime import date
from typing import Any

from magellan.exchange.error_catalogue import Refusal, refusal
from magellan.exchange.market.trading_hours import day_of
from magellan.exchange.venue.account import Activity
from magellan.exchange.venue.api.call import Answer, Call, ok
from magellan.exchange.venue.wire_format import date_of, instant_of, shown_ns

_PAGE, _PAGE_MAX = 100, 100


def list_activities(call: Call, kind: str | None = None) -> Answer:
    """Activities newest first; page_token is the id of the last one seen."""
    kinds = {kind} if kind else set(call.values("activity_types"))
    category = call.value("category")
    if category is not None:
        if kinds:
            return refusal("invalid_parameter", name="category", value=category)
        if category not in ("trade_activity", "non_trade_activity"):
            return refusal("invalid_parameter", name="category", value=category)
    direction = call.value("direction") or "desc"
    if direction not in ("asc", "desc"):
        return refusal("invalid_parameter", name="direction", value=direction)
    size = call.value("page_size") or str(_PAGE)
    if not size.isdigit() or not 1 <= int(size) <= _PAGE_MAX:
        return refusal("invalid_parameter", name="page_size", value=size)
    chosen = _filtered(call, kinds, category)
    if isinstance(chosen, Refusal):
        return chosen
    if direction == "desc":
        chosen.reverse()
    token = call.value("page_token")
    if token is not None:
        places = [place for place, activity in enumerate(chosen) if activity.id == token]
        if not places:
            return refusal("invalid_parameter", name="page_token", value=token)
        chosen = chosen[places[0] + 1 :]
    return ok([_body(activity) for activity in chosen[: int(size)]])


def _body(activity: Activity) -> dict[str, Any]:
    return activity.body


def _filtered(call: Call, kinds: set[str], category: str | None) -> list[Activity] | Refusal:
    after_ns, until_ns, on = None, None, None
    for name in ("after", "until", "date"):
        written = call.value(name)
        if written is None:
            continue
        found = instant_of(written)
        if found is None:
            return refusal("invalid_parameter", name=name, value=written)
        if name == "after":
            after_ns = found
        elif name == "until":
            until_ns = found
        else:
            on = date_of(written)
    order_id = call.value("order_id")
    return [
        activity
        for activity in call.account.activities
        if (not kinds or activity.kind in kinds)
        and (category is None or (activity.kind == "FILL") == (category == "trade_activity"))
        and (after_ns is None or shown_ns(activity.at_ns) > after_ns)
        and (until_ns is None or shown_ns(activity.at_ns) < until_ns)
        and (on is None or _day_of(activity) == on)
        and (order_id is None or activity.order_id == order_id)
    ]


def _day_of(activity: Activity) -> date:
    return day_of(activity.at_ns)
