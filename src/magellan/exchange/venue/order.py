"""An order at the venue, and its body as Alpaca sends it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from magellan.exchange.market.asset import Asset, AssetClass
from magellan.exchange.venue.era import Era
from magellan.exchange.venue.order_states import ENDED, MATCHABLE, State
from magellan.exchange.venue.wire_format import (
    NANO,
    ZERO,
    instant_text,
    optional_instant_text,
    optional_text,
    text,
)

SHARES_PER_CONTRACT = 100


@dataclass(slots=True, kw_only=True, eq=False)
class Woken:
    """How a leg's entry was filled: what the bar of the entry itself may still do to the leg."""

    bar_start_ns: int
    price: float  # that the entry came in at, before slippage
    at_open: bool  # the whole bar counts
    by_limit: bool  # a target counts only when the bar also closes at or beyond it


@dataclass(slots=True, kw_only=True, eq=False)
class Group:
    """Orders that belong together: an entry and the exits that wait for it, or two exits of which one may fill.

    Replacements take the place of what they replace.
    """

    id: str
    entry: Order | None = None  # None: an OCO, whose exits are armed from the beginning
    exits: list[Order] = field(default_factory=list)

    @property
    def armed(self) -> bool:
        """Whether the exits are in force: the entry is wholly filled, or there was none."""
        return self.entry is None or self.entry.state is State.FILLED


@dataclass(slots=True, kw_only=True, eq=False)
class Order:
    """One order. Prices in USD per unit, quantities in units; None where the order has no such term.

    Changed by `Book` alone, which moves it along the state table and tells of every step.
    """

    id: str
    client_order_id: str
    account_id: str
    number: int  # the order of arrival over all accounts
    asset: Asset | None  # None: an mleg order, whose legs have one each
    order_class: str  # simple, bracket, oco, oto, mleg
    side: str  # buy, sell; "" for mleg
    type: str
    tif: str
    qty: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    hwm: Decimal | None = None
    extended_hours: bool = False
    position_intent: str | None = None
    ratio_qty: Decimal | None = None
    state: State = State.PENDING_NEW
    created_ns: int
    submitted_ns: int
    updated_ns: int
    expires_ns: int
    filled_ns: int | None = None
    expired_ns: int | None = None
    canceled_ns: int | None = None
    failed_ns: int | None = None
    replaced_ns: int | None = None
    filled_qty: Decimal = ZERO
    filled_usd: Decimal = ZERO  # quantity times price over all fills
    replaced_by: Order | None = None
    replaces: Order | None = None
    parent: Order | None = None
    legs: list[Order] = field(default_factory=list)
    group: Group | None = None
    role: str | None = None  # entry, take_profit, stop_loss
    triggered: bool = False  # a stop whose price has traded: works on as a market or limit order
    due_ns: int | None = None  # a marketable order's next tick, at which it is looked at
    gets_open: bool = False  # it arrived in time for the open of the bar it fills in
    woken: Woken | None = None
    cost_usd: Decimal = ZERO  # what all of it may cost
    reserved_usd: Decimal = ZERO  # of the buying power, for what is not filled
    fixed_body: dict[str, Any] | None = None  # what `order_body` need not write again

    @property
    def symbol(self) -> str:
        return self.asset.symbol if self.asset else ""

    @property
    def sign(self) -> int:
        """+1 to buy, -1 to sell."""
        return 1 if self.side == "buy" else -1

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def on_its_way(self) -> bool:
        """Whether it is a replacement that has not reached the exchange."""
        return self.replaces is not None and self.state is State.PENDING_NEW

    @property
    def matchable(self) -> bool:
        """Whether a price may fill it. A held stop watches the market once its group is armed."""
        if self.state is State.HELD:
            return self.group is not None and self.group.armed and self.role == "stop_loss"
        return self.state in MATCHABLE

    @property
    def is_complex(self) -> bool:
        """Whether the order belongs to others: it is or has a leg."""
        return self.order_class != "simple"

    @property
    def is_stop(self) -> bool:
        return self.type in ("stop", "stop_limit", "trailing_stop")

    @property
    def left(self) -> Decimal:
        """Units that remain; for a notional order what it will buy is not known before it fills.

        A replacement on its way has left what it asks for beyond what the old order has filled.
        """
        left = (self.qty or ZERO) - self.filled_qty
        if self.replaces is not None and self.state is State.PENDING_NEW:
            left -= self.replaces.filled_qty
        return left

    @property
    def point_value(self) -> int:
        is_option = self.asset is not None and self.asset.asset_class is AssetClass.US_OPTION
        return SHARES_PER_CONTRACT if is_option else 1

    @property
    def average_price(self) -> Decimal | None:
        """Of all fills, to nine decimals."""
        if not self.filled_qty:
            return None
        return (self.filled_usd / self.filled_qty).quantize(NANO)


