"""Breakers of an account: they trip by themselves, on losses and faults, and stay tripped until a person resets them.

`TRANSITIONS` is the state table of each breaker. Its rules live here:

- only a loss or a fault trips: every loss is a negative profit, and no absolute value is ever taken of one, so that a
  profit of any size passes;
- a tripped breaker refuses entries and never an exit. A new day, a profit, a restart do not re-arm it: only a reset
  does, by a named person with a reason;
- several may be tripped at once, and each is reset by its own name, or all together;
- state that is damaged, or missing for an account that has traded before, is tripped.

What has been recorded is folded by `folded`, which judges nothing: limits may have changed since. `after` does the
same for something that happens now, and judges it: the trips that it returns are to be recorded before anything else
is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from magellan.trading.session import exchange_date

RATE_WINDOW: Final = timedelta(hours=1)
_TRADES_KEPT: Final = 1000  # the longest window of trades that a win rate can be asked over


class BreakerKind(StrEnum):
    """What a breaker watches."""

    DAILY_LOSS = "daily loss"
    DRAWDOWN = "drawdown"
    LOSING_TRADES = "losing trades"
    LOSING_DAYS = "losing days"
    WIN_RATE = "win rate"
    REJECTS = "rejects"
    EXCEPTIONS = "exceptions"
    STALE_DATA = "stale data"
    BOOKS_DIFFER = "books differ"  # ledger and broker disagree on what is held
    RECORDS = "records"  # the ledger is damaged, or missing for a known account


class BreakerState(StrEnum):
    """Whether a breaker lets entries pass."""

    ARMED = "armed"
    TRIPPED = "tripped"


class BreakerEventKind(StrEnum):
    """What happens to one breaker."""

    BREACHED = "breached"  # what it watches went beyond its limit
    WITHIN = "within"  # what it watches is within its limit, or came back to it
    NEW_DAY = "new day"
    UNREADABLE = "unreadable"  # its state cannot be read
    RESET = "reset"  # by a named person with a reason


# {state: {event: next state}}, with an exit for every event.
TRANSITIONS: Final[Mapping[BreakerState, Mapping[BreakerEventKind, BreakerState]]] = MappingProxyType(
    {
        BreakerState.ARMED: MappingProxyType(
            {
                BreakerEventKind.BREACHED: BreakerState.TRIPPED,
                BreakerEventKind.WITHIN: BreakerState.ARMED,
                BreakerEventKind.NEW_DAY: BreakerState.ARMED,
                BreakerEventKind.UNREADABLE: BreakerState.TRIPPED,
                BreakerEventKind.RESET: BreakerState.ARMED,
            }
        ),
        BreakerState.TRIPPED: MappingProxyType(
            {
                BreakerEventKind.BREACHED: BreakerState.TRIPPED,
                BreakerEventKind.WITHIN: BreakerState.TRIPPED,
                BreakerEventKind.NEW_DAY: BreakerState.TRIPPED,
                BreakerEventKind.UNREADABLE: BreakerState.TRIPPED,
                BreakerEventKind.RESET: BreakerState.ARMED,
            }
        ),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerLimits:
    """Where breakers trip. None: that breaker does not watch."""

    daily_loss_fraction_max: Decimal | None = Decimal("0.03")  # realised and open, of the day's first equity
    daily_loss_usd_max: Decimal | None = None
    drawdown_fraction_max: Decimal | None = Decimal("0.2")  # below the highest equity since the last reset
    losing_trades_max: int | None = 6  # in a row
    losing_days_max: int | None = 4  # in a row
    win_rate_min: Decimal | None = None  # wins over wins and losses
    win_rate_trades: int = 20  # of that many trades, the newest; fewer are not judged
    rejects_per_hour_max: int | None = 10
    exceptions_per_hour_max: int | None = 5
    data_silence_s_max: Decimal | None = None  # of trading hours without a bar that was due

    def __post_init__(self) -> None:
        if not 1 <= self.win_rate_trades <= _TRADES_KEPT:
            raise ValueError(f"win_rate_trades is {self.win_rate_trades}; allowed: 1 to {_TRADES_KEPT}")


# What happens. Each is folded from a ledger entry, or happens now.


@dataclass(frozen=True, slots=True, kw_only=True)
class DayBegan:
    """A session of the exchange begins, for the first time or again after a restart."""

    at: datetime  # aware, UTC
    session_on: date
    equity_usd: Decimal | None  # at the close of the session before, where the broker tells it; else now


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityTold:
    """The broker told the account's equity: cash and positions at market."""

    at: datetime
    equity_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CashMoved:
    """Money came into the account (> 0) or left it (< 0) without a trade: neither a profit nor a loss.

    To be told before the first `EquityTold` that contains it.
    """

    at: datetime
    amount_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeEnded:
    """A trade is over: all that was entered has been left."""

    at: datetime
    profit_usd: Decimal  # signed, after costs


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRejected:
    """The broker refused an order for what it is; one refused for coming too fast is not told here."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionRaised:
    """Strategy code or an adapter failed in a way that nobody foresaw."""

    at: datetime
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSilent:
    """A bar that was due has not come for this long, counted in trading hours."""

    at: datetime
    silent_s: Decimal
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksDiffered:
    """Ledger and broker disagree, and the policy is not to settle that alone."""

    at: datetime
    difference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsUnreadable:
    """The ledger is damaged, or missing for an account that has traded before."""

    at: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """A breaker tripped: which, when and why. Recorded before anything else is done."""

    kind: BreakerKind
    at: datetime  # aware, UTC
    reason: str  # a sentence with what was found and what is allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """A person re-arms a breaker, or all. What it counted begins anew. Raises ValueError without name or reason."""

    at: datetime
    kind: BreakerKind | None  # None: all
    person: str
    reason: str

    def __post_init__(self) -> None:
        if not self.person.strip() or not self.reason.strip():
            raise ValueError("a reset of a breaker names a person and a reason")


BreakerEvent = (
    DayBegan
    | EquityTold
    | CashMoved
    | TradeEnded
    | OrderRejected
    | ExceptionRaised
    | DataSilent
    | BooksDiffered
    | RecordsUnreadable
    | Trip
    | Reset
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakers:
    """Which breakers are tripped, and what they have counted. Folded from the ledger; nothing else keeps it."""

    # The first trip of each that is tripped.
    trips: Mapping[BreakerKind, Trip] = field(default_factory=lambda: MappingProxyType({}))
    session_on: date | None = None
    day_start_equity_usd: Decimal | None = None
    cash_today_usd: Decimal = Decimal(0)  # came in, less what went out, since the day's start
    cash_next_day_usd: Decimal = Decimal(0)  # the same, on a later date, of which no day has begun yet
    profit_at_reset_usd: Decimal = Decimal(0)  # today's when the daily loss was last reset
    equity_usd: Decimal | None = None  # newest
    peak_equity_usd: Decimal | None = None  # highest since the last reset, scaled when cash came or went
    losing_trades: int = 0  # in a row, up to the newest
    losing_days: int = 0
    trades_won: tuple[bool, ...] = ()  # the newest last; trades that ended at zero are left out
    rejected_at: tuple[datetime, ...] = ()  # within an hour of the newest
    raised_at: tuple[datetime, ...] = ()

    @property
    def tripped(self) -> tuple[BreakerKind, ...]:
        """Those that are tripped, in the order of their kinds."""
        return tuple(kind for kind in BreakerKind if kind in self.trips) if self.trips else ()

    def state(self, kind: BreakerKind) -> BreakerState:
        return BreakerState.TRIPPED if kind in self.trips else BreakerState.ARMED

    @property
    def profit_today_usd(self) -> Decimal | None:
        """Signed: realised and open since the day's start. None while either end of it is unknown."""
        if self.equity_usd is None or self.day_start_equity_usd is None:
            return None
        return self.equity_usd - self.day_start_equity_usd - self.cash_today_usd


