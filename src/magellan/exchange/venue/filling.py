"""Filling: how much of an order one price fills, and what that price becomes by costs and ticks."""

from __future__ import annotations

import math
from decimal import ROUND_FLOOR, Decimal

from magellan.exchange.market.live_bar import LiveBar
from magellan.exchange.venue.book import Book
from magellan.exchange.venue.booked_price import booked, marked, worsened
from magellan.exchange.venue.groups import after_fill
from magellan.exchange.venue.order import Order, Woken
from magellan.exchange.venue.order_end import end
from magellan.exchange.venue.order_states import Happening
from magellan.exchange.venue.ticks import tick_at
from magellan.exchange.venue.wire_format import NANO, ZERO


def fill_from(
    book: Book,
    order: Order,
    bar: LiveBar,
    price: float,
    *,
    slips: bool,
    came_in: float | None,
    by_limit: bool,
) -> None:
    """Fill an order, or as much of it as volume allows, from a price that it has met.

    slips: spread, slippage and impact are paid. came_in: the open, for a fill at it.
    """
    assert order.asset is not None
    taken = book.volume_taken(order, bar.start_ns)
    room = _room(book, order, bar, taken)
    wanted = _wanted(order, price)
    if order.position_intent in ("buy_to_close", "sell_to_close"):
        # What it was to close may have gone without it: by an assignment, a split, or the broker's hand.
        held = max(ZERO, -order.sign * book.accounts[order.account_id].held(order.symbol))
        if held == 0:
            end(book, order, Happening.CANCEL)
            return
        wanted = min(wanted, held)
    if room is not None and (room <= 0 or (order.tif == "fok" and room < wanted)):
        return
    qty = wanted if room is None else min(wanted, room)
    if qty <= 0:
        return
    paid = price
    if slips:
        share = 0.0
        if book.terms.costs.impact:
            share = min(1.0, float(taken + qty) / bar.volume) if bar.volume > 0 else 1.0
        paid = worsened(order.asset, book.terms.costs, order.sign, price, share)
    at = booked(order.asset, order.sign, paid)
    if order.limit_price is not None and order.type in ("limit", "stop_limit"):
        at = min(at, order.limit_price) if order.sign > 0 else max(at, order.limit_price)
    if order.notional is not None:
        qty = (order.notional / at).quantize(NANO, ROUND_FLOOR)
    qty = _split(book, order, qty)
    woken = Woken(
        bar_start_ns=bar.start_ns,
        price=came_in if came_in is not None else float(at),
        at_open=came_in is not None,
        by_limit=by_limit,
    )
    book.fill(order, qty, at, bar.start_ns)
    after_fill(book, order, woken)


def _wanted(order: Order, price: float) -> Decimal:
    if order.notional is not None:
        return (order.notional / marked(price)).quantize(NANO, ROUND_FLOOR)
    return order.left


def _room(book: Book, order: Order, bar: LiveBar, taken: Decimal) -> Decimal | None:
    """Units of the bar's volume that the account may still take; None without a bound."""
    share = book.terms.costs.volume_share_max
    if share is None:
        return None
    whole = math.floor(share * bar.volume + 1e-9)
    return Decimal(whole) - taken


def _split(book: Book, order: Order, qty: Decimal) -> Decimal:
    """Sometimes only a part fills now, and the rest at the next tick: the seeded model of partial fills."""
    chance = book.terms.partial_fill_probability
    if not chance or order.notional is not None or qty < 2 or order.tif == "fok":
        return qty
    if book.chance.random() >= chance:
        return qty
    part = Decimal(book.chance.randint(1, int(qty) - 1))
    tick_at(book, order)
    return part
