"""The status of an account: what its ledger, its session's heartbeat and, where asked, its broker say. Reads only.

Every number has its source and its age. What nobody told is None, and is shown as "no data".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from magellan.errors import MagellanError
from magellan.ledger.book import FOLDED_KINDS, Book, Halt, RunningSession, TrippedBreaker
from magellan.ledger.entries import Decision, Difference, FailureSeen, FlatShown, LedgerEntry
from magellan.ledger.exact import minus, times
from magellan.ledger.trade_record import TradeRecord
from magellan.ports.broker import Broker
from magellan.ports.heartbeat import Heartbeat
from magellan.ports.ledger import Holder, Ledger
from magellan.ports.operator import OperatorRequest
from magellan.trading.account import AccountSnapshot, BrokerPosition
from magellan.trading.order import BrokerOrder
from magellan.trading.session import exchange_date
from magellan.usecases.named_account import NamedAccount
from magellan.usecases.recall import account_now
from magellan.usecases.watch_session import Seen, clock_of

_NEWEST: Final = 5  # decisions and trades that are shown
_LOOKED_THROUGH: Final = 5000  # of the newest entries, for decisions


class Running(StrEnum):
    """Whether a session runs."""

    NEVER = "no session yet"
    RUNNING = "running"
    STARTING = "starting"
    ENDED = "ended"
    GONE = "gone"  # without an end: killed, or crashed


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Units of one symbol."""

    symbol: str
    quantity: Decimal  # signed
    average_price: Decimal | None
    price: Decimal | None
    price_source: str  # "" where there is none
    price_age_s: float | None
    open_usd: Decimal | None  # profit at that price, before commission
    source: str  # ledger or broker
    age_s: float | None  # of the quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """An order that may still fill."""

    client_order_id: str
    symbol: str
    side: str
    type: str
    quantity: Decimal | None
    filled_quantity: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    status: str
    purpose: str | None  # None: not known
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """The session date's result so far, exactly."""

    on: date  # exchange calendar
    realised_usd: Decimal  # before commission
    commission_usd: Decimal
    other_usd: Decimal
    net_usd: Decimal
    open_usd: Decimal | None  # of what is held; None: a price is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What the account is worth. None: the broker did not say."""

    cash_usd: Decimal | None
    equity_usd: Decimal | None
    buying_power_usd: Decimal | None
    source: str
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How the session is. Ages in seconds; None: it has not happened, or nobody told."""

    beat_age_s: float | None
    bar_age_s: float | None
    bar_received_age_s: float | None
    broker_answer_age_s: float | None
    order_event_age_s: float | None
    reconciliation_age_s: float | None
    feed_up: bool | None
    orders_up: bool | None
    exceptions: int | None  # of the driver, in this session
    failures: int  # recorded by the session
    backlog: int | None
    answers_awaited: int | None
    lease_lapsed: str  # why nothing is entered for want of the host's lease; "": nobody tells of one
    entries_refused: str  # why nothing would be entered now, by the heartbeat; "": nobody tells of a reason
    silent: tuple[str, ...]  # what a watchdog finds, in a sentence each


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerLook:
    """What the broker just told."""

    account: AccountSnapshot
    positions: tuple[BrokerPosition, ...]
    orders: tuple[BrokerOrder, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStatus:
    """One account, whole."""

    asked_at: datetime  # aware, UTC, by this machine's clock
    session_at: datetime  # the same instant on the session's clock
    account: str
    name: str | None  # in magellan.toml
    kind: str | None
    running: Running
    holder: Holder | None
    session: RunningSession | None
    broken_by: str  # what that session could not go on after; "": nothing, or nobody could write it down
    switch: str  # of the kill switch
    halt: Halt | None
    breakers: tuple[TrippedBreaker, ...]
    money: Money | None
    positions: tuple[Held, ...]
    orders: tuple[Working, ...]
    unresolved: tuple[str, ...]  # intents of which nobody knows whether the broker has them
    today: Today
    reconciled: str | None  # the newest comparison's result; None: there was none
    differences: tuple[str, ...]
    health: Health
    recorded_age_s: float | None  # since the ledger's newest entry; None: it has none
    decisions: tuple[Decision, ...]  # the newest, newest first
    trades: tuple[TradeRecord, ...]
    broker: str  # "told", "not asked", or why it did not tell
    asked: tuple[OperatorRequest, ...] = ()  # what no session has acted on yet

    @property
    def entries(self) -> str:
        """Whether entries are let in, in words."""
        if self.switch != "running":
            return self.switch.upper()
        if self.breakers:
            return "KEPT OUT by a tripped breaker, until `magellan resume`"
        if self.health.entries_refused:
            return f"KEPT OUT for now: {self.health.entries_refused}"
        return "allowed"


def session_status(
    account: NamedAccount,
    ledger: Ledger,
    seen: Seen,
    *,
    silent: Iterable[str],
    look: BrokerLook | str | None,
    asked: Iterable[OperatorRequest] = (),
) -> SessionStatus:
    """An account's status. look: what its broker told; why it did not; None: it was not asked. Raises AskOperator."""
    name = account.ledger
    # A session's own entries all stand behind the newest bookmark, which is made before a session begins.
    book, safety, behind = account_now(ledger, name, FOLDED_KINDS | {FailureSeen.kind, FlatShown.kind})
    ours = [entry for entry in behind if seen.session is not None and entry.session == seen.session.session]
    failures = [entry.payload for entry in ours if isinstance(entry.payload, FailureSeen)]
    decisions = _decisions(ledger, name)
    now = clock_of(seen)
    told = look if isinstance(look, BrokerLook) else None
    positions = _held(book, told, decisions, now, seen)
    return SessionStatus(
        asked_at=seen.at,
        session_at=now,
        account=name,
        name=account.name,
        kind=None if account.terms is None else account.terms.kind,
        running=running(seen),
        holder=seen.holder,
        session=seen.session,
        broken_by=next((each.error for each in failures if each.where == FailureSeen.SESSION), ""),
        switch=str(safety.switch.state),
        halt=book.halt,
        breakers=tuple(book.breakers.values()),
        money=_money(book, told, now, seen),
        positions=positions,
        orders=_working(book, told),
        unresolved=tuple(order.client_order_id for order in book.unresolved_intents),
        today=_today(book, positions, now),
        reconciled=None if book.last_reconciliation is None else book.last_reconciliation.result,
        differences=tuple(
            f"{each.what} {each.name}: ours {each.ours or 'none'}, broker's {each.brokers}"
            for each in _refused(book)
        ),
        health=_health(seen, now, len(failures), tuple(silent)),
        recorded_age_s=_age_s(now, book.last_at),
        decisions=decisions[: -_NEWEST - 1 : -1],
        trades=(
            *(trade.record() for trade in book.open_trades.values()),
            *reversed(book.closed_trades),
        )[:_NEWEST],
        broker="not asked" if look is None else look if isinstance(look, str) else "told",
        asked=tuple(asked),
    )


