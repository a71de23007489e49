"""Safety: breakers and kill switch of the account, folded from the ledger and judged as things happen."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from magellan.ledger.entries import (
    AccountMarked,
    AnswerIs,
    AnswerTo,
    BreakerReset,
    BreakerTripped,
    CashMoved,
    FailureSeen,
    FlatShown,
    Halted,
    LedgerEntry,
    NewEntry,
    OrderAnswered,
    Resumed,
    TradeClosed,
)
from magellan.risk import breakers as b
from magellan.risk import kill_switch as k


class Safety:
    """What refuses entries, and why."""

    def __init__(self, limits: b.BreakerLimits) -> None:
        self._limits = limits
        self.breakers = b.Breakers()
        self.switch = k.KillSwitch()

    def fold(self, entry: NewEntry | LedgerEntry) -> None:
        """Take in what was recorded. Judges nothing."""
        self._throw(entry)
        for event in _events(entry):
            self.breakers = b.folded(self.breakers, event)

    def happened(self, entry: NewEntry) -> tuple[BreakerTripped, ...]:
        """Take in what is being recorded now; what it trips is to be recorded beside it."""
        self._throw(entry)
        return self._judged(_events(entry))

    def is_news(self, shown: FlatShown) -> bool:
        """Whether it moves the kill switch that the broker showed this: then it is to be recorded."""
        return k.TRANSITIONS[self.switch.state][_told(shown)] is not self.switch.state

    def equity(self, at: datetime, equity_usd: Decimal) -> tuple[BreakerTripped, ...]:
        """The broker told the account's equity."""
        return self._judged((b.EquityTold(at=at, equity_usd=equity_usd),))

    def silent(self, at: datetime, silent_s: float, source: str) -> tuple[BreakerTripped, ...]:
        """A bar that was due has not come for so many seconds of trading."""
        return self._judged((b.DataSilent(at=at, silent_s=Decimal(str(silent_s)), source=source),))

    def differs(self, at: datetime, difference: str) -> tuple[BreakerTripped, ...]:
        """Ledger and broker disagree, and the policy is to refuse."""
        return self._judged((b.BooksDiffered(at=at, difference=difference),))

    def begins(
        self, at: datetime, *, ledger_is_empty: bool, known_by: str | None
    ) -> tuple[BreakerTripped, ...]:
        """A session begins on the ledger that was found; what shows that the account has traded before, if anything."""
        event = b.at_start(ledger_is_empty=ledger_is_empty, known_by=known_by, at=at)
        return () if event is None else self._judged((event,))

    @property
    def tripped(self) -> tuple[str, ...]:
        return tuple(str(kind) for kind in self.breakers.tripped)

    def _throw(self, entry: NewEntry | LedgerEntry) -> None:
        """What an entry means to the kill switch."""
        told = entry.payload
        if isinstance(told, Halted):
            kind = k.SwitchEventKind.FLATTEN if told.flattens else k.SwitchEventKind.HALT
            source = k.SwitchSource(told.source)
            event = k.SwitchEvent(
                kind=kind, at=entry.at, source=source, who=told.person or "", why=told.reason
            )
        elif isinstance(told, Resumed):
            event = k.SwitchEvent(
                kind=k.SwitchEventKind.RESUME,
                at=entry.at,
                source=k.SwitchSource.COMMAND,
                who=told.person,
                why=told.reason,
            )
        elif isinstance(told, FlatShown):
            event = k.SwitchEvent(kind=_told(told), at=entry.at, source=k.SwitchSource.SESSION)
        else:
            return
        self.switch = k.after(self.switch, event)

    def _judged(self, events: Iterable[b.BreakerEvent]) -> tuple[BreakerTripped, ...]:
        found: list[BreakerTripped] = []
        for event in events:
            self.breakers, trips = b.after(self.breakers, event, self._limits)
            found += [BreakerTripped(breaker=str(trip.kind), reason=trip.reason) for trip in trips]
        return tuple(found)


def _told(shown: FlatShown) -> k.SwitchEventKind:
    return k.SwitchEventKind.TOLD_FLAT if shown.flat else k.SwitchEventKind.TOLD_NOT_FLAT


def _events(entry: NewEntry | LedgerEntry) -> tuple[b.BreakerEvent, ...]:
    """What an entry means to the breakers."""
    told, at = entry.payload, entry.at
    match told:
        case TradeClosed(record=record) if record.net_profit_loss is not None:
            return (b.TradeEnded(at=at, profit_usd=record.net_profit_loss),)
        case OrderAnswered(to=AnswerTo.SUBMIT, answer=AnswerIs.REFUSED):
            return (b.OrderRejected(at=at, reason=told.message),)
        case FailureSeen(where=where):
            return (b.ExceptionRaised(at=at, where=where),)
        case CashMoved(amount_usd=amount, is_profit=False, symbol=None):
            # With a symbol, it pays in our book for units that were taken over: the broker's equity has them already.
            return (b.CashMoved(at=at, amount_usd=amount),)
        case AccountMarked(session_on=on, equity_usd=equity, last_equity_usd=last):
            events: tuple[b.BreakerEvent, ...] = (
                b.DayBegan(at=at, session_on=on, equity_usd=equity if last is None else last),
            )
            if equity is not None:
                events += (b.EquityTold(at=at, equity_usd=equity),)
            return events
        case BreakerTripped(breaker=breaker, reason=reason):
            return (b.Trip(kind=b.BreakerKind(breaker), at=at, reason=reason),)
        case BreakerReset(breaker=breaker, person=person, reason=reason):
            return (b.Reset(at=at, kind=b.BreakerKind(breaker), person=person, reason=reason),)
        case _:
            return ()
