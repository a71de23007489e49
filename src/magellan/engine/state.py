"""State: all that a session remembers, as a fold of the account's ledger.

`apply` is the only thing that changes it. A session that was killed at any instant reads its ledger, applies every
entry, and stands where the last durable entry left it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from magellan.engine import names
from magellan.engine.our_order import Change, Group, OurOrder, Role
from magellan.engine.plan_state import PlanState
from magellan.engine.schedule import Schedule
from magellan.ledger.book import Book
from magellan.ledger.entries import (
    AnswerIs,
    AnswerTo,
    CancelIntended,
    Decision,
    ExecutionSeen,
    LedgerEntry,
    NewEntry,
    OrderAnswered,
    OrderEventSeen,
    OrderIntended,
    Payload,
    PositionAdopted,
    ReplaceIntended,
    SplitApplied,
    TradeDropped,
    TradeMarked,
    TradePlanned,
    WorkDone,
)
from magellan.ledger.order_record import OrderRecord
from magellan.strategy.plan_arithmetic import whole_steps
from magellan.trading.bar import nanoseconds
from magellan.trading.order import (
    BrokerOrder,
    OrderClass,
    OrderEventKind,
    OrderStatus,
    OrderType,
)

ZERO: Final = Decimal(0)
DAY_START: Final = "day start"  # work of a session: its detail is our equity before its first bar
_CHANGING: Final = (OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE)
_WITH_LEGS: Final = (OrderClass.BRACKET, OrderClass.OCO, OrderClass.OTO)
_MAYBE_LIVE: Final = (None, AnswerIs.UNKNOWN, AnswerIs.ACCEPTED, AnswerIs.RATE_LIMITED)


@dataclass(frozen=True, slots=True)
class _Standing:
    """How a plan's orders stand; each in the order of their intents."""

    live: tuple[OurOrder, ...]  # may still fill
    lacking: tuple[OurOrder, ...]  # the broker told of units that no execution has told of
    unshown: tuple[OurOrder, ...]  # only events have told of them, and those show no legs
    has_left: bool  # units were sold, or bought back
    # By the group's root, as far as they were asked for.
    entries: dict[str, OurOrder | None] = field(default_factory=dict)
    open_units: dict[str, Decimal] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class State:
    """What a session remembers. Read freely; changed by `apply` alone."""

    book: Book
    schedule: Schedule
    quantity_steps: dict[str, float]  # by symbol
    plans: MutableMapping[str, PlanState] = field(default_factory=dict)  # all, by id
    active: dict[str, list[str]] = field(default_factory=dict)  # ids of the plans under way, by symbol
    unmarked: set[str] = field(default_factory=set)  # ids of plans that were entered and have no marks yet
    orders: MutableMapping[str, OurOrder] = field(default_factory=dict)  # all of ours, by name
    entries_sent: list[OurOrder] = field(default_factory=list)  # in their order, replacements left out
    decided_ns: dict[str, int] = field(default_factory=dict)  # start of the newest bar decided on, by symbol
    left_ns: dict[str, int] = field(default_factory=dict)  # bar of the newest full exit, by symbol
    trades_on: dict[int, int] = field(default_factory=dict)  # trades entered, by exchange day
    day_equity: dict[date, float] = field(
        default_factory=dict
    )  # by our own book, at the start of each session
    change_settles_s: float = (
        20.0  # an order that shows no trace of a change so long after it was asked for has none
    )
    newest_execution_at: datetime | None = None
    # By plan: worked out when it is asked for, and good until an entry tells of one of its orders. A plan whose stop
    # trails has dozens of orders that are over, and most events are about none of them.
    _standings: dict[str, _Standing] = field(default_factory=dict, repr=False, compare=False)

    def apply(self, entry: NewEntry | LedgerEntry) -> None:
        """Take one more entry in."""
        payload = entry.payload
        counts = True
        if isinstance(payload, ExecutionSeen):
            counts = payload.execution.execution_id not in self.book.executions
        self.book.apply(entry)
        fold = _FOLDS.get(type(payload))
        if fold is not None and counts:
            fold(self, entry, payload)
        if self._standings:
            self._doubt_standings(payload)

    # --- Questions --------------------------------------------------------------------------------------------

    def under_way(self, symbol: str) -> list[PlanState]:
        """The symbol's plans that are not over, oldest first."""
        return [self.plans[each] for each in self.active.get(symbol, ())]

    def open_plan(self, symbol: str) -> PlanState | None:
        """The plan whose units are held."""
        for plan in self.under_way(symbol):
            if plan.is_open:
                return plan
        return None

    def record(self, order: OurOrder) -> OrderRecord:
        return self.book.orders[order.name]

    def status(self, order: OurOrder) -> OrderStatus | None:
        return self.book.orders[order.name].status

    def may_fill(self, order: OurOrder) -> bool:
        """Whether units may still change hands for it: it works, or nobody knows that it does not."""
        if order.superseded:
            return False
        record = self.book.orders[order.name]
        if record.status is not None:
            return not record.status.is_terminal
        return record.answer in _MAYBE_LIVE

    def is_known(self, order: OurOrder) -> bool:
        """Whether the broker has told of it."""
        return self.book.orders[order.name].status is not None

    def is_unshown(self, order: OurOrder) -> bool:
        """Whether the broker has it with orders hanging on it, and has not shown it with them yet.

        An event may overtake the answer to the order that it tells of. It shows no legs: what protects the units that
        were bought is at the broker, and we do not know it.
        """
        record = self.book.orders[order.name]
        return (
            record.request is not None
            and record.request.order_class in _WITH_LEGS
            and record.status is not None
            and record.answer is not AnswerIs.ACCEPTED
        )

    def lacks_fills(self, order: OurOrder) -> bool:
        """Whether the broker told of units that no execution has told of."""
        record = self.book.orders[order.name]
        return record.told is not None and record.told.filled_quantity > record.filled_quantity

    def orders_of(self, plan: PlanState) -> Iterator[OurOrder]:
        for name in plan.orders:
            yield self.orders[name]

    def live(self, plan: PlanState) -> tuple[OurOrder, ...]:
        """The plan's orders that may still fill, in the order of their intents."""
        return self._standing(plan).live

    def lacking(self, plan: PlanState) -> tuple[OurOrder, ...]:
        """The plan's orders that lack fills."""
        return self._standing(plan).lacking

    def unshown(self, plan: PlanState) -> tuple[OurOrder, ...]:
        """The plan's orders that the broker has not shown with their legs yet."""
        return self._standing(plan).unshown

    def has_left(self, plan: PlanState) -> bool:
        """Whether units of it have left the position."""
        return self._standing(plan).has_left

    def working(self, plan: PlanState, *roles: Role) -> list[OurOrder]:
        """The plan's orders of these roles that may still fill."""
        return [each for each in self.live(plan) if each.role in roles]

    def groups(self, plan: PlanState) -> list[Group]:
        """Groups of resting exit orders of which one may still fill, in the order in which they were sent."""
        found: dict[str, Group] = {}
        for order in self.live(plan):
            if order.role in (Role.TARGET, Role.STOP):
                group = found.get(order.group)
                if group is None:
                    group = found[order.group] = Group(root=order.group, portion=order.portion)
                group.orders.append(order)
        return list(found.values())

    def sleeps(self, group: Group) -> bool:
        """Whether the group's orders wait for their entry to be filled whole."""
        return self.entry_of(group) is not None

    def entry_of(self, group: Group) -> OurOrder | None:
        """The group's entry, if that may still fill; a replacement has taken the place of the one before."""
        root = self.orders[group.root]
        if root.role is not Role.ENTRY:
            return None
        standing = self._standing(self.plans[root.plan_id])
        if root.name not in standing.entries:
            working = (each for each in standing.live if each.group == root.name and each.role is Role.ENTRY)
            standing.entries[root.name] = next(working, None)
        return standing.entries[root.name]

    def entered_units(self, plan: PlanState, root: str) -> Decimal:
        """Units that a group's entry has bought, replacements included."""
        filled = (
            self.book.orders[order.name].filled_quantity
            for order in self.orders_of(plan)
            if order.group == root and order.role is Role.ENTRY
        )
        return sum(filled, ZERO)

    def open_units(self, plan: PlanState, group: Group) -> Decimal:
        """Units that the group's orders may still take from the position, however many orders they are."""
        known = self._standing(plan).open_units
        if group.root not in known:
            known[group.root] = self._open_units(plan, group)
        return known[group.root]

    def _open_units(self, plan: PlanState, group: Group) -> Decimal:
        root = self.orders[group.root]
        units = root.quantity
        if root.role is Role.ENTRY:
            units = self.entered_units(plan, root.name)
        for order in self.orders_of(plan):
            if order.group == group.root and order.role in (Role.TARGET, Role.STOP):
                units -= self.book.orders[order.name].filled_quantity
        return max(units, ZERO)

    def is_over(self, plan: PlanState) -> bool:
        """Nothing of the plan is held, and nothing of it may fill."""
        if plan.is_open or (not plan.orders and not plan.entered and not plan.dropped):
            return False
        standing = self._standing(plan)
        return not standing.live and not standing.lacking

    def retire(self, symbol: str) -> None:
        """Leave plans behind that are over. Called when an event has been handled; what comes later wakes them."""
        ids = self.active.get(symbol)
        if ids:
            kept = [each for each in ids if not self.is_over(self.plans[each])]
            self.unmarked.difference_update(each for each in ids if each not in kept)
            if kept:
                self.active[symbol] = kept
            else:
                del self.active[symbol]

    # --- Folds ------------------------------------------------------------------------------------------------

    def _trade_planned(self, entry: NewEntry | LedgerEntry, told: TradePlanned) -> None:
        plan = PlanState(planned=told, signal_ns=nanoseconds(told.signal_bar_at))
        if told.adopted_price is not None:
            plan.entered, plan.first_fill_at = told.units, entry.at
            plan.fills.append((told.units, told.adopted_price))
            self.unmarked.add(told.plan_id)
        self.plans[told.plan_id] = plan
        self._wake(told.plan_id)

    def _trade_marked(self, entry: NewEntry | LedgerEntry, told: TradeMarked) -> None:
        self.plans[told.plan_id].marks = told.marks
        self.unmarked.discard(told.plan_id)

    def _trade_dropped(self, entry: NewEntry | LedgerEntry, told: TradeDropped) -> None:
        self.plans[told.plan_id].dropped = True

    def _decision(self, entry: NewEntry | LedgerEntry, told: Decision) -> None:
        start_ns = nanoseconds(told.bar_opened_at)
        self.decided_ns[told.symbol] = max(start_ns, self.decided_ns.get(told.symbol, start_ns))

    def _order_intended(self, entry: NewEntry | LedgerEntry, told: OrderIntended) -> None:
        request = told.request
        of = names.parts(request.client_order_id)
        if of is None or of[0] not in self.plans:
            return
        plan_id, letter, portion, _ = of
        if letter == names.ENTRY:
            role = Role.ENTRY
        elif letter == names.PROTECTION:
            limited = request.type is OrderType.LIMIT or request.order_class is OrderClass.OCO
            role = Role.TARGET if limited else Role.STOP
        else:
            role = Role.LEAVE
        assert request.quantity is not None, "a plan's orders are for units"
        self._add(
            OurOrder(
                name=request.client_order_id,
                plan_id=plan_id,
                symbol=request.symbol,
                side=request.side,
                role=role,
                type=request.type,
                portion=portion,
                group=request.client_order_id,
                quantity=request.quantity,
                limit=request.limit_price if role is not Role.TARGET else _target_price(told),
                stop=request.stop_price,
                reason=told.reason,
                asked_at=entry.at,
            )
        )

    def _replace_intended(self, entry: NewEntry | LedgerEntry, told: ReplaceIntended) -> None:
        before = self.orders.get(told.replaces_client_order_id)
        if before is None:
            return
        before.change = Change(asked_at=entry.at, replacement=told.client_order_id)
        after = replace(
            before,
            name=told.client_order_id,
            limit=before.limit if told.limit_price is None else told.limit_price,
            stop=before.stop if told.stop_price is None else told.stop_price,
            asked_at=entry.at,
            is_leg=False,
            replaces=before.name,
            change=None,
        )
        self._add(after)

    def _cancel_intended(self, entry: NewEntry | LedgerEntry, told: CancelIntended) -> None:
        order = self.orders.get(told.client_order_id)
        if order is not None:
            order.change = Change(asked_at=entry.at, replacement=None)

    def _order_answered(self, entry: NewEntry | LedgerEntry, told: OrderAnswered) -> None:
        order = self.orders.get(told.client_order_id)
        if order is None:
            return
        if told.order is not None:
            self._seen(told.order, order.name, entry.at)
        if told.to is AnswerTo.CANCEL:
            if told.answer in (AnswerIs.REFUSED, AnswerIs.RATE_LIMITED):
                order.change = None
            return
        if told.to is AnswerTo.LOOK_UP and told.order is not None and order.change is not None:
            waited_s = (entry.at - order.change.asked_at).total_seconds()
            is_cancel = order.change.replacement is None
            unheard = told.order.status not in _CHANGING or (
                is_cancel and told.order.status is OrderStatus.PENDING_CANCEL
            )
            # Before it was asked for: by a clock that was set back since.
            if unheard and not 0 <= waited_s < self.change_settles_s:
                order.change = None  # nothing came of it; a cancel may be asked for twice
        if told.answer in (AnswerIs.REFUSED, AnswerIs.ABSENT) and order.replaces is not None:
            # The order before stays as it was.
            before = self.orders[order.replaces]
            if before.change is not None and before.change.replacement == order.name:
                before.change = None
        elif told.answer is AnswerIs.ACCEPTED and order.role in (Role.TARGET, Role.STOP):
            self.plans[order.plan_id].refusals = 0
        elif told.answer is AnswerIs.REFUSED and order.role in (Role.TARGET, Role.STOP):
            self.plans[order.plan_id].refusals += 1

    def _order_event(self, entry: NewEntry | LedgerEntry, told: OrderEventSeen) -> None:
        name = self.book.client_order_ids.get(told.order.broker_order_id)
        if name is None:
            return
        self._seen(told.order, name, entry.at)
        order = self.orders.get(name)
        if order is None:
            return
        if told.event in (OrderEventKind.CANCEL_REJECTED, OrderEventKind.REPLACE_REJECTED):
            order.change = None

    def _seen(self, told: BrokerOrder, name: str, at: datetime) -> None:
        """What the broker showed of an order: its legs, and whom it took the place of."""
        order = self.orders.get(name)
        if order is None:
            return
        self._wake(order.plan_id)
        if order.replaces is not None and self.is_known(order):
            before = self.orders[order.replaces]
            before.superseded = True
            before.change = None
        if self.book.orders[name].status is not None and not self.may_fill(order):
            order.change = None
        for leg in told.legs:
            leg_name = self.book.client_order_ids.get(leg.broker_order_id)
            if leg_name is None or leg_name in self.orders:
                continue
            role = Role.TARGET if leg.type is OrderType.LIMIT else Role.STOP
            self._add(
                OurOrder(
                    name=leg_name,
                    plan_id=order.plan_id,
                    symbol=order.symbol,
                    side=leg.side,
                    role=role,
                    type=leg.type,
                    portion=order.portion,
                    group=order.group,
                    quantity=leg.quantity if leg.quantity is not None else order.quantity,
                    limit=leg.limit_price,
                    stop=leg.stop_price,
                    reason="target" if role is Role.TARGET else "stop",
                    asked_at=order.asked_at,
                    is_leg=True,
                )
            )
            filled = self.book.orders[leg_name].filled_quantity
            if filled and role is Role.TARGET:
                self._sold(self.plans[order.plan_id], order.portion, filled, at)

    def _execution(self, entry: NewEntry | LedgerEntry, told: ExecutionSeen) -> None:
        execution = told.execution
        if self.newest_execution_at is None or execution.at > self.newest_execution_at:
            self.newest_execution_at = execution.at
        name = self.book.client_order_ids.get(execution.broker_order_id, execution.client_order_id)
        order = self.orders.get(name)
        if order is not None:
            plan = self.plans[order.plan_id]
            self._wake(order.plan_id)
            if order.role is Role.ENTRY:
                if plan.first_fill_at is None:
                    plan.first_fill_at = execution.at
                    day = self.schedule.day_of_bar(self.schedule.bar_at(nanoseconds(execution.at)))
                    self.trades_on[day] = self.trades_on.get(day, 0) + 1
                plan.entered += execution.quantity
                plan.closed_at = None  # another portion of an entry may fill when the first has left already
                plan.fills.append((execution.quantity, execution.price))
                if plan.marks is None:
                    self.unmarked.add(plan.plan_id)
            elif order.role is Role.TARGET:
                self._sold(plan, order.portion, execution.quantity, execution.at)
            if not self.may_fill(order):
                order.change = None
        self._position_moved(execution.symbol, execution.at)

    def _position_adopted(self, entry: NewEntry | LedgerEntry, told: PositionAdopted) -> None:
        self._position_moved(told.symbol, told.at)

    def _split_applied(self, entry: NewEntry | LedgerEntry, told: SplitApplied) -> None:
        new, old = Decimal(told.new_shares), Decimal(told.old_shares)
        for plan in self.under_way(told.symbol):
            # One that is over was left behind by the session that saw it end, and not by one that reads of it.
            if self.is_over(plan):
                continue
            plan.entered = plan.entered * new / old
            plan.fills = [(units * new / old, price * old / new) for units, price in plan.fills]
            plan.sold = {target: units * new / old for target, units in plan.sold.items()}
        self._position_moved(told.symbol, told.effective_at)

    def _work_done(self, entry: NewEntry | LedgerEntry, told: WorkDone) -> None:
        if told.name == DAY_START:
            self.day_equity[told.session_on] = float(told.detail)

    # --- Details ----------------------------------------------------------------------------------------------

    def _doubt_standings(self, payload: Payload) -> None:
        """Where an entry told of orders, how those of their plan stand is to be worked out again.

        While it is taken in, nothing asks. Of an order that is no plan's, nobody knows whom else it concerns: then it
        is every plan's.
        """
        names: tuple[str, ...]
        ids = self.book.client_order_ids
        match payload:
            case OrderIntended(request=request):
                names = (request.client_order_id,)
            case ReplaceIntended(client_order_id=name) | CancelIntended(client_order_id=name):
                names = (name,)
            case OrderAnswered(client_order_id=name, order=None):
                names = (name,)
            case OrderAnswered(client_order_id=name, order=BrokerOrder(broker_order_id=number)):
                names = (name, ids.get(number, ""))
            case OrderEventSeen(order=order):
                names = (ids.get(order.broker_order_id, ""),)
            case ExecutionSeen(execution=execution):
                names = (ids.get(execution.broker_order_id, execution.client_order_id),)
            case _:
                return
        for name in names:
            ours = self.orders.get(name)
            if ours is None:
                self._standings.clear()
            else:
                self._standings.pop(ours.plan_id, None)

    def _standing(self, plan: PlanState) -> _Standing:
        known = self._standings.get(plan.plan_id)
        if known is None:
            orders = list(self.orders_of(plan))
            known = self._standings[plan.plan_id] = _Standing(
                live=tuple([each for each in orders if self.may_fill(each)]),
                lacking=tuple([each for each in orders if self.lacks_fills(each)]),
                unshown=tuple([each for each in orders if self.is_unshown(each)]),
                has_left=any(
                    self.book.orders[each.name].filled_quantity
                    for each in orders
                    if each.role is not Role.ENTRY
                ),
            )
        return known

    def _add(self, order: OurOrder) -> None:
        self.orders[order.name] = order
        self.plans[order.plan_id].orders.append(order.name)
        if order.role is Role.ENTRY:
            self.plans[order.plan_id].entries.append(order)
            if order.replaces is None:
                self.entries_sent.append(order)
        self._wake(order.plan_id)

    def _wake(self, plan_id: str) -> None:
        ids = self.active.setdefault(self.plans[plan_id].symbol, [])
        if plan_id not in ids:
            ids.append(plan_id)

    def _sold(self, plan: PlanState, target: int, units: Decimal, at: datetime) -> None:
        plan.sold[target] = plan.sold.get(target, ZERO) + units
        plan.completed.pop(target, None)
        plan.completed[target] = self.schedule.bar_at(nanoseconds(at))

    def _position_moved(self, symbol: str, at: datetime) -> None:
        if self.book.quantity(symbol) != 0:
            return
        for plan in self.under_way(symbol):
            if plan.is_open:
                plan.closed_at = at
                self.left_ns[symbol] = self.schedule.bar_at(nanoseconds(at))


