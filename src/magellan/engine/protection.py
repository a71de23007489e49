"""Protection: bring the orders at the broker to what a trade's terms ask for, one step at a time.

This compares what should rest with what does, and asks for the difference. It does not remember what it asked for
before: an event that was lost, doubled or late changes when a step is taken, and not which. Its rules live here:

- what is held and not being left is covered by an order at the broker, as far as the plan has a stop or targets;
- orders that reduce a position never add up to more than the position: what covers units is cancelled, and the cancel
  confirmed, before those units are sold in another way;
- nothing is sent for units whose executions are missing, while an order of the symbol is neither known nor denied, or
  while one that was sent with its protection has not been shown with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from decimal import Decimal

from magellan.engine import names
from magellan.engine.commands import Severity
from magellan.engine.desk import Desk
from magellan.engine.our_order import Group, OurOrder, Role
from magellan.engine.plan_state import PlanState
from magellan.engine.prices import limit_price, stop_price
from magellan.engine.state import ZERO, target_units
from magellan.engine.trades import CurrentPlan, target_level
from magellan.ledger.entries import TradeMarked
from magellan.trading.order import (
    OrderClass,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    TimeInForce,
)
from magellan.trading.purpose import OrderPurpose
from magellan.trading.timeframe import SECOND_NS
from magellan.trading.trade_terms import TradeMarks

_REFUSALS_AT_ONE_PACE = 3  # in a row, before each further one doubles the pause
_REFUSALS_COUNTED = 8
_REFUSED_PAUSE_MAX_S = 60.0
_REFUSALS_MAX = 2  # of protective orders in a row, before the position is left instead


@dataclass(slots=True, kw_only=True)
class _Levels:
    """Prices of a trade's protection that are the same for as long as its marks and units are these very ones."""

    marks: TradeMarks
    entered: Decimal
    prices: dict[int, Decimal | None] = field(default_factory=dict)  # by target; 0: the stop


