"""The book: what follows from an account's entries. The same entries always give the same book.

Positions come from executions (and adoptions and splits) alone. What is told twice counts once, by its id. Times come
from the entries; nothing here asks a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping, MutableSequence
from copy import copy
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, Self

from magellan.ledger.changed import changed
from magellan.ledger.entries import (
    AccountMarked,
    AnswerTo,
    BreakerReset,
    BreakerTripped,
    CancelIntended,
    CashMoved,
    ExecutionSeen,
    Halted,
    LedgerEntry,
    NewEntry,
    OrderAnswered,
    OrderEventSeen,
    OrderIntended,
    Payload,
    PositionAdopted,
    Reconciliation,
    ReplaceIntended,
    Resumed,
    SessionBegan,
    SessionEnded,
    SplitApplied,
    TradeClosed,
    TradeIdea,
    TradeOpened,
    WorkDone,
)
from magellan.ledger.exact import ZERO, minus, plus, quotient, times
from magellan.ledger.order_record import OrderRecord, purpose_of_leg
from magellan.ledger.position import Position
from magellan.ledger.shelf import Row, Shelf, at_hand
from magellan.ledger.trade import Trade
from magellan.ledger.trade_record import TradeRecord
from magellan.trading.order import BrokerOrder, Execution
from magellan.trading.session import exchange_date


@dataclass(frozen=True, slots=True, kw_only=True)
class TrippedBreaker:
    """A breaker that a person has not let go yet."""

    breaker: str
    tripped_at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """Nobody enters."""

    halted_at: datetime
    source: str
    person: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningSession:
    """The newest session of the account."""

    session: str
    began_at: datetime
    began: SessionBegan
    ended_at: datetime | None = None  # None: it runs, or it was killed


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountMark:
    """The newest word of the broker about what the account is worth."""

    at: datetime
    mark: AccountMarked


@dataclass(frozen=True, slots=True, kw_only=True)
class DayResult:
    """What one date on the exchange's clock brought, exactly."""

    realised_usd: Decimal = ZERO  # before commission
    commission_usd: Decimal = ZERO
    other_usd: Decimal = ZERO  # dividends, fees and interest

    @property
    def net_usd(self) -> Decimal:
        return plus(minus(self.realised_usd, self.commission_usd), self.other_usd)


