"""What a ledger is made of: one class per kind of entry, and the entry that carries it.

An entry is never edited and never removed. What turned out otherwise is a new entry. Every state of an account, an
order or a breaker is a fold of entries (`book.py`), so that a process which was killed at any instant begins where the
last entry stands.

`PAYLOADS` is the list of kinds. Changing the fields of one raises its `version`, and `migration.py` says how older
records read from then on; records that are stored are never rewritten.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Final

from magellan.ledger.trade_record import TradeRecord
from magellan.trading.order import BrokerOrder, Execution, OrderEventKind, OrderRequest
from magellan.trading.purpose import OrderPurpose
from magellan.trading.trade_terms import TradeMarks, TradeTerms

# --- Sessions ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionBegan:
    """A runner was started for this account. What it is made of, so that every order can be traced to it."""

    kind: ClassVar[str] = "session_began"
    version: ClassVar[int] = 1

    run_id: str
    strategy: str
    stage: str  # dev, test or prod
    mode: str  # dry, archived, local exchange, paper or live
    magellan_version: str
    config_hash: str
    release_id: str | None
    data_id: str | None  # of the archived set behind an archived or generated run
    bar_source: str  # vendor and feed
    symbols: tuple[str, ...]
    timeframe: str
    host: str
    pid: int
    continues: str | None = None  # the session before, when that one did not end in good order
    armed_by: str | None = None  # who armed live trading


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded:
    """A runner stopped in good order. A session without this entry was killed."""

    kind: ClassVar[str] = "session_ended"
    version: ClassVar[int] = 1

    reason: str
    flat: bool  # whether the account held no position then


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkDone:
    """Scheduled work that was done for a session date, and is not done for it again."""

    kind: ClassVar[str] = "work_done"
    version: ClassVar[int] = 1

    name: str
    session_on: date  # exchange calendar
    detail: str = ""


# --- Decisions and orders ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a strategy decided at the close of a bar, also when it decided to do nothing."""

    kind: ClassVar[str] = "decision"
    version: ClassVar[int] = 1

    decision_id: str
    strategy: str
    symbol: str
    bar_opened_at: datetime  # aware, UTC
    bar_closed_at: datetime
    bar_received_at: datetime | None  # None for an archived bar
    bar_source: str
    action: str  # enter_long, enter_short, exit, hold or nothing
    price: Decimal | None  # what the strategy saw: the bar's close
    reasoning: str
    indicators: Mapping[str, float | None] = field(default_factory=dict)  # None: not known

    def __post_init__(self) -> None:
        for name, value in self.indicators.items():
            if value is not None and not math.isfinite(value):
                raise ValueError(f"indicator {name} is {value}: what is not known is None")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDenied:
    """An order that our own limits refused. It was never sent."""

    kind: ClassVar[str] = "order_denied"
    version: ClassVar[int] = 1

    strategy: str
    purpose: OrderPurpose
    request: OrderRequest
    rule: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeIdea:
    """What the strategy meant with an entry. The trade's record takes it from here."""

    decision_id: str
    decision_price: Decimal | None
    stop_loss: Decimal | None
    target: Decimal | None
    risk_reward_ratio: Decimal | None
    reasoning: str
    indicators_used: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderIntended:
    """We are about to send this order. Durable before it is sent; one intent is at most one order."""

    kind: ClassVar[str] = "order_intended"
    version: ClassVar[int] = 1

    strategy: str
    purpose: OrderPurpose
    request: OrderRequest
    reason: str  # of an exit, for the trade's record
    idea: TradeIdea | None = None  # of an entry

    @property
    def client_order_id(self) -> str:
        return self.request.client_order_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceIntended:
    """We are about to change a working order. The broker makes a new order of it, named `client_order_id`."""

    kind: ClassVar[str] = "replace_intended"
    version: ClassVar[int] = 1

    client_order_id: str  # of the order that takes its place
    replaces_client_order_id: str
    broker_order_id: str  # of the order that is replaced
    reason: str
    quantity: Decimal | None = None  # None leaves it
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelIntended:
    """We are about to ask for an order's cancel. What becomes of the order, its events tell."""

    kind: ClassVar[str] = "cancel_intended"
    version: ClassVar[int] = 1

    client_order_id: str
    broker_order_id: str
    reason: str


class AnswerTo(StrEnum):
    """What was asked of the broker."""

    SUBMIT = "submit"
    REPLACE = "replace"
    CANCEL = "cancel"
    LOOK_UP = "look_up"