def at_start(*, ledger_is_empty: bool, known_by: str | None, at: datetime) -> RecordsUnreadable | None:
    """What happens to the breakers before the first decision, going by the ledger that was found.

    One without an entry is lost, and not new, where anything else shows that the account has traded before. A damaged
    one is not met here: it can be neither read nor written, and no session begins.

    known_by: what shows that the account has traded before, as a sentence; None: nothing does.
    """
    if not ledger_is_empty or known_by is None:
        return None
    return RecordsUnreadable(at=at, why=f"the ledger is empty, and the account has traded before: {known_by}")


def after(
    breakers: Breakers, event: BreakerEvent, limits: BreakerLimits
) -> tuple[Breakers, tuple[Trip, ...]]:
    """The breakers after something that happens now, and those that it trips anew."""
    breakers = folded(breakers, event)
    found = tuple(trip for trip in _judged(breakers, event, limits) if trip.kind not in breakers.trips)
    for trip in found:
        breakers = folded(breakers, trip)
    return breakers, found


def fold(events: Iterable[BreakerEvent]) -> Breakers:
    """The breakers as the ledger left them."""
    breakers = Breakers()
    for event in events:
        breakers = folded(breakers, event)
    return breakers


def folded(breakers: Breakers, event: BreakerEvent) -> Breakers:
    """The breakers after something that was recorded. Counts, and judges nothing."""
    match event:
        case Trip():
            return _moved(breakers, event.kind, BreakerEventKind.BREACHED, event)
        case Reset():
            for kind in BreakerKind if event.kind is None else (event.kind,):
                breakers = _counting_anew(_moved(breakers, kind, BreakerEventKind.RESET), kind)
            return breakers
        case DayBegan():
            return _next_day(breakers, event)
        case EquityTold():
            peak = breakers.peak_equity_usd
            return replace(
                breakers,
                equity_usd=event.equity_usd,
                peak_equity_usd=event.equity_usd if peak is None else max(peak, event.equity_usd),
            )
        case CashMoved():
            return _with_cash(breakers, event)
        case TradeEnded():
            return _counting_trade(breakers, event.profit_usd)
        case OrderRejected():
            return replace(breakers, rejected_at=_within(breakers.rejected_at, event.at))
        case ExceptionRaised():
            return replace(breakers, raised_at=_within(breakers.raised_at, event.at))
        case DataSilent() | BooksDiffered() | RecordsUnreadable():
            return breakers