class Protection:
    """Keeps every trade covered, and takes it apart in order when it is to be left."""

    def __init__(self, desk: Desk, current: CurrentPlan) -> None:
        self._desk = desk
        self._current = current
        self._levels: dict[str, _Levels] = {}  # by symbol
        self._asked_for_missing: dict[str, int] = {}  # how often, by symbol with executions missing

    def leave(self, plan: PlanState, reason: str, *, keeps: float = 0.0) -> None:
        """Leave a trade at the market, down to `keeps` units."""
        marks = plan.marks
        if marks is None or not plan.is_open:
            return
        if marks.leaving is not None and marks.keeps_units <= keeps:
            return
        self._desk.note(
            TradeMarked(plan_id=plan.plan_id, marks=replace(marks, leaving=reason, keeps_units=keeps))
        )
        self._desk.touched.add(plan.symbol)

    def care_for(self, symbol: str) -> None:
        """Take the next steps for a symbol."""
        state = self._desk.state
        self._desk.due(f"retry {symbol}", None)
        self._desk.due(f"partial {symbol}", None)
        self._desk.due(f"twin {symbol}", None)
        self._desk.due(f"legs {symbol}", None)
        holder = state.open_plan(symbol)
        self._ask_for_missing(symbol)
        for plan in state.under_way(symbol):
            if plan is holder:
                self._hold(plan)
            elif holder is not None or plan.entered:
                self._clear_away(plan)
            elif self._desk.entries_end(plan):
                self._withdraw(plan, "entries are refused")

    def _ask_for_missing(self, symbol: str) -> None:
        """Ask the broker for executions that the symbol's orders lack: at once, and after ever longer pauses."""
        desk, due = self._desk, f"missing {symbol}"
        if not any(desk.state.lacking(plan) for plan in desk.state.under_way(symbol)):
            desk.due(due, None)
            self._asked_for_missing.pop(symbol, None)
        elif not desk.is_ahead(due):
            pauses_s = desk.setup.timings.lookup_pauses_s
            asked = self._asked_for_missing.get(symbol, 0)
            self._asked_for_missing[symbol] = asked + 1
            desk.ask()
            desk.due(due, desk.now_ns + int(pauses_s[min(asked, len(pauses_s) - 1)] * SECOND_NS))

    # --- One trade --------------------------------------------------------------------------------------------

    def _hold(self, plan: PlanState) -> None:
        desk, state = self._desk, self._desk.state
        marks = plan.marks
        held = abs(state.book.quantity(plan.symbol))
        if marks is None or (state.book.quantity(plan.symbol) > 0) != (plan.side > 0):
            return  # reconciliation looks at a position on the other side
        if marks.leaving is not None and held <= Decimal(repr(marks.keeps_units)):
            desk.note(TradeMarked(plan_id=plan.plan_id, marks=replace(marks, leaving=None, keeps_units=0.0)))
            marks = plan.marks
            assert marks is not None, "the marks were just set"
        if marks.leaving is not None or state.has_left(plan) or desk.entries_end(plan):
            self._withdraw(plan, "the trade is being left" if marks.leaving else "no more is entered")
        leaving_now = sum(
            (each.quantity - state.record(each).filled_quantity for each in state.working(plan, Role.LEAVE)),
            ZERO,
        )
        # What somebody else's orders hold is neither ours to sell nor to cover, for as long as they work.
        held = max(held - desk.held_by_others.get(plan.symbol, ZERO), ZERO)
        groups = self._remaining(plan)
        awake = [group for group in groups if not state.sleeps(group)]
        covered = sum((state.open_units(plan, group) for group in awake), ZERO)
        reserved = leaving_now
        if marks.leaving is not None:
            wanted = max(held - Decimal(repr(marks.keeps_units)) - leaving_now, ZERO)
            reserved += wanted
            if wanted > 0 and not self._leave_now(plan, wanted, held - leaving_now - covered, groups):
                return
            if marks.keeps_units == 0:
                return
        asleep = self._asleep(plan, [group for group in groups if state.sleeps(group)])
        uncovered = held - reserved - covered - asleep
        if uncovered < 0:
            self._uncover(plan, awake, -uncovered)
        elif uncovered > 0:
            self._cover(plan, uncovered, groups)
        self._move_prices(plan, awake)

    def _leave_now(self, plan: PlanState, wanted: Decimal, free: Decimal, groups: list[Group]) -> bool:
        """Sell at the market what nothing else may sell; free what is not. False: wait for the broker."""
        desk, state = self._desk, self._desk.state
        if state.working(plan, Role.ENTRY):
            return False
        if free < wanted:
            self._free(plan, groups, wanted - free)
            return False
        if not self._is_certain(plan) or not self._may_try(plan, Role.LEAVE):
            return False
        assert plan.marks is not None and plan.marks.leaving is not None, "it is being left"
        flattens = desk.safety.switch.wants_flat or desk.ending_flat
        letter = names.FLATTEN if flattens else names.EXIT
        return desk.submit(
            OrderRequest(
                client_order_id=desk.next_name(plan, letter, 0),
                symbol=plan.symbol,
                side=_leaves(plan),
                quantity=wanted,
            ),
            OrderPurpose.FLATTEN if flattens else OrderPurpose.EXIT,
            plan.marks.leaving,
        )

    def _free(self, plan: PlanState, groups: list[Group], units: Decimal) -> None:
        """Cancel groups until so many units are free: first what only limits the loss, then the farthest target."""
        for group in sorted(groups, key=lambda each: -each.portion if each.portion else -999):
            if units <= 0:
                return
            self._cancel_group(group, "its units are to be sold otherwise")
            units -= self._desk.state.open_units(plan, group)

    def _uncover(self, plan: PlanState, groups: list[Group], units: Decimal) -> None:
        """More would be sold than is held: something else took units away."""
        self._free(plan, groups, units)

    def _cancel_group(self, group: Group, reason: str) -> None:
        order = min(group.orders, key=lambda each: each.role is not Role.STOP)
        if not self._desk.state.is_known(order) or order.change is not None:
            # One cancelled order takes its sibling with it; if it does not, the sibling's turn comes.
            for other in group.orders:
                if other is not order and order.change is None and self._desk.state.is_known(other):
                    self._desk.cancel(other, reason)
            return
        self._desk.cancel(order, reason)

    def _withdraw(self, plan: PlanState, reason: str) -> None:
        for order in self._desk.state.working(plan, Role.ENTRY):
            self._desk.cancel(order, reason)

    def _clear_away(self, plan: PlanState) -> None:
        """The plan's position is gone, or another plan's was first: nothing of it may work on."""
        self._withdraw(plan, "the trade is over, or another entry was first")
        for group in self._remaining(plan):
            if not self._desk.state.sleeps(group):
                self._cancel_group(group, "nothing is held any more")

    def _remaining(self, plan: PlanState) -> list[Group]:
        """Groups that may still fill, without those that the broker is about to cancel.

        Where one of two linked orders was filled whole, it cancels the other by itself; a cancel that crosses it would
        be refused. If nobody has told of it after a while, it is asked for.
        """
        desk, state = self._desk, self._desk.state
        groups, newest_at = state.groups(plan), state.newest_execution_at
        wait_ns = int(desk.setup.timings.stuck_s * SECOND_NS)
        if newest_at is None or desk.ns(newest_at) + wait_ns <= desk.now_ns:
            return groups
        filled: dict[str, int] = {}  # when (ns), by group
        for order in state.orders_of(plan):
            told = state.record(order).told
            if order.role is Role.ENTRY or told is None or told.status is not OrderStatus.FILLED:
                continue
            if told.updated_at is not None:
                filled[order.group] = desk.ns(told.updated_at)
        remaining: list[Group] = []
        for group in groups:
            until_ns = filled.get(group.root, desk.now_ns - wait_ns) + wait_ns
            if until_ns > desk.now_ns:
                desk.due(f"twin {plan.symbol}", until_ns)
            else:
                remaining.append(group)
        return remaining

    def _asleep(self, plan: PlanState, groups: list[Group]) -> Decimal:
        """Units of entries that are filled in part, whose protection sleeps; for a bounded time, then it ends."""
        desk, state = self._desk, self._desk.state
        units = ZERO
        for group in {each.root: each for each in groups}.values():
            entry = state.entry_of(group)
            filled = state.entered_units(plan, group.root)
            if entry is None or filled == 0:
                continue
            units += filled
            assert plan.first_fill_at is not None, "units were filled"
            ends_ns = desk.ns(plan.first_fill_at) + int(desk.setup.timings.partial_entry_s * SECOND_NS)
            if desk.now_ns >= ends_ns:
                desk.cancel(entry, "filled in part, and what was filled is to be protected")
            else:
                desk.due(f"partial {plan.symbol}", ends_ns)
        return units

    # --- Covering ---------------------------------------------------------------------------------------------

    def _cover(self, plan: PlanState, uncovered: Decimal, groups: list[Group]) -> None:
        desk, state = self._desk, self._desk.state
        stop = self._stop(plan)
        if stop is None and not plan.terms.targets:
            return
        if not self._is_certain(plan) or not self._may_try(plan, Role.STOP, Role.TARGET):
            return
        if plan.refusals >= _REFUSALS_MAX:
            desk.alert(
                Severity.CRITICAL,
                f"{plan.symbol}: the broker refused its protection {plan.refusals} times; it is left",
            )
            self.leave(plan, "cannot be protected")
            return
        covered: dict[int, Decimal] = {}
        for group in groups:
            entry = state.entry_of(group)
            units = state.open_units(plan, group) if entry is None else entry.quantity
            covered[group.portion] = covered.get(group.portion, ZERO) + units
        # While more may be entered, portions are those of the whole.
        whole = max(plan.entered, plan.planned.units) if state.working(plan, Role.ENTRY) else plan.entered
        step = state.quantity_steps.get(plan.symbol, 1.0)
        rest = uncovered
        assert plan.marks is not None, "it was entered"
        for at, wanted in enumerate(target_units(plan, whole, step), start=1):
            price = self._target(plan, at)
            units = min(rest, wanted - plan.sold.get(at, ZERO) - covered.get(at, ZERO))
            if at in plan.marks.targets_done or price is None or units <= 0:
                continue
            if stop is not None and (
                OrderClass.OCO not in desk.setup.capabilities.order_classes or units % 1
            ):
                continue  # the broker cannot hold both: the stop rests
            self._send_cover(plan, at, units, price, stop)
            rest -= units
        if rest > 0 and stop is not None:
            self._send_cover(plan, 0, rest, None, stop)

    def _send_cover(
        self, plan: PlanState, portion: int, units: Decimal, target: Decimal | None, stop: Decimal | None
    ) -> None:
        desk = self._desk
        name = desk.next_name(plan, names.PROTECTION, portion)
        # Fractions of a share can only be covered for the day.
        tif = TimeInForce.DAY if units % 1 else TimeInForce.GTC
        paired = target is not None and stop is not None
        request = OrderRequest(
            client_order_id=name,
            symbol=plan.symbol,
            side=_leaves(plan),
            type=OrderType.STOP if target is None else OrderType.LIMIT,
            time_in_force=tif,
            quantity=units,
            limit_price=target,
            stop_price=stop if target is None else None,
            order_class=OrderClass.OCO if paired else OrderClass.SIMPLE,
            take_profit_price=target if paired else None,
            stop_loss_price=stop if paired else None,
        )
        purpose = OrderPurpose.TARGET if target is not None else OrderPurpose.STOP
        desk.submit(request, purpose, f"target {portion}" if target is not None else plan.stop_reason)

    def _move_prices(self, plan: PlanState, groups: list[Group]) -> None:
        """Move resting orders to where their levels are now."""
        assert plan.marks is not None, "it was entered"
        stop = self._stop(plan)
        for group in groups:
            if any(order.change is not None for order in group.orders):
                continue
            if not all(self._desk.state.is_known(order) for order in group.orders):
                continue
            if any(self._waits_for_legs(order) for order in group.orders):
                continue
            target = self._target(plan, group.portion) if group.portion else None
            has_stop = any(order.role is Role.STOP for order in group.orders)
            if stop is not None and not has_stop:
                self._cancel_group(group, "it has no stop, and the plan has one now")
                continue
            if target is not None and self._lacks_target(plan, group):
                self._cancel_group(group, "its target has a price now")
                continue
            for order in group.orders:
                if order.role is Role.STOP and stop is not None and order.stop != stop:
                    self._move(order, plan.stop_reason, stop=stop)
                elif order.role is Role.TARGET and target is not None and order.limit != target:
                    self._move(order, "the target moved", limit=target)

    def _lacks_target(self, plan: PlanState, group: Group) -> bool:
        assert plan.marks is not None, "it was entered"
        return (
            all(order.role is not Role.TARGET for order in group.orders)
            and group.portion not in plan.marks.targets_done
            and OrderClass.OCO in self._desk.setup.capabilities.order_classes
            and self._desk.state.open_units(plan, group) % 1 == 0
        )

    def _move(
        self, order: OurOrder, why: str, *, limit: Decimal | None = None, stop: Decimal | None = None
    ) -> None:
        desk, state = self._desk, self._desk.state
        if not self._may_move(order, limit, stop):
            return
        if desk.setup.capabilities.replace:
            desk.replace(order, why, limit=limit, stop=stop)
        elif state.status(order) is not OrderStatus.PENDING_CANCEL:
            desk.cancel(order, why)  # what it covered is covered again, at the new price

    def _may_move(self, order: OurOrder, limit: Decimal | None, stop: Decimal | None) -> bool:
        """Whether the same change was not refused just before."""
        state = self._desk.state
        for name in reversed(state.plans[order.plan_id].orders):
            tried = state.orders[name]
            if tried.replaces == order.name:
                if (limit is not None and tried.limit != limit) or (stop is not None and tried.stop != stop):
                    return True
                return self._has_waited(tried)
        return True

    # --- Conditions -------------------------------------------------------------------------------------------

    def _stop(self, plan: PlanState) -> Decimal | None:
        prices = self._lasting(plan)
        if 0 not in prices:
            prices[0] = self._stop_now(plan)
        return prices[0]

    def _target(self, plan: PlanState, target: int) -> Decimal | None:
        if plan.terms.targets[target - 1].level.follows:
            return self._target_now(plan, target)
        prices = self._lasting(plan)
        if target not in prices:
            prices[target] = self._target_now(plan, target)
        return prices[target]

    def _lasting(self, plan: PlanState) -> dict[int, Decimal | None]:
        """Prices that are known already, as marks and units are now."""
        assert plan.marks is not None, "it was entered"
        known = self._levels.get(plan.symbol)
        if known is None or known.marks is not plan.marks or known.entered is not plan.entered:
            known = self._levels[plan.symbol] = _Levels(marks=plan.marks, entered=plan.entered)
        return known.prices

    def _stop_now(self, plan: PlanState) -> Decimal | None:
        price = plan.stop_in_force
        if math.isnan(price) or price <= 0:
            return None
        setup = self._desk.setup
        tick = setup.config.instrument(plan.symbol).tick_size
        return stop_price(-plan.side, price, tick, setup.price_step_usd)

    def _target_now(self, plan: PlanState, target: int) -> Decimal | None:
        price = target_level(plan, target, self._current)
        if math.isnan(price) or price <= 0:
            return None
        setup = self._desk.setup
        tick = setup.config.instrument(plan.symbol).tick_size
        return limit_price(-plan.side, price, tick, setup.price_step_usd)

    def _is_certain(self, plan: PlanState) -> bool:
        """Whether nothing that happened to the trade's orders may be missing.

        While the order stream is down, executions may be: the broker is asked, and its answer is certain for as long
        as this turn lasts.
        """
        desk, state = self._desk, self._desk.state
        if state.lacking(plan):
            return False
        if any(each.role is not Role.ENTRY and not state.is_known(each) for each in state.live(plan)):
            return False  # its fate is being asked for
        if any(self._waits_for_legs(each) for each in state.unshown(plan)):
            return False
        if not desk.orders_up and desk.told_at != desk.now:
            desk.ask()
            return False
        return True

    def _waits_for_legs(self, order: OurOrder) -> bool:
        """Whether an order may have legs of which nobody has told yet. They are asked for; the wait ends by itself."""
        desk = self._desk
        if not desk.state.is_unshown(order):
            return False
        ends_ns = desk.asked_ns(order.asked_at) + int(desk.setup.timings.absent_after_s * SECOND_NS)
        if desk.now_ns >= ends_ns:
            return False
        desk.due(f"legs {order.symbol}", ends_ns)
        return True

    def _may_try(self, plan: PlanState, *roles: Role) -> bool:
        """Whether the newest order of these roles was not refused just before; what is always refused waits longer."""
        state = self._desk.state
        newest, refusals = None, 0
        for name in reversed(plan.orders):
            order = state.orders[name]
            if order.role in roles and not order.is_leg and order.replaces is None:
                record = state.record(order)
                refused = record.status is OrderStatus.REJECTED or (
                    record.status is None and not state.may_fill(order)
                )
                if not refused or refusals == _REFUSALS_COUNTED:
                    break
                newest, refusals = newest or order, refusals + 1
        return newest is None or self._has_waited(newest, refusals)

    def _has_waited(self, order: OurOrder, refusals: int = 1) -> bool:
        """Whether so long has passed since an order was refused, the last of so many in a row."""
        desk = self._desk
        pause_s = desk.setup.timings.refused_pause_s * 2 ** max(0, refusals - _REFUSALS_AT_ONE_PACE)
        again_ns = desk.asked_ns(order.asked_at) + int(min(pause_s, _REFUSED_PAUSE_MAX_S) * SECOND_NS)
        if desk.now_ns >= again_ns:
            return True
        desk.due(f"retry {order.symbol}", again_ns)
        return False


def _leaves(plan: PlanState) -> OrderSide:
    return OrderSide.SELL if plan.side > 0 else OrderSide.BUY
