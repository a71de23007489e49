"""Entries: from a strategy's wish to enter to the orders that do it, by the backtest's rules and under our limits.

A plan with a stop or targets becomes one order per target, each with what protects its portion, and one for what no
target sells. Where the broker cannot hold that, it becomes one plain order, and its fills are protected as they come.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from magellan.engine import names, purse
from magellan.engine.commands import Severity
from magellan.engine.desk import Desk
from magellan.engine.lookups import Lookups
from magellan.engine.our_order import OurOrder, Role
from magellan.engine.plan_state import PlanState
from magellan.engine.planning import future_reading, level, number, size_rule, trade_terms
from magellan.engine.prices import limit_price, stop_price
from magellan.engine.risk_view import risk_view
from magellan.engine.state import steps, target_units
from magellan.engine.trades import CurrentPlan
from magellan.ledger.entries import AnswerIs, AnswerTo, OrderAnswered, TradeDropped, TradeIdea, TradePlanned
from magellan.risk.limits import Deny, RiskView
from magellan.strategy.plan_arithmetic import (
    TRAIL_COLUMN,
    TRAIL_FRACTION,
    TRAIL_USD,
    affordable,
    tighter,
    trail_distance,
    wanted_units,
)
from magellan.strategy.trade_plan import TradePlan
from magellan.trading.bar import instant
from magellan.trading.order import OrderClass, OrderRequest, OrderSide, OrderType, TimeInForce
from magellan.trading.timeframe import SECOND_NS
from magellan.trading.trade_terms import LevelTerms, TradeTerms
from magellan.workspace.fill_costs import FillCosts

_CAN_CARRY = (TimeInForce.DAY, TimeInForce.GTC)  # times in force that allow orders to hang together


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """An entry that the strategy wants, decided on a bar."""

    symbol: str
    side: int  # +1 long, -1 short
    plan: TradePlan
    row: int  # of the bar, in the symbol's history
    bar_ns: int
    decision_id: str
    reasoning: str
    indicators: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """Why a wish is not followed."""

    reason: str


class Entries:
    """Follows wishes, or says why not."""

    def __init__(self, desk: Desk, lookups: Lookups, current: CurrentPlan) -> None:
        self._desk = desk
        self._lookups = lookups
        self._current = current

    # --- A wish -----------------------------------------------------------------------------------------------

    def follow(self, wish: Wish, *, day_equity: float) -> Blocked | None:
        """Plan the trade and send its entry orders. None: it is done."""
        blocked = self._blocked(wish, day_equity)
        if blocked is not None:
            return blocked
        terms = trade_terms(wish.plan, wish.row)
        unheld = self._desk.setup.capabilities.cannot_hold(terms)
        if unheld is not None:
            return Blocked(reason=unheld)
        close = float(self._desk.histories[wish.symbol].bars.close[wish.row])
        priced = self._priced(wish.symbol, wish.side, terms, close, factor=1.0)
        if priced is None:
            return Blocked(reason="the price of the entry order is not known")
        reference, limit, stop_at = priced
        units = self._units(wish, terms, reference)
        if isinstance(units, Blocked):
            return units
        plan_id = names.plan_id(
            self._desk.setup.began.strategy,
            self._desk.setup.account,
            wish.symbol,
            wish.bar_ns,
            wish.side,
        )
        if plan_id in self._desk.state.plans:
            return Blocked(reason="this bar's entry was sent before")
        whole = _whole(plan_id, wish.symbol, wish.side, terms, units, limit, stop_at)
        view = self._view(wish.symbol, whole.side, Decimal(repr(close)), wish.bar_ns)
        denied = self._desk.may_enter(whole, view)
        if denied is not None:
            return Blocked(reason=denied.reason)
        if not self._desk.setup.sends:
            return Blocked(reason="a dry run sends nothing")
        self._desk.note(
            TradePlanned(
                plan_id=plan_id,
                strategy=self._desk.setup.began.strategy,
                symbol=wish.symbol,
                side=wish.side,
                signal_bar_at=instant(wish.bar_ns),
                reference_price=reference,
                units=units,
                terms=terms,
            )
        )
        self._desk.touched.add(wish.symbol)
        if terms.entry.at_minute is None and self._desk.state.book.quantity(wish.symbol) == 0:
            plan = self._desk.state.plans[plan_id]
            denied = self._send(plan, reference, view, wish)
            if denied is not None:
                self._drop(plan)
                return Blocked(reason=denied.reason)
        return None

    def _view(
        self,
        symbol: str,
        side: OrderSide,
        decided_at: Decimal,
        bar_ns: int,
        *,
        without: OurOrder | None = None,
    ) -> RiskView:
        """What limits are told for an entry of that symbol; trades count on the day of the bar."""
        trades = self._trades_today(bar_ns)
        if without is not None and self._desk.state.plans[without.plan_id].entered:
            trades -= 1  # another portion of the same trade has been filled
        return risk_view(
            self._desk,
            symbol,
            side,
            decided_at,
            unresolved=symbol in self._lookups.unresolved_symbols,
            trades_today=trades + len(self._engaged_elsewhere(symbol)),
            without=without,
        )

    def _blocked(self, wish: Wish, day_equity: float) -> Blocked | None:
        desk, state = self._desk, self._desk.state
        config, limits = desk.setup.config, desk.setup.config.limits
        future = future_reading(wish.plan)
        if future is not None:
            return Blocked(reason=future)
        left_ns = state.left_ns.get(wish.symbol)
        if left_ns is not None and wish.plan.cooldown_bars:
            since = len(desk.histories[wish.symbol].rows_after(left_ns))
            if since < wish.plan.cooldown_bars:
                return Blocked(reason="cooling down after an exit")
        elsewhere = self._engaged_elsewhere(wish.symbol)
        trades = self._trades_today(wish.bar_ns)
        if limits.trades_per_day_max is not None and trades + len(elsewhere) >= limits.trades_per_day_max:
            return Blocked(reason="trades per day used up")
        day = state.book.by_day.get(desk.exchange_day(wish.bar_ns))
        lost = 0.0 if day is None else -float(day.realised_usd - day.commission_usd)
        if lost > 0 and (
            (limits.loss_per_day_usd_max is not None and lost >= limits.loss_per_day_usd_max)
            or (
                limits.loss_per_day_fraction_max is not None
                and lost >= limits.loss_per_day_fraction_max * day_equity
            )
        ):
            return Blocked(reason="loss of the day reached")
        others = (state.book.positions.keys() | elsewhere) - {wish.symbol}
        if limits.open_positions_max is not None and len(others) >= limits.open_positions_max:
            return Blocked(reason="open positions at their limit")
        if wish.side < 0 and (
            config.account.kind != "margin"
            or not config.instrument(wish.symbol).shortable
            or not desk.setup.capabilities.shorts
        ):
            return Blocked(reason="cannot be borrowed")
        return None

    def _engaged_elsewhere(self, symbol: str) -> set[str]:
        """Other symbols that may become a position by an order that works, or waits for its time of day."""
        state = self._desk.state
        held = state.book.positions
        return {each for each in state.active if each not in held and each != symbol and self.waiting(each)}

    def _units(self, wish: Wish, terms: TradeTerms, reference: float) -> Decimal | Blocked:
        """Size by the plan, reduced to what money allows, rounded to the quantity step."""
        desk = self._desk
        config = desk.setup.config
        instrument, execution, account = (
            config.instrument(wish.symbol),
            config.execution,
            config.account,
        )
        stop = math.nan
        if terms.stop is not None:
            stop = self._level(terms.stop, wish.symbol, wish.side, reference, stop=True)
            if math.isnan(stop) or wish.side * (reference - stop) <= 0:
                return Blocked(reason="price not beyond its stop")
        kind, value, cap = size_rule(wish.plan, wish.row)
        most = config.limits.position_usd_max
        cash, equity, exposure = purse.counted(desk)
        costs = FillCosts.of(execution, instrument)
        units = float(
            wanted_units(
                kind,
                value,
                min(cap, math.inf if most is None else most),
                float(wish.side),
                reference,
                stop,
                instrument.point_value,
                cash,
                equity,
                costs.commission_rate,
                costs.commission_per_unit_usd,
                costs.commission_min_usd,
            )
        )
        if units < 0:
            return Blocked(reason="price not beyond its stop")
        if desk.state.book.quantity(wish.symbol) == 0:
            power = cash
            if account.kind == "margin":
                power = account.leverage * equity - exposure
            borrowed = execution.borrow_units_max
            units = min(
                units,
                float(
                    affordable(
                        float(wish.side),
                        reference,
                        power,
                        0.0,
                        account.kind == "margin" and instrument.shortable,
                        math.inf if borrowed is None else borrowed,
                        math.inf if most is None else most,
                        instrument.point_value,
                        costs.commission_rate,
                        costs.commission_per_unit_usd,
                        costs.commission_min_usd,
                    )
                ),
            )
        whole = steps(units, instrument.quantity_step)
        return whole if whole > 0 else Blocked(reason="the money buys less than one unit")

    # --- Orders -----------------------------------------------------------------------------------------------

    def _send(self, plan: PlanState, reference: float, view: RiskView, wish: Wish | None) -> Deny | None:
        """Intend and send the plan's entry orders, unless our limits refuse the entry."""
        desk, terms = self._desk, plan.terms
        factor = 1.0 if plan.marks is None else plan.marks.factor
        priced = self._priced(plan.symbol, plan.side, terms, reference, factor=factor)
        assert priced is not None, "the plan was priced when it was made"
        reference, limit, stop_at = priced
        first_stop = self._first_stop(plan, reference)
        risk = abs(reference - first_stop)
        setup = desk.setup
        tick = setup.config.instrument(plan.symbol).tick_size
        protective = (
            None
            if math.isnan(first_stop) or first_stop <= 0
            else stop_price(-plan.side, first_stop, tick, setup.price_step_usd)
        )
        units = plan.planned.units
        portions: list[tuple[int, Decimal, Decimal | None]] = []
        if self._carries(plan, units):
            left = units
            shares = target_units(plan, units, setup.config.instrument(plan.symbol).quantity_step)
            for at, share in enumerate(shares, start=1):
                price = self._level(
                    terms.targets[at - 1].level, plan.symbol, plan.side, reference, risk=risk, target=at
                )
                if share <= 0:
                    continue
                target = None
                if plan.side * (price - reference) > 0:
                    target = limit_price(-plan.side, price, tick, setup.price_step_usd)
                # Else it rests once its price is known, or sells as soon as the entry has filled.
                portions.append((at, share, target))
                left -= share
            if left > 0:
                portions.append((0, left, None))
        else:
            portions.append((0, units, None))
            protective = None
        return desk.enter(
            _whole(plan.plan_id, plan.symbol, plan.side, terms, units, limit, stop_at),
            [
                self._request(
                    plan,
                    names.order_name(plan.plan_id, names.ENTRY, portion, number),
                    share,
                    limit,
                    stop_at,
                    target,
                    protective,
                )
                for number, (portion, share, target) in enumerate(portions, start=1)
            ],
            view,
            self._idea(plan, wish, reference, first_stop, risk),
        )

    def _request(
        self,
        plan: PlanState,
        name: str,
        units: Decimal,
        limit: Decimal | None,
        stop_at: Decimal | None,
        target: Decimal | None,
        protective: Decimal | None,
    ) -> OrderRequest:
        entry = plan.terms.entry
        tif = entry.time_in_force
        order_class = OrderClass.SIMPLE
        if target is not None and protective is not None:
            order_class = OrderClass.BRACKET
        elif target is not None or protective is not None:
            order_class = OrderClass.OTO
        if (
            order_class is not OrderClass.SIMPLE
            and entry.type is OrderType.MARKET
            and not plan.terms.exits_with_session
        ):
            # Legs last as long as their entry's time in force; a market entry is over at once in any case.
            tif = TimeInForce.GTC
        return OrderRequest(
            client_order_id=name,
            symbol=plan.symbol,
            side=OrderSide.BUY if plan.side > 0 else OrderSide.SELL,
            type=entry.type,
            time_in_force=tif,
            quantity=units,
            limit_price=limit,
            stop_price=stop_at,
            order_class=order_class,
            take_profit_price=target,
            stop_loss_price=protective,
        )

    def _carries(self, plan: PlanState, units: Decimal) -> bool:
        """Whether the broker takes entries of this kind with their protection."""
        able, entry = self._desk.setup.capabilities, plan.terms.entry
        return (
            {OrderClass.BRACKET, OrderClass.OTO} <= able.order_classes
            and entry.type in able.bracket_entry_types
            and entry.time_in_force in _CAN_CARRY
            and units % 1 == 0
        )

    def _idea(
        self, plan: PlanState, wish: Wish | None, reference: float, stop: float, risk: float
    ) -> TradeIdea:
        target = math.nan
        if plan.terms.targets:
            target = self._level(
                plan.terms.targets[0].level, plan.symbol, plan.side, reference, risk=risk, target=1
            )
        ratio = plan.side * (target - reference) / risk if risk else math.nan
        return TradeIdea(
            decision_id=plan.plan_id if wish is None else wish.decision_id,
            decision_price=Decimal(repr(plan.planned.reference_price)),
            stop_loss=_decimal(stop),
            target=_decimal(target),
            risk_reward_ratio=None if math.isnan(ratio) else Decimal(f"{ratio:.4f}"),
            reasoning="" if wish is None else wish.reasoning,
            indicators_used=() if wish is None else wish.indicators,
        )

    # --- What waits, and what works ---------------------------------------------------------------------------

    def send_due(self, symbol: str) -> None:
        """Send entries whose time of day has come, or whose way is free now; drop those that came too late."""
        desk = self._desk
        desk.due(f"scheduled {symbol}", None)
        for plan in self._unsent(symbol):
            due_ns = self._due_ns(plan)
            if due_ns is None:
                continue
            if desk.now_ns < due_ns:
                desk.due(f"scheduled {symbol}", due_ns)
                continue
            why = self._too_late(plan, due_ns)
            if why is not None:
                desk.alert(Severity.WARNING, f"the entry {plan.plan_id} is not sent: {why}")
                self._drop(plan)
            elif desk.state.book.quantity(symbol) == 0:
                self._send_late(plan)
            else:
                # The opposite position is on its way out.
                desk.due(
                    f"scheduled {symbol}", due_ns + int(desk.setup.timings.decide_within_s * SECOND_NS) + 1
                )

    def _send_late(self, plan: PlanState) -> None:
        """Send what was decided some time ago; our limits are asked about it as things are now."""
        desk = self._desk
        decided_at = plan.planned.reference_price
        side = OrderSide.BUY if plan.side > 0 else OrderSide.SELL
        today = desk.schedule.bar_at(desk.now_ns)
        view = self._view(plan.symbol, side, Decimal(repr(decided_at)), today)
        denied = self._send(plan, decided_at, view, None)
        if denied is not None:
            desk.alert(Severity.WARNING, f"the entry {plan.plan_id} is not sent: {denied.reason}")
            self._drop(plan)

    def waiting(self, symbol: str) -> bool:
        """Whether an entry of the symbol works, or waits for its time of day."""
        state = self._desk.state
        return any(
            _is_unsent(plan) or any(map(state.may_fill, plan.entries)) for plan in state.under_way(symbol)
        )

    def drop_waiting(self, symbol: str) -> None:
        """Give up what has not been sent yet."""
        for plan in self._unsent(symbol):
            self._drop(plan)

    def _unsent(self, symbol: str) -> list[PlanState]:
        return [plan for plan in self._desk.state.under_way(symbol) if _is_unsent(plan)]

    def _too_late(self, plan: PlanState, due_ns: int) -> str | None:
        desk = self._desk
        late_s = (desk.now_ns - due_ns) / SECOND_NS
        if late_s > desk.setup.timings.decide_within_s:
            return f"it was due {late_s:.0f} s ago"
        if desk.entries_end(plan):
            return "nothing is entered any more"
        if desk.safety.tripped:
            return f"tripped: {', '.join(desk.safety.tripped)}"
        held = desk.state.open_plan(plan.symbol)
        if held is not None and held.side == plan.side:
            return "the symbol is held already"
        return None

    def send_again(self, order: OurOrder) -> None:
        """The broker refused an order unread: send it again while it is in time and allowed, else give it up."""
        desk, state = self._desk, self._desk.state
        record = state.record(order)
        request = record.request
        assert request is not None and record.purpose is not None, "an intent has a request"
        plan = state.plans[order.plan_id]
        goes_on = desk.schedule.trading_goes_on_ns(desk.schedule.ends_ns(plan.signal_ns))
        within_ns = int(desk.setup.timings.decide_within_s * SECOND_NS)
        in_time = goes_on is not None and desk.now_ns <= goes_on + within_ns
        why = "and then too late"
        if order.role is not Role.ENTRY or (in_time and not desk.entries_end(plan)):
            view = None
            if order.role is Role.ENTRY:
                decided_at = Decimal(repr(plan.planned.reference_price))
                view = self._view(plan.symbol, order.side, decided_at, plan.signal_ns, without=order)
            denied = desk.submit_again(order, request, record.purpose, view)
            if denied is None:
                return
            why = f"and then by our own limits: {denied.reason}"
        desk.note(
            OrderAnswered(
                client_order_id=order.name,
                to=AnswerTo.SUBMIT,
                answer=AnswerIs.ABSENT,
                message=f"refused for its rate, {why}",
            )
        )
        desk.touched.add(order.symbol)  # what it was to cover is covered otherwise

    def follow_columns(self, symbol: str) -> None:
        """Move working entries whose price follows a column, after a bar has closed."""
        desk, state = self._desk, self._desk.state
        for plan in state.under_way(symbol):
            entry = plan.terms.entry
            if not any(each is not None and each.follows for each in (entry.limit, entry.stop)):
                continue
            priced = self._priced(symbol, plan.side, plan.terms, plan.planned.reference_price, factor=1.0)
            if priced is None:
                continue
            _, limit, stop = priced
            for order in state.working(plan, Role.ENTRY):
                moved_limit = limit if limit is not None and limit != order.limit else None
                moved_stop = stop if stop is not None and stop != order.stop else None
                if (moved_limit is None and moved_stop is None) or order.change is not None:
                    continue
                if state.is_known(order) and desk.setup.capabilities.replace:
                    desk.replace(order, "its price follows a column", limit=moved_limit, stop=moved_stop)

    def _due_ns(self, plan: PlanState) -> int | None:
        """When an entry is due: at once, or with the first bar that begins at or after its time of day."""
        schedule = self._desk.schedule
        signal_ends_ns = schedule.ends_ns(plan.signal_ns)
        minute = plan.terms.entry.at_minute
        if minute is None:
            return schedule.trading_goes_on_ns(signal_ends_ns)
        due_ns = schedule.at_minute_ns(minute, signal_ends_ns)
        if due_ns is None or schedule.timeframe.is_daily:
            return due_ns
        start_ns = schedule.bar_at(due_ns)
        return due_ns if start_ns == due_ns else start_ns + schedule.span_ns

    def _drop(self, plan: PlanState) -> None:
        """Give a plan up that has no order, and gets none."""
        self._desk.note(TradeDropped(plan_id=plan.plan_id))

    # --- Prices -----------------------------------------------------------------------------------------------

    def _priced(
        self, symbol: str, side: int, terms: TradeTerms, close: float, *, factor: float
    ) -> tuple[float, Decimal | None, Decimal | None] | None:
        """Reference price, limit and stop of the entry order; None where one is not known."""
        setup = self._desk.setup
        tick = setup.config.instrument(symbol).tick_size
        reference, limit, stop = close, None, None
        if terms.entry.stop is not None:
            value = self._level(terms.entry.stop, symbol, side, close, entry="stop")
            if math.isnan(value) or value <= 0:
                return None
            reference, stop = value, stop_price(side, value, tick, setup.price_step_usd)
        if terms.entry.limit is not None:
            value = self._level(terms.entry.limit, symbol, side, close, entry="limit")
            if math.isnan(value) or value <= 0:
                return None
            limit = limit_price(side, value, tick, setup.price_step_usd)
            reference = float(limit)
        return reference, limit, stop

    def _level(
        self,
        terms: LevelTerms,
        symbol: str,
        side: int,
        reference: float,
        *,
        risk: float = math.nan,
        target: int = 0,
        stop: bool = False,
        entry: str = "",
    ) -> float:
        """A level before anything is filled: the reference price stands in for the entry price."""
        column, row = None, -1
        now = self._current(symbol, side) if terms.follows else None
        if now is not None:
            plan, row = now
            if target:
                column = plan.targets[target - 1].price
            elif stop:
                column = plan.stop
            elif entry:
                column = getattr(plan.entry, entry, None) or getattr(plan.entry, "price", None)
        return level(terms, entry=reference, risk=risk, side=side, factor=1.0, column=column, row=row)

    def _first_stop(self, plan: PlanState, reference: float) -> float:
        stop = math.nan
        if plan.terms.stop is not None:
            stop = self._level(plan.terms.stop, plan.symbol, plan.side, reference, stop=True)
        trail = plan.terms.trail
        if trail is None:
            return stop
        if trail.fraction is not None:
            distance = trail_distance(TRAIL_FRACTION, trail.fraction, reference, math.nan, 1.0)
        elif trail.usd is not None:
            distance = trail_distance(TRAIL_USD, trail.usd, reference, math.nan, 1.0)
        else:
            column = math.nan if trail.at_signal is None else trail.at_signal
            distance = trail_distance(TRAIL_COLUMN, number(trail.multiple), reference, column, 1.0)
        return float(tighter(float(plan.side), stop, reference - plan.side * distance))

    def _trades_today(self, bar_ns: int) -> int:
        return self._desk.state.trades_on.get(self._desk.schedule.day_of_bar(bar_ns), 0)


def _whole(
    plan_id: str,
    symbol: str,
    side: int,
    terms: TradeTerms,
    units: Decimal,
    limit: Decimal | None,
    stop: Decimal | None,
) -> OrderRequest:
    """An entry as one order, before it is parted among its targets."""
    return OrderRequest(
        client_order_id=names.order_name(plan_id, names.ENTRY, 0, 1),
        symbol=symbol,
        side=OrderSide.BUY if side > 0 else OrderSide.SELL,
        type=terms.entry.type,
        time_in_force=terms.entry.time_in_force,
        quantity=units,
        limit_price=limit,
        stop_price=stop,
    )


def _is_unsent(plan: PlanState) -> bool:
    return not plan.orders and not plan.entered and not plan.dropped


def _decimal(value: float) -> Decimal | None:
    return Decimal(repr(value)) if math.isfinite(value) else None