def order_body(order: Order, era: Era, *, nested: bool) -> dict[str, Any]:
    """The order as Alpaca sends it. nested: its legs are shown below it."""
    if order.fixed_body is None:
        order.fixed_body = _fixed_body(order, era)
    body = order.fixed_body.copy()
    body["updated_at"] = instant_text(order.updated_ns)
    body["status"] = order.state.value
    if order.qty is not None:
        body["qty"] = text(order.qty)
    if order.limit_price is not None:
        body["limit_price"] = text(order.limit_price)
    if order.stop_price is not None:
        body["stop_price"] = text(order.stop_price)
    if order.type == "trailing_stop":
        body["trail_percent"] = optional_text(order.trail_percent)
        body["trail_price"] = optional_text(order.trail_price)
        body["hwm"] = optional_text(order.hwm)
    if order.filled_qty:
        body["filled_qty"] = text(order.filled_qty)
        body["filled_avg_price"] = optional_text(order.average_price)
        body["filled_at"] = optional_instant_text(order.filled_ns)
    if order.ended or order.replaced_by is not None:
        body["expired_at"] = optional_instant_text(order.expired_ns)
        body["canceled_at"] = optional_instant_text(order.canceled_ns)
        body["failed_at"] = optional_instant_text(order.failed_ns)
        body["replaced_at"] = optional_instant_text(order.replaced_ns)
        body["replaced_by"] = order.replaced_by.id if order.replaced_by else None
    if nested and order.legs:
        body["legs"] = [order_body(leg, era, nested=False) for leg in order.legs]
    return body


def _fixed_body(order: Order, era: Era) -> dict[str, Any]:
    """The members that never change, and the others as they are at first. Writing them is half of what a body costs."""
    asset = order.asset
    body: dict[str, Any] = {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "created_at": instant_text(order.created_ns),
        "updated_at": None,
        "submitted_at": instant_text(order.submitted_ns),
        "filled_at": None,
        "expired_at": None,
        "expires_at": instant_text(order.expires_ns),
        "canceled_at": None,
        "failed_at": None,
        "replaced_at": None,
        "replaced_by": None,
        "replaces": order.replaces.id if order.replaces else None,
        "asset_id": str(asset.id) if asset else None,
        "symbol": asset.symbol if asset else None,
        "asset_class": asset.asset_class.value if asset else None,
        "notional": optional_text(order.notional),
        "qty": None,
        "filled_qty": "0",
        "filled_avg_price": None,
        "order_class": "" if order.order_class == "simple" else order.order_class,
        "order_type": order.type,
        "type": order.type,
        "side": order.side,
        "position_intent": order.position_intent,
        "time_in_force": order.tif,
        "limit_price": None,
        "stop_price": None,
        "status": None,
        "extended_hours": order.extended_hours,
        "legs": None,
        "trail_percent": None,
        "trail_price": None,
        "hwm": None,
        "ratio_qty": optional_text(order.ratio_qty),
    }
    if asset is None:
        # An order of several legs is in no asset of its own.
        for name in ("asset_id", "symbol", "asset_class", "side", "position_intent"):
            del body[name]
    if order.group is not None and era.order_groups:
        body["group_id"] = order.group.id
        body["group_role"] = order.role
    return body