async def look_at(broker: Broker) -> BrokerLook | str:
    """What a broker tells now, or why it does not."""
    try:
        return BrokerLook(
            account=await broker.account(),
            positions=await broker.positions(),
            orders=await broker.open_orders(),
        )
    except MagellanError as error:
        return error.message


def running(seen: Seen) -> Running:
    """Whether a session runs."""
    session = seen.session
    if seen.holder is not None:
        fresh = session is not None and session.ended_at is None and seen.beat_age_s is not None
        return Running.RUNNING if fresh else Running.STARTING
    if session is None:
        return Running.NEVER
    return Running.GONE if session.ended_at is None else Running.ENDED


def _refused(book: Book) -> tuple[Difference, ...]:
    """Where the broker and our book differ now; what was adopted differs no more."""
    last = book.last_reconciliation
    return last.differences if last is not None and last.result == "refused" else ()


def _decisions(ledger: Ledger, account: str) -> tuple[Decision, ...]:
    after = max(0, ledger.head(account).number - _LOOKED_THROUGH)
    found = (entry.payload for entry in _entries(ledger, account, after))
    return tuple(each for each in found if isinstance(each, Decision))


def _entries(ledger: Ledger, account: str, after: int) -> Iterable[LedgerEntry]:
    return ledger.entries(account, after=after, kinds=(Decision.kind,))


def _held(
    book: Book, told: BrokerLook | None, decisions: tuple[Decision, ...], now: datetime, seen: Seen
) -> tuple[Held, ...]:
    if told is not None:
        age_s = _age_s(seen.at, told.account.as_of)
        return tuple(
            Held(
                symbol=each.symbol,
                quantity=each.quantity,
                average_price=each.average_entry_price,
                price=each.market_price,
                price_source="broker" if each.market_price is not None else "",
                price_age_s=age_s if each.market_price is not None else None,
                open_usd=None
                if each.market_price is None or each.average_entry_price is None
                else times(each.quantity, minus(each.market_price, each.average_entry_price)),
                source="broker",
                age_s=age_s,
            )
            for each in told.positions
        )
    seen_at = _prices(decisions)
    found = []
    for symbol, position in sorted(book.positions.items()):
        price, source, at = seen_at.get(symbol, (None, "", None))
        found.append(
            Held(
                symbol=symbol,
                quantity=position.quantity,
                average_price=position.average_price,
                price=price,
                price_source=source,
                price_age_s=_age_s(now, at),
                open_usd=None if price is None else position.unrealised_usd(price),
                source="ledger",
                age_s=_age_s(now, book.last_at),
            )
        )
    return tuple(found)


