"""The summary of one day: what an account did on one date of the exchange's clock, from its entries alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from magellan.ledger.book import Book, DayResult
from magellan.ledger.chain import Head
from magellan.ledger.entries import (
    AccountMarked,
    AnswerIs,
    AnswerTo,
    BreakerReset,
    BreakerTripped,
    Decision,
    ExecutionSeen,
    FailureSeen,
    Halted,
    LedgerEntry,
    OrderAnswered,
    OrderDenied,
    OrderIntended,
    Reconciliation,
    Resumed,
    SessionBegan,
    TradePlanned,
)
from magellan.ledger.performance import Performance, performance_of
from magellan.trading.session import exchange_date

# A clock that was wrong for a while, or is not the session's, dates entries after those that follow them.
# More dates than this in a row are days that came.
_LATER_DATES_MAX: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DailySummary:
    """One account on one date. None: nothing was recorded that says."""

    account: str
    on: date
    sessions: tuple[str, ...]  # that wrote something
    began: int  # how often a runner was started
    decisions: Mapping[str, int]  # by what was decided
    intents: int
    denied: Mapping[str, int]  # orders refused by our own limits, by rule
    not_entered: Mapping[str, int]  # entries that were decided and never became an order, by reason
    refused: int  # orders refused by the broker
    changes_refused: int  # cancels and replacements refused by the broker
    unknown: int  # answers that did not come
    executions: int
    result: DayResult
    trades: Performance  # those closed on that date
    equity_first_usd: Decimal | None  # as marked when a session began, or the day opened
    equity_last_usd: Decimal | None  # as marked last: the day's trades may have come after it
    positions: Mapping[str, Decimal]  # units at the day's last entry
    unresolved_intents: tuple[str, ...]  # at the day's last entry
    safety: tuple[str, ...]  # breakers, halts and differences, in their order
    failures: int
    head: Head | None  # where the chain stood: what to note elsewhere


def summary_of(account: str, on: date, entries: Iterable[LedgerEntry]) -> DailySummary:
    """Summarise a date. entries: the account's, of all kinds, from the first on; those after the date are ignored."""
    book = Book(account=account)
    sessions: dict[str, None] = {}
    counts: Counter[str] = Counter()
    decisions: Counter[str] = Counter()
    denied: Counter[str] = Counter()
    not_entered: Counter[str] = Counter()
    acted_on: set[str] = (
        set()
    )  # symbols of which a trade was planned or an order denied, just before its decision
    equity: list[Decimal] = []
    safety: list[str] = []
    head = None
    later: list[LedgerEntry] = []  # dated after it, of which nobody knows yet whether more of the date comes
    later_dates: set[date] = set()
    for entry in entries:
        day = exchange_date(entry.at)
        if day > on:
            later.append(entry)
            later_dates.add(day)
            if len(later_dates) > _LATER_DATES_MAX:
                break
            continue
        for each in later:
            book.apply(each)
        later.clear()
        later_dates.clear()
        book.apply(entry)
        head = Head(number=entry.number, hash=entry.hash)
        if day < on:
            continue
        sessions[entry.session] = None
        match entry.payload:
            case SessionBegan():
                counts["began"] += 1
            case Decision(action=action, symbol=symbol, reasoning=reasoning):
                decisions[action] += 1
                if action.startswith("enter_") and reasoning and symbol not in acted_on:
                    not_entered[reasoning] += 1
                acted_on.discard(symbol)
            case OrderDenied(rule=rule, request=request):
                denied[rule] += 1
                acted_on.add(request.symbol)
            case TradePlanned(symbol=symbol):
                acted_on.add(symbol)
            case OrderIntended():
                counts["intents"] += 1
            case OrderAnswered(to=AnswerTo.SUBMIT, answer=AnswerIs.REFUSED):
                counts["refused"] += 1
            case OrderAnswered(answer=AnswerIs.REFUSED):
                counts["changes_refused"] += 1
            case OrderAnswered(answer=AnswerIs.UNKNOWN):
                counts["unknown"] += 1
            case ExecutionSeen():
                counts["executions"] += 1
            case FailureSeen():
                counts["failures"] += 1
            case AccountMarked(equity_usd=Decimal() as marked):
                equity.append(marked)
            case payload:
                words = _safety(payload)
                if words:
                    safety.append(f"{entry.at:%H:%M:%S}Z {words}")
    closed = [
        trade
        for trade in book.closed_trades
        if trade.exit_timestamp and exchange_date(trade.exit_timestamp) == on
    ]
    return DailySummary(
        account=account,
        on=on,
        sessions=tuple(sessions),
        began=counts["began"],
        decisions=dict(decisions),
        intents=counts["intents"],
        denied=dict(denied),
        not_entered=dict(not_entered),
        refused=counts["refused"],
        changes_refused=counts["changes_refused"],
        unknown=counts["unknown"],
        executions=counts["executions"],
        result=book.by_day.get(on, DayResult()),
        trades=performance_of(closed),
        equity_first_usd=equity[0] if equity else None,
        equity_last_usd=equity[-1] if equity else None,
        positions={symbol: position.quantity for symbol, position in sorted(book.positions.items())},
        unresolved_intents=tuple(order.client_order_id for order in book.unresolved_intents),
        safety=tuple(safety),
        failures=counts["failures"],
        head=head,
    )


def _safety(payload: object) -> str:
    match payload:
        case BreakerTripped(breaker=name, reason=reason):
            return f"breaker {name} tripped: {reason}"
        case BreakerReset(breaker=name, person=person, reason=reason):
            return f"breaker {name} let go by {person}: {reason}"
        case Halted(source=source, person=person, reason=reason, flattens=flattens):
            words = "everything left, asked for" if flattens else "halted"
            return f"{words} by {person or source}: {reason}"
        case Resumed(person=person, reason=reason):
            return f"resumed by {person}: {reason}"
        case Reconciliation(differences=differences, result=result) if differences:
            what = ", ".join(f"{each.what} {each.name}" for each in differences)
            return f"book and broker differ ({what}): {result}"
    return ""