def _moved(
    breakers: Breakers, kind: BreakerKind, event: BreakerEventKind, trip: Trip | None = None
) -> Breakers:
    """One breaker moved by the table. The first trip stays: a second says nothing new about why."""
    trips = dict(breakers.trips)
    if TRANSITIONS[breakers.state(kind)][event] is BreakerState.ARMED:
        trips.pop(kind, None)
    elif kind not in trips:
        assert trip is not None, "a breaker trips for a reason"
        trips[kind] = trip
    return replace(breakers, trips=MappingProxyType(trips))


def _counting_anew(breakers: Breakers, kind: BreakerKind) -> Breakers:
    """What a breaker counts, from the reset on: else it would trip again on what the person has already seen."""
    match kind:
        case BreakerKind.DAILY_LOSS:
            return replace(breakers, profit_at_reset_usd=breakers.profit_today_usd or Decimal(0))
        case BreakerKind.DRAWDOWN:
            return replace(breakers, peak_equity_usd=breakers.equity_usd)
        case BreakerKind.LOSING_TRADES:
            return replace(breakers, losing_trades=0)
        case BreakerKind.LOSING_DAYS:
            return replace(breakers, losing_days=0)
        case BreakerKind.WIN_RATE:
            return replace(breakers, trades_won=())
        case BreakerKind.REJECTS:
            return replace(breakers, rejected_at=())
        case BreakerKind.EXCEPTIONS:
            return replace(breakers, raised_at=())
        case BreakerKind.STALE_DATA | BreakerKind.BOOKS_DIFFER | BreakerKind.RECORDS:
            return breakers


