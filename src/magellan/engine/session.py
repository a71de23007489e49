"""A trading session: what it does with an event. Pure and synchronous; the same events give the same commands.

The parts: `rounds` takes bars in and decides, `entries` turns wishes into orders, `protection` keeps orders at the
broker where a trade's terms want them, `lookups` finds out what nobody told, `reconciliation` compares with the broker,
`data_watch` misses bars, `order_watch` what the order stream should have told. They share the `desk`, and remember
nothing that the ledger does not, save open questions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from magellan.engine import events as e
from magellan.engine import names
from magellan.engine.commands import Command, Severity
from magellan.engine.data_watch import DataWatch
from magellan.engine.deciding import Decider
from magellan.engine.desk import COMPARED_BEFORE_OPENING_NS, DECIDED_AFTER_CLOSE_NS, Desk
from magellan.engine.entries import Entries
from magellan.engine.history import History
from magellan.engine.lookups import Lookups
from magellan.engine.operations import Operations
from magellan.engine.order_watch import OrderWatch
from magellan.engine.our_order import Role
from magellan.engine.planning import prepare
from magellan.engine.protection import Protection
from magellan.engine.reconciliation import Reconciler
from magellan.engine.rounds import Rounds
from magellan.engine.safety import Safety
from magellan.engine.schedule import Schedule
from magellan.engine.session_form import session_lines, take_up
from magellan.engine.setup import SessionSetup
from magellan.engine.state import State
from magellan.engine.trades import opened_marks, split_marks
from magellan.ledger.book import Book
from magellan.ledger.entries import (
    AnswerIs,
    AnswerTo,
    ExecutionSeen,
    FailureSeen,
    LedgerEntry,
    NewEntry,
    OrderAnswered,
    OrderEventSeen,
    SplitApplied,
    TradeMarked,
)
from magellan.trading.answer import Accepted, Refused, Requested
from magellan.trading.bar import nanoseconds
from magellan.trading.corporate_action import CorporateAction, Split
from magellan.trading.timeframe import SECOND_NS

_HISTORY_KEPT: Final = 366  # days
_REFUSAL_TOLD_S: Final = 300.0  # the same refusal in one symbol is told so often


class Session:
    """One strategy on one account, from `Started` until `Stop`.

    recorded: the account's ledger, oldest first. All that a session remembers is a fold of it.
    bookmark: what `put_away` gave at an entry of this ledger; `recorded` is what follows that one. None: from the
              first entry on.
    Raises: UnreadableRecord for a bookmark that does not hold what it should.
    """

    def __init__(
        self,
        setup: SessionSetup,
        recorded: Iterable[LedgerEntry | NewEntry],
        bookmark: Iterator[bytes] | None = None,
    ) -> None:
        schedule = Schedule(setup.calendar, setup.timeframe)
        state = State(
            book=Book(account=setup.account),
            schedule=schedule,
            quantity_steps={
                symbol: setup.config.instrument(symbol).quantity_step for symbol in setup.symbols
            },
            change_settles_s=setup.timings.stuck_s,
        )
        safety = Safety(setup.breaker_limits)
        if bookmark is not None:
            take_up(bookmark, state, safety)
        for entry in recorded:
            state.apply(entry)
            safety.fold(entry)
        self._setup = setup
        self._places = {symbol: place for place, symbol in enumerate(setup.symbols)}  # in the config
        self._state = state
        self._desk = Desk(setup, state, safety, schedule)
        decider = Decider(setup.strategy, setup.parameters, setup.calendar)
        self._lookups = Lookups(self._desk)
        self._protection = Protection(self._desk, self._plan_now)
        self._entries = Entries(self._desk, self._lookups, self._plan_now)
        self._rounds = Rounds(self._desk, decider, self._entries, self._protection)
        self._order_watch = OrderWatch(self._desk)
        self._reconciler = Reconciler(self._desk, self._lookups, self._order_watch)
        self._watch = DataWatch(self._desk)
        self._operations = Operations(self._desk, self._protection, self._reconciler, self._entries)
        self._actions: list[CorporateAction] = []
        self._started = False

    @property
    def asks_since(self) -> datetime | None:
        """Since when `Started` must tell orders and executions; None: nothing is recorded, a day is enough."""
        return None if self._state.book.last_at is None else self._desk.asks_since

    @property
    def state(self) -> State:
        """What the session remembers, for status and health. To be read only."""
        return self._state

    def put_away(self) -> Iterator[bytes]:
        """All that the session remembers of the ledger, as lines from which another one goes on."""
        return session_lines(self._state, self._desk.safety)

    @property
    def reconciled_at(self) -> datetime | None:
        """When book and broker were last found equal; None: not yet."""
        return self._desk.reconciled_at

    @property
    def entries_refused(self) -> str | None:
        """Why nothing would be entered now; None: entries are open, as far as the session itself goes."""
        if self._desk.safety.switch.refuses_entries:
            return "halted"
        if self._desk.lease_lapsed:
            return f"the host's lease has lapsed: {self._desk.lease_lapsed}"
        if self._desk.safety.tripped:
            return f"tripped: {', '.join(self._desk.safety.tripped)}"
        if self._reconciler.refused:
            return "the broker and our book differ"
        if self._desk.clock_is_off:
            return "our clock is not the broker's"
        if self._watch.late:
            return f"bars are late: {', '.join(sorted(self._watch.late))}"
        # Before the books were compared, no round has begun, and nobody listens to orders yet.
        return None if self._desk.reconciled_at is None else self._rounds.entries_refused

    def handle(self, event: e.Event) -> list[Command]:
        """What is to be done about an event, in this order. Never raises for anything that an event can say."""
        desk = self._desk
        desk.begin(event.at)
        if desk.stopped:
            return []
        if not self._started and not isinstance(event, e.Started):
            # Nothing is known yet that an event could be compared with; what it tells, the start tells again.
            return desk.finish()
        # Also of symbols without a plan under way: what is due and seen to by nobody would wake the session for ever.
        due = {name.rsplit(" ", 1)[-1] for name in desk.due_names()}
        desk.touched |= {each for each in due if each in self._places or each in self._state.active}
        self._rounds.finish()
        if desk.is_due("actions"):
            self._apply_actions(on_history=True)
        _HANDLERS[type(event)](self, event)
        if self._started and not desk.stopped:
            self._settle()
        return desk.finish()

    # --- Events -----------------------------------------------------------------------------------------------

    def _on_start(self, event: e.Started) -> None:
        desk, setup = self._desk, self._setup
        if self._started:
            return
        ledger_is_empty = self._state.book.last_at is None
        desk.note(setup.began)
        if setup.sends:  # a dry run's ledger is its own, whatever its account has done
            known_by = _known_by(event, setup.heard_before)
            for tripped in desk.safety.begins(desk.now, ledger_is_empty=ledger_is_empty, known_by=known_by):
                desk.trip(tripped)
        desk.orders_up = event.orders_up
        if event.orders_up:
            self._order_watch.up()
        self._operations.leased(event.lease_lapsed, begins=True)
        for symbol, bars in event.history.items():
            desk.histories[symbol] = History(bars)
        for symbol in setup.symbols:
            desk.histories.setdefault(symbol, History.empty(symbol, setup.timeframe))
        newest = [history.newest_ns for history in desk.histories.values() if history.newest_ns is not None]
        if newest:
            desk.schedule.aligned_to(max(newest))
        if unfit := self._operations.unfit(event.assets):
            problem = "; ".join(unfit)
            desk.alert(Severity.CRITICAL, problem)
            desk.stop(problem, in_order=False)
            return
        self._actions = list(event.actions)
        self._apply_actions(on_history=False)
        if not self._reconciler.at_start(event.facts):
            desk.stop("the broker and our book differ; a person must look", in_order=False)
            return
        self._started = True
        prepare()
        for order in self._state.book.unresolved_intents:
            self._lookups.begin(order.client_order_id)
        self._open_trades()
        self._rounds.refusal = None
        desk.touched |= set(self._state.active) | set(setup.symbols)
        self._rounds.begin(event.source)
        self._watch.check()
        self._ask_later()

    def _on_bar(self, event: e.BarClosed | e.BarCorrected) -> None:
        self._rounds.take(event)
        self._watch.bar_came(event.symbol)

    def _on_feed_up(self, event: e.FeedUp) -> None:
        self._watch.feed_down = None

    def _on_feed_down(self, event: e.FeedDown) -> None:
        self._watch.feed_down = event.why
        self._desk.alert(Severity.WARNING, f"bars from {event.source} come no more: {event.why}")

    def _on_halt(self, event: e.SymbolHalted) -> None:
        halted = self._desk.halted_symbols
        if event.halted:
            halted.add(event.symbol)
        else:
            halted.discard(event.symbol)
            self._watch.check()
        words = "is halted" if event.halted else "trades again"
        self._desk.alert(Severity.WARNING, f"{event.symbol} {words}: {event.reason}")

    def _on_lease(self, event: e.LeaseTold) -> None:
        self._operations.leased(event.lapsed)

    def _on_actions(self, event: e.ActionsTold) -> None:
        known = set(map(repr, self._actions))
        self._actions += [action for action in event.actions if repr(action) not in known]
        self._apply_actions(on_history=True)

    def _on_order(self, event: e.OrderTold) -> None:
        desk, state = self._desk, self._state
        told = event.event
        execution = told.execution
        if execution is not None:
            self._order_watch.told(execution)
            if execution.execution_id not in state.book.executions:
                desk.note(ExecutionSeen(execution=execution, source="stream"))
                desk.touched.add(execution.symbol)
        order = told.order
        name = state.book.client_order_ids.get(order.broker_order_id, order.client_order_id)
        if name in state.orders:
            known = state.book.orders[name]
            if known.status is None or known.told != order or known.status is not order.status:
                desk.note(
                    OrderEventSeen(event=told.kind, order=order, source="stream", event_id=told.event_id)
                )
            desk.touched.add(order.symbol)
        else:
            # A leg that nobody has shown us yet, or someone else's order: the broker's lists tell which.
            desk.ask()

    def _on_orders_up(self, event: e.OrdersUp) -> None:
        self._desk.orders_up = True
        self._order_watch.up()
        self._desk.ask()

    def _on_orders_down(self, event: e.OrdersDown) -> None:
        desk = self._desk
        if desk.orders_up:
            desk.alert(Severity.WARNING, f"the order stream is down: {event.why}")
        desk.orders_up = False
        self._order_watch.down()
        desk.ask()

    def _on_answer(self, event: e.Answered) -> None:
        desk, state = self._desk, self._state
        name, answer = event.client_order_id, event.answer
        ours = state.orders.get(name)
        if ours is None:
            return
        desk.touched.add(ours.symbol)
        match answer:
            case Accepted(order=order):
                if event.to is not AnswerTo.CANCEL:
                    desk.note(
                        OrderAnswered(
                            client_order_id=name, to=event.to, answer=AnswerIs.ACCEPTED, order=order
                        )
                    )
            case Requested():
                desk.note(OrderAnswered(client_order_id=name, to=event.to, answer=AnswerIs.ACCEPTED))
            case Refused(rate_limited=True) if event.to is AnswerTo.SUBMIT:
                desk.note(
                    OrderAnswered(
                        client_order_id=name,
                        to=event.to,
                        answer=AnswerIs.RATE_LIMITED,
                        code=answer.code,
                        message=answer.message,
                    )
                )
            case Refused():
                desk.note(
                    OrderAnswered(
                        client_order_id=name,
                        to=event.to,
                        answer=AnswerIs.REFUSED,
                        code=answer.code,
                        message=answer.message,
                    )
                )
                if event.to is AnswerTo.SUBMIT:
                    # Each try has a name of its own, and a person reads of one.
                    about = f"{ours.symbol} {ours.role} {answer.message}"
                    desk.alert(
                        Severity.WARNING,
                        f"{name} was refused: {answer.message}",
                        once_s=_REFUSAL_TOLD_S,
                        about=about,
                    )
                    if ours.role is not Role.ENTRY:
                        desk.ask()  # something may hold the units that we do not know of
                else:
                    if event.to is AnswerTo.CANCEL:
                        desk.cancel_refused(name)
                    # It may be filled, or gone: what became of it decides what is done next.
                    self._lookups.begin(name if event.to is AnswerTo.CANCEL else ours.replaces or name)
            case _:
                desk.note(
                    OrderAnswered(
                        client_order_id=name, to=event.to, answer=AnswerIs.UNKNOWN, message=answer.why
                    )
                )
                self._lookups.begin(name)

    def _on_look_up(self, event: e.LookedUp) -> None:
        self._lookups.told(event.client_order_id, event.order)

    def _on_facts(self, event: e.BrokerTold) -> None:
        self._reconciler.at_any_time(event.facts, "periodic")
        self._desk.touched |= set(self._state.active)
        self._ask_later()

    def _on_nothing_told(self, event: e.NotTold) -> None:
        desk = self._desk
        if event.client_order_id is None:
            desk.asked_at = None
            again_ns = desk.now_ns + int(desk.setup.timings.refused_pause_s * SECOND_NS)
            desk.due("ask", again_ns)
            desk.alert(Severity.WARNING, f"the broker does not tell: {event.why}", once_s=300.0)

    def _on_wake(self, event: e.Woke) -> None:
        desk = self._desk
        self._rounds.on_clock()
        self._reconciler.look_again()
        if desk.is_due("ask"):
            desk.due("ask", None)
            desk.ask()
            self._ask_later()
        if desk.is_due("data"):
            self._watch.check()

    def _on_operator(self, event: e.Operator) -> None:
        self._operations.asked(event)

    def _on_failure(self, event: e.Failed) -> None:
        self._desk.note(FailureSeen(where=event.where, error=event.error))
        self._desk.alert(Severity.WARNING, f"{event.where} raised {event.error}", once_s=60.0)

    # --- What every event is followed by ----------------------------------------------------------------------

    def _settle(self) -> None:
        """Bring orders to where they should be, ask what is due, and record trades that began or ended."""
        desk, state = self._desk, self._state
        if desk.is_due("ask") or desk.is_due("data") or desk.is_due("differs"):
            self._on_wake(_NOBODY_WOKE.at(desk.now))
        self._order_watch.check()
        self._rounds.on_clock()
        self._rounds.refusal = "the broker and our book differ" if self._reconciler.refused else None
        if desk.ending is not None:
            self._rounds.finish()
        self._operations.go_on()
        symbols = sorted(desk.touched, key=lambda each: (self._places.get(each, len(self._places)), each))
        desk.touched = set()
        self._open_trades()
        for symbol in symbols:
            self._rounds.leave_on_time(symbol)
            self._protection.care_for(symbol)
            self._entries.send_due(symbol)
            self._send_again(symbol)
            self._lookups.check(symbol)
            state.retire(symbol)
        # Steps that were taken may have called for others: a trade that is to be left, a plan that is clear now.
        if desk.touched & state.active.keys():
            for symbol in sorted(desk.touched & state.active.keys()):
                self._protection.care_for(symbol)
                self._lookups.check(symbol)
            desk.touched = set()
        self._lookups.go_on()
        for record in state.book.trades_to_record:
            desk.note(record)

    def _open_trades(self) -> None:
        """Set the first stop of trades that have just been entered."""
        state = self._state
        if not state.unmarked:
            return
        for symbol in state.active:
            plan = state.open_plan(symbol)
            if plan is not None and plan.marks is None:
                marks = opened_marks(plan, self._desk.schedule, self._plan_now)
                self._desk.note(TradeMarked(plan_id=plan.plan_id, marks=marks))
                self._desk.touched.add(symbol)

    def _send_again(self, symbol: str) -> None:
        """Send what the broker refused unread, after a pause."""
        desk, state = self._desk, self._state
        name = f"again {symbol}"
        desk.due(name, None)
        for plan in state.under_way(symbol):
            for order in state.live(plan):
                record = state.record(order)
                if record.status is not None or record.answer is not AnswerIs.RATE_LIMITED:
                    continue
                if order.name in self._operations.sent_again:
                    again_at = self._operations.sent_again[order.name]
                else:
                    again_at = desk.now_ns + int(desk.setup.timings.refused_pause_s * SECOND_NS / 5)
                    self._operations.sent_again[order.name] = again_at
                if desk.now_ns >= again_at:
                    del self._operations.sent_again[order.name]
                    self._entries.send_again(order)
                else:
                    desk.due(name, again_at)

    def _ask_later(self) -> None:
        desk = self._desk
        every_s = desk.setup.timings.reconcile_every_s
        if not desk.orders_up:
            every_s = min(every_s, desk.setup.timings.refused_pause_s)
        trading = any(desk.schedule.session_at(desk.now_ns - ns) for ns in (0, DECIDED_AFTER_CLOSE_NS))
        at_ns = desk.now_ns + int(every_s * SECOND_NS)
        after = desk.schedule.next_session(desk.now_ns)
        if not trading and after is not None and desk.orders_up:
            # Nothing fills while the market is closed: what a person or a split does is found in time for the opening.
            early_ns = after.opens_ns - (COMPARED_BEFORE_OPENING_NS if self._state.active else 0)
            at_ns = max(early_ns, at_ns)
        desk.due("ask", at_ns)

    def _apply_actions(self, *, on_history: bool) -> None:
        """Apply splits that have taken effect: to positions, their prices and, where bars are adjusted, the history."""
        desk, state = self._desk, self._state
        for action in list(self._actions):
            if nanoseconds(action_at(action)) > desk.now_ns:
                continue
            self._actions.remove(action)
            if not isinstance(action, Split):
                continue
            split_id = f"split-{action.symbol}-{action.effective_at.isoformat()}"
            if split_id in state.book.counted_once:
                continue
            history = desk.histories.get(action.symbol)
            if on_history and history is not None and self._setup.config.data.adjust == "split":
                history.split(action.share_factor, nanoseconds(action.effective_at))
                self._rounds.forget(action.symbol)
            desk.note(
                SplitApplied(
                    split_id=split_id,
                    symbol=action.symbol,
                    new_shares=action.new_shares,
                    old_shares=action.old_shares,
                    effective_at=action.effective_at,
                )
            )
            for plan in state.under_way(action.symbol):
                if plan.marks is not None:
                    marks = split_marks(plan.marks, action.share_factor)
                    desk.note(TradeMarked(plan_id=plan.plan_id, marks=marks))
            desk.touched.add(action.symbol)
            desk.ask()
        # At their instant, and not with the next bar: the broker's position is compared before the opening.
        desk.due("actions", min((nanoseconds(action_at(action)) for action in self._actions), default=None))

    def _plan_now(self, symbol: str, side: int) -> Any:
        return self._rounds.current_plan(symbol, side)


def _known_by(event: e.Started, heard_before: str | None) -> str | None:
    """What shows that the account has been traded before; None: nothing."""
    facts = event.facts
    for position in facts.positions:
        return f"the broker holds {position.quantity:f} {position.symbol}"
    told = [order.client_order_id for order in facts.orders]
    told += [execution.client_order_id for execution in facts.executions]
    for name in told:
        if name.startswith(f"{names.SCHEME}-"):
            return f"the broker has an order of ours, {name}"
    return heard_before


def action_at(action: CorporateAction) -> datetime:
    """When a corporate action takes effect."""
    at = (
        getattr(action, "effective_at", None) or getattr(action, "ex_at", None) or getattr(action, "at", None)
    )
    assert isinstance(at, datetime), "an action has its instant"
    return at


class _NobodyWoke:
    def at(self, now: datetime) -> e.Woke:
        return e.Woke(at=now, name="next")


_NOBODY_WOKE = _NobodyWoke()

_HANDLERS: Final[dict[type, Callable[[Session, Any], None]]] = {
    e.Started: Session._on_start,
    e.BarClosed: Session._on_bar,
    e.BarCorrected: Session._on_bar,
    e.FeedUp: Session._on_feed_up,
    e.FeedDown: Session._on_feed_down,
    e.SymbolHalted: Session._on_halt,
    e.LeaseTold: Session._on_lease,
    e.ActionsTold: Session._on_actions,
    e.OrderTold: Session._on_order,
    e.OrdersUp: Session._on_orders_up,
    e.OrdersDown: Session._on_orders_down,
    e.Answered: Session._on_answer,
    e.LookedUp: Session._on_look_up,
    e.BrokerTold: Session._on_facts,
    e.NotTold: Session._on_nothing_told,
    e.Woke: Session._on_wake,
    e.Operator: Session._on_operator,
    e.Failed: Session._on_failure,
}