@dataclass(slots=True, kw_only=True)
class Book:
    """An account's state. `apply` is the only thing that changes it; everything it holds is to be read."""

    account: str
    positions: dict[str, Position] = field(default_factory=dict)  # by symbol; flat ones are absent
    orders: MutableMapping[str, OrderRecord] = field(default_factory=dict)  # by client_order_id
    client_order_ids: dict[str, str] = field(default_factory=dict)  # by broker_order_id
    executions: MutableMapping[str, Execution] = field(default_factory=dict)  # by execution_id
    early_fills: dict[str, Decimal] = field(
        default_factory=dict
    )  # by broker_order_id: of orders not told of yet
    contradictions: dict[str, str] = field(default_factory=dict)  # by execution_id: told twice, and not alike
    counted_once: set[str] = field(default_factory=set)  # adoptions, splits and cash movements
    open_trades: dict[str, Trade] = field(default_factory=dict)  # by symbol
    closed_trades: MutableSequence[TradeRecord] = field(default_factory=list)  # in the order of their closes
    unrecorded: dict[tuple[str, str], TradeOpened | TradeClosed] = field(default_factory=dict)
    by_day: dict[date, DayResult] = field(default_factory=dict)
    realised_usd: dict[str, Decimal] = field(default_factory=dict)  # by symbol, before commission
    cash_flow_usd: dict[str, Decimal] = field(
        default_factory=dict
    )  # by symbol: received - paid, before commission
    commission_usd: Decimal = ZERO
    cash_moved_usd: Decimal = ZERO  # dividends, fees, deposits and the like
    breakers: dict[str, TrippedBreaker] = field(default_factory=dict)  # the tripped ones, by name
    halt: Halt | None = None
    work_done: set[tuple[str, date]] = field(default_factory=set)  # name and session date
    last_session: RunningSession | None = None
    last_mark: AccountMark | None = None
    marks_by_day: dict[date, AccountMarked] = field(default_factory=dict)  # the first of each session date
    equity_peak_usd: Decimal | None = None  # highest equity ever marked
    last_reconciliation: Reconciliation | None = None
    last_at: datetime | None = None  # of the newest entry

    @classmethod
    def of(cls, account: str, entries: Iterable[NewEntry | LedgerEntry]) -> Self:
        """The book of an account after these entries, oldest first."""
        book = cls(account=account)
        for entry in entries:
            book.apply(entry)
        return book

    def apply(self, entry: NewEntry | LedgerEntry) -> None:
        """Take one more entry in."""
        self.last_at = entry.at
        fold = _FOLDS.get(type(entry.payload))
        if fold is not None:
            fold(self, entry, entry.payload)

    def copy(self) -> Self:
        """A book of its own that begins where this one stands."""
        twin = copy(self)
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, dict | set | list | Shelf | Row):
                setattr(twin, each.name, value.copy())
        return twin

    # --- Questions --------------------------------------------------------------------------------------------

    @property
    def is_flat(self) -> bool:
        return not self.positions

    @property
    def is_halted(self) -> bool:
        return self.halt is not None

    def quantity(self, symbol: str) -> Decimal:
        """Units held, signed; 0 when flat."""
        position = self.positions.get(symbol)
        return ZERO if position is None else position.quantity

    def order_of(self, broker_order_id: str) -> OrderRecord | None:
        """The order that the broker knows by this id."""
        name = self.client_order_ids.get(broker_order_id)
        return None if name is None else self.orders[name]

    @property
    def open_orders(self) -> tuple[OrderRecord, ...]:
        """Orders that the broker has and that may still fill."""
        return tuple(order for order in at_hand(self.orders) if order.is_open)

    @property
    def unresolved_intents(self) -> tuple[OrderRecord, ...]:
        """Intents of which nobody knows whether the broker has them."""
        return tuple(order for order in at_hand(self.orders) if order.is_unresolved)

    @property
    def trades_to_record(self) -> tuple[TradeOpened | TradeClosed, ...]:
        """Records of trades that follow from the executions and stand in no entry yet, in their order."""
        return tuple(self.unrecorded.values())

    def was_done(self, name: str, session_on: date) -> bool:
        """Whether scheduled work was done for a session date."""
        return (name, session_on) in self.work_done

    @property
    def realised_total_usd(self) -> Decimal:
        """Profit of all that was closed, before commission."""
        return _sum(self.realised_usd.values())

    def unrealised_usd(self, prices: Mapping[str, Decimal]) -> Decimal | None:
        """Profit of what is held at these prices, before commission; None when one is missing."""
        return self._sum_at(prices, Position.unrealised_usd)

    def market_value_usd(self, prices: Mapping[str, Decimal]) -> Decimal | None:
        """What is held at these prices, shorts negative; None when one is missing."""
        return self._sum_at(prices, Position.value_usd)

    def _sum_at(
        self, prices: Mapping[str, Decimal], of: Callable[[Position, Decimal], Decimal]
    ) -> Decimal | None:
        if not self.positions.keys() <= prices.keys():
            return None
        return _sum(of(position, prices[symbol]) for symbol, position in self.positions.items())

    # --- Folds ------------------------------------------------------------------------------------------------

    def _session_began(self, entry: NewEntry | LedgerEntry, told: SessionBegan) -> None:
        self.last_session = RunningSession(session=entry.session, began_at=entry.at, began=told)

    def _session_ended(self, entry: NewEntry | LedgerEntry, told: SessionEnded) -> None:
        if self.last_session is not None and self.last_session.session == entry.session:
            self.last_session = changed(self.last_session, ended_at=entry.at)

    def _work_done(self, entry: NewEntry | LedgerEntry, told: WorkDone) -> None:
        self.work_done.add((told.name, told.session_on))

    def _order_intended(self, entry: NewEntry | LedgerEntry, told: OrderIntended) -> None:
        request = told.request
        self.orders[request.client_order_id] = OrderRecord(
            client_order_id=request.client_order_id,
            symbol=request.symbol,
            ours=True,
            strategy=told.strategy,
            purpose=told.purpose,
            reason=told.reason,
            idea=told.idea,
            request=request,
            intended_at=entry.at,
        )

    def _replace_intended(self, entry: NewEntry | LedgerEntry, told: ReplaceIntended) -> None:
        before = self.orders.get(told.replaces_client_order_id) or self.order_of(told.broker_order_id)
        assert before is not None, f"{told.client_order_id} replaces an order that no entry names"
        self.orders[told.client_order_id] = OrderRecord(
            client_order_id=told.client_order_id,
            symbol=before.symbol,
            ours=True,
            strategy=before.strategy,
            purpose=before.purpose,
            reason=before.reason,
            idea=before.idea,
            intended_at=entry.at,
            parent=before.parent,
            replaces=before.client_order_id,
        )

    def _cancel_intended(self, entry: NewEntry | LedgerEntry, told: CancelIntended) -> None:
        order = self.orders.get(told.client_order_id)
        if order is not None:
            self.orders[told.client_order_id] = changed(order, cancel_asked=True)

    def _order_answered(self, entry: NewEntry | LedgerEntry, told: OrderAnswered) -> None:
        order = self.orders.get(told.client_order_id)
        if order is not None and told.to is not AnswerTo.CANCEL:
            self.orders[told.client_order_id] = order.after_answer(told.answer, told.code, told.message)
        if told.order is not None:
            self._shown(told.order, parent=None)

    def _order_event(self, entry: NewEntry | LedgerEntry, told: OrderEventSeen) -> None:
        name = self._known(told.order, parent=None)
        self.orders[name] = self.orders[name].after_event(told.event, told.order)
        for leg in told.order.legs:
            self._shown(leg, parent=name)

    def _execution(self, entry: NewEntry | LedgerEntry, told: ExecutionSeen) -> None:
        execution = told.execution
        known = self.executions.get(execution.execution_id)
        if known is not None:
            if _essence(known) != _essence(execution):
                self.contradictions[execution.execution_id] = (
                    f"first told as {_words(known)}, then as {_words(execution)}"
                )
            return
        self.executions[execution.execution_id] = execution
        order = self.order_of(execution.broker_order_id) or self.orders.get(execution.client_order_id)
        if order is None:
            early = self.early_fills.get(execution.broker_order_id, ZERO)
            self.early_fills[execution.broker_order_id] = plus(early, execution.quantity)
        else:
            # Units that changed hands prove that the broker has the order, whatever became of its answer.
            self.client_order_ids[execution.broker_order_id] = order.client_order_id
            self.orders[order.client_order_id] = changed(
                order,
                broker_order_id=execution.broker_order_id,
                filled_quantity=plus(order.filled_quantity, execution.quantity),
            )
        self._move(
            _Move(
                entry=entry,
                move_id=execution.execution_id,
                symbol=execution.symbol,
                quantity=execution.signed_quantity,
                price=execution.price,
                commission=execution.commission_usd,
                at=execution.at,
                order_id=execution.client_order_id if order is None else order.client_order_id,
                strategy="" if order is None else order.strategy,
                entry_type=_entry_type(order),
                idea=None if order is None else order.idea,
                exit_reason=_exit_reason(order),
            )
        )

    def _position_adopted(self, entry: NewEntry | LedgerEntry, told: PositionAdopted) -> None:
        if self._is_new(told.adoption_id):
            self._move(
                _Move(
                    entry=entry,
                    move_id=told.adoption_id,
                    symbol=told.symbol,
                    quantity=told.quantity,
                    price=told.price,
                    commission=ZERO,
                    at=told.at,
                    order_id="",
                    strategy=told.strategy,
                    entry_type="adopted",
                    idea=None,
                    exit_reason=f"adopted: {told.reason}",
                )
            )

    def _split_applied(self, entry: NewEntry | LedgerEntry, told: SplitApplied) -> None:
        position = self.positions.get(told.symbol)
        if not self._is_new(told.split_id) or position is None:
            return
        self.positions[told.symbol] = position.split(told.new_shares, told.old_shares)
        trade = self.open_trades[told.symbol]
        self.open_trades[told.symbol] = trade.split(told.new_shares, told.old_shares)
        if told.fraction_sold:
            sign = 1 if position.quantity > 0 else -1
            self._reduce(
                told.symbol,
                times(told.fraction_sold, Decimal(-sign)),
                times(told.cash_in_lieu_usd, Decimal(-sign)),
                ZERO,
                told.effective_at,
                "cash in lieu of a fraction",
            )

    def _cash_moved(self, entry: NewEntry | LedgerEntry, told: CashMoved) -> None:
        if not self._is_new(told.movement_id):
            return
        self.cash_moved_usd = plus(self.cash_moved_usd, told.amount_usd)
        if told.is_profit:
            self._add_to_day(told.at, other=told.amount_usd)

    def _account_marked(self, entry: NewEntry | LedgerEntry, told: AccountMarked) -> None:
        self.last_mark = AccountMark(at=entry.at, mark=told)
        self.marks_by_day.setdefault(told.session_on, told)
        equity = told.equity_usd
        if equity is not None and (self.equity_peak_usd is None or equity > self.equity_peak_usd):
            self.equity_peak_usd = equity

    def _reconciliation(self, entry: NewEntry | LedgerEntry, told: Reconciliation) -> None:
        self.last_reconciliation = told

    def _breaker_tripped(self, entry: NewEntry | LedgerEntry, told: BreakerTripped) -> None:
        # The first reason stays: what tripped it is what a person has to look at.
        self.breakers.setdefault(
            told.breaker, TrippedBreaker(breaker=told.breaker, tripped_at=entry.at, reason=told.reason)
        )

    def _breaker_reset(self, entry: NewEntry | LedgerEntry, told: BreakerReset) -> None:
        self.breakers.pop(told.breaker, None)

    def _halted(self, entry: NewEntry | LedgerEntry, told: Halted) -> None:
        # The first reason stays, as of a breaker, unless everything is left too: then it counts who asked for that.
        if self.halt is None or told.flattens:
            self.halt = Halt(halted_at=entry.at, source=told.source, person=told.person, reason=told.reason)

    def _resumed(self, entry: NewEntry | LedgerEntry, told: Resumed) -> None:
        self.halt = None

    def _trade_opened(self, entry: NewEntry | LedgerEntry, told: TradeOpened) -> None:
        self.unrecorded.pop((told.record.trade_id, told.kind), None)

    def _trade_closed(self, entry: NewEntry | LedgerEntry, told: TradeClosed) -> None:
        self.unrecorded.pop((told.record.trade_id, told.kind), None)

    # --- Orders -----------------------------------------------------------------------------------------------

    def _shown(self, order: BrokerOrder, parent: str | None) -> None:
        name = self._known(order, parent)
        self.orders[name] = self.orders[name].after_look(order)
        for leg in order.legs:
            self._shown(leg, parent=name)

    def _known(self, order: BrokerOrder, parent: str | None) -> str:
        """The name of an order that the broker told of, taken in if no entry named it before."""
        name = self.client_order_ids.get(order.broker_order_id)
        if name is None:
            name = order.client_order_id or order.broker_order_id
            self.client_order_ids[order.broker_order_id] = name
        record = self.orders.get(name)
        if record is None:
            record = OrderRecord(
                client_order_id=name,
                symbol=order.symbol,
                ours=False,
                filled_quantity=self.early_fills.pop(order.broker_order_id, ZERO),
            )
        if record.purpose is None:
            record = self._inherited(record, order, parent)
        self.orders[name] = record
        return name

    def _inherited(self, record: OrderRecord, order: BrokerOrder, parent: str | None) -> OrderRecord:
        """A leg belongs to the order it hangs on, and what replaces an order to the one that it replaced."""
        if parent is not None and self.orders[parent].ours:
            above = self.orders[parent]
            return changed(
                record, ours=True, parent=parent, strategy=above.strategy, purpose=purpose_of_leg(order)
            )
        before = None if order.replaces is None else self.order_of(order.replaces)
        if before is not None and before.ours:
            return changed(
                record,
                ours=True,
                parent=before.parent,
                strategy=before.strategy,
                purpose=before.purpose,
                reason=before.reason,
                idea=before.idea,
                replaces=before.client_order_id,
            )
        return record

    # --- Units and money --------------------------------------------------------------------------------------

    def _move(self, move: _Move) -> None:
        """Units came or went: what closes first, then what opens."""
        held = self.quantity(move.symbol)
        closing = ZERO
        if held and (held > 0) != (move.quantity > 0):
            closing = move.quantity if abs(move.quantity) <= abs(held) else minus(ZERO, held)
        commission = move.commission
        if closing:
            share = (
                commission
                if closing == move.quantity
                else quotient(times(commission, closing), move.quantity)
            )
            self._reduce(move.symbol, closing, times(closing, move.price), share, move.at, move.exit_reason)
            commission = minus(commission, share)
        opening = minus(move.quantity, closing)
        if opening:
            self._increase(move, opening, commission)

    def _reduce(
        self, symbol: str, quantity: Decimal, amount: Decimal, commission: Decimal, at: datetime, reason: str
    ) -> None:
        position, realised = self.positions[symbol].after(quantity, amount)
        self.realised_usd[symbol] = plus(self.realised_usd.get(symbol, ZERO), realised)
        self._paid(symbol, amount, commission)
        self._add_to_day(at, realised=realised, commission=commission)
        trade = self.open_trades[symbol].leaving(abs(quantity), abs(amount), commission, reason)
        if position.quantity:
            self.positions[symbol] = position
            self.open_trades[symbol] = trade
            return
        del self.positions[symbol]
        del self.open_trades[symbol]
        record = trade.closed(at).record()
        self.closed_trades.append(record)
        self.unrecorded[record.trade_id, TradeClosed.kind] = TradeClosed(record=record)

    def _increase(self, move: _Move, quantity: Decimal, commission: Decimal) -> None:
        symbol = move.symbol
        amount = times(quantity, move.price)
        position = self.positions.get(symbol) or Position(symbol)
        self.positions[symbol], _ = position.after(quantity, amount)
        self._paid(symbol, amount, commission)
        self._add_to_day(move.at, commission=commission)
        trade = self.open_trades.get(symbol)
        begins = trade is None
        if trade is None:
            session = self.last_session
            trade = Trade(
                trade_id=move.move_id,
                account=self.account,
                symbol=symbol,
                sign=1 if quantity > 0 else -1,
                opened_at=move.at,
                order_id=move.order_id,
                strategy=move.strategy,
                entry_type=move.entry_type,
                idea=move.idea,
                session=move.entry.session,
                began=(
                    session.began if session is not None and session.session == move.entry.session else None
                ),
            )
        trade = trade.entering(abs(quantity), move.price, commission, move.idea)
        self.open_trades[symbol] = trade
        if begins:
            self.unrecorded[trade.trade_id, TradeOpened.kind] = TradeOpened(record=trade.record())

    def _paid(self, symbol: str, amount: Decimal, commission: Decimal) -> None:
        self.cash_flow_usd[symbol] = minus(self.cash_flow_usd.get(symbol, ZERO), amount)
        self.commission_usd = plus(self.commission_usd, commission)

    def _add_to_day(
        self, at: datetime, *, realised: Decimal = ZERO, commission: Decimal = ZERO, other: Decimal = ZERO
    ) -> None:
        on = exchange_date(at)
        day = self.by_day.get(on, _NO_RESULT)
        self.by_day[on] = DayResult(
            realised_usd=plus(day.realised_usd, realised),
            commission_usd=plus(day.commission_usd, commission),
            other_usd=plus(day.other_usd, other),
        )

    def _is_new(self, name: str) -> bool:
        if name in self.counted_once:
            return False
        self.counted_once.add(name)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    """Units that came or went, whatever moved them."""

    entry: NewEntry | LedgerEntry
    move_id: str
    symbol: str
    quantity: Decimal  # signed
    price: Decimal
    commission: Decimal
    at: datetime
    order_id: str
    strategy: str
    entry_type: str
    idea: TradeIdea | None
    exit_reason: str