def _next_day(breakers: Breakers, event: DayBegan) -> Breakers:
    """A day's loss begins at zero; streaks and the highest equity go on. The same day again changes nothing."""
    if breakers.session_on is not None and event.session_on < breakers.session_on:
        return breakers
    if event.session_on == breakers.session_on:
        if breakers.day_start_equity_usd is not None:
            return breakers
        # The day began without a word from the broker, which has come now.
        return replace(breakers, day_start_equity_usd=event.equity_usd)
    start = event.equity_usd
    if start is None and breakers.equity_usd is not None:
        start = breakers.equity_usd - breakers.cash_next_day_usd
    # By what the day before ended with, not by the last word that we heard in it: nobody may have listened to its end.
    day_before, losing_days = replace(breakers, equity_usd=start).profit_today_usd, breakers.losing_days
    if day_before is not None and day_before < 0:
        losing_days += 1
    elif day_before is not None and day_before > 0:
        losing_days = 0
    return replace(
        breakers,
        session_on=event.session_on,
        day_start_equity_usd=start,
        equity_usd=None if start is None else start + breakers.cash_next_day_usd,
        cash_today_usd=breakers.cash_next_day_usd,
        cash_next_day_usd=Decimal(0),
        profit_at_reset_usd=Decimal(0),
        losing_days=losing_days,
    )


def _counting_trade(breakers: Breakers, profit_usd: Decimal) -> Breakers:
    if profit_usd == 0:  # neither won nor lost: it ends no streak and makes none longer
        return breakers
    won = profit_usd > 0
    return replace(
        breakers,
        losing_trades=0 if won else breakers.losing_trades + 1,
        trades_won=(*breakers.trades_won, won)[-_TRADES_KEPT:],
    )


def _with_cash(breakers: Breakers, event: CashMoved) -> Breakers:
    """The highest equity is scaled as equity is: a withdrawal makes no drawdown, and a deposit hides none.

    What moved over night is told before the day begins, and belongs to it: the day's first equity is that of the close
    before.
    """
    begun_on = breakers.session_on
    if begun_on is None:
        return breakers  # what the account was opened with: no day has begun that it could be compared with
    amount_usd, equity, peak = event.amount_usd, breakers.equity_usd, breakers.peak_equity_usd
    if equity is not None and peak is not None:
        scaled = peak * (equity + amount_usd) / equity if equity > 0 else peak + amount_usd
        peak = max(scaled, equity + amount_usd)
    breakers = replace(
        breakers, equity_usd=None if equity is None else equity + amount_usd, peak_equity_usd=peak
    )
    if exchange_date(event.at) > begun_on:
        return replace(breakers, cash_next_day_usd=breakers.cash_next_day_usd + amount_usd)
    return replace(breakers, cash_today_usd=breakers.cash_today_usd + amount_usd)


def _judged(breakers: Breakers, event: BreakerEvent, limits: BreakerLimits) -> Iterator[Trip]:
    """What the event breaches."""
    match event:
        case DayBegan() | EquityTold():
            yield from _judged_equity(breakers, event.at, limits)
        case TradeEnded() if event.profit_usd < 0:
            yield from _judged_trades(breakers, event.at, limits)
        case OrderRejected():
            yield from _judged_rate(
                BreakerKind.REJECTS, breakers.rejected_at, limits.rejects_per_hour_max, event.at, event.reason
            )
        case ExceptionRaised():
            yield from _judged_rate(
                BreakerKind.EXCEPTIONS,
                breakers.raised_at,
                limits.exceptions_per_hour_max,
                event.at,
                event.where,
            )
        case DataSilent():
            most = limits.data_silence_s_max
            if most is not None and not event.silent_s <= most:
                yield Trip(
                    kind=BreakerKind.STALE_DATA,
                    at=event.at,
                    reason=f"no bar from {event.source} for {event.silent_s:f} s; allowed: {most:f} s",
                )
        case BooksDiffered():
            yield Trip(kind=BreakerKind.BOOKS_DIFFER, at=event.at, reason=event.difference)
        case RecordsUnreadable():
            yield Trip(kind=BreakerKind.RECORDS, at=event.at, reason=event.why)
        case _:
            return


