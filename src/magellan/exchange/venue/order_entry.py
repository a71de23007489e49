"""Order entry: every check between a ticket and an order, as Alpaca answers them, and the order's birth."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from magellan.exchange.error_catalogue import Refusal, refusal
from magellan.exchange.market.asset import Asset, AssetClass
from magellan.exchange.market.trading_hours import day_of
from magellan.exchange.venue import options
from magellan.exchange.venue.account import Account
from magellan.exchange.venue.book import Book, Task
from magellan.exchange.venue.booked_price import marked, price_step
from magellan.exchange.venue.held_shares import held_for_orders, reducing_orders
from magellan.exchange.venue.margin import standing
from magellan.exchange.venue.matching import arrive, legs_price
from magellan.exchange.venue.order import Group, Order
from magellan.exchange.venue.order_kinds import refused_kind
from magellan.exchange.venue.order_states import State
from magellan.exchange.venue.ticket import Ticket, read_ticket
from magellan.exchange.venue.trading_times import day_order_ends_ns, gtc_ends_ns, is_trading, refused_window
from magellan.exchange.venue.wash_trade import washing
from magellan.exchange.venue.wire_format import CENT, ZERO, text

_DAY_TRADES_MAX = 3
_DAY_TRADE_SESSIONS = 5


def submit(book: Book, account: Account, body: Any) -> Order | Refusal:
    """Take a new order, or say why not. The order's own events are logged; it fills later, never inside this call."""
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


def asset_refused(asset: Asset) -> Refusal | None:
    """Whether the asset can be traded at all."""
    if not asset.active:
        return refusal("asset_not_active", symbol=asset.symbol)
    if not asset.tradable:
        return refusal("asset_not_tradable", symbol=asset.symbol)
    return None


def refused_terms(book: Book, account: Account, ticket: Ticket, asset: Asset) -> Refusal | None:
    """What is wrong with the order's terms, whatever the account holds."""
    refused = refused_kind(asset.asset_class, ticket.order_class, ticket.tif, ticket.type)
    checks: tuple[Callable[[], Refusal | None], ...] = (
        lambda: _size_refused(account, ticket, asset),
        lambda: _extended_refused(book, ticket, asset),
        lambda: refused_window(book, ticket.tif),
        lambda: _steps_refused(ticket, asset),
        lambda: options.refused_contract(book, account, ticket, asset),
        lambda: _market_price_refused(book, ticket, asset),
    )
    for check in checks:
        if refused is not None:
            return refused
        refused = check()
    return refused


def _size_refused(account: Account, ticket: Ticket, asset: Asset) -> Refusal | None:
    """Fractions, notional amounts, and the least size of coins."""
    if asset.asset_class is AssetClass.US_OPTION:
        if ticket.notional is not None:
            return refusal("option_notional")
        return refusal("option_whole") if ticket.fractional else None
    if asset.asset_class is AssetClass.CRYPTO:
        least = asset.min_order_size
        if least is not None and ticket.qty is not None and ticket.qty < least:
            return refusal("crypto_size", minimum=text(least))
        return None
    if not ticket.fractional:
        return None
    if not account.settings.fractional_trading:
        return refusal("fractional_off")
    if not asset.fractionable:
        return refusal("not_fractionable", symbol=asset.symbol)
    if ticket.order_class != "simple":
        return refusal("fractional_simple")
    if ticket.tif != "day":
        return refusal("fractional_day")
    if ticket.type == "trailing_stop":
        return refusal("fractional_types")
    if ticket.notional is not None and ticket.type != "market":
        return refusal("notional_market")
    return None


def _extended_refused(book: Book, ticket: Ticket, asset: Asset) -> Refusal | None:
    if not ticket.extended_hours:
        return None
    if asset.asset_class is AssetClass.US_OPTION:
        return refusal("option_extended")
    if asset.asset_class is AssetClass.CRYPTO:
        return None
    if ticket.order_class != "simple":
        return refusal("extended_complex")
    if not book.era.extended_gtc:
        if ticket.type != "limit" or ticket.tif != "day":
            return refusal("extended_day_limit")
    elif ticket.type != "limit" or ticket.tif not in ("day", "gtc"):
        return refusal("extended_limit")
    return None


def _steps_refused(ticket: Ticket, asset: Asset) -> Refusal | None:
    """Prices that are finer than the exchange takes."""
    prices = (
        ("limit_price", ticket.limit_price),
        ("stop_price", ticket.stop_price),
        ("take_profit.limit_price", ticket.take_profit),
        ("stop_loss.stop_price", ticket.stop_loss),
        ("stop_loss.limit_price", ticket.stop_loss_limit),
    )
    for name, price in prices:
        refused = refused_step(asset, name, price)
        if refused is not None:
            return refused
    return None


def refused_step(asset: Asset, name: str, price: Decimal | None) -> Refusal | None:
    """Whether a price is finer than the exchange takes."""
    if price is None:
        return None
    if asset.asset_class is AssetClass.US_OPTION:
        return refusal("option_decimals") if price % CENT != 0 else None
    if price % price_step(asset, price) != 0:
        return refusal("sub_penny", name=name, value=text(price))
    return None


