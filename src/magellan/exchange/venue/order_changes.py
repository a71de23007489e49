"""Cancelling and replacing: requests that race with fills. The exchange answers after a while, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from magellan.exchange.error_catalogue import Refusal, refusal
from magellan.exchange.venue.account import Account
from magellan.exchange.venue.book import Book, Task
from magellan.exchange.venue.order import Order
from magellan.exchange.venue.order_end import end
from magellan.exchange.venue.order_kinds import TIMES_IN_FORCE, refused_kind
from magellan.exchange.venue.order_money import refused_money
from magellan.exchange.venue.order_states import MATCHABLE, REPLACEABLE, Happening, State
from magellan.exchange.venue.order_terms import refused_step, refused_stop
from magellan.exchange.venue.ticket import CLIENT_ORDER_ID_MAX
from magellan.exchange.venue.ticks import plan_tick
from magellan.exchange.venue.trading_times import day_order_ends_ns, gtc_ends_ns
from magellan.exchange.venue.wire_format import number, text

_AT_THE_EXCHANGE = frozenset({State.NEW, State.PARTIALLY_FILLED})


# Cancelling


def ask_cancel(book: Book, order: Order) -> Refusal | None:
    """Ask for an order's cancel; None when the request was taken. What has not reached the exchange ends at once.

    A leg of an mleg order is cancelled with all of it.
    """
    if order.order_class == "mleg" and order.parent is not None:
        order = order.parent
    if order.ended:
        return refusal("not_cancelable", status=order.state.value)
    if order.state is State.PENDING_REPLACE:
        return refusal("cancel_while_replacing")
    if order.state is State.PENDING_CANCEL:
        return None
    if order.on_its_way:
        # A replacement: the cancel goes the same way behind it, and meets what the replacement has come to.
        book.at(book.now_ns + book.terms.change_latency_ns, Task.CANCEL, order)
        return None
    if order.state not in _AT_THE_EXCHANGE or not book.terms.change_latency_ns:
        end(book, order, Happening.CANCEL)
        return None
    book.move(order, Happening.ASK_CANCEL)
    if order.id not in book.stuck:
        book.at(book.now_ns + book.terms.change_latency_ns, Task.CANCEL, order)
    return None


def do_cancel(book: Book, order: Order) -> None:
    """The cancel has reached the exchange, perhaps right behind the replacement that it was asked for."""
    if order.state in _AT_THE_EXCHANGE:
        book.move(order, Happening.ASK_CANCEL)
    if order.state is not State.PENDING_CANCEL:
        return
    if order.id in book.refusing_cancel:
        book.refusing_cancel.discard(order.id)
        book.move(order, Happening.REFUSE_CANCEL)
        return
    end(book, order, Happening.CANCEL)


# Replacing


def ask_replace(book: Book, account: Account, order: Order, body: Any) -> Order | Refusal:
    """Ask for an order's replacement; returns the new order, which is not yet in force."""
    refused = _refused_state(order)
    if refused is not None:
        return refused
    if not isinstance(body, Mapping):
        return refusal("malformed_body")
    changes = _read_changes(book, order, body)
    if isinstance(changes, Refusal):
        return changes
    client_order_id = body.get("client_order_id") or None
    if client_order_id is not None:
        if len(str(client_order_id)) > CLIENT_ORDER_ID_MAX:
            return refusal("client_order_id_long")
        if client_order_id in account.by_client_id:
            return refusal("client_order_id_taken")
    new = _replacement(book, order, changes, client_order_id)
    if order.state is not State.HELD and not (order.group is not None and order.group.entry is not order):
        refused = refused_money(book, account, new)
        if refused is not None:
            return refused
    new.expires_ns = (
        gtc_ends_ns(book, order.created_ns)
        if new.tif == "gtc"
        else day_order_ends_ns(book, book.now_ns, extended=new.extended_hours)
    )
    order.replaced_by = new
    book.add(new)
    book.at(new.expires_ns, Task.EXPIRE, new)
    if order.state is State.HELD or not book.terms.change_latency_ns:
        do_replace(book, new)
        return new
    book.move(order, Happening.ASK_REPLACE)
    book.tell(new, "pending_new")
    book.at(book.now_ns + book.terms.change_latency_ns, Task.REPLACE, new)
    return new


def do_replace(book: Book, new: Order) -> None:
    """The replacement has reached the exchange: it takes the old order's place, unless that has filled meanwhile."""
    old = new.replaces
    assert old is not None, "a replacement replaces an order"
    if new.state is not State.PENDING_NEW:
        return
    outfilled = old.filled_qty >= (new.qty or old.filled_qty + 1)
    if old.id in book.refusing_replace or old.ended or outfilled or book.now_ns >= new.expires_ns:
        end(book, new, Happening.REJECT)
        return
    was_held = old.state is State.HELD
    if old.state in MATCHABLE and old.state is not State.PENDING_REPLACE:
        book.move(old, Happening.ASK_REPLACE, silent=True)
    if new.qty is not None:
        # The quantity asked for counts what the old order filled; the new one is left with the rest.
        new.qty -= old.filled_qty
    old.due_ns = None
    book.move(old, Happening.REPLACE)
    if new.cost_usd:
        book.reserve(new, new.cost_usd)
    _take_place(old, new)
    if was_held:
        new.state = State.HELD
        book.tell(new, "restated")
        return
    book.move(new, Happening.ROUTE)
    plan_tick(book, new)


