"""A ticket: what a client asks for with a new order, read from the body and checked for shape alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from magellan.exchange.error_catalogue import Refusal, refusal
from magellan.exchange.venue.order_kinds import CLASSES, TIMES_IN_FORCE, TYPES
from magellan.exchange.venue.wire_format import CENT, NANO, number

INTENTS = ("buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close")
CLIENT_ORDER_ID_MAX = 128
_NUMBERS = ("qty", "notional", "limit_price", "stop_price", "trail_price", "trail_percent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A new order as asked for. Numbers are positive, except an mleg order's limit price, which may be a credit."""

    symbol: str
    side: str
    type: str
    tif: str
    order_class: str
    qty: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    client_order_id: str | None = None
    position_intent: str | None = None
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    stop_loss_limit: Decimal | None = None
    legs: tuple[Mapping[str, Any], ...] = field(default=())

    @property
    def fractional(self) -> bool:
        return self.notional is not None or (self.qty is not None and self.qty % 1 != 0)

    @property
    def sign(self) -> int:
        return 1 if self.side == "buy" else -1


def read_ticket(body: Any) -> Ticket | Refusal:
    """Read the body of POST /v2/orders."""
    if not isinstance(body, Mapping):
        return refusal("malformed_body")
    order_class = body.get("order_class") or "simple"
    if order_class not in CLASSES:
        return refusal("invalid_order_class")
    is_mleg = order_class == "mleg"
    symbol, side = body.get("symbol"), body.get("side")
    if is_mleg:
        if symbol:
            return refusal("mleg_symbol")
        symbol, side = "", ""
    elif not isinstance(symbol, str) or not symbol:
        return refusal("symbol_required")
    elif not side:
        return refusal("side_required")
    elif side not in ("buy", "sell"):
        return refusal("invalid_side")
    type_, tif = body.get("type"), body.get("time_in_force")
    if order_class == "oco" and type_ is None:
        type_ = "limit"
    if type_ not in TYPES:
        return refusal("invalid_order_type")
    if tif not in TIMES_IN_FORCE:
        return refusal("invalid_time_in_force")
    numbers = _numbers(body, signed_limit=is_mleg)
    if isinstance(numbers, Refusal):
        return numbers
    client_order_id = body.get("client_order_id") or None
    if client_order_id is not None and len(str(client_order_id)) > CLIENT_ORDER_ID_MAX:
        return refusal("client_order_id_long")
    intent = body.get("position_intent") or None
    if intent is not None and intent not in INTENTS:
        return refusal("invalid_parameter", name="position_intent", value=intent)
    legs = body.get("legs") or ()
    if not isinstance(legs, list | tuple) or not all(isinstance(leg, Mapping) for leg in legs):
        return refusal("malformed_body")
    ticket = Ticket(
        symbol=symbol,
        side=side,
        type=type_,
        tif=tif,
        order_class=order_class,
        extended_hours=body.get("extended_hours") in (True, "true"),
        client_order_id=None if client_order_id is None else str(client_order_id),
        position_intent=intent,
        legs=tuple(legs),
        **numbers,
    )
    return _size_refused(ticket) or _prices_refused(ticket) or _legs_refused(ticket) or ticket


def _numbers(body: Mapping[str, Any], *, signed_limit: bool) -> dict[str, Decimal] | Refusal:
    """The numbers that a body has, by the names of the ticket's fields."""
    take_profit = body.get("take_profit") or {}
    stop_loss = body.get("stop_loss") or {}
    if not isinstance(take_profit, Mapping) or not isinstance(stop_loss, Mapping):
        return refusal("malformed_body")
    given = [(name, body[name]) for name in _NUMBERS if name in body]
    if take_profit:
        given.append(("take_profit", take_profit.get("limit_price")))
    if stop_loss:
        given.append(("stop_loss", stop_loss.get("stop_price")))
        given.append(("stop_loss_limit", stop_loss.get("limit_price")))
    read: dict[str, Decimal] = {}
    for name, value in given:
        if value is None or value == "":
            continue
        found = number(value)
        if found is None:
            return refusal("invalid_parameter", name=name, value=value)
        if name == "qty" and found <= 0:
            return refusal("qty_not_positive")
        if name not in ("qty", "notional") and found <= 0 and not (signed_limit and name == "limit_price"):
            return refusal("price_not_positive", name=name)
        read[name] = found
    return read


def _size_refused(ticket: Ticket) -> Refusal | None:
    if ticket.qty is None and ticket.notional is None:
        return refusal("qty_or_notional_required")
    if ticket.qty is not None and ticket.notional is not None:
        return refusal("qty_and_notional")
    if ticket.qty is not None and ticket.qty % NANO != 0:
        return refusal("qty_decimals")
    if ticket.notional is not None:
        if ticket.notional < 1:
            return refusal("notional_min")
        if ticket.notional % CENT != 0:
            return refusal("notional_decimals")
    return None


def _prices_refused(ticket: Ticket) -> Refusal | None:
    """Each type has the prices it needs, and no others."""
    needs_limit = ticket.type in ("limit", "stop_limit")
    needs_stop = ticket.type in ("stop", "stop_limit")
    if needs_limit and ticket.limit_price is None and ticket.order_class != "oco":
        return refusal("limit_price_required")
    if not needs_limit and ticket.limit_price is not None:
        return refusal("limit_price_unwanted")
    if needs_stop and ticket.stop_price is None:
        return refusal("stop_price_required")
    if not needs_stop and ticket.stop_price is not None:
        return refusal("stop_price_unwanted", type=ticket.type)
    trails = (ticket.trail_price is not None) + (ticket.trail_percent is not None)
    if ticket.type == "trailing_stop" and trails != 1:
        return refusal("trail_required")
    if ticket.type != "trailing_stop" and trails:
        return refusal("trail_unwanted")
    return None


def _legs_refused(ticket: Ticket) -> Refusal | None:
    """Each class has the legs it needs, and no others."""
    target, stop = ticket.take_profit is not None, ticket.stop_loss is not None
    if ticket.order_class == "bracket" and not (target and stop):
        return refusal("bracket_legs")
    if ticket.order_class == "oto" and target == stop:
        return refusal("oto_legs")
    if ticket.order_class == "oco" and not (stop and (target or ticket.limit_price is not None)):
        return refusal("oco_legs")
    if ticket.order_class in ("simple", "mleg") and (target or stop):
        return refusal("legs_unwanted")
    if ticket.order_class == "mleg" and not 2 <= len(ticket.legs) <= 4:
        return refusal("mleg_legs")
    return None
