"""Alpaca's JSON of orders, executions, accounts and positions, read into our nouns, every number exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from magellan.errors import TryAgain
from magellan.ports.broker import BrokerClock
from magellan.trading.account import AccountSnapshot, BrokerPosition, TradableAsset
from magellan.trading.order import (
    BrokerOrder,
    Execution,
    OrderClass,
    OrderEvent,
    OrderEventKind,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    TimeInForce,
)

Json = Mapping[str, Any]


class Unreadable(TryAgain):
    """What came is not what Alpaca's documents promise, so nothing is known by it."""


def order_of(told: Any) -> BrokerOrder:
    """An order, its legs included. Raises Unreadable."""
    with _reading("an order", told):
        return _order(told)


def event_of(told: Any) -> OrderEvent:
    """The `data` of a trade update. Raises Unreadable."""
    with _reading("a trade update", told):
        kind = OrderEventKind(told["event"])
        order = _order(told["order"])
        at = _instant(told["timestamp"]) or order.updated_at
        if at is None:
            raise KeyError("timestamp")
        execution = None
        if kind in (OrderEventKind.FILL, OrderEventKind.PARTIAL_FILL):
            execution = Execution(
                execution_id=execution_id(order.broker_order_id, order.filled_quantity),
                broker_order_id=order.broker_order_id,
                client_order_id=order.client_order_id,
                symbol=order.symbol,
                side=order.side,
                quantity=Decimal(str(told["qty"])),
                price=Decimal(str(told["price"])),
                at=at,
            )
        return OrderEvent(
            kind=kind,
            order=order,
            at=at,
            execution=execution,
            position_quantity=_number(told, "position_qty"),
            event_id=str(told.get("event_id") or ""),
        )


def execution_of(told: Any, client_order_id: str) -> Execution:
    """An activity of type FILL. Raises Unreadable."""
    with _reading("an execution", told):
        at = _instant(told["transaction_time"])
        if at is None:
            raise KeyError("transaction_time")
        return Execution(
            execution_id=execution_id(told["order_id"], Decimal(str(told["cum_qty"]))),
            broker_order_id=told["order_id"],
            client_order_id=client_order_id,
            symbol=told["symbol"],
            side=OrderSide.SELL if str(told["side"]).startswith("sell") else OrderSide.BUY,
            quantity=Decimal(str(told["qty"])),
            price=Decimal(str(told["price"])),
            at=at,
        )


def execution_id(broker_order_id: str, cumulative: Decimal) -> str:
    """One name for an execution on both channels: the order, and how much of it had filled with it.

    The stream and the list of activities name the same execution differently, and both tell the running total.
    """
    return f"{broker_order_id}@{cumulative.normalize():f}"


def account_of(told: Any, as_of: datetime) -> AccountSnapshot:
    """An account. Raises Unreadable."""
    with _reading("an account", told):
        blocks = [
            told.get(name) for name in ("trading_blocked", "account_blocked", "trade_suspended_by_user")
        ]
        known = [block for block in blocks if isinstance(block, bool)]
        active = str(told.get("status", "")).upper() == "ACTIVE"
        if not told["account_number"]:
            raise ValueError("it has no account_number")
        return AccountSnapshot(
            account_id=str(told["account_number"]),
            as_of=as_of,
            cash_usd=_number(told, "cash"),
            equity_usd=_number(told, "equity"),
            last_equity_usd=_number(told, "last_equity"),
            buying_power_usd=_number(told, "buying_power"),
            multiplier=_number(told, "multiplier"),
            shorting_enabled=told.get("shorting_enabled"),
            trading_blocked=(any(known) or not active) if known else None,
            currency=str(told.get("currency") or "USD"),
        )


def position_of(told: Any, as_of: datetime) -> BrokerPosition:
    """A position. Raises Unreadable."""
    with _reading("a position", told):
        sign = -1 if told.get("side") == "short" else 1
        return BrokerPosition(
            symbol=told["symbol"],
            quantity=sign * abs(Decimal(str(told["qty"]))),
            available=_number(told, "qty_available"),
            average_entry_price=_number(told, "avg_entry_price"),
            market_price=_number(told, "current_price"),
            as_of=as_of,
        )


