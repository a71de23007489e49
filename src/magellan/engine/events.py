"""Events: everything that reaches a session. Each carries its instant; a session asks no clock.

`at` is when the driver received it (aware, UTC), never earlier than the `at` of the event before. Events may be lost,
come twice, late or in another order: a session that reads them is none the worse for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from magellan.ledger.entries import AnswerTo
from magellan.trading.account import AccountSnapshot, BrokerPosition, TradableAsset
from magellan.trading.answer import Accepted, Refused, Requested, Unknown
from magellan.trading.bar import Bar, Bars
from magellan.trading.corporate_action import CorporateAction
from magellan.trading.order import BrokerOrder, Execution, OrderEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockRead:
    """The broker's clock, and ours when we asked for it and when it was told. All aware, UTC.

    is_open:    whether the broker says that its market is open; None: it was not asked.
    changes_at: when that market closes, or opens where it is closed; None: the broker does not say.
    """

    asked_at: datetime
    broker_at: datetime
    told_at: datetime
    is_open: bool | None = None
    changes_at: datetime | None = None

    @property
    def skew_s(self) -> float:
        """Seconds, ours less the broker's, as far as the question's way there and back does not explain them."""
        if self.broker_at > self.told_at:
            return (self.told_at - self.broker_at).total_seconds()
        return max(0.0, (self.asked_at - self.broker_at).total_seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerFacts:
    """What the broker answered to `AskBroker`, question by question in this order."""

    account: AccountSnapshot
    positions: tuple[BrokerPosition, ...]
    orders: tuple[
        BrokerOrder, ...
    ]  # all submitted since the instant asked for, and every open one; legs inside
    executions: tuple[Execution, ...]  # since the instant asked for
    clock: ClockRead


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The session begins, or begins again after a kill. Nothing is decided before it."""

    at: datetime
    facts: BrokerFacts
    history: Mapping[str, Bars]  # closed bars of every symbol, reference symbols too; warm-up included
    source: str  # of the bars: vendor and feed
    orders_up: bool = False  # the order stream listens already
    lease_lapsed: str = ""  # as in `LeaseTold`
    assets: Mapping[str, TradableAsset] | None = (
        None  # without those that the broker does not know; None: not asked
    )
    actions: tuple[CorporateAction, ...] = ()  # splits and dividends of these symbols that may matter


@dataclass(frozen=True, slots=True, kw_only=True)
class BarClosed:
    """A bar has closed, as the source told it. One that has not closed yet at `at` is not decided on."""

    at: datetime
    symbol: str
    bar: Bar
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BarCorrected:
    """The source tells a bar again, with other numbers."""

    at: datetime
    symbol: str
    bar: Bar
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedUp:
    """Bars come again. What closed before may have been missed: the driver tells it as BarClosed from the history."""

    at: datetime
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedDown:
    """Bars come no more, and why."""

    at: datetime
    source: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolHalted:
    """The exchange halted trading in a symbol, or lets it go on."""

    at: datetime
    symbol: str
    halted: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTold:
    """Whether this host's lease holds, which the control side renews. While it does not, nothing is entered."""

    at: datetime
    lapsed: str  # why; "": it holds, or none is asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionsTold:
    """Splits and dividends that were not known at the start."""

    at: datetime
    actions: tuple[CorporateAction, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTold:
    """A message of the broker's order stream."""

    at: datetime
    event: OrderEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersUp:
    """The broker's order stream listens. What happened before may have been missed."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersDown:
    """The broker's order stream is lost, and why."""

    at: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The broker answered to a command, or did not: `Unknown`."""

    at: datetime
    to: AnswerTo  # submit, replace or cancel
    client_order_id: (
        str  # of the Submit, of the Replace's new order, or of the order whose cancel was asked for
    )
    answer: Accepted | Refused | Requested | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedUp:
    """The broker said what it has under a name: an order, or nothing."""

    at: datetime
    client_order_id: str
    order: BrokerOrder | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerTold:
    """The answer to AskBroker."""

    at: datetime
    facts: BrokerFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTold:
    """A question got no answer. `client_order_id` is that of a LookUp; None: it was AskBroker."""

    at: datetime
    why: str
    client_order_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Woke:
    """An instant that was asked for by WakeAt has come. Late or twice does no harm."""

    at: datetime
    name: str


class OperatorAsks(StrEnum):
    """What a person may ask of a session, in any state."""

    HALT = "halt"  # no entry from here on; protection and exits go on
    RESUME = "resume"  # entries are allowed again; also accepts what the last reconciliation refused
    FLATTEN = "flatten"  # cancel everything, sell everything, and stay halted
    STOP = "stop"  # end the session, with what its stop policy says
    STOP_FLAT = "stop_flat"  # flatten, then end


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """A person, a file, a signal or a surface asks for something."""

    at: datetime
    asks: OperatorAsks
    person: str
    reason: str
    source: str = "command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Something raised outside the session: an adapter, the ledger's store, the driver's own code."""

    at: datetime
    where: str
    error: str


Event = (
    Started
    | BarClosed
    | BarCorrected
    | FeedUp
    | FeedDown
    | SymbolHalted
    | LeaseTold
    | ActionsTold
    | OrderTold
    | OrdersUp
    | OrdersDown
    | Answered
    | LookedUp
    | BrokerTold
    | NotTold
    | Woke
    | Operator
    | Failed
)
