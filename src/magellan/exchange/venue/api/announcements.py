"""/corporate_actions/announcements: splits and dividends of the market, in Alpaca's older form."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from magellan.exchange.error_catalogue import refusal
from magellan.exchange.market.trading_hours import day_start_ns
from magellan.exchange.venue.api.call import Answer, Call, ok
from magellan.exchange.venue.wire_format import date_of, text
from magellan.trading.corporate_action import CashDividend, CorporateAction, Split
from magellan.trading.session import exchange_date
from magellan.trading.timeframe import DAY_NS

_WINDOW_DAYS = 90
_ALL_TIME_NS = 2**62


def list_announcements(call: Call) -> Answer:
    """Announcements whose date lies in [since, until]; the two lie at most 90 days apart."""
    bounds = []
    for name in ("since", "until"):
        written = call.value(name)
        found = date_of(written) if written is not None else None
        if found is None:
            return refusal("invalid_parameter", name=name, value=written or "")
        bounds.append(found)
    since, until = bounds
    if (until - since).days > _WINDOW_DAYS or until < since:
        return refusal("announcement_window")
    kinds = {each.lower() for each in call.values("ca_types")}
    symbol = call.value("symbol")
    found_bodies = [
        body
        for body in _all(call, symbol, day_start_ns(since) - 1, day_start_ns(until) + DAY_NS - 1)
        if not kinds or body["ca_type"] in kinds
    ]
    return ok(found_bodies)


def get_announcement(call: Call, announcement_id: str) -> Answer:
    """One announcement by its id."""
    for body in _all(call, None, 0, _ALL_TIME_NS):
        if body["id"] == announcement_id:
            return ok(body)
    return refusal("announcement_not_found")


def _all(call: Call, symbol: str | None, after_ns: int, until_ns: int) -> list[dict[str, Any]]:
    found = []
    for asset in call.book.market.assets():
        if symbol is None or asset.symbol == symbol:
            actions = call.book.market.actions(asset.symbol, after_ns, until_ns)
            found += [body for action in actions if (body := _body(action)) is not None]
    return found


def _body(action: CorporateAction) -> dict[str, Any] | None:
    """The announcement of a split or dividend; a confirmed move is none."""
    if isinstance(action, Split):
        on = exchange_date(action.effective_at)
        kind, sub_type = "split", "stock_split" if action.share_factor > 1 else "reverse_split"
        cash, old, new = "0", str(action.old_shares), str(action.new_shares)
    elif isinstance(action, CashDividend):
        on = exchange_date(action.ex_at)
        kind, sub_type, cash, old, new = "dividend", "cash", text(action.amount_usd), "1", "1"
    else:
        return None
    return _announcement(action.symbol, on, kind, sub_type, cash, old, new)


def _announcement(
    symbol: str, on: date, kind: str, sub_type: str, cash: str, old: str, new: str
) -> dict[str, Any]:
    name = f"magellan/announcement/{symbol}/{on}/{kind}"
    return {
        "id": str(uuid5(NAMESPACE_URL, name)),
        "corporate_action_id": f"{symbol}_{on:%Y%m%d}_{kind}",
        "ca_type": kind,
        "ca_sub_type": sub_type,
        "initiating_symbol": symbol,
        "initiating_original_cusip": "",
        "target_symbol": symbol,
        "target_original_cusip": "",
        "declaration_date": on.isoformat(),
        "effective_date": on.isoformat(),
        "ex_date": on.isoformat(),
        "record_date": on.isoformat(),
        "payable_date": on.isoformat(),
        "cash": cash,
        "old_rate": old,
        "new_rate": new,
    }
