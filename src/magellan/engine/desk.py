"""The desk: everything that leaves a session goes over it. Entries to record, orders, questions, alerts, wakes.

One turn of the desk answers one event. Its entries form one record, which comes first: nothing is sent before what it
was meant for is durable. No order leaves without `check_order` having allowed it: `enter`, `submit` and `submit_again`
are the only ways out.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from magellan.engine import names
from magellan.engine.commands import (
    Alert,
    AskBroker,
    Cancel,
    Command,
    ListenAnew,
    LookUp,
    Record,
    Replace,
    Severity,
    Stop,
    Submit,
    WakeAt,
)
from magellan.engine.events import ClockRead
from magellan.engine.history import History
from magellan.engine.our_order import OurOrder
from magellan.engine.plan_state import PlanState
from magellan.engine.risk_view import risk_view
from magellan.engine.safety import Safety
from magellan.engine.schedule import Schedule
from magellan.engine.setup import SessionSetup
from magellan.engine.state import State
from magellan.ledger.entries import (
    AlertRaised,
    AnswerIs,
    AnswerTo,
    BreakerTripped,
    CancelIntended,
    NewEntry,
    OrderAnswered,
    OrderDenied,
    OrderIntended,
    Payload,
    ReplaceIntended,
    TradeIdea,
)
from magellan.risk.limits import Deny, RiskView, check_order
from magellan.trading.account import AccountSnapshot
from magellan.trading.answer import Replacement
from magellan.trading.bar import instant, nanoseconds
from magellan.trading.order import OrderRequest
from magellan.trading.purpose import OrderPurpose
from magellan.trading.session import day_date
from magellan.trading.timeframe import MICROSECOND_NS, MINUTE_NS, SECOND_NS

_ASKED_AGAIN_S = 15.0  # a question without an answer for so long is asked again
COMPARED_BEFORE_OPENING_NS: Final = 300 * SECOND_NS  # what is held, and works, so long before the opening
DECIDED_AFTER_CLOSE_NS: Final = 15 * MINUTE_NS  # daily bars come, and are decided on, some minutes after it
_CALENDAR_TOLD_S = 3600.0  # a calendar that is not the market's is told of so often
_CANCEL_PAUSE_MAX_S = 30.0  # between two cancels of an order, however often the broker refused them
_OVERLAP = timedelta(minutes=5)  # that questions reach back before the newest execution


class Desk:
    """What the parts of a session share: the state, the present instant, and the way out."""

    def __init__(self, setup: SessionSetup, state: State, safety: Safety, schedule: Schedule) -> None:
        self.setup = setup
        self.state = state
        self.safety = safety
        self.schedule = schedule
        self.histories: dict[str, History] = {}
        self.now = datetime.min.replace(tzinfo=UTC)
        self.now_ns = 0
        self.account: AccountSnapshot | None = None  # as the broker last told it
        self.told_at: datetime | None = None  # when the broker last told everything
        self.asked_at: datetime | None = None  # when that was last asked for and not answered yet
        self.reconciled_at: datetime | None = None  # when book and broker were last found equal
        self.orders_up = False  # the order stream listens
        self.orders_down_at: datetime | None = None
        self.clock_skew_s: float | None = None
        self.halted_symbols: set[str] = set()
        self.lease_lapsed = ""  # why the host's lease does not hold; "": it does, or none is asked for
        self.touched: set[str] = set()  # symbols whose orders must be looked at in this turn
        self.flatten_unexplained: set[str] = set()  # symbols to leave, as nobody can explain what is held
        self.held_by_others: dict[
            str, Decimal
        ] = {}  # units that orders which are not ours are to take, by symbol
        self.cancel_foreign: set[str] = set()  # names of orders to cancel that are nobody's here
        self.ending_flat = False  # the session leaves everything before it ends
        self.ending: str | None = None  # why the session is about to end
        self.stopped = False
        self._entries: list[NewEntry] = []
        self._commands: list[Command] = []
        self._due: dict[str, int] = {}  # the next instant at which each name has something to do
        self._wake_ns: int | None = None
        self._alerted: dict[str, datetime] = {}
        self._allowed: tuple[OrderRequest, RiskView] | None = None  # the newest entry that limits allowed
        self._cancels_again: dict[
            str, tuple[float, datetime]
        ] = {}  # by order: after which pause, and not before when
        self._denied_at: dict[tuple[str, OrderPurpose], datetime] = {}  # the newest refusal of our own

    # --- A turn -----------------------------------------------------------------------------------------------

    def begin(self, at: datetime) -> None:
        """Begin the answer to an event. Time never runs backwards here, whatever the driver's clock does."""
        self.now = max(self.now, at) if self.now_ns else at
        self.now_ns = nanoseconds(self.now)
        if self._wake_ns is not None and self._wake_ns <= self.now_ns:
            self._wake_ns = None

    def finish(self) -> list[Command]:
        """All commands of the turn, in their order."""
        commands: list[Command] = []
        if self._entries:
            commands.append(Record(entries=tuple(self._entries)))
        commands += self._commands
        self._entries, self._commands = [], []
        if not self.stopped and self._due:
            # Told in microseconds, and so rounded up: woken before it is due, nobody would be woken again.
            earliest = -(-max(min(self._due.values()), self.now_ns) // MICROSECOND_NS) * MICROSECOND_NS
            if earliest != self._wake_ns:
                self._wake_ns = earliest
                commands.append(WakeAt(at=instant(earliest), name="next"))
        return commands

    def due(self, name: str, at_ns: int | None) -> None:
        """Something is to be done at that instant; None: nothing any more. One instant per name."""
        if at_ns is None:
            self._due.pop(name, None)
        else:
            self._due[name] = at_ns

    def is_due(self, name: str) -> bool:
        at_ns = self._due.get(name)
        return at_ns is not None and at_ns <= self.now_ns

    def is_ahead(self, name: str) -> bool:
        """Whether its instant is set, and has not come."""
        at_ns = self._due.get(name)
        return at_ns is not None and at_ns > self.now_ns

    def due_names(self) -> list[str]:
        """Names whose instant has come, in the order in which they were first asked for."""
        return [name for name, at_ns in self._due.items() if at_ns <= self.now_ns]

    def last_price(self, symbol: str) -> Decimal | None:
        """The newest close of a symbol; None before its first bar."""
        history = self.histories.get(symbol)
        return None if history is None else history.last_price

    def exchange_day(self, bar_ns: int) -> date:
        """The exchange's date of a bar."""
        return day_date(self.schedule.day_of_bar(bar_ns))

    @property
    def market_rests(self) -> bool:
        """Whether it is night: nothing is traded or decided on, and the opening is not near."""
        around = (0, DECIDED_AFTER_CLOSE_NS, -COMPARED_BEFORE_OPENING_NS)
        return not any(self.schedule.session_at(self.now_ns - ns) for ns in around)

    @staticmethod
    def ns(at: datetime) -> int:
        return nanoseconds(at)

    def asked_ns(self, at: datetime) -> int:
        """Since when something has been waited for, by an instant of the record.

        One that lies ahead is of a clock that was set back since: nobody knows how long ago it was, and it has been
        waited for long enough.
        """
        return nanoseconds(at) if at <= self.now else 0

    def entries_end(self, plan: PlanState) -> bool:
        """Whether working entries of this plan are to be withdrawn: nobody enters any more."""
        return self.safety.switch.refuses_entries or self.ending is not None or bool(self.lease_lapsed)

    # --- What is said -----------------------------------------------------------------------------------------

    def note(self, payload: Payload) -> None:
        """Record something; the state follows at once."""
        entry = NewEntry(at=self.now, session=self.setup.session_id, payload=payload)
        self._entries.append(entry)
        self.state.apply(entry)
        for tripped in self.safety.happened(entry):
            self.trip(tripped)

    def trip(self, tripped: BreakerTripped) -> None:
        """Record that a breaker tripped, and tell a person."""
        self.note(tripped)
        self.alert(Severity.CRITICAL, f"the breaker '{tripped.breaker}' tripped: {tripped.reason}")

    def alert(self, severity: Severity, text: str, *, once_s: float = 0.0, about: str | None = None) -> None:
        """Tell a person; the same text, or what is about the same, at most once in `once_s` seconds."""
        about = text if about is None else about
        before = self._alerted.get(about)
        if before is not None and (self.now - before).total_seconds() < once_s:
            return
        self._alerted[about] = self.now
        self.note(AlertRaised(severity=str(severity), text=text))
        self._commands.append(Alert(severity=severity, text=text))

    def stop(self, reason: str, *, in_order: bool) -> None:
        """End the session."""
        self.stopped = True
        self._commands.append(Stop(reason=reason, flat=self.state.book.is_flat, in_order=in_order))

    # --- What is asked ----------------------------------------------------------------------------------------

    def ask(self) -> None:
        """Ask the broker for everything, unless that is being asked already."""
        if self.asked_at is not None and (self.now - self.asked_at).total_seconds() < _ASKED_AGAIN_S:
            return
        self.asked_at = self.now
        self._commands.append(AskBroker(since=self.asks_since))

    @property
    def asks_since(self) -> datetime:
        """Since when orders and executions may have been missed, by the broker's clock."""
        book = self.state.book
        since = self.state.newest_execution_at or book.last_at or self.now
        for symbol in self.state.active:
            for plan in self.state.under_way(symbol):
                for order in (*self.state.live(plan), *self.state.lacking(plan)):
                    since = min(since, order.asked_at)
        # What we asked for at an hour of our clock, the broker may have dated before it.
        ahead_s = max(self.clock_skew_s or 0.0, 0.0)
        return since - _OVERLAP - timedelta(seconds=ahead_s)

    def look_up(self, name: str) -> None:
        self._commands.append(LookUp(client_order_id=name))

    def listen_anew(self, why: str) -> None:
        self._commands.append(ListenAnew(why=why))

    def read_clock(self, clock: ClockRead) -> None:
        """Take in how far our clock is from the broker's; tell a person when that begins or ends to refuse entries."""
        was_off = self.clock_is_off
        self.clock_skew_s = clock.skew_s
        allowed_s = self.setup.limits.clock_skew_s_max
        if self.clock_is_off and not was_off:
            self.alert(
                Severity.CRITICAL,
                f"our clock is {clock.skew_s:+.1f} s from the broker's; allowed: {allowed_s} s. Nothing is entered: "
                "set this machine's clock right, and start the session again",
            )
        elif was_off and not self.clock_is_off:
            self.alert(Severity.WARNING, f"our clock agrees with the broker's again, within {allowed_s} s")
        self._compare_calendars(clock)

    def _compare_calendars(self, clock: ClockRead) -> None:
        """Tell a person when the broker's market opens or closes at other times than our calendar says."""
        if clock.is_open is None:
            return
        at_ns, name = nanoseconds(clock.broker_at), self.setup.calendar.name
        session = self.schedule.session_at(at_ns)
        if session is not None and self.schedule.session_at(session.closes_ns) is not None:
            return  # day after day without a pause, as coins trade: a broker's clock is that of shares
        # The two need not agree to the second.
        near = [self.schedule.session_at(at_ns + ns) for ns in (-MINUTE_NS, 0, MINUTE_NS)]
        if clock.is_open and not any(near):
            self._tell_of_calendar(
                f"the broker says that its market is open, and the calendar {name} that it is closed. "
                "What the broker told is not asked again for the night, and entries are refused once it is too old"
            )
        elif not clock.is_open and all(near):
            self._tell_of_calendar(
                f"the broker says that its market is closed, and the calendar {name} that it is open"
            )
        elif clock.changes_at is not None and clock.is_open == (session is not None):
            following = session or self.schedule.next_session(at_ns)
            if following is None:
                return
            ours_ns, what = (following.closes_ns, "closes") if session else (following.opens_ns, "opens")
            if abs(nanoseconds(clock.changes_at) - ours_ns) > MINUTE_NS:
                self._tell_of_calendar(
                    f"the broker's market {what} at {clock.changes_at:%Y-%m-%d %H:%M}Z, and by the calendar {name} at "
                    f"{instant(ours_ns):%Y-%m-%d %H:%M}Z. What is to happen by then happens by the calendar"
                )

    def _tell_of_calendar(self, text: str) -> None:
        question = "Is data.calendar of the config that of this market?"
        self.alert(Severity.WARNING, f"{text}. {question}", once_s=_CALENDAR_TOLD_S)

    @property
    def clock_is_off(self) -> bool:
        """Whether our clock is further from the broker's than entries allow, as it was last read."""
        limit_s = self.setup.limits.clock_skew_s_max
        return self.clock_skew_s is not None and abs(Decimal(str(self.clock_skew_s))) > limit_s

    # --- Orders -----------------------------------------------------------------------------------------------

    def next_name(self, plan: PlanState, letter: str, portion: int) -> str:
        """The name of the plan's next order."""
        sent = sum(not self.state.orders[name].is_leg for name in plan.orders)
        return names.order_name(plan.plan_id, letter, portion, sent + 1)

    def may_enter(self, whole: OrderRequest, view: RiskView) -> Deny | None:
        """Whether our limits allow an entry now; a refusal is recorded."""
        return self._denied(whole, OrderPurpose.ENTRY, view)

    def enter(
        self, whole: OrderRequest, portions: list[OrderRequest], view: RiskView, idea: TradeIdea
    ) -> Deny | None:
        """Intend an entry, and send it once that is durable: all of it or, by our limits, nothing.

        whole:    the entry as one order, which limits are asked about.
        portions: the orders that it is sent as, each with what protects it.
        """
        assert all(_is_part(each, whole) for each in portions), "a portion is another order than its entry"
        units = sum((each.quantity or Decimal(0) for each in portions), Decimal(0))
        assert units == whole.quantity, f"{units} are sent, and {whole.quantity} are allowed"
        denied = self._denied(whole, OrderPurpose.ENTRY, view)
        if denied is not None:
            return denied
        for request in portions:
            self._send(request, OrderPurpose.ENTRY, "entry", idea)
        return None

    def submit(self, request: OrderRequest, purpose: OrderPurpose, reason: str) -> bool:
        """Intend an order that reduces a position, and send it once that is durable.

        False: it would take more than is held. That is recorded and alarmed, and tried again after a pause.
        """
        assert purpose.reduces, "entries go through `enter`"
        tried = self._denied_at.get((request.symbol, purpose))
        pause = timedelta(seconds=self.setup.timings.refused_pause_s)
        if tried is not None and self.now < tried + pause:
            self._try_again_at(request.symbol, tried + pause)
            return False
        if self._denied(request, purpose, risk_view(self, request.symbol, request.side)) is not None:
            self._denied_at[request.symbol, purpose] = self.now
            self._try_again_at(request.symbol, self.now + pause)
            return False
        self._denied_at.pop((request.symbol, purpose), None)
        self._send(request, purpose, reason, None)
        return True

    def submit_again(
        self, order: OurOrder, request: OrderRequest, purpose: OrderPurpose, view: RiskView | None
    ) -> Deny | None:
        """Send an intent that the broker refused unread, under the same name, if our limits still allow it.

        view: of an entry, without the order itself; None for an order that reduces a position.
        """
        if view is None:
            assert purpose.reduces, "an entry needs its view"
            view = risk_view(self, request.symbol, request.side, without=order)
        denied = self._denied(request, purpose, view)
        if denied is None:
            # From here on its fate is unknown again: after a kill it is looked up, and not sent a third time.
            self.note(
                OrderAnswered(
                    client_order_id=request.client_order_id,
                    to=AnswerTo.SUBMIT,
                    answer=AnswerIs.UNKNOWN,
                    message="refused unread, and sent again",
                )
            )
            self._commands.append(Submit(request=request, purpose=purpose))
        return denied

    def _send(
        self, request: OrderRequest, purpose: OrderPurpose, reason: str, idea: TradeIdea | None
    ) -> None:
        self.note(
            OrderIntended(
                strategy=self.setup.began.strategy, purpose=purpose, request=request, reason=reason, idea=idea
            )
        )
        self._commands.append(Submit(request=request, purpose=purpose))

    def _denied(self, request: OrderRequest, purpose: OrderPurpose, view: RiskView) -> Deny | None:
        """Ask our limits about an order. A refusal is recorded; of an order that only leaves, a person is told."""
        entry = purpose is OrderPurpose.ENTRY
        if entry and self._allowed is not None and self._allowed[1] is view and self._allowed[0] == request:
            return None  # the same question
        verdict = check_order(request, purpose, view, self.setup.limits)
        if not isinstance(verdict, Deny):
            if entry:
                self._allowed = request, view
            return None
        self.note(
            OrderDenied(
                strategy=self.setup.began.strategy,
                purpose=purpose,
                request=request,
                rule=str(verdict.rule),
                reason=verdict.reason,
            )
        )
        if purpose.reduces:
            self.alert(
                Severity.CRITICAL,
                f"{request.symbol}: the {purpose} is not sent: {verdict.reason}",
                once_s=300.0,
            )
        return verdict

    def _try_again_at(self, symbol: str, at: datetime) -> None:
        self.due(f"retry {symbol}", nanoseconds(at))

    def replace(
        self, order: OurOrder, reason: str, *, limit: Decimal | None = None, stop: Decimal | None = None
    ) -> None:
        """Change a working order's price."""
        broker_id = self.state.record(order).broker_order_id
        assert broker_id is not None, f"{order.name} is changed before the broker has told of it"
        name = self.next_name(self.state.plans[order.plan_id], names.REPLACEMENT, order.portion)
        self.note(
            ReplaceIntended(
                client_order_id=name,
                replaces_client_order_id=order.name,
                broker_order_id=broker_id,
                reason=reason,
                limit_price=limit,
                stop_price=stop,
            )
        )
        change = Replacement(client_order_id=name, limit_price=limit, stop_price=stop)
        self._commands.append(Replace(broker_order_id=broker_id, change=change))

    def cancel_refused(self, name: str) -> None:
        """The broker refused to cancel an order: it is asked again after a pause that doubles each time."""
        before_s, _ = self._cancels_again.get(name, (self.setup.timings.refused_pause_s / 10, self.now))
        pause_s = min(2 * before_s, _CANCEL_PAUSE_MAX_S)
        self._cancels_again[name] = (pause_s, self.now + timedelta(seconds=pause_s))

    def cancel(self, order: OurOrder, reason: str) -> None:
        """Ask for an order's cancel; what becomes of it, its events tell."""
        broker_id = self.state.record(order).broker_order_id
        if broker_id is None or order.change is not None:
            return  # nobody knows yet whether it is there, or something is being done about it already
        again_at = self._cancels_again.get(order.name, (0.0, self.now))[1]
        if self.now < again_at:
            self._try_again_at(order.symbol, again_at)
            return
        self.note(CancelIntended(client_order_id=order.name, broker_order_id=broker_id, reason=reason))
        self._commands.append(Cancel(broker_order_id=broker_id, client_order_id=order.name))


def _is_part(portion: OrderRequest, whole: OrderRequest) -> bool:
    """Whether a portion asks for what the whole asks for, but for its units and what protects them."""
    return (portion.symbol, portion.side, portion.type, portion.limit_price, portion.stop_price) == (
        whole.symbol,
        whole.side,
        whole.type,
        whole.limit_price,
        whole.stop_price,
    )