def asset_of(told: Any) -> TradableAsset:
    """What may be done with a symbol. Raises Unreadable."""
    with _reading("an asset", told):
        easy = told.get("easy_to_borrow")
        if easy is None and told.get("borrow_status") is not None:  # the field that took its place
            easy = told["borrow_status"] == "easy_to_borrow"
        inactive = told.get("status") not in (None, "active")
        return TradableAsset(
            symbol=told["symbol"],
            tradable=False if inactive else told.get("tradable"),
            shortable=told.get("shortable"),
            easy_to_borrow=easy,
            fractionable=told.get("fractionable"),
            marginable=told.get("marginable"),
            asset_class=str(told["class"]),
        )


def clock_of(told: Any) -> BrokerClock:
    """The market's clock. Raises Unreadable."""
    with _reading("a clock", told):
        at = _instant(told["timestamp"])
        if at is None:
            raise KeyError("timestamp")
        is_open = bool(told["is_open"])
        changes_at = _instant(told.get("next_close" if is_open else "next_open"))
        return BrokerClock(at=at, is_open=is_open, changes_at=changes_at)


def request_json(request: OrderRequest) -> dict[str, Any]:
    """The body of a new order. Numbers go as strings: a float would change the last digit."""
    body: dict[str, Any] = {
        "symbol": request.symbol,
        "side": request.side.value,
        "type": request.type.value,
        "time_in_force": request.time_in_force.value,
        "client_order_id": request.client_order_id,
    }
    for name, value in (
        ("qty", request.quantity),
        ("notional", request.notional_usd),
        ("limit_price", request.limit_price),
        ("stop_price", request.stop_price),
        ("trail_price", request.trail_price),
        ("trail_percent", request.trail_percent),
    ):
        if value is not None:
            body[name] = f"{value:f}"
    if request.extended_hours:
        body["extended_hours"] = True
    if request.order_class is not OrderClass.SIMPLE:
        body["order_class"] = request.order_class.value
    if request.take_profit_price is not None:
        body["take_profit"] = {"limit_price": f"{request.take_profit_price:f}"}
    if request.stop_loss_price is not None:
        body["stop_loss"] = {"stop_price": f"{request.stop_loss_price:f}"}
        if request.stop_loss_limit_price is not None:
            body["stop_loss"]["limit_price"] = f"{request.stop_loss_limit_price:f}"
    return body


def _order(told: Json) -> BrokerOrder:
    return BrokerOrder(
        broker_order_id=told["id"],
        client_order_id=told["client_order_id"],
        symbol=told["symbol"],
        side=OrderSide.SELL if str(told["side"]).startswith("sell") else OrderSide.BUY,
        type=OrderType(told.get("type") or told["order_type"]),
        order_class=OrderClass(told.get("order_class") or "simple"),
        time_in_force=TimeInForce(told["time_in_force"]),
        status=OrderStatus(told["status"]),
        quantity=_number(told, "qty"),
        filled_quantity=_number(told, "filled_qty") or Decimal(0),
        filled_average_price=_number(told, "filled_avg_price"),
        limit_price=_number(told, "limit_price"),
        stop_price=_number(told, "stop_price"),
        submitted_at=_instant(told.get("submitted_at")),
        updated_at=_instant(told.get("updated_at")),
        legs=tuple(_order(leg) for leg in told.get("legs") or ()),
        replaces=told.get("replaces"),
        replaced_by=told.get("replaced_by"),
    )


def _number(told: Json, name: str) -> Decimal | None:
    value = told.get(name)
    if value is None or value == "":
        return None
    number = Decimal(str(value))
    if not number.is_finite():
        raise InvalidOperation(f"{name} is {value}")
    return number


def _instant(text: Any) -> datetime | None:
    """RFC 3339 with up to nine decimals, to the microsecond, in UTC."""
    if not text:
        return None
    at = datetime.fromisoformat(str(text))
    if at.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return at.astimezone(UTC)


@contextmanager
def _reading(what: str, told: Any) -> Iterator[None]:
    """Turn the many ways in which foreign JSON can be wrong into one error that names what was being read."""
    try:
        if not isinstance(told, Mapping):
            raise TypeError(f"it is of type {type(told).__name__}")
        yield
    except (KeyError, ValueError, TypeError, AttributeError, InvalidOperation) as error:
        raise Unreadable(
            f"Alpaca told {what} that cannot be read: {type(error).__name__}: {error}",
            kept="nothing was taken from it",
        ) from error