def _take_place(old: Order, new: Order) -> None:
    """Put the new order where the old one stood in its group and among its parent's legs."""
    group = old.group
    if group is not None:
        if group.entry is old:
            group.entry = new
        group.exits = [new if each is old else each for each in group.exits]
    if old.parent is not None:
        old.parent.legs = [new if each is old else each for each in old.parent.legs]
    for leg in old.legs:
        leg.parent = new
    new.legs, old.legs = old.legs, []


def _refused_state(order: Order) -> Refusal | None:
    if order.state is State.PENDING_REPLACE or (
        order.replaces is not None and order.state is State.PENDING_NEW
    ):
        return refusal("replace_chain")
    if order.ended:
        return refusal("not_cancelable", status=order.state.value)
    if order.state not in REPLACEABLE:
        return refusal("replace_accepted", status=order.state.value)
    return None


def _read_changes(book: Book, order: Order, body: Mapping[str, Any]) -> dict[str, Any] | Refusal:
    """The terms that change, checked like those of a new order."""
    changes: dict[str, Any] = {}
    for name in ("qty", "limit_price", "stop_price", "trail"):
        value = body.get(name)
        if value in (None, ""):
            continue
        found = number(value)
        if found is None:
            return refusal("invalid_parameter", name=name, value=value)
        if found <= 0 and not (order.order_class == "mleg" and name == "limit_price"):
            return refusal("qty_not_positive") if name == "qty" else refusal("price_not_positive", name=name)
        changes[name] = found
    tif = body.get("time_in_force")
    if tif is not None:
        if tif not in TIMES_IN_FORCE:
            return refusal("invalid_time_in_force")
        changes["tif"] = tif
    if not changes:
        return refusal("replace_nothing")
    return _refused_changes(book, order, changes) or changes


def _refused_changes(book: Book, order: Order, changes: dict[str, Any]) -> Refusal | None:
    known = {
        "limit_price": order.limit_price is not None,
        "stop_price": order.stop_price is not None and order.type != "trailing_stop",
        "trail": order.type == "trailing_stop",
    }
    for name, applies in known.items():
        if name in changes and not applies:
            return refusal("replace_field", name=name, type=order.type)
    qty: Decimal | None = changes.get("qty")
    if qty is not None:
        if order.group is not None:
            return refusal("replace_field", name="qty", type=order.order_class)
        if order.notional is not None or (order.qty is not None and order.qty % 1) or qty % 1:
            return refusal("replace_fractional")
        if qty <= order.filled_qty:
            return refusal("replace_qty_filled", filled=text(order.filled_qty))
    if order.asset is None:
        return None
    for name in ("limit_price", "stop_price"):
        refused = refused_step(order.asset, name, changes.get(name))
        if refused is not None:
            return refused
    if "stop_price" in changes and not order.triggered and (order.group is None or order.group.armed):
        current = book.price(order.symbol)
        refused = None if current is None else refused_stop(order.side, changes["stop_price"], current)
        if refused is not None:
            return refused
    if "tif" in changes:
        return refused_kind(order.asset.asset_class, order.order_class, changes["tif"], order.type)
    return None


def _replacement(book: Book, old: Order, changes: dict[str, Any], client_order_id: str | None) -> Order:
    now = book.now_ns
    trail = changes.get("trail")
    new = Order(
        id=book.identities.next_uuid(),
        client_order_id=client_order_id or book.identities.next_uuid(),
        account_id=old.account_id,
        number=book.next_number(),
        asset=old.asset,
        order_class=old.order_class,
        side=old.side,
        type=old.type,
        tif=changes.get("tif", old.tif),
        qty=changes.get("qty", old.qty),
        notional=old.notional,
        limit_price=changes.get("limit_price", old.limit_price),
        stop_price=changes.get("stop_price", old.stop_price),
        trail_price=trail if trail is not None and old.trail_price is not None else old.trail_price,
        trail_percent=trail if trail is not None and old.trail_percent is not None else old.trail_percent,
        hwm=old.hwm,
        extended_hours=old.extended_hours,
        position_intent=old.position_intent,
        ratio_qty=old.ratio_qty,
        created_ns=now,
        submitted_ns=now,
        updated_ns=now,
        expires_ns=old.expires_ns,
        replaces=old,
        parent=old.parent,
        group=old.group,
        role=old.role,
        triggered=old.triggered,
        woken=old.woken,
    )
    if new.type == "trailing_stop" and trail is not None:
        distance = new.trail_price
        assert new.hwm is not None
        if distance is None:
            assert new.trail_percent is not None
            distance = new.hwm * new.trail_percent / 100
        stop = new.hwm - distance if new.sign < 0 else new.hwm + distance
        new.stop_price = stop.quantize(Decimal("0.01"))
    return new


def cancel_all(book: Book, account: Account) -> list[dict[str, Any]]:
    """Ask for every open order's cancel; one line of the answer per order, legs with their parents."""
    answer = []
    for order in list(account.live.values()):
        if order.ended or (order.parent is not None and order.parent.id in account.live):
            continue
        refused = ask_cancel(book, order)
        answer.append({"id": order.id, "status": refused.status if refused else 200})
    return answer