def _prices(decisions: tuple[Decision, ...]) -> Mapping[str, tuple[Decimal, str, datetime]]:
    """The newest close that was decided on, by symbol."""
    return {
        each.symbol: (each.price, f"close of {each.bar_source}", each.bar_closed_at)
        for each in decisions
        if each.price is not None
    }


def _working(book: Book, told: BrokerLook | None) -> tuple[Working, ...]:
    found = []
    if told is not None:
        for order in (each for parent in told.orders for each in (parent, *parent.legs)):
            if order.status.is_terminal:
                continue
            known = book.order_of(order.broker_order_id) or book.orders.get(order.client_order_id)
            found.append(_row(order, known.purpose if known else None, str(order.status), "broker"))
        return tuple(found)
    for record in book.open_orders:
        if record.told is not None:
            found.append(_row(record.told, record.purpose, str(record.status), "ledger"))
    return tuple(found)


def _row(order: BrokerOrder, purpose: object, status: str, source: str) -> Working:
    return Working(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=str(order.side),
        type=str(order.type),
        quantity=order.quantity,
        filled_quantity=order.filled_quantity,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        status=status,
        purpose=None if purpose is None else str(purpose),
        source=source,
    )


def _money(book: Book, told: BrokerLook | None, now: datetime, seen: Seen) -> Money | None:
    if told is not None:
        account = told.account
        return Money(
            cash_usd=account.cash_usd,
            equity_usd=account.equity_usd,
            buying_power_usd=account.buying_power_usd,
            source="broker",
            age_s=max(0.0, (seen.at - account.as_of).total_seconds()),
        )
    beat = seen.beat
    if beat is not None and beat.account_told_at is not None:
        marked_at = None if book.last_mark is None else book.last_mark.at
        if marked_at is None or beat.account_told_at > marked_at:
            return Money(
                cash_usd=_sum(beat.cash_usd),
                equity_usd=_sum(beat.equity_usd),
                buying_power_usd=_sum(beat.buying_power_usd),
                source="broker, by the heartbeat",
                age_s=max(0.0, (now - beat.account_told_at).total_seconds()),
            )
    if book.last_mark is None:
        return None
    mark = book.last_mark.mark
    return Money(
        cash_usd=mark.cash_usd,
        equity_usd=mark.equity_usd,
        buying_power_usd=mark.buying_power_usd,
        source=f"ledger, {mark.occasion}",
        age_s=max(0.0, (now - book.last_mark.at).total_seconds()),
    )


def _sum(usd: float | None) -> Decimal | None:
    return None if usd is None else Decimal(repr(usd))


def _today(book: Book, positions: tuple[Held, ...], now: datetime) -> Today:
    on = exchange_date(now)
    day = book.by_day.get(on)
    zero = Decimal(0)
    open_usd: Decimal | None = zero
    for each in positions:
        open_usd = None if open_usd is None or each.open_usd is None else open_usd + each.open_usd
    return Today(
        on=on,
        realised_usd=zero if day is None else day.realised_usd,
        commission_usd=zero if day is None else day.commission_usd,
        other_usd=zero if day is None else day.other_usd,
        net_usd=zero if day is None else day.net_usd,
        open_usd=open_usd,
    )


def _health(seen: Seen, now: datetime, failures: int, silent: tuple[str, ...]) -> Health:
    age_s = seen.beat_age_s
    # Of a session that is over, only when it last gave a sign.
    beat: Heartbeat | None = seen.beat if age_s is not None and seen.holder is not None else None
    return Health(
        beat_age_s=age_s,
        bar_age_s=None if beat is None else _age_s(now, beat.last_bar_closed_at),
        bar_received_age_s=None if beat is None else _age_s(now, beat.last_bar_received_at),
        broker_answer_age_s=None if beat is None else _age_s(now, beat.last_broker_answer_at),
        order_event_age_s=None if beat is None else _age_s(now, beat.last_order_event_at),
        reconciliation_age_s=None if beat is None else _age_s(now, beat.last_reconciled_at),
        feed_up=None if beat is None else beat.feed_up,
        orders_up=None if beat is None else beat.orders_up,
        exceptions=None if beat is None else beat.exceptions,
        failures=failures,
        backlog=None if beat is None else beat.backlog,
        answers_awaited=None if beat is None else beat.answers_awaited,
        lease_lapsed="" if beat is None else beat.lease_lapsed,
        entries_refused="" if beat is None else beat.entries_refused,
        silent=silent,
    )


def _age_s(now: datetime, at: datetime | None) -> float | None:
    return None if at is None else max(0.0, (now - at).total_seconds())