class AnswerIs(StrEnum):
    """What is known after an answer."""

    ACCEPTED = "accepted"  # the broker has the order, or took the cancel
    REFUSED = "refused"  # it answered, and nothing changed there
    RATE_LIMITED = "rate_limited"  # refused unread: the same intent may be sent again under the same name
    UNKNOWN = "unknown"  # no answer that can be read: the order may be live
    ABSENT = "absent"  # looked up for long enough: the order never arrived


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAnswered:
    """What a broker answered to an intent, or that it did not."""

    kind: ClassVar[str] = "order_answered"
    version: ClassVar[int] = 1

    client_order_id: str  # of the intent
    to: AnswerTo
    answer: AnswerIs
    order: BrokerOrder | None = None
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEventSeen:
    """What a broker told about an order. Its execution, if any, is an entry of its own."""

    kind: ClassVar[str] = "order_event"
    version: ClassVar[int] = 1

    event: OrderEventKind
    order: BrokerOrder
    source: str  # stream, or the question that it answers
    event_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionSeen:
    """Units changed hands. Told twice it counts once, by `execution_id`."""

    kind: ClassVar[str] = "execution"
    version: ClassVar[int] = 1

    execution: Execution
    source: str  # stream, or the question that it answers


# --- Trades, positions, cash ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TradePlanned:
    """How a trade that is about to be entered will be protected and left. Its entry orders carry `plan_id`."""

    kind: ClassVar[str] = "trade_planned"
    version: ClassVar[int] = 1

    plan_id: str  # the beginning of the client_order_id of every order of the trade
    strategy: str
    symbol: str
    side: int  # +1 long, -1 short
    signal_bar_at: datetime  # aware, UTC: the start of the bar that was decided on
    reference_price: float  # that sizes and levels were computed from
    units: Decimal  # of all its entry orders together
    terms: TradeTerms
    adopted_price: Decimal | None = (
        None  # the units are held already, by no order of ours; at this price each
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeDropped:
    """A planned trade was given up before any order of it was sent."""

    kind: ClassVar[str] = "trade_dropped"
    version: ClassVar[int] = 1

    plan_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeMarked:
    """Where a trade stood when a bar had closed, so that it can be carried on after a restart."""

    kind: ClassVar[str] = "trade_marked"
    version: ClassVar[int] = 1

    plan_id: str
    marks: TradeMarks


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeOpened:
    """A trade began; the record as it stood then."""

    kind: ClassVar[str] = "trade_opened"
    version: ClassVar[int] = 1

    record: TradeRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeClosed:
    """A trade ended: its exit record, with the same trade_id as the record that opened it."""

    kind: ClassVar[str] = "trade_closed"
    version: ClassVar[int] = 1

    record: TradeRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionAdopted:
    """Units that the broker holds for reasons of its own or a person's, taken into our book as they are."""

    kind: ClassVar[str] = "position_adopted"
    version: ClassVar[int] = 1

    adoption_id: str  # counts once, as an execution does
    strategy: str
    symbol: str
    quantity: Decimal  # signed change: bought > 0, sold < 0; never 0
    price: Decimal  # per unit, as the broker tells it
    at: datetime  # aware, UTC
    reason: str
    person: str | None = None  # None: the policy did

    def __post_init__(self) -> None:
        if self.quantity == 0:
            raise ValueError(f"adoption {self.adoption_id} moves no units")


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitApplied:
    """`old_shares` became `new_shares`: quantities and prices of the symbol are on the new basis from here on."""

    kind: ClassVar[str] = "split_applied"
    version: ClassVar[int] = 1

    split_id: str  # counts once
    symbol: str
    new_shares: int
    old_shares: int
    effective_at: datetime  # aware, UTC
    cash_in_lieu_usd: Decimal = Decimal(0)  # paid for a fraction that the broker does not hold
    fraction_sold: Decimal = Decimal(0)  # units of the new basis that it was paid for, >= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CashMoved:
    """Cash that came or went without a trade: dividends, fees, interest, deposits."""

    kind: ClassVar[str] = "cash_moved"
    version: ClassVar[int] = 1

    movement_id: str  # counts once
    amount_usd: Decimal  # received > 0
    reason: str
    symbol: str | None
    at: datetime  # aware, UTC
    is_profit: bool  # dividends, fees and interest are; deposits and withdrawals are not


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountMarked:
    """What the broker said the account was worth. Day loss and drawdown are measured from such marks."""

    kind: ClassVar[str] = "account_marked"
    version: ClassVar[int] = 1

    session_on: date  # exchange calendar
    cash_usd: Decimal | None
    equity_usd: Decimal | None
    last_equity_usd: Decimal | None  # at the close of the session before
    buying_power_usd: Decimal | None
    occasion: str  # start, hourly, close or another word of the engine's


# --- Safety --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing on which the broker and our book disagree."""

    what: str  # position, order, execution or cash
    name: str  # the symbol, the order or the execution
    ours: str  # "" where we know of none
    brokers: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """Our book beside the broker's."""

    kind: ClassVar[str] = "reconciliation"
    version: ClassVar[int] = 1

    occasion: str  # start, periodic, or after the stream came back
    differences: tuple[Difference, ...]
    policy: str  # refuse, adopt or flatten
    result: str  # agreed, refused, adopted or flattened

    @property
    def agreed(self) -> bool:
        return not self.differences


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerTripped:
    """A breaker refuses entries from here on, until a person resets it."""

    kind: ClassVar[str] = "breaker_tripped"
    version: ClassVar[int] = 1

    breaker: str
    reason: str
    measured: str = ""  # with its unit
    limit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerReset:
    """A person looked, and let a breaker go."""

    kind: ClassVar[str] = "breaker_reset"
    version: ClassVar[int] = 1

    breaker: str
    person: str
    reason: str

    def __post_init__(self) -> None:
        _must_name(self.person, self.reason, f"a reset of {self.breaker}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Halted:
    """Nobody enters from here on: a person, a file, a signal or a rule said so."""

    kind: ClassVar[str] = "halted"
    version: ClassVar[int] = 1

    source: str  # command, file, signal, http or the rule
    person: str | None
    reason: str
    flattens: bool = False  # everything is left, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A person ended a halt."""

    kind: ClassVar[str] = "resumed"
    version: ClassVar[int] = 1

    person: str
    reason: str

    def __post_init__(self) -> None:
        _must_name(self.person, self.reason, "a resumption")


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureSeen:
    """Something of ours raised: a strategy's code or an adapter."""

    kind: ClassVar[str] = "failure"
    version: ClassVar[int] = 1
    SESSION: ClassVar[str] = "the session"  # where: what the session could not go on after; its last entry

    where: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRaised:
    """Something that a person was told."""

    kind: ClassVar[str] = "alert"
    version: ClassVar[int] = 1

    severity: str  # info, warning or critical
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatShown:
    """The broker showed, of an account that is being left, that nothing is left of it; or, later, that something is."""

    kind: ClassVar[str] = "flat_shown"
    version: ClassVar[int] = 1

    flat: bool  # it shows neither a position nor an open order


Payload = (
    SessionBegan
    | SessionEnded
    | WorkDone
    | Decision
    | OrderDenied
    | OrderIntended
    | ReplaceIntended
    | CancelIntended
    | OrderAnswered
    | OrderEventSeen
    | ExecutionSeen
    | TradePlanned
    | TradeDropped
    | TradeMarked
    | TradeOpened
    | TradeClosed
    | PositionAdopted
    | SplitApplied
    | CashMoved
    | AccountMarked
    | Reconciliation
    | BreakerTripped
    | BreakerReset
    | Halted
    | Resumed
    | FailureSeen
    | AlertRaised
    | FlatShown
)

PAYLOADS: Final[Mapping[str, type[Payload]]] = MappingProxyType(
    {each.kind: each for each in Payload.__args__}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """Something that happened, before a ledger has given it a number."""

    at: datetime  # aware, UTC
    session: str  # id of the runner's session, or of the command that wrote it
    payload: Payload

    def __post_init__(self) -> None:
        if self.at.utcoffset() != timedelta(0):
            raise ValueError(f"an entry of kind {self.payload.kind} is stamped {self.at!r}, not in UTC")

    @property
    def kind(self) -> str:
        return self.payload.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """An entry as it stands in the ledger of an account. `chain.py` makes it and says how its hash is computed."""

    number: int  # 1, 2, 3 and so on, without a gap, per account
    at: datetime  # aware, UTC
    account: str
    session: str
    payload: Payload
    previous_hash: str  # of entry number - 1; 64 zeros before the first
    hash: str  # lower-case hexadecimal SHA-256

    @property
    def kind(self) -> str:
        return self.payload.kind


def _must_name(person: str, reason: str, what: str) -> None:
    if not person.strip() or not reason.strip():
        raise ValueError(f"{what} names the person and the reason")
