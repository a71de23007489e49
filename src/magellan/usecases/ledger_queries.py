"""What a person may ask a ledger: trades, orders, executions and decisions, by date, symbol, outcome and strategy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from magellan.errors import FixInput
from magellan.ledger.book import FOLDED_KINDS, Book
from magellan.ledger.chain import Broken, Head, Sound
from magellan.ledger.daily_summary import DailySummary, summary_of
from magellan.ledger.entries import Decision, LedgerEntry
from magellan.ledger.order_record import OrderRecord
from magellan.ledger.trade_record import Outcome, TradeRecord
from magellan.ports.ledger import Holder, Ledger
from magellan.trading.session import exchange_date
from magellan.usecases.recall import book_now


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows are asked for. None does not ask. Dates are the exchange's, both included."""

    first_on: date | None = None
    last_on: date | None = None
    symbol: str | None = None
    strategy: str | None = None
    outcome: Outcome | None = None  # of trades

    def has(self, at: datetime, symbol: str, strategy: str) -> bool:
        """Whether a row of that instant, symbol and strategy is asked for."""
        if self.symbol is not None and symbol != self.symbol:
            return False
        if self.strategy is not None and strategy != self.strategy:
            return False
        return self.has_date(at)

    def has_date(self, at: datetime) -> bool:
        """Whether an instant lies on one of the dates that are asked for."""
        on = exchange_date(at)
        return (self.first_on is None or self.first_on <= on) and (self.last_on is None or on <= self.last_on)


EVERYTHING = Wanted()


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLine:
    """One account of a ledger at a glance."""

    account: str
    head: Head
    holder: Holder | None
    last_at: datetime | None
    positions: Mapping[str, Decimal]
    open_orders: int
    unresolved_intents: int
    tripped_breakers: tuple[str, ...]
    is_halted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """An order as one row."""

    intended_at: datetime | None  # None for an order that is not ours
    client_order_id: str
    broker_order_id: str | None
    symbol: str
    side: str | None
    type: str | None
    purpose: str | None
    strategy: str
    quantity: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    status: str | None
    filled_quantity: Decimal
    answer: str | None
    answer_message: str
    reason: str
    parent: str | None
    replaces: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRow:
    """An execution as one row."""

    at: datetime
    execution_id: str
    client_order_id: str
    broker_order_id: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    commission_usd: Decimal
    strategy: str
    purpose: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRow:
    """A decision as one row."""

    at: datetime
    session: str
    decision_id: str
    strategy: str
    symbol: str
    bar_opened_at: datetime
    bar_closed_at: datetime
    bar_received_at: datetime | None
    bar_source: str
    action: str
    price: Decimal | None
    reasoning: str
    indicators: Mapping[str, float | None]


def the_account(ledger: Ledger, named: str | None) -> str:
    """The account that is meant: the one that was named, or the only one there is. Raises FixInput."""
    accounts = ledger.accounts()
    if named is not None:
        if named not in accounts:
            known = ", ".join(accounts) or "none"
            raise FixInput(f"the ledger has no account {named}; there are: {known}")
        return named
    if len(accounts) == 1:
        return accounts[0]
    if not accounts:
        raise FixInput(
            "the ledger is empty", next_step="it fills when a strategy runs: `magellan run STRATEGY`"
        )
    raise FixInput(
        f"the ledger has several accounts: {', '.join(accounts)}", next_step="name one with --account"
    )


def account_lines(ledger: Ledger) -> tuple[AccountLine, ...]:
    """Every account at a glance. Raises AskOperator for a ledger that is damaged."""
    lines = []
    for account in ledger.accounts():
        book = book_of(ledger, account)
        lines.append(
            AccountLine(
                account=account,
                head=ledger.head(account),
                holder=ledger.holder(account),
                last_at=book.last_at,
                positions={symbol: each.quantity for symbol, each in sorted(book.positions.items())},
                open_orders=len(book.open_orders),
                unresolved_intents=len(book.unresolved_intents),
                tripped_breakers=tuple(sorted(book.breakers)),
                is_halted=book.is_halted,
            )
        )
    return tuple(lines)


def verified(ledger: Ledger, account: str, noted: Sequence[Head] = ()) -> Sound | Broken:
    """Whether an account's chain holds, and still holds the entries that someone noted elsewhere."""
    found = ledger.verify(account)
    if isinstance(found, Broken):
        return found
    for head in sorted(noted, key=lambda each: each.number):
        if head.number == 0:
            continue
        if head.number > found.head.number:
            return Broken(
                number=found.head.number + 1,
                reason=f"it is missing: an entry {head.number} was noted elsewhere",
            )
        if next(ledger.entries(account, after=head.number - 1)).hash != head.hash:
            return Broken(
                number=head.number, reason="it had another hash when it was noted: the chain was written anew"
            )
    return found


