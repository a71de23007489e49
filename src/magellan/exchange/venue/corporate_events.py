"""Corporate actions on positions and open orders: splits change both, dividends pay or cost cash."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from magellan.exchange.venue.account import Account, Position
from magellan.exchange.venue.book import Book
from magellan.exchange.venue.booked_price import marked
from magellan.exchange.venue.order import Order
from magellan.exchange.venue.order_end import end
from magellan.exchange.venue.order_states import TRANSITIONS, Happening
from magellan.exchange.venue.wire_format import CENT, HUNDREDTH_CENT, NANO, ONE, ZERO
from magellan.trading.corporate_action import CashDividend, Split

_PRICES = ("limit_price", "stop_price", "trail_price", "hwm")


def take_effect(book: Book, after_ns: int) -> None:
    """Carry out what takes effect in (after_ns, now] for whatever is held or ordered."""
    for symbol in sorted(book.holders.keys() | book.working.keys()):
        if not symbol:
            continue
        for action in book.market.actions(symbol, after_ns, book.now_ns):
            if isinstance(action, Split):
                split(book, symbol, Decimal(action.new_shares), Decimal(action.old_shares))
            elif isinstance(action, CashDividend) and book.terms.pays_dividends:
                _dividend(book, symbol, action.amount_usd)


def split(book: Book, symbol: str, new: Decimal, old: Decimal) -> None:
    """`old` shares become `new`: positions and their orders change, money stays the same; fractions are paid out."""
    factor = new / old
    for account in list(book.holders.get(symbol, {}).values()):
        _split_position(book, account, account.positions[symbol], factor)
    for order in list(book.working.get(symbol, {}).values()):
        if not order.ended:
            _split_order(book, order, factor)


def _split_position(book: Book, account: Account, position: Position, factor: Decimal) -> None:
    symbol = position.asset.symbol
    was_whole = position.qty % 1 == 0
    before = position.qty
    position.qty = (position.qty * factor).quantize(NANO, ROUND_FLOOR)
    position.qty_at_close = (position.qty_at_close * factor).quantize(NANO)
    book.note_other(account, "SPLIT", net_usd=ZERO, symbol=symbol, qty=position.qty - before)
    fraction = position.qty - int(position.qty)
    bar = book.bar(symbol)
    price = marked(bar.open) if bar is not None else book.position_price(position) / factor
    if was_whole and fraction:
        # What is less than a share is paid out at the first price of the new basis.
        account.realised_usd += position.take(-fraction, price.quantize(HUNDREDTH_CENT))
        paid = fraction * price.quantize(HUNDREDTH_CENT)
        account.cash_usd += paid
        book.note_other(account, "CIL", net_usd=paid, symbol=symbol, qty=-fraction)
        book.drop_if_flat(account, position)


def _split_order(book: Book, order: Order, factor: Decimal) -> None:
    """Reprice an order; one that would come to ask for a fraction of a share is cancelled."""
    if order.qty is not None:
        qty = order.qty * factor
        if qty % 1 != 0 and order.qty % 1 == 0:
            end(book, order, Happening.CANCEL)
            return
        order.qty = qty
        order.filled_qty = (order.filled_qty * factor).quantize(NANO)
    for name in _PRICES:
        price: Decimal | None = getattr(order, name)
        if price is not None:
            # A limit is rounded so that it is never worse than meant.
            setattr(order, name, _on_step(price / factor))
    order.woken = None
    if Happening.RESTATE in TRANSITIONS[order.state]:
        book.move(order, Happening.RESTATE)


def _on_step(price: Decimal) -> Decimal:
    return price.quantize(CENT if price >= ONE else HUNDREDTH_CENT)


def _dividend(book: Book, symbol: str, per_share: Decimal) -> None:
    """Pay what was held before the ex-date; who was short pays it."""
    for account in list(book.holders.get(symbol, {}).values()):
        qty = account.positions[symbol].qty
        paid = (qty * per_share).quantize(CENT)
        account.cash_usd += paid
        account.income_usd += paid
        book.note_other(account, "DIV", net_usd=paid, symbol=symbol, qty=qty, per_share=per_share)
