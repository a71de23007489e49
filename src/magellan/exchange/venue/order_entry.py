"""Order entry: a ticket becomes an order, with its legs, or is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from magellan.exchange.error_catalogue import Refusal, refusal
from magellan.exchange.market.asset import Asset, AssetClass
from magellan.exchange.venue import options
from magellan.exchange.venue.account import Account
from magellan.exchange.venue.book import Book, Task
from magellan.exchange.venue.matching import arrive, tell_arrivals
from magellan.exchange.venue.multi_leg import legs_price
from magellan.exchange.venue.order import Group, Order
from magellan.exchange.venue.order_kinds import refused_kind
from magellan.exchange.venue.order_money import refused_money
from magellan.exchange.venue.order_states import State
from magellan.exchange.venue.order_terms import asset_refused, refused_terms
from magellan.exchange.venue.ticket import Ticket, read_ticket
from magellan.exchange.venue.trading_times import day_order_ends_ns, gtc_ends_ns, is_trading
from magellan.exchange.venue.wire_format import CENT


def submit(book: Book, account: Account, body: Any) -> Order | Refusal:
    """Take a new order, or say why not. Its events are told after this call, and it fills later."""
    tell_arrivals(book)
    ticket = read_ticket(body)
    if isinstance(ticket, Refusal):
        return ticket
    if ticket.client_order_id is not None and ticket.client_order_id in account.by_client_id:
        return refusal("client_order_id_taken")
    if account.trading_blocked or account.account_blocked:
        return refusal("account_blocked")
    if account.settings.suspend_trade:
        return refusal("suspended_by_user")
    if ticket.order_class == "mleg":
        return _submit_mleg(book, account, ticket)
    asset = find_asset(book, ticket.symbol)
    if asset is None:
        return refusal("asset_unknown", symbol=ticket.symbol)
    refused = asset_refused(asset) or refused_terms(book, account, ticket, asset)
    if refused is not None:
        return refused
    order = _born(book, account, ticket, asset)
    refused = refused_money(book, account, order)
    if refused is not None:
        return refused
    return _accept(book, account, order, ticket)


def find_asset(book: Book, symbol_or_id: str) -> Asset | None:
    """The asset of that symbol (a coin pair with or without its slash) or id."""
    asset = book.market.asset(symbol_or_id)
    if asset is not None:
        return asset
    if len(symbol_or_id) == 36:
        for each in book.market.assets():
            if str(each.id) == symbol_or_id:
                return each
    for each in book.market.assets():
        if each.asset_class is AssetClass.CRYPTO and each.symbol.replace("/", "") == symbol_or_id:
            return each
    return None


def _born(book: Book, account: Account, ticket: Ticket, asset: Asset | None) -> Order:
    now = book.now_ns
    order_id = book.identities.next_uuid()
    limit = ticket.limit_price
    if ticket.order_class == "oco" and ticket.take_profit is not None:
        limit = ticket.take_profit
    order = Order(
        id=order_id,
        client_order_id=ticket.client_order_id or book.identities.next_uuid(),
        account_id=account.id,
        number=book.next_number(),
        asset=asset,
        order_class=ticket.order_class,
        side=ticket.side,
        type=ticket.type,
        tif=ticket.tif,
        qty=ticket.qty,
        notional=ticket.notional,
        limit_price=limit,
        stop_price=ticket.stop_price,
        trail_price=ticket.trail_price,
        trail_percent=ticket.trail_percent,
        extended_hours=ticket.extended_hours,
        position_intent=ticket.position_intent,
        created_ns=now,
        submitted_ns=now,
        updated_ns=now,
        expires_ns=gtc_ends_ns(book, now)
        if ticket.tif == "gtc"
        else day_order_ends_ns(book, now, extended=ticket.extended_hours),
    )
    order.state = State.PENDING_NEW if is_trading(book, order) else State.ACCEPTED
    return order


def _accept(book: Book, account: Account, order: Order, ticket: Ticket) -> Order:
    if order.order_class != "simple":
        order.group = Group(id=book.identities.next_uuid())
    if order.order_class in ("bracket", "oto"):
        assert order.group is not None
        order.group.entry = order
        order.role = "entry"
        if ticket.take_profit is not None:
            _add_exit(book, order, "take_profit", "limit", limit=ticket.take_profit)
        if ticket.stop_loss is not None:
            _add_stop(book, order, ticket)
    elif order.order_class == "oco":
        assert order.group is not None
        order.role = "take_profit"
        order.group.exits.append(order)
        _add_stop(book, order, ticket)
    arrive(book, order)
    if order.legs:
        tell_arrivals(book)  # before the legs are taken up, which have nothing to tell
    for leg in order.legs:
        book.add(leg)
        book.at(leg.expires_ns, Task.EXPIRE, leg)
    return order


def _add_stop(book: Book, order: Order, ticket: Ticket) -> None:
    type_ = "stop" if ticket.stop_loss_limit is None else "stop_limit"
    _add_exit(book, order, "stop_loss", type_, stop=ticket.stop_loss, limit=ticket.stop_loss_limit)


def _add_exit(
    book: Book,
    parent: Order,
    role: str,
    type_: str,
    *,
    limit: Decimal | None = None,
    stop: Decimal | None = None,
) -> None:
    """A leg that waits for its entry, or for the other exit to fail."""
    group = parent.group
    assert group is not None
    # An OCO's legs are on its own side; those of an entry are on the other.
    side = parent.side if group.entry is None else ("sell" if parent.side == "buy" else "buy")
    leg = Order(
        id=book.identities.next_uuid(),
        client_order_id=book.identities.next_uuid(),
        account_id=parent.account_id,
        number=book.next_number(),
        asset=parent.asset,
        order_class=parent.order_class,
        side=side,
        type=type_,
        tif=parent.tif,
        qty=parent.qty,
        limit_price=limit,
        stop_price=stop,
        position_intent=f"{side}_to_close",
        state=State.HELD,
        created_ns=parent.created_ns,
        submitted_ns=parent.submitted_ns,
        updated_ns=parent.updated_ns,
        expires_ns=parent.expires_ns,
        parent=parent,
        group=group,
        role=role,
    )
    parent.legs.append(leg)
    group.exits.append(leg)


def _submit_mleg(book: Book, account: Account, ticket: Ticket) -> Order | Refusal:
    """Several option contracts as one order: all of its legs fill at once, or none."""
    refused = refused_kind(AssetClass.US_OPTION, "mleg", ticket.tif, ticket.type)
    if refused is not None:
        return refused
    if ticket.qty is None or ticket.fractional:
        return refusal("option_whole")
    if ticket.extended_hours:
        return refusal("option_extended")
    if ticket.limit_price is not None and ticket.limit_price % CENT != 0:
        return refusal("option_decimals")
    order = _born(book, account, ticket, None)
    for index, asked in enumerate(ticket.legs):
        leg = options.read_leg(book, account, order, index, asked, find_asset)
        if isinstance(leg, Refusal):
            return leg
        order.legs.append(leg)
    refused = options.refused_spread(book, account, order, legs_price(book, order))
    if refused is not None:
        return refused
    arrive(book, order)
    tell_arrivals(book)  # before the legs are taken up, which go with it
    for leg in order.legs:
        book.add(leg)
    return order
