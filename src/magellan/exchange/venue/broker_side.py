"""What the broker, or somebody else with the account, does unasked: for tests and fault plans.

`Venue.external` takes one of these values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from magellan.errors import FixInput
from magellan.exchange.error_catalogue import Refusal
from magellan.exchange.venue.account import Account
from magellan.exchange.venue.book import Book
from magellan.exchange.venue.corporate_events import split
from magellan.exchange.venue.groups import after_end, after_fill
from magellan.exchange.venue.order import Order
from magellan.exchange.venue.order_end import end
from magellan.exchange.venue.order_entry import submit
from magellan.exchange.venue.order_states import Happening, State
from magellan.exchange.venue.wire_format import ZERO, text


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualOrder:
    """Somebody enters an order by hand; refused like any other."""

    symbol: str
    side: Literal["buy", "sell"]
    qty: Decimal
    more: Mapping[str, Any] = field(default_factory=dict)  # further members of the request's body


@dataclass(frozen=True, slots=True, kw_only=True)
class ForcedClose:
    """The broker closes a position: its open orders are cancelled, and a market order sells or covers it."""

    symbol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectAfterAccept:
    """The exchange rejects an order that was accepted."""

    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseCancel:
    """The exchange will refuse the order's next cancel."""

    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseReplace:
    """The exchange will refuse the order's next replacement."""

    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckPendingCancel:
    """The order's cancel never lands: it stays pending_cancel until it fills or expires, or is released."""

    order_id: str
    released: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FillNow:
    """The order fills now at a price, whatever the market shows: before its cancel arrives, or as an error trade.

    qty: None for all that is left.
    """

    order_id: str
    price: Decimal
    qty: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelNow:
    """The broker cancels the order."""

    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BustTrade:
    """A fill is declared void: shares and cash go back, and a trade_bust tells of it."""

    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitNow:
    """A split takes effect now, for every account."""

    symbol: str
    new_shares: int
    old_shares: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Restrict:
    """The account is restricted, or freed again."""

    restriction: Literal["trading_blocked", "account_blocked", "trade_suspended_by_user"]
    lifted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """Cash arrives, or below zero leaves."""

    amount_usd: Decimal


Happened = (
    ManualOrder
    | ForcedClose
    | RejectAfterAccept
    | RefuseCancel
    | RefuseReplace
    | StuckPendingCancel
    | FillNow
    | CancelNow
    | BustTrade
    | SplitNow
    | Restrict
    | Deposit
)


def happen(book: Book, account: Account, what: Happened) -> None:
    """Let it happen now. Raises FixInput where it cannot: an unknown order, a position that is not there."""
    match what:
        case ManualOrder():
            body = {"type": "market", "time_in_force": "day", **what.more}
            _entered(
                submit(book, account, {**body, "symbol": what.symbol, "side": what.side, "qty": what.qty})
            )
        case ForcedClose():
            _force_close(book, account, what.symbol)
        case RejectAfterAccept():
            end(book, _open(account, what.order_id), Happening.REJECT)
        case RefuseCancel():
            book.refusing_cancel.add(_open(account, what.order_id).id)
        case RefuseReplace():
            book.refusing_replace.add(_open(account, what.order_id).id)
        case StuckPendingCancel():
            _stick(book, _open(account, what.order_id), released=what.released)
        case FillNow():
            _fill(book, _open(account, what.order_id), what)
        case CancelNow():
            end(book, _open(account, what.order_id), Happening.CANCEL)
        case BustTrade():
            _bust(book, account, what.order_id)
        case SplitNow():
            split(book, what.symbol, Decimal(what.new_shares), Decimal(what.old_shares))
        case Restrict():
            if what.restriction == "trade_suspended_by_user":
                account.settings.suspend_trade = not what.lifted
            elif what.restriction == "trading_blocked":
                account.trading_blocked = not what.lifted
            else:
                account.account_blocked = not what.lifted
        case Deposit():
            account.cash_usd += what.amount_usd
            account.deposits_usd += what.amount_usd
            kind = "CSD" if what.amount_usd >= 0 else "CSW"
            book.note_other(account, kind, net_usd=what.amount_usd)


def _open(account: Account, order_id: str) -> Order:
    order = account.orders.get(order_id)
    if order is None or order.ended:
        state = "unknown" if order is None else order.state.value
        raise FixInput(f"order {order_id} is {state}", next_step="name an order that is open")
    return order


def _entered(answer: Order | Refusal) -> Order:
    if isinstance(answer, Refusal):
        raise FixInput(f"the venue refuses the order: {answer.message}")
    return answer


def _force_close(book: Book, account: Account, symbol: str) -> None:
    position = account.positions.get(symbol)
    if position is None:
        raise FixInput(f"there is no position in {symbol}")
    for order in list(book.working.get(symbol, {}).values()):
        if order.account_id == account.id and not order.ended:
            end(book, order, Happening.CANCEL)
    side = "sell" if position.qty > 0 else "buy"
    tif = "gtc" if "/" in symbol else "day"
    body = {"symbol": symbol, "side": side, "qty": abs(position.qty), "type": "market", "time_in_force": tif}
    _entered(submit(book, account, body))


def _fill(book: Book, order: Order, what: FillNow) -> None:
    qty = order.left if what.qty is None else what.qty
    if not order.matchable or order.asset is None:
        raise FixInput(f"order {order.id} is {order.state}: nothing can fill it now")
    if not 0 < qty <= order.left:
        raise FixInput(f"order {order.id} has {order.left} left, not {qty}")
    book.fill(order, qty, what.price)
    after_fill(book, order, None)


def _stick(book: Book, order: Order, *, released: bool) -> None:
    if not released:
        book.stuck.add(order.id)
        return
    book.stuck.discard(order.id)
    if order.state is State.PENDING_CANCEL:
        end(book, order, Happening.CANCEL)


def _bust(book: Book, account: Account, order_id: str) -> None:
    """Take back everything that an order has filled."""
    order = account.orders.get(order_id)
    if order is None or not order.filled_qty or order.asset is None:
        raise FixInput(f"order {order_id} has no fill that could be taken back")
    average = order.filled_usd / order.filled_qty
    qty = order.filled_qty
    book.change_position(account, order.asset, -order.sign * qty, average)
    order.filled_qty, order.filled_usd = ZERO, ZERO
    book.tell(
        order,
        "trade_bust",
        price=text(average),
        qty=text(qty),
        position_qty=text(account.held(order.symbol)),
    )
    after_end(book, order)
