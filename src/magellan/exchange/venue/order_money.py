"""Order money: what the account's position, open orders and buying power forbid a new order."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from magellan.exchange.error_catalogue import Refusal, refusal
from magellan.exchange.market.asset import AssetClass
from magellan.exchange.market.trading_hours import day_of
from magellan.exchange.venue import options
from magellan.exchange.venue.account import Account
from magellan.exchange.venue.book import Book
from magellan.exchange.venue.booked_price import marked
from magellan.exchange.venue.held_shares import held_for_orders, reducing_orders
from magellan.exchange.venue.margin import DAY_TRADER_EQUITY_MIN_USD, standing
from magellan.exchange.venue.order import Order
from magellan.exchange.venue.trading_times import is_trading
from magellan.exchange.venue.wash_trade import washing
from magellan.exchange.venue.wire_format import CENT, ZERO, text
from magellan.trading.timeframe import DAY_NS

_DAY_TRADES_MAX = 3
_DAY_TRADE_SESSIONS = 5
_LOOK_BACK_NS = 12 * DAY_NS  # five sessions, holidays and all


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
    last = book.hours.sessions_between(book.now_ns - _LOOK_BACK_NS, book.now_ns)
    days = {session.on for session in last[-_DAY_TRADE_SESSIONS:]} | {today}
    return sum(trade.on in days for trade in account.day_trades)


def _day_trade_refused(book: Book, account: Account, order: Order, reduces: bool) -> Refusal | None:
    """The fourth day trade of a small account, as long as the rule was in force."""
    if not book.era.pattern_day_trading or account.last_equity_usd >= DAY_TRADER_EQUITY_MIN_USD:
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