def _judged_equity(breakers: Breakers, at: datetime, limits: BreakerLimits) -> Iterator[Trip]:
    profit, start = breakers.profit_today_usd, breakers.day_start_equity_usd
    if profit is not None and start is not None and profit < breakers.profit_at_reset_usd:
        lost = breakers.profit_at_reset_usd - profit
        most = limits.daily_loss_fraction_max
        if most is not None and lost >= most * start:
            yield Trip(
                kind=BreakerKind.DAILY_LOSS,
                at=at,
                reason=f"today has lost {lost:,.2f} $ of {start:,.2f} $; it trips at {most * 100:.2f} %",
            )
        elif limits.daily_loss_usd_max is not None and lost >= limits.daily_loss_usd_max:
            yield Trip(
                kind=BreakerKind.DAILY_LOSS,
                at=at,
                reason=f"today has lost {lost:,.2f} $; it trips at {limits.daily_loss_usd_max:,.2f} $",
            )
    equity, peak, most = breakers.equity_usd, breakers.peak_equity_usd, limits.drawdown_fraction_max
    if equity is None or peak is None or most is None:
        pass  # nothing to compare yet: entries wait for the broker's word by other rules
    elif equity < peak and peak - equity >= most * peak:
        yield Trip(
            kind=BreakerKind.DRAWDOWN,
            at=at,
            reason=f"equity is {peak - equity:,.2f} $ below its highest, {peak:,.2f} $; "
            f"it trips at {most * 100:.2f} %",
        )
    if limits.losing_days_max is not None and breakers.losing_days >= limits.losing_days_max:
        yield Trip(
            kind=BreakerKind.LOSING_DAYS,
            at=at,
            reason=f"{breakers.losing_days} losing days in a row; it trips at {limits.losing_days_max}",
        )


def _judged_trades(breakers: Breakers, at: datetime, limits: BreakerLimits) -> Iterator[Trip]:
    if limits.losing_trades_max is not None and breakers.losing_trades >= limits.losing_trades_max:
        yield Trip(
            kind=BreakerKind.LOSING_TRADES,
            at=at,
            reason=f"{breakers.losing_trades} losing trades in a row; it trips at {limits.losing_trades_max}",
        )
    newest = breakers.trades_won[-limits.win_rate_trades :]
    if limits.win_rate_min is not None and len(newest) == limits.win_rate_trades:
        won = newest.count(True)
        if won < limits.win_rate_min * len(newest):
            yield Trip(
                kind=BreakerKind.WIN_RATE,
                at=at,
                reason=f"{won} of the newest {len(newest)} trades won; it trips below "
                f"{limits.win_rate_min * 100:.2f} %",
            )


def _judged_rate(
    kind: BreakerKind, instants: tuple[datetime, ...], most: int | None, at: datetime, newest: str
) -> Iterator[Trip]:
    if most is not None and len(instants) > most:
        yield Trip(
            kind=kind,
            at=at,
            reason=f"{len(instants)} {kind} within an hour; allowed: {most}; the newest: {newest}",
        )


def _within(instants: tuple[datetime, ...], at: datetime) -> tuple[datetime, ...]:
    """The instants with the new one, less those more than an hour before it."""
    return (*(each for each in instants if at - each < RATE_WINDOW), at)