def target_units(plan: PlanState, units: Decimal, step: float) -> list[Decimal]:
    """What each target is to sell of so many units entered, in the plan's order; a target never takes twice."""
    left = units
    found = []
    for target in plan.terms.targets:
        share = left
        if target.fraction < 1.0:
            share = min(left, steps(target.fraction * float(units), step))
        found.append(share)
        left -= share
    return found


def steps(units: float, step: float) -> Decimal:
    """Units rounded down to the quantity step, exactly."""
    if step <= 0:
        return Decimal(repr(float(units)))
    return Decimal(round(float(whole_steps(units, step)) / step)) * Decimal(repr(step))


def _target_price(told: OrderIntended) -> Decimal | None:
    return told.request.limit_price or told.request.take_profit_price


_Fold = Callable[[State, NewEntry | LedgerEntry, Any], None]
_FOLDS: Final[dict[type[Payload], _Fold]] = {
    TradePlanned: State._trade_planned,
    TradeMarked: State._trade_marked,
    TradeDropped: State._trade_dropped,
    Decision: State._decision,
    OrderIntended: State._order_intended,
    ReplaceIntended: State._replace_intended,
    CancelIntended: State._cancel_intended,
    OrderAnswered: State._order_answered,
    OrderEventSeen: State._order_event,
    ExecutionSeen: State._execution,
    PositionAdopted: State._position_adopted,
    SplitApplied: State._split_applied,
    WorkDone: State._work_done,
}