def _market_price_refused(book: Book, ticket: Ticket, asset: Asset) -> Refusal | None:
    """Stops on the wrong side of the market, and exits on the wrong side of the price they start from."""
    current = book.price(asset.symbol)
    if current is None:
        return refusal("no_price", symbol=asset.symbol)
    if ticket.stop_price is not None:
        refused = refused_stop(ticket.side, ticket.stop_price, current)
        if refused is not None:
            return refused
    if ticket.order_class == "simple":
        return None
    if ticket.order_class == "oco":
        return _oco_refused(ticket, current)
    base = ticket.limit_price or ticket.stop_price or current
    return _exits_refused(ticket, base)


def refused_stop(side: str, stop: Decimal, current: Decimal) -> Refusal | None:
    """A stop that the market has passed already would be a market order in disguise."""
    if side == "sell" and stop >= current:
        return refusal("stop_below_market", market_price=text(current), stop_price=text(stop))
    if side == "buy" and stop <= current:
        return refusal("stop_above_market", market_price=text(current), stop_price=text(stop))
    return None


def _exits_refused(ticket: Ticket, base: Decimal) -> Refusal | None:
    """Exits of a bracket or OTO, seen from the entry's price."""
    long = ticket.side == "buy"
    target, stop = ticket.take_profit, ticket.stop_loss
    if target is not None:
        if long and target < base + CENT:
            return refusal("take_profit_above", base_price=text(base))
        if not long and target > base - CENT:
            return refusal("take_profit_below", base_price=text(base))
    if stop is not None:
        if long and stop > base - CENT:
            return refusal("stop_loss_below", base_price=text(base))
        if not long and stop < base + CENT:
            return refusal("stop_loss_above", base_price=text(base))
    return None


def _oco_refused(ticket: Ticket, current: Decimal) -> Refusal | None:
    """The two exits of an OCO, seen from each other and from the market."""
    target = ticket.take_profit or ticket.limit_price
    stop = ticket.stop_loss
    assert target is not None and stop is not None, "checked with the ticket's shape"
    if ticket.side == "sell" and target <= stop:
        return refusal("take_profit_over_stop")
    if ticket.side == "buy" and target >= stop:
        return refusal("take_profit_under_stop")
    return refused_stop(ticket.side, stop, current)


def refused_money(book: Book, account: Account, order: Order) -> Refusal | None:
    """What the account's position, open orders and money forbid; sets what the order reserves."""
    assert order.asset is not None
    held = account.held(order.symbol)
    reduces = held * order.sign < 0
    inferred = _intent(order.side, reduces)
    if order.position_intent is None:
        order.position_intent = inferred
    elif order.position_intent != inferred:
        return refusal("intent_mismatch", inferred=inferred, specified=order.position_intent)
    checks: tuple[Callable[[], Refusal | None], ...] = (
        lambda: _class_refused(order, reduces),
        lambda: None if reduces or order.side == "buy" else _short_refused(book, account, order),
        lambda: _wash_refused(book, account, order),
        lambda: None if reduces else _opposite_refused(account, order),
        lambda: _held_refused(book, account, order) if reduces else None,
        lambda: _day_trade_refused(book, account, order, reduces),
        lambda: None if reduces else options.refused_cover(book, account, order),
        lambda: None if reduces else _power_refused(book, account, order),
    )
    for check in checks:
        refused = check()
        if refused is not None:
            return refused
    return None


def _intent(side: str, reduces: bool) -> str:
    return f"{side}_to_{'close' if reduces else 'open'}"


def _class_refused(order: Order, reduces: bool) -> Refusal | None:
    if order.order_class == "oco" and not reduces:
        return refusal("oco_exit")
    if order.order_class in ("bracket", "oto") and reduces:
        return refusal("bracket_entry", order_class=order.order_class)
    return None


def _short_refused(book: Book, account: Account, order: Order) -> Refusal | None:
    asset = order.asset
    assert asset is not None
    if asset.asset_class is AssetClass.US_OPTION:
        return None
    if asset.asset_class is AssetClass.CRYPTO:
        return refusal(
            "insufficient_qty",
            requested=text(order.left),
            available="0",
            existing_qty="0",
            held_for_orders="0",
            related_orders=[],
            symbol=asset.symbol,
        )
    if order.notional is not None or order.left % 1 != 0:
        return refusal("fractional_short")
    if not account.may_short or (book.terms.buying_power_rule and standing(book, account).multiplier == 1):
        return refusal("short_not_allowed")
    if not asset.shortable:
        return refusal("cannot_be_sold_short", symbol=asset.symbol)
    if not asset.easy_to_borrow and order.tif != "day":
        return refusal("hard_to_borrow_day", symbol=asset.symbol)
    return None


