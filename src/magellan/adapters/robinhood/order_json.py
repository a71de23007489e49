"""What Robinhood's tools say of orders, as our values; and our orders as their arguments.

Field names, types and states are those of the server's own descriptions. A state that is not among them is unreadable:
nobody knows what it lets an order do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID, uuid5

from magellan.adapters.robinhood.told_values import (
    RobinhoodUnreadable,
    instant,
    number,
    number_or_none,
    reading,
)
from magellan.trading.order import (
    BrokerOrder,
    Execution,
    OrderClass,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    TimeInForce,
)

_NAMES: Final = UUID("5d4f4d9c-6d0a-5b53-9f0d-6f1c0e6a7b21")  # of our reference ids

STATUS: Final[Mapping[str, OrderStatus]] = MappingProxyType(
    {
        "new": OrderStatus.PENDING_NEW,
        "unconfirmed": OrderStatus.PENDING_NEW,
        "locating": OrderStatus.PENDING_NEW,
        "queued": OrderStatus.ACCEPTED,  # for the next time it can trade
        "confirmed": OrderStatus.NEW,
        "partially_filled": OrderStatus.PARTIALLY_FILLED,
        "pending_cancelled": OrderStatus.PENDING_CANCEL,
        "filled": OrderStatus.FILLED,
        "cancelled": OrderStatus.CANCELED,
        "partially_filled_rest_cancelled": OrderStatus.CANCELED,
        "voided": OrderStatus.CANCELED,
        "rejected": OrderStatus.REJECTED,
        "failed": OrderStatus.REJECTED,
        "locate_failed": OrderStatus.REJECTED,
    }
)

# The open states that orders can be asked for by, in the order in which an order goes through them: who asks for one
# after the other misses no order that goes on meanwhile.
OPEN_STATES: Final = ("new", "unconfirmed", "queued", "confirmed", "partially_filled")

_TYPES: Final[Mapping[tuple[str, str], OrderType]] = MappingProxyType(
    {
        ("market", "immediate"): OrderType.MARKET,
        ("limit", "immediate"): OrderType.LIMIT,
        ("market", "stop"): OrderType.STOP,
        ("limit", "stop"): OrderType.STOP_LIMIT,
        ("stop_market", "stop"): OrderType.STOP,
        ("stop_limit", "stop"): OrderType.STOP_LIMIT,
    }
)
_ASKED_AS: Final[Mapping[OrderType, str]] = MappingProxyType(
    {
        OrderType.MARKET: "market",
        OrderType.LIMIT: "limit",
        OrderType.STOP: "stop_market",
        OrderType.STOP_LIMIT: "stop_limit",
    }
)
_TIMES: Final[Mapping[str, TimeInForce]] = MappingProxyType(
    {"gfd": TimeInForce.DAY, "gtc": TimeInForce.GTC, "ioc": TimeInForce.IOC, "opg": TimeInForce.OPG}
)
_ASKED_FOR: Final = MappingProxyType({TimeInForce.DAY: "gfd", TimeInForce.GTC: "gtc"})
_LIMITED: Final = (OrderType.LIMIT, OrderType.STOP_LIMIT)
_STOPPED: Final = (OrderType.STOP, OrderType.STOP_LIMIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldOrder:
    """An order as Robinhood tells it: without the name that we gave it, which it never tells."""

    id: str
    symbol: str
    side: OrderSide
    type: OrderType
    time_in_force: TimeInForce
    status: OrderStatus
    quantity: Decimal | None
    filled_quantity: Decimal
    average_price: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    dollar_amount: Decimal | None
    by_agent: bool  # placed through this very server
    created_at: datetime
    updated_at: datetime | None
    fills: tuple[ToldFill, ...]

    def named(self, name: str) -> BrokerOrder:
        return BrokerOrder(
            broker_order_id=self.id,
            client_order_id=name,
            symbol=self.symbol,
            side=self.side,
            type=self.type,
            order_class=OrderClass.SIMPLE,
            time_in_force=self.time_in_force,
            status=self.status,
            quantity=self.quantity,
            filled_quantity=self.filled_quantity,
            filled_average_price=self.average_price,
            limit_price=self.limit_price,
            stop_price=self.stop_price,
            submitted_at=self.created_at,
            updated_at=self.updated_at,
        )

    def executions(self, name: str) -> Iterator[Execution]:
        for fill in self.fills:
            yield Execution(
                execution_id=fill.id,
                broker_order_id=self.id,
                client_order_id=name,
                symbol=self.symbol,
                side=self.side,
                quantity=fill.quantity,
                price=fill.price,
                at=fill.at,
                commission_usd=fill.fees,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldFill:
    """Shares that changed hands for an order."""

    id: str
    quantity: Decimal
    price: Decimal
    fees: Decimal
    at: datetime


def reference_id(client_order_id: str) -> str:
    """The key by which the server knows an order for one that it has seen; it says nothing about the account."""
    return str(uuid5(_NAMES, client_order_id))


def order_arguments(account_number: str, request: OrderRequest) -> dict[str, str]:
    """An order as the arguments of review_equity_order; place_equity_order takes the reference id besides."""
    arguments = {
        "account_number": account_number,
        "symbol": request.symbol,
        "side": request.side.value,
        "type": _ASKED_AS[request.type],
        "time_in_force": _ASKED_FOR[request.time_in_force],
        "market_hours": "extended_hours" if request.extended_hours else "regular_hours",
    }
    if request.quantity is not None:
        arguments["quantity"] = f"{request.quantity.normalize():f}"
    for name, value in (
        ("dollar_amount", request.notional_usd),
        ("limit_price", request.limit_price),
        ("stop_price", request.stop_price),
    ):
        if value is not None:
            arguments[name] = f"{value:f}"
    return arguments


def is_of(told: ToldOrder, request: OrderRequest) -> bool:
    """Whether a told order may be the one that we asked for, by everything that Robinhood tells of it."""
    return (
        told.by_agent
        and (told.symbol, told.side, told.type) == (request.symbol, request.side, request.type)
        and told.time_in_force is request.time_in_force
        and (request.quantity is None or told.quantity == request.quantity)
        and told.dollar_amount == request.notional_usd
        and (request.type not in _LIMITED or told.limit_price == request.limit_price)
        and (request.type not in _STOPPED or told.stop_price == request.stop_price)
    )


def alert_of(review: Mapping[str, Any]) -> tuple[str, str] | None:
    """The alert of a review, and its details in one line; None: it has none.

    Raises: RobinhoodUnreadable, where the review says nothing about alerts.
    """
    checks = review.get("order_checks")
    if not isinstance(checks, dict):
        raise RobinhoodUnreadable("Robinhood's review says nothing about alerts", kept="no order was sent")
    if not checks:
        return None
    kind = str(checks.get("alert_type") or checks.get("alertType") or "ALERT")
    rest = {key: value for key, value in checks.items() if key not in ("alert_type", "alertType")}
    return kind, str(rest)[:500]


def order_of(told: Any) -> ToldOrder:
    """An order. Raises RobinhoodUnreadable."""
    with reading("an order", told):
        symbol, state = str(told["symbol"]), str(told["state"])
        if state not in STATUS:
            raise RobinhoodUnreadable(
                f"Robinhood tells of an order in the state '{state}', which nobody here knows"
            )
        kind = _TYPES[str(told["type"]), str(told["trigger"])]
        dollars = told.get("dollar_based_amount")
        return ToldOrder(
            id=str(told["id"]),
            symbol=symbol,
            side=OrderSide(told["side"]),
            type=kind,
            time_in_force=_TIMES[str(told["time_in_force"])],
            status=STATUS[state],
            quantity=number_or_none(told["quantity"]),
            filled_quantity=number(told["cumulative_quantity"]),
            average_price=number_or_none(told["average_price"]),
            # Market and stop orders may show a price, by which the server sized or collared them.
            limit_price=number_or_none(told["price"]) if kind in _LIMITED else None,
            stop_price=number_or_none(told["stop_price"]) if kind in _STOPPED else None,
            dollar_amount=None if dollars is None else number(dollars["amount"]),
            by_agent=told["placed_agent"] == "agentic",
            created_at=instant(told["created_at"]),
            updated_at=None if told["last_transaction_at"] is None else instant(told["last_transaction_at"]),
            fills=tuple(_fill(each) for each in told["executions"] or ()),
        )


def _fill(told: Any) -> ToldFill:
    return ToldFill(
        id=str(told["id"]),
        quantity=number(told["quantity"]),
        price=number(told["price"]),
        fees=number(told["fees"]),
        at=instant(told["timestamp"]),
    )
