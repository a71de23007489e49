"""The wash-trade rule as a table: which open orders of one account forbid which new order on the other side.

Documented by Alpaca, 32 rows: 4 types on each side, twice. Complex orders and trailing stops are exempt.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from magellan.exchange.venue.order import Order


class Verdict(StrEnum):
    """When the pair is rejected."""

    ALWAYS = "always"
    IF_PRICES_MEET = "if the buy price is at or above the sell price"


MARKET_OR_STOP = "opposite side market/stop order exists"
LIMIT = "opposite side limit order exists"


@dataclass(frozen=True, slots=True, kw_only=True)
class WashRow:
    """An open order, a new one on the other side, and what becomes of the new one."""

    open_side: str
    open_type: str
    new_type: str
    verdict: Verdict
    reason: str


def _rows() -> tuple[WashRow, ...]:
    types = ("market", "limit", "stop", "stop_limit")
    priced = ("limit", "stop_limit")
    return tuple(
        WashRow(
            open_side=side,
            open_type=resting,
            new_type=new,
            verdict=Verdict.IF_PRICES_MEET if resting in priced and new in priced else Verdict.ALWAYS,
            reason=LIMIT if resting in priced else MARKET_OR_STOP,
        )
        for side in ("buy", "sell")
        for resting in types
        for new in types
    )


WASH_TRADES = _rows()
_BY_TYPES = {(row.open_side, row.open_type, row.new_type): row for row in WASH_TRADES}


def washing(new: Order, open_orders: list[Order]) -> tuple[Order, WashRow] | None:
    """The first open order that the new one could trade with, and the row that says so; None when there is none.

    open_orders: of the same account and symbol.
    """
    if new.is_complex or new.type == "trailing_stop":
        return None
    for order in open_orders:
        if order.side == new.side or order.is_complex or order.type == "trailing_stop":
            continue
        row = _BY_TYPES[order.side, order.type, new.type]
        if row.verdict is Verdict.ALWAYS or _prices_meet(order, new):
            return order, row
    return None


def _prices_meet(one: Order, other: Order) -> bool:
    buy, sell = (one, other) if one.side == "buy" else (other, one)
    assert buy.limit_price is not None and sell.limit_price is not None, "both have a limit"
    return buy.limit_price >= sell.limit_price
