"""Lookups: find out what became of orders and changes of which nobody has told.

An intent without an answer is never sent again. It is looked up by its name, with growing pauses, until the broker
shows it, or has said for long enough that it has none. Silence changes no state. An order that the broker had, and
denies for longer still, is gone: it was reset, or begun anew, and what that order protected is protected by nothing.
"""

from __future__ import annotations

from datetime import timedelta

from magellan.engine.commands import Severity
from magellan.engine.desk import Desk
from magellan.engine.our_order import Group, Inquiry, OurOrder
from magellan.engine.plan_state import PlanState
from magellan.ledger.entries import AnswerIs, AnswerTo, OrderAnswered
from magellan.trading.order import BrokerOrder, OrderStatus
from magellan.trading.timeframe import SECOND_NS

_PAUSE_MAX_S = 300.0
_WAITING = (OrderStatus.PENDING_NEW, OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE)


class Lookups:
    """Open questions about orders. Forgotten with the process: a restart asks anew for whatever is not settled."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._open: dict[str, Inquiry] = {}
        self._answered_ns: dict[str, int] = {}  # when the newest question about an order was settled

    def begin(self, name: str) -> None:
        """Ask for an order's fate, from now on until it is known."""
        if name not in self._open:
            self._open[name] = Inquiry(since=self._desk.now, next_at=self._desk.now)

    @property
    def unresolved_symbols(self) -> set[str]:
        """Symbols with an order of which nobody knows whether the broker has it."""
        state = self._desk.state
        return {
            state.orders[name].symbol
            for name, inquiry in self._open.items()
            if name in state.orders and (inquiry.denied or not state.is_known(state.orders[name]))
        }

    def check(self, symbol: str) -> None:
        """Begin to ask for whatever has waited too long in that symbol."""
        desk, state = self._desk, self._desk.state
        stuck_ns = int(desk.setup.timings.stuck_s * SECOND_NS)
        earliest: int | None = None
        for plan in state.under_way(symbol):
            live = state.live(plan)
            for order in (*live, *(each for each in state.unshown(plan) if each not in live)):
                since = self._waits_since(order, plan)
                if since is None:
                    continue
                # What the broker has just told it is not asked again before as long a wait.
                at_ns = max(since, self._answered_ns.get(order.name, since)) + stuck_ns
                if at_ns <= desk.now_ns:
                    self.begin(order.name)
                else:
                    earliest = at_ns if earliest is None else min(earliest, at_ns)
        desk.due(f"stuck {symbol}", earliest)

    def go_on(self) -> None:
        """Send the questions that are due."""
        desk = self._desk
        pauses = desk.setup.timings.lookup_pauses_s
        earliest: int | None = None
        for name, inquiry in list(self._open.items()):
            if self._is_settled(name, inquiry):
                del self._open[name]
                self._answered_ns[name] = desk.now_ns
                continue
            if inquiry.next_at <= desk.now:
                desk.look_up(name)
                pause_s = pauses[min(inquiry.asked, len(pauses) - 1)]
                if self._may_wait(name):
                    pause_s = min(pause_s * 2**inquiry.asked, _PAUSE_MAX_S)
                inquiry.asked += 1
                inquiry.next_at = desk.now + timedelta(seconds=pause_s)
            at_ns = desk.ns(inquiry.next_at)
            earliest = at_ns if earliest is None else min(earliest, at_ns)
        desk.due("lookups", earliest)

    def _may_wait(self, name: str) -> bool:
        """Whether an order is known to be there, and nothing can happen to it before the market opens."""
        desk, state = self._desk, self._desk.state
        known = name in state.orders and state.is_known(state.orders[name])
        return known and desk.schedule.session_at(desk.now_ns) is None

    def told(self, name: str, order: BrokerOrder | None) -> None:
        """The broker said what it has under a name."""
        desk, state = self._desk, self._desk.state
        ours = state.orders.get(name)
        if ours is None:
            self._open.pop(name, None)
            return
        desk.touched.add(ours.symbol)
        inquiry = self._open.get(name)
        if order is not None:
            if inquiry is not None:
                inquiry.is_shown, inquiry.denied = True, 0
            unseen = ours.change is not None or state.is_unshown(ours)
            if unseen or state.book.orders[name].told != order:
                desk.note(
                    OrderAnswered(
                        client_order_id=name, to=AnswerTo.LOOK_UP, answer=AnswerIs.ACCEPTED, order=order
                    )
                )
            if order.status is OrderStatus.PENDING_CANCEL and ours.change is None:
                desk.cancel(ours, "the broker has not done it")
            return
        if inquiry is None or not state.may_fill(ours):
            return
        inquiry.denied += 1
        if state.is_known(ours):
            self._forgotten(ours, inquiry)
            return
        timings = desk.setup.timings
        # Asked in the future: by a clock that was set back since, before this session began to look for it.
        since = inquiry.since if ours.asked_at > desk.now else max(inquiry.since, ours.asked_at)
        waited_s = (desk.now - since).total_seconds()
        if inquiry.denied >= timings.absent_answers and waited_s >= timings.absent_after_s:
            desk.note(
                OrderAnswered(
                    client_order_id=name,
                    to=AnswerTo.LOOK_UP,
                    answer=AnswerIs.ABSENT,
                    message=f"the broker denied it {inquiry.denied} times in {waited_s:.0f} s",
                )
            )
            desk.alert(Severity.WARNING, f"{name} never reached the broker; it is not sent again")

    def _forgotten(self, ours: OurOrder, inquiry: Inquiry) -> None:
        """The broker denies an order that it has shown before."""
        desk, timings = self._desk, self._desk.setup.timings
        waited_s = (desk.now - inquiry.since).total_seconds()
        if inquiry.denied < timings.absent_answers:
            return
        if waited_s < timings.forgotten_after_s:
            desk.alert(
                Severity.CRITICAL,
                f"the broker denies {ours.name}, which it had. Was the account reset? Nothing is entered in "
                f"{ours.symbol} until it shows it, or has denied it for {timings.forgotten_after_s:.0f} s",
                once_s=2 * timings.forgotten_after_s,
                about=f"denied {ours.symbol}",
            )
            return
        desk.note(
            OrderAnswered(
                client_order_id=ours.name,
                to=AnswerTo.LOOK_UP,
                answer=AnswerIs.ABSENT,
                message=f"the broker had it, and denied it {inquiry.denied} times in {waited_s:.0f} s",
            )
        )
        desk.alert(
            Severity.CRITICAL, f"{ours.name} is gone at the broker, which had it: it counts as cancelled"
        )

    def _waits_since(self, order: OurOrder, plan: PlanState) -> int | None:
        """Since when (ns) something about a live order has been waited for; None: nothing is."""
        desk, state = self._desk, self._desk.state
        if order.name in self._open:
            return None
        if not state.is_known(order) or state.is_unshown(order):
            record = state.record(order)
            if record.answer is AnswerIs.UNKNOWN:
                return desk.asked_ns(order.asked_at) - int(desk.setup.timings.stuck_s * SECOND_NS)
            return None if record.answer is AnswerIs.RATE_LIMITED else desk.asked_ns(order.asked_at)
        if order.change is not None:
            return desk.asked_ns(order.change.asked_at)
        if state.status(order) in _WAITING and desk.schedule.session_at(desk.now_ns) is not None:
            return desk.asked_ns(order.asked_at)
        entry = state.entry_of(Group(root=order.group, portion=order.portion))
        asleep = order.is_leg and entry is None and state.status(order) is OrderStatus.HELD
        if asleep and not self._twin_works(order, plan):
            return desk.asked_ns(order.asked_at)  # its entry is over, and nobody told whether it woke or went
        return None

    def _twin_works(self, leg: OurOrder, plan: PlanState) -> bool:
        """Whether the other leg rests at the broker: of a pair, one is shown as held for as long as the other works."""
        state = self._desk.state
        return any(
            each.group == leg.group
            and each.is_leg
            and each.name != leg.name
            and state.status(each) is not OrderStatus.HELD
            for each in state.live(plan)
        )

    def _is_settled(self, name: str, inquiry: Inquiry) -> bool:
        state = self._desk.state
        order = state.orders.get(name)
        if order is None:
            return True
        if state.is_unshown(order):
            ends_at = inquiry.since + timedelta(seconds=self._desk.setup.timings.absent_after_s)
            return self._desk.now >= ends_at
        if not state.may_fill(order):
            return True
        if not state.is_known(order):
            return False
        if order.change is not None:
            return False
        if state.status(order) in _WAITING:
            if inquiry.asked >= 3:
                self._desk.alert(Severity.WARNING, f"{name} is stuck in {state.status(order)}", once_s=300.0)
            return False
        return inquiry.is_shown