def _wash_refused(book: Book, account: Account, order: Order) -> Refusal | None:
    assert order.asset is not None
    if not book.terms.wash_trade_rule or order.asset.asset_class is AssetClass.CRYPTO:
        return None
    found = washing(order, _own_orders(book, account, order.symbol))
    if found is None:
        return None
    existing, row = found
    return refusal("wash_trade", existing_order_id=existing.id, reject_reason=row.reason)


def _opposite_refused(account: Account, order: Order) -> Refusal | None:
    """Two orders that would open both sides of one symbol."""
    if account.held(order.symbol):
        return None
    for other in account.live.values():
        if other.symbol != order.symbol or other.side == order.side:
            continue
        if other.group is not None and other.group.entry is not other:
            continue
        return refusal("long_while_short" if order.side == "buy" else "short_while_long")
    return None


def _held_refused(book: Book, account: Account, order: Order) -> Refusal | None:
    """More than is free to be sold or covered."""
    if not book.terms.held_shares_rule:
        return None
    assert order.asset is not None
    own = book.working.get(order.symbol, {})
    existing = abs(account.held(order.symbol))
    held = held_for_orders(account, order.symbol, own, without=order.replaces)
    free = existing - held
    requested = order.left
    if order.notional is not None:
        price = book.price(order.symbol)
        assert price is not None, "checked with the market's price"
        requested = order.notional / price
    if requested <= free:
        return None
    return refusal(
        "insufficient_qty",
        requested=text(requested),
        available=text(free),
        existing_qty=text(existing),
        held_for_orders=text(held),
        related_orders=[each.id for each in reducing_orders(account, order.symbol, own)],
        symbol=order.symbol,
    )


def day_trade_count(book: Book, account: Account) -> int:
    """Day trades of the last five sessions, today's included."""
    today = day_of(book.now_ns)
    last = book.hours.sessions_between(book.now_ns - 12 * 86_400 * 10**9, book.now_ns)
    days = {session.on for session in last[-_DAY_TRADE_SESSIONS:]} | {today}
    return sum(trade.on in days for trade in account.day_trades)


def _day_trade_refused(book: Book, account: Account, order: Order, reduces: bool) -> Refusal | None:
    """The fourth day trade of a small account, as long as the rule was in force."""
    if not book.era.pattern_day_trading or account.last_equity_usd >= 25_000:
        return None
    if day_trade_count(book, account) < _DAY_TRADES_MAX:
        return None
    check = account.settings.pdt_check
    if not reduces:
        return refusal("pattern_day_trading") if check in ("entry", "both") else None
    if order.symbol in account.opened_today and check in ("exit", "both"):
        return refusal("pattern_day_trading")
    return None


def _power_refused(book: Book, account: Account, order: Order) -> Refusal | None:
    """Buying power, and the bound on one position."""
    cost = cost_basis(book, order)
    if cost is None:
        return refusal("no_price", symbol=order.symbol)
    order.cost_usd = order.reserved_usd = cost
    old = order.replaces
    if old is not None:
        # While a replacement is on its way, the pair reserves the larger amount.
        order.reserved_usd = max(ZERO, cost - old.reserved_usd)
    if not book.terms.buying_power_rule:
        return None
    assert order.asset is not None
    now = standing(book, account)
    position = account.positions.get(order.symbol)
    if position is not None:
        value = abs(position.value_usd(book.position_price(position)))
        if value > book.terms.position_equity_max * now.equity_usd:
            return refusal("closing_only", symbol=order.symbol, times=text(book.terms.position_equity_max))
    if order.asset.asset_class is not AssetClass.US_EQUITY or not order.asset.marginable:
        power = now.non_marginable_usd
    elif is_trading(book, order):
        power = now.day_usd
    else:
        power = now.regt_usd
    if order.reserved_usd > power:
        return refusal(
            "insufficient_buying_power",
            buying_power=text(power.quantize(CENT)),
            cost_basis=text(cost.quantize(CENT)),
        )
    return None


def cost_basis(book: Book, order: Order) -> Decimal | None:
    """What the order may cost, in USD: its limit, or the market with a collar. None without a price."""
    if order.notional is not None:
        return order.notional
    quote = book.quote(order.symbol)
    if quote is None:
        return None
    if order.side == "sell":
        return _short_cost(book, order, marked(quote.ask))
    if order.limit_price is not None:
        price = order.limit_price
    else:
        price = order.stop_price or marked(quote.ask)
        low, high = book.terms.market_collar
        price *= 1 + (low if price < 50 else high)
    return price * order.left * order.point_value


def _short_cost(book: Book, order: Order, ask: Decimal) -> Decimal:
    if order.point_value != 1:
        return ZERO  # what a written option ties up is the cover, checked apart
    return max(order.limit_price or ZERO, ask * book.terms.short_collar) * order.left


def _own_orders(book: Book, account: Account, symbol: str) -> list[Order]:
    return [each for each in book.working.get(symbol, {}).values() if each.account_id == account.id]


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
    for leg in order.legs:
        book.add(leg)
    return order