def book_of(ledger: Ledger, account: str) -> Book:
    """The account's book."""
    return book_now(ledger, account, FOLDED_KINDS)


def trades(ledger: Ledger, account: str, wanted: Wanted = EVERYTHING) -> tuple[TradeRecord, ...]:
    """Trades by the time of their entry, the open ones as they stand."""
    book = book_of(ledger, account)
    found = (*book.closed_trades, *(trade.record() for trade in book.open_trades.values()))
    return tuple(
        sorted(
            (
                each
                for each in found
                if wanted.has(each.timestamp, each.symbol, each.strategy_name)
                and (wanted.outcome is None or each.outcome is wanted.outcome)
            ),
            key=lambda each: each.timestamp,
        )
    )


def orders(ledger: Ledger, account: str, wanted: Wanted = EVERYTHING) -> tuple[OrderRow, ...]:
    """Orders in the order in which the ledger met them."""
    rows = []
    for order in book_of(ledger, account).orders.values():
        at = order.intended_at or (order.told.submitted_at if order.told else None)
        if at is None or wanted.has(at, order.symbol, order.strategy):
            rows.append(_order_row(order))
    return tuple(rows)


def executions(ledger: Ledger, account: str, wanted: Wanted = EVERYTHING) -> tuple[ExecutionRow, ...]:
    """Executions in the order in which the ledger met them, each once."""
    book = book_of(ledger, account)
    rows = []
    for each in book.executions.values():
        order = book.order_of(each.broker_order_id) or book.orders.get(each.client_order_id)
        strategy = "" if order is None else order.strategy
        if wanted.has(each.at, each.symbol, strategy):
            rows.append(
                ExecutionRow(
                    at=each.at,
                    execution_id=each.execution_id,
                    client_order_id=each.client_order_id,
                    broker_order_id=each.broker_order_id,
                    symbol=each.symbol,
                    side=str(each.side),
                    quantity=each.quantity,
                    price=each.price,
                    commission_usd=each.commission_usd,
                    strategy=strategy,
                    purpose=None if order is None or order.purpose is None else str(order.purpose),
                )
            )
    return tuple(rows)


def decisions(ledger: Ledger, account: str, wanted: Wanted = EVERYTHING) -> tuple[DecisionRow, ...]:
    """Decisions, oldest first."""
    rows = []
    for entry in ledger.entries(account, kinds=(Decision.kind,)):
        told = entry.payload
        assert isinstance(told, Decision), "only decisions were asked for"
        if wanted.has(told.bar_closed_at, told.symbol, told.strategy):
            rows.append(
                DecisionRow(
                    at=entry.at,
                    session=entry.session,
                    decision_id=told.decision_id,
                    strategy=told.strategy,
                    symbol=told.symbol,
                    bar_opened_at=told.bar_opened_at,
                    bar_closed_at=told.bar_closed_at,
                    bar_received_at=told.bar_received_at,
                    bar_source=told.bar_source,
                    action=told.action,
                    price=told.price,
                    reasoning=told.reasoning,
                    indicators=told.indicators,
                )
            )
    return tuple(rows)


def entries(
    ledger: Ledger, account: str, wanted: Wanted = EVERYTHING, *, kinds: Iterable[str] | None = None
) -> Iterable[LedgerEntry]:
    """Entries of these kinds and dates, oldest first. Only dates are asked of them."""
    for entry in ledger.entries(account, kinds=kinds):
        if Wanted(first_on=wanted.first_on, last_on=wanted.last_on).has(entry.at, "", ""):
            yield entry


def day(ledger: Ledger, account: str, on: date) -> DailySummary:
    """The summary of one date."""
    return summary_of(account, on, ledger.entries(account))


def _order_row(order: OrderRecord) -> OrderRow:
    source = order.request or order.told
    return OrderRow(
        intended_at=order.intended_at,
        client_order_id=order.client_order_id,
        broker_order_id=order.broker_order_id,
        symbol=order.symbol,
        side=None if source is None else str(source.side),
        type=None if source is None else str(source.type),
        purpose=None if order.purpose is None else str(order.purpose),
        strategy=order.strategy,
        quantity=None if source is None else source.quantity,
        limit_price=None if source is None else source.limit_price,
        stop_price=None if source is None else source.stop_price,
        status=None if order.status is None else str(order.status),
        filled_quantity=order.filled_quantity,
        answer=None if order.answer is None else str(order.answer),
        answer_message=order.answer_message,
        reason=order.reason,
        parent=order.parent,
        replaces=order.replaces,
    )