_NO_RESULT: Final = DayResult()

_FOLDS: Final[Mapping[type[Payload], Callable[[Book, NewEntry | LedgerEntry, Any], None]]] = MappingProxyType(
    {
        SessionBegan: Book._session_began,
        SessionEnded: Book._session_ended,
        WorkDone: Book._work_done,
        OrderIntended: Book._order_intended,
        ReplaceIntended: Book._replace_intended,
        CancelIntended: Book._cancel_intended,
        OrderAnswered: Book._order_answered,
        OrderEventSeen: Book._order_event,
        ExecutionSeen: Book._execution,
        TradeOpened: Book._trade_opened,
        TradeClosed: Book._trade_closed,
        PositionAdopted: Book._position_adopted,
        SplitApplied: Book._split_applied,
        CashMoved: Book._cash_moved,
        AccountMarked: Book._account_marked,
        Reconciliation: Book._reconciliation,
        BreakerTripped: Book._breaker_tripped,
        BreakerReset: Book._breaker_reset,
        Halted: Book._halted,
        Resumed: Book._resumed,
    }
)

FOLDED_KINDS: Final = frozenset(each.kind for each in _FOLDS)
"""The kinds of entries that a book follows from. A recovery needs to read no others; most of a ledger is decisions."""


def _entry_type(order: OrderRecord | None) -> str:
    if order is None:
        return ""
    if order.request is not None:
        return str(order.request.type)
    return "" if order.told is None else str(order.told.type)


def _exit_reason(order: OrderRecord | None) -> str:
    if order is None or order.purpose is None:
        return "an order that is not ours"
    return order.reason if order.parent is None and order.reason else str(order.purpose)


def _essence(execution: Execution) -> tuple[object, ...]:
    """What makes an execution what it is; its time and fees may be told more exactly later."""
    return (execution.symbol, execution.side, execution.quantity, execution.price)


def _words(execution: Execution) -> str:
    return f"{execution.side} {execution.quantity} {execution.symbol} at {execution.price}"


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for amount in amounts:
        total = plus(total, amount)
    return total
