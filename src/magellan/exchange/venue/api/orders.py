"""/orders: new orders, lists, lookups, changes and cancels."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from magellan.exchange.error_catalogue import Refusal, refusal
from magellan.exchange.market.asset import AssetClass
from magellan.exchange.market.option_contract import OptionContract
from magellan.exchange.venue.api.call import Answer, Call, no_content, ok
from magellan.exchange.venue.order import Order, order_body
from magellan.exchange.venue.order_changes import ask_cancel, ask_replace, cancel_all
from magellan.exchange.venue.order_entry import submit
from magellan.exchange.venue.wire import Reply
from magellan.exchange.venue.wire_format import instant_of, is_true, shown_ns

_LIMIT, _LIMIT_MAX = 50, 500
_ALL_CLASSES = "all"
_CLASSES = frozenset(AssetClass) | {
    _ALL_CLASSES,
    # Alpaca's other classes, of which nothing trades here.
    *("crypto_perp", "treasury", "corporate", "global_equity", "us_index", "us_equity_chain", "ipo"),
}


def post_order(call: Call) -> Answer:
    """Take a new order. The answer shows it as it arrived; its events tell what becomes of it."""
    answer = submit(call.book, call.account, call.request.body)
    if isinstance(answer, Refusal):
        return answer
    return ok(order_as_submitted(call, answer))


def order_as_submitted(call: Call, order: Order) -> dict[str, Any]:
    """The body of the answer to a new order: it has been received, and is on its way to the exchange."""
    body = order_body(order, call.book.era, nested=True)
    if order.state.value == "new":
        body["status"] = "pending_new"
    return body


def list_orders(call: Call) -> Answer:
    """Orders newest first, filtered; with `nested` the legs stand below their parents."""
    status = call.value("status") or "open"
    if status not in ("open", "closed", "all"):
        return refusal("invalid_parameter", name="status", value=status)
    direction = call.value("direction") or "desc"
    if direction not in ("asc", "desc"):
        return refusal("invalid_parameter", name="direction", value=direction)
    limit_text = call.value("limit") or str(_LIMIT)
    if not limit_text.isdigit() or not 1 <= int(limit_text) <= _LIMIT_MAX:
        return refusal("invalid_parameter", name="limit", value=limit_text)
    nested = is_true(call.value("nested"))
    chosen = _filtered(call, status, nested=nested)
    if isinstance(chosen, Refusal):
        return chosen
    if direction == "desc":
        chosen.reverse()
    return ok([order_body(order, call.book.era, nested=nested) for order in chosen[: int(limit_text)]])


def _filtered(call: Call, status: str, *, nested: bool) -> list[Order] | Refusal:
    after_ns, until_ns = None, None
    for name in ("after", "until"):
        written = call.value(name)
        if written is None:
            continue
        found = instant_of(written)
        if found is None:
            return refusal("invalid_parameter", name=name, value=written)
        if name == "after":
            after_ns = found
        else:
            until_ns = found
    if call.value("after_order_id") is not None and call.value("before_order_id") is not None:
        return refusal("invalid_parameter", name="before_order_id", value="not together with after_order_id")
    from_number, to_number = 0, None
    for name in ("after_order_id", "before_order_id"):
        written = call.value(name)
        if written is None:
            continue
        mark = call.account.orders.get(written)
        if mark is None:
            return refusal("order_not_found", order_id=written)
        if name == "after_order_id":
            from_number = mark.number
        else:
            to_number = mark.number
    symbols = set(call.values("symbols"))
    classes = set(call.values("asset_class"))
    for unknown in classes - _CLASSES:
        return refusal("invalid_parameter", name="asset_class", value=unknown)
    if _ALL_CLASSES in classes:
        classes = set()
    side = call.value("side")
    if side not in (None, "buy", "sell"):
        return refusal("invalid_parameter", name="side", value=side)
    source = call.account.live if status == "open" and not nested else call.account.orders
    chosen = []
    for order in source.values():
        if nested and order.parent is not None:
            continue
        is_open = not order.ended or (nested and any(not leg.ended for leg in order.legs))
        if status != "all" and is_open != (status == "open"):
            continue
        if after_ns is not None and shown_ns(order.submitted_ns) <= after_ns:
            continue
        if until_ns is not None and shown_ns(order.submitted_ns) >= until_ns:
            continue
        if order.number <= from_number or (to_number is not None and order.number >= to_number):
            continue
        if symbols and not _names(order, symbols, classes):
            continue
        if classes and (order.asset is None or order.asset.asset_class.value not in classes):
            continue
        if side is not None and order.side != side:
            continue
        chosen.append(order)
    chosen.sort(key=lambda order: order.number)
    return chosen


def _names(order: Order, symbols: set[str], classes: set[str]) -> bool:
    """Whether the order is in one of the symbols; coin pairs without their slash, options by their shares."""
    own = {order.symbol, order.symbol.replace("/", "")} | {leg.symbol for leg in order.legs}
    if AssetClass.US_OPTION.value in classes:
        contract = OptionContract.parse(order.symbol)
        if contract is not None:
            own.add(contract.underlying)
    return bool(own & symbols)


def find_order(call: Call, order_id: str) -> Order | Refusal:
    """The account's order of that id."""
    try:
        UUID(order_id)
    except ValueError:
        return refusal("order_id_missing")
    order = call.account.orders.get(order_id.lower())
    return order if order is not None else refusal("order_not_found", order_id=order_id)


def get_order(call: Call, order_id: str) -> Answer:
    """One order by its id."""
    order = find_order(call, order_id)
    if isinstance(order, Refusal):
        return order
    return ok(order_body(order, call.book.era, nested=is_true(call.value("nested"))))


def get_by_client_id(call: Call) -> Answer:
    """One order by the id that its client gave it."""
    client_order_id = call.value("client_order_id")
    if client_order_id is None:
        return refusal("invalid_parameter", name="client_order_id", value="")
    order = call.account.by_client_id.get(client_order_id)
    if order is None:
        return refusal("order_not_found", order_id=client_order_id)
    return ok(order_body(order, call.book.era, nested=is_true(call.value("nested"))))


def patch_order(call: Call, order_id: str) -> Answer:
    """Ask for a replacement; the answer is the new order."""
    order = find_order(call, order_id)
    if isinstance(order, Refusal):
        return order
    answer = ask_replace(call.book, call.account, order, call.request.body)
    return answer if isinstance(answer, Refusal) else ok(order_as_submitted(call, answer))


def delete_order(call: Call, order_id: str) -> Answer:
    """Ask for a cancel."""
    order = find_order(call, order_id)
    if isinstance(order, Refusal):
        return order
    return ask_cancel(call.book, order) or no_content()


def delete_all(call: Call) -> Answer:
    """Ask for every open order's cancel."""
    return Reply(status=207, body=cancel_all(call.book, call.account))
