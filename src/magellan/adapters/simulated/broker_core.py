"""The simulated broker's core: one account whose orders are matched by bars. Synchronous; time comes in as ns UTC.

What it does to orders is what the local paper exchange and Alpaca do: brackets wake when their entry is filled whole,
one of two linked orders cancels the other, shares that orders hold cannot be sold again, a name is used once.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from magellan.adapters.simulated.bar_tape import MILLISECOND_NS, BarTape, Phase, TapeBar, Tick
from magellan.adapters.simulated.faults import NO_FAULTS, BrokerFaults
from magellan.adapters.simulated.matching import Match, match
from magellan.adapters.simulated.sim_order import ZERO, Entered, SimOrder
from magellan.backtest.fill_model import commission, on_tick, slipped
from magellan.errors import FixInput
from magellan.trading.account import AccountSnapshot, BrokerPosition, TradableAsset
from magellan.trading.answer import Accepted, Answer, Refused, Replacement, Requested
from magellan.trading.bar import instant
from magellan.trading.order import (
    BrokerOrder,
    Execution,
    OrderClass,
    OrderEvent,
    OrderEventKind,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    TimeInForce,
)
from magellan.trading.timeframe import SECOND_NS
from magellan.workspace.config import StrategyConfig

_LATENCY_NS = 5 * MILLISECOND_NS  # from an order's arrival to its fill, when it can fill at once
_OPEN_GRACE_NS = 15 * SECOND_NS  # after a bar's start, at most a quarter of it: what comes then gets the open
_CLOSE_LEAD_NS = 3 * SECOND_NS // 2  # before a bar's end: what comes then gets the close
_FIRST_BAR_ONLY = (TimeInForce.IOC, TimeInForce.FOK)


class BrokerCore:
    """One account. `advance` matches orders up to an instant; what happened is in `take_events`.

    config: costs, account and instruments, as a backtest of the same strategy reads them.
    """

    def __init__(
        self,
        tape: BarTape,
        config: StrategyConfig,
        *,
        seed: int = 0,
        faults: BrokerFaults = NO_FAULTS,
        account_id: str = "SIM",
    ) -> None:
        self._tape = tape
        self._config = config
        self._chance = random.Random(f"broker {seed}")
        self.faults = faults
        self.account_id = account_id
        self.now_ns = 0
        self.cash = Decimal(repr(config.account.cash_usd))
        self.positions: dict[str, Decimal] = {}
        self.costs: dict[str, Decimal] = {}  # signed, of the units held
        self.orders: dict[str, SimOrder] = {}  # all, by the broker's id, in the order of arrival
        self.by_name: dict[str, SimOrder] = {}
        self.executions: list[Execution] = []
        self.halted: set[str] = set()
        self.struck: Counter[str] = Counter()  # faults, by name
        self._live: dict[str, SimOrder] = {}  # those that are not over, in the order of arrival
        self._arrived: list[SimOrder] = []  # all, in the order of arrival
        self._at_once: list[tuple[int, SimOrder, Match]] = []  # when each fills, the soonest first
        self._events: list[tuple[int, OrderEvent]] = []
        self._number = 0
        self._next_tick = 0
        self._last_equity = self.cash

    # --- Time -------------------------------------------------------------------------------------------------

    def advance(self, to_ns: int) -> None:
        """Match orders at every instant up to and including `to_ns`."""
        ticks = self._tape.ticks
        while True:
            tick = ticks[self._next_tick] if self._next_tick < len(ticks) else None
            soon = self._at_once[0][0] if self._at_once else None
            if soon is not None and soon <= to_ns and (tick is None or soon <= tick.at_ns):
                self.now_ns = max(self.now_ns, soon)
                self._fill_at_once()
            elif tick is not None and tick.at_ns <= to_ns:
                self.now_ns = max(self.now_ns, tick.at_ns)
                self._next_tick += 1
                self._match(tick)
            else:
                break
        self.now_ns = max(self.now_ns, to_ns)

    def next_due_ns(self) -> int | None:
        """When something may happen by itself next; None when nothing will."""
        soon = self._at_once[0][0] if self._at_once else None
        if self._next_tick == len(self._tape.ticks):
            return soon
        tick_ns = self._tape.ticks[self._next_tick].at_ns
        return tick_ns if soon is None or tick_ns < soon else soon

    def take_events(self) -> list[tuple[int, OrderEvent]]:
        """What happened since the last call, with its instants."""
        events, self._events = self._events, []
        return events

    # --- Questions --------------------------------------------------------------------------------------------

    def account(self, *, as_of: datetime | None = None) -> AccountSnapshot:
        """What the account is worth now. as_of: when it was told, by the clock of whoever asked."""
        equity = self.cash + sum(
            (quantity * self._price(symbol) for symbol, quantity in self.positions.items()), ZERO
        )
        margin = self._config.account.kind == "margin"
        leverage = Decimal(repr(self._config.account.leverage)) if margin else Decimal(1)
        return AccountSnapshot(
            account_id=self.account_id,
            as_of=instant(self.now_ns) if as_of is None else as_of,
            cash_usd=self.cash,
            equity_usd=equity,
            last_equity_usd=self._last_equity,
            buying_power_usd=max(equity * leverage, ZERO) if margin else max(self.cash, ZERO),
            multiplier=leverage,
            shorting_enabled=margin,
            trading_blocked=False,
        )

    def positions_told(self) -> tuple[BrokerPosition, ...]:
        if not self.positions:
            return ()
        at = instant(self.now_ns)
        return tuple(
            BrokerPosition(
                symbol=symbol,
                quantity=quantity,
                available=abs(quantity) - self._held_by_orders(symbol),
                average_entry_price=self.costs[symbol] / quantity,
                market_price=self._price(symbol),
                as_of=at,
            )
            for symbol, quantity in self.positions.items()
        )

    def open_orders(self) -> tuple[BrokerOrder, ...]:
        return _roots(self._live.values())

    def orders_since(self, at_ns: int) -> tuple[BrokerOrder, ...]:
        return _roots(self._since(at_ns))

    def open_orders_and_since(self, at_ns: int) -> tuple[BrokerOrder, ...]:
        """Orders since an instant, and then those that are older and open."""
        return _roots((*self._since(at_ns), *self._live.values()))

    def order(self, client_order_id: str) -> BrokerOrder | None:
        found = self.by_name.get(client_order_id)
        return None if found is None else found.shown()

    def asset(self, symbol: str) -> TradableAsset | None:
        if symbol not in self._tape.bars:
            return None
        terms = self._config.instrument(symbol)
        return TradableAsset(
            symbol=symbol,
            tradable=symbol not in self.halted,
            shortable=terms.shortable,
            easy_to_borrow=terms.shortable,
            fractionable=terms.quantity_step < 1,
            marginable=self._config.account.kind == "margin",
            asset_class="us_equity",
        )

    def is_open(self, at_ns: int) -> bool:
        """Whether the market is open at an instant."""
        return self._tape.is_open(at_ns)

    def executions_since(self, at_ns: int) -> tuple[Execution, ...]:
        since = instant(at_ns)
        first = bisect_right(self.executions, since, key=lambda each: each.at)
        while first and self.executions[first - 1].at == since:
            first -= 1
        return tuple(self.executions[first:])

    # --- Orders -----------------------------------------------------------------------------------------------

    def submit(self, request: OrderRequest) -> Answer:
        """Take an order, or say why not."""
        if request.client_order_id in self.by_name:
            return Refused(code="40010001", message="client_order_id must be unique")
        if self._strikes("rate_limited"):
            return Refused(code="42910000", message="rate limit exceeded", rate_limited=True)
        if self._strikes("refused"):
            return Refused(code="40310000", message="order refused, without a reason")
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        order = self._made(request)
        self._take_in(order)
        for leg in order.legs:
            self._take_in(leg)
        self._tell(OrderEventKind.NEW, order)
        if self._strikes("rejected_later"):
            self._end(order, OrderStatus.REJECTED, OrderEventKind.REJECTED)
            for leg in order.legs:
                self._end(leg, OrderStatus.CANCELED, OrderEventKind.CANCELED)
        else:
            for each in (order, *(leg for leg in order.legs if leg.works)):
                self._arrive(each)
        return Accepted(order=order.shown())

    def replace(self, broker_order_id: str, change: Replacement) -> Answer:
        """Put an order with other prices in the place of one that works."""
        order = self.orders.get(broker_order_id)
        if order is None:
            return Refused(code="40410000", message="order not found")
        if change.client_order_id in self.by_name:
            return Refused(code="40010001", message="client_order_id must be unique")
        if not order.works:
            return Refused(code="42210000", message=f'order is already in "{order.status}" state')
        if self._strikes("replace_refused"):
            return Refused(code="42210000", message="cannot replace order")
        self._number += 1
        after = SimOrder(
            broker_order_id=f"b{self._number}",
            client_order_id=change.client_order_id,
            symbol=order.symbol,
            side=order.side,
            type=order.type,
            order_class=order.order_class,
            time_in_force=order.time_in_force,
            quantity=order.open_quantity if change.quantity is None else change.quantity,
            limit=order.limit if change.limit_price is None else change.limit_price,
            stop=order.stop if change.stop_price is None else change.stop_price,
            submitted_ns=self.now_ns,
            parent=order.parent,
            legs=order.legs,
            replaces=order.broker_order_id,
            entered=order.entered,
            triggered=order.triggered,
        )
        for leg in after.legs:
            leg.parent = after
        if order.parent is not None:
            order.parent.legs = [after if leg is order else leg for leg in order.parent.legs]
        order.replaced_by = after.broker_order_id
        order.legs = []
        self._take_in(after)
        self._end(order, OrderStatus.REPLACED, OrderEventKind.REPLACED)
        self._tell(OrderEventKind.NEW, after)
        self._arrive(after)
        return Accepted(order=after.shown())

    def cancel(self, broker_order_id: str) -> Requested | Refused:
        """Ask for a cancel; linked orders go with it."""
        order = self.orders.get(broker_order_id)
        if order is None:
            return Refused(code="40410000", message="order not found")
        if order.status.is_terminal:
            return Refused(code="42210000", message=f'order is already in "{order.status}" state')
        if order.status is not OrderStatus.PENDING_CANCEL and self._strikes("cancel_ignored"):
            order.status = OrderStatus.PENDING_CANCEL
            self._tell(OrderEventKind.PENDING_CANCEL, order)
            return Requested()
        self._cancel_with_linked(order)
        return Requested()

    # --- What happens at the broker without us ----------------------------------------------------------------

    def trade_by_hand(self, symbol: str, quantity: Decimal) -> None:
        """A person trades in the account: at the newest price, at once, by an order that is not ours.

        Where resting orders hold the shares that are sold, the person cancels those first.
        """
        price = self._tape.last_price(symbol, self.now_ns)
        if price is None or quantity == 0:
            raise FixInput(f"{symbol} cannot be traded by hand: {quantity} units at {price}")
        held = self.positions.get(symbol, ZERO)
        if held * quantity < 0:
            for order in list(self._live.values()):
                if order.symbol == symbol and (order.side is OrderSide.BUY) == (quantity > 0):
                    self._end(order, OrderStatus.CANCELED, OrderEventKind.CANCELED)
        self._number += 1
        order = SimOrder(
            broker_order_id=f"b{self._number}",
            client_order_id=f"by-hand-{self._number}",
            symbol=symbol,
            side=OrderSide.BUY if quantity > 0 else OrderSide.SELL,
            type=OrderType.MARKET,
            order_class=OrderClass.SIMPLE,
            time_in_force=TimeInForce.DAY,
            quantity=abs(quantity),
            limit=None,
            stop=None,
            submitted_ns=self.now_ns,
        )
        self._take_in(order)
        self._fill(order, Match(price, slips=False), None)

    def split(self, symbol: str, new_shares: int, old_shares: int) -> None:
        """Change the share basis: positions follow, open orders in the symbol are cancelled."""
        for order in list(self._live.values()):
            if order.symbol == symbol:
                self._end(order, OrderStatus.CANCELED, OrderEventKind.CANCELED)
        if symbol in self.positions:
            self.positions[symbol] = self.positions[symbol] * new_shares / old_shares

    # --- Matching ---------------------------------------------------------------------------------------------

    def _match(self, tick: Tick) -> None:
        for bar in tick.bars:
            if bar.symbol in self.halted:
                self._pass_by(bar, tick.phase)
                continue
            orders = [order for order in self._live.values() if order.symbol == bar.symbol]
            if not orders:
                self._pass_by(bar, tick.phase)
                continue
            if tick.phase is Phase.OPEN:
                orders = [order for order in orders if not self._lost(order)]
            held = self.positions.get(bar.symbol, ZERO)
            reducing = sorted((each for each in orders if self._reduces(each, held)), key=_exit_rank)
            # Legs that sleep now take part after their entry, in their own order.
            entering = [each for each in orders if each.works and each not in reducing]
            if tick.phase is Phase.RANGE:
                self._try(entering, bar, tick.phase)
                # Legs that the entry has just woken take part.
                orders = [order for order in self._live.values() if order.symbol == bar.symbol]
                held = self.positions.get(bar.symbol, ZERO)
                reducing = sorted((each for each in orders if self._reduces(each, held)), key=_exit_rank)
                self._try(reducing, bar, tick.phase)
            else:
                self._try(reducing, bar, tick.phase)
                self._try(entering, bar, tick.phase)
            self._pass_by(bar, tick.phase)

    def _pass_by(self, bar: TapeBar, phase: Phase) -> None:
        """What a bar's close does, whether anything of its symbol traded or not."""
        if phase is Phase.CLOSE:
            self._expire(bar)
            if bar.ends_session:
                self._last_equity = self.account().equity_usd or self._last_equity

    def _try(self, orders: list[SimOrder], bar: TapeBar, phase: Phase) -> None:
        for order in orders:
            if not order.works or self._waits(order, bar):
                continue
            found = match(order, bar, phase)
            if order.seen_bar_ns < 0 and phase is not Phase.CLOSE:
                order.seen_bar_ns = bar.start_ns
            if found is None:
                continue
            self._fill(order, found, bar)

    def _waits(self, order: SimOrder, bar: TapeBar) -> bool:
        """An opening order waits for the first bar of a session that begins after it came."""
        if order.time_in_force is not TimeInForce.OPG:
            return False
        return order.submitted_ns > bar.start_ns or not self._begins_session(bar)

    def _begins_session(self, bar: TapeBar) -> bool:
        rows = self._tape.bars[bar.symbol]
        row = bisect_right([each.start_ns for each in rows], bar.start_ns) - 1
        if row == 0:
            return True
        return rows[row - 1].ends_session

    def _arrive(self, order: SimOrder) -> None:
        """An order came while the market may be open: it fills at once if it can."""
        order.arrived_ns = self.now_ns
        bar = self._tape.running(order.symbol, self.now_ns)
        if bar is None or order.symbol in self.halted:
            return
        if order.time_in_force in (TimeInForce.OPG, TimeInForce.CLS):
            return
        since_ns = self.now_ns - bar.start_ns
        grace_ns = min(_OPEN_GRACE_NS, (bar.end_ns - bar.start_ns) // 4)
        if bar.end_ns - self.now_ns <= _CLOSE_LEAD_NS:
            order.at_close = order.type is OrderType.MARKET
            return
        price = bar.open if since_ns <= grace_ns else bar.price_at(self.now_ns)
        found = None
        if order.type is OrderType.MARKET:
            found = Match(price, slips=True, at_open=True)
        elif order.type is OrderType.LIMIT and order.sign * (price - float(order.limit or 0)) <= 0:
            found = Match(price, slips=False, at_open=True)
        elif order.type is OrderType.STOP and order.sign * (price - float(order.stop or 0)) >= 0:
            found = Match(price, slips=True, at_open=True)
        elif order.type is OrderType.STOP_LIMIT and order.sign * (price - float(order.stop or 0)) >= 0:
            order.triggered = True
            if order.sign * (price - float(order.limit or 0)) <= 0:
                found = Match(price, slips=True, at_open=True)
        if found is not None:
            self._at_once.append((self.now_ns + _LATENCY_NS, order, found))

    def _fill_at_once(self) -> None:
        due = [each for each in self._at_once if each[0] <= self.now_ns]
        self._at_once = [each for each in self._at_once if each[0] > self.now_ns]
        for _, order, found in due:
            if order.works:
                order.seen_bar_ns = 0
                self._fill(order, found, self._tape.running(order.symbol, self.now_ns))

    def _fill(self, order: SimOrder, found: Match, bar: TapeBar | None) -> None:
        quantity = order.open_quantity
        if order.part is None and quantity >= 2 and self._strikes("partial"):
            order.part = quantity // 2
            quantity = order.part
        terms, execution = self._config.instrument(order.symbol), self._config.execution
        price = found.price
        if found.slips:
            half_spread = (
                terms.half_spread_bps if terms.half_spread_bps is not None else execution.half_spread_bps
            )
            slippage = terms.slippage_bps if terms.slippage_bps is not None else execution.slippage_bps
            worse = slipped(order.sign, price, half_spread * 1e-4, slippage * 1e-4, 0.0, 0.0)
            price = float(on_tick(order.sign, worse, terms.tick_size))
            if order.type is OrderType.STOP_LIMIT and order.limit is not None:
                price = min(price, float(order.limit)) if order.sign > 0 else max(price, float(order.limit))
        self._book(order, quantity, price)
        if order.status is not OrderStatus.FILLED:
            for other in self._siblings(order):
                other.quantity -= quantity
            return
        # What hangs on it: legs wake, or the sibling goes.
        for leg in order.legs:
            if leg.status is OrderStatus.HELD:
                self._wake(leg, found, bar)
        for other in self._siblings(order):
            self._end(other, OrderStatus.CANCELED, OrderEventKind.CANCELED)

    def _siblings(self, order: SimOrder) -> list[SimOrder]:
        """Orders that share their quantity with this one, and have not ended."""
        if order.parent is not None:
            linked = [order.parent, *order.parent.legs]
        else:
            linked = order.legs if order.order_class is OrderClass.OCO else []
        return [each for each in linked if each is not order and each.works and each.side is order.side]

    def _wake(self, leg: SimOrder, found: Match, bar: TapeBar | None) -> None:
        leg.status = OrderStatus.NEW
        leg.arrived_ns = self.now_ns
        if bar is not None:
            leg.entered = Entered(bar.start_ns, found.price, found.at_open, found.by_limit)
        self._tell(OrderEventKind.NEW, leg)
        if found.at_open and bar is not None:
            price = bar.open if self.now_ns - bar.start_ns <= _OPEN_GRACE_NS else bar.price_at(self.now_ns)
            if leg.type is OrderType.LIMIT and leg.sign * (price - float(leg.limit or 0)) <= 0:
                self._at_once.append((self.now_ns + _LATENCY_NS, leg, Match(price, slips=False)))

    def _book(self, order: SimOrder, quantity: Decimal, price: float) -> None:
        terms, execution = self._config.instrument(order.symbol), self._config.execution
        paid = Decimal(repr(price))
        fee = Decimal(
            repr(
                float(
                    commission(
                        float(quantity),
                        price,
                        terms.commission_per_unit_usd
                        if terms.commission_per_unit_usd is not None
                        else execution.commission_per_unit_usd,
                        (
                            terms.commission_bps
                            if terms.commission_bps is not None
                            else execution.commission_bps
                        )
                        * 1e-4,
                        terms.commission_min_usd
                        if terms.commission_min_usd is not None
                        else execution.commission_min_usd,
                        terms.point_value,
                    )
                )
            )
        )
        signed = quantity if order.side is OrderSide.BUY else -quantity
        order.filled += quantity
        order.paid += quantity * paid
        order.updated_ns = self.now_ns
        self.cash -= signed * paid + fee
        self._move(order.symbol, signed, paid)
        done = order.open_quantity == 0
        order.status = OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED
        if done:
            self._live.pop(order.broker_order_id, None)
        made = Execution(
            execution_id=f"x{len(self.executions) + 1}",
            broker_order_id=order.broker_order_id,
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            quantity=quantity,
            price=paid,
            at=instant(self.now_ns),
            commission_usd=fee,
        )
        self.executions.append(made)
        self._tell(OrderEventKind.FILL if done else OrderEventKind.PARTIAL_FILL, order, made)

    def _move(self, symbol: str, signed: Decimal, price: Decimal) -> None:
        held, cost = self.positions.get(symbol, ZERO), self.costs.get(symbol, ZERO)
        after = held + signed
        if held * signed >= 0:
            cost += signed * price
        elif after * held > 0:
            cost = cost * after / held
        else:
            cost = after * price
        if after == 0:
            self.positions.pop(symbol, None)
            self.costs.pop(symbol, None)
        else:
            self.positions[symbol], self.costs[symbol] = after, cost

    def _expire(self, bar: TapeBar) -> None:
        for order in list(self._live.values()):
            if order.symbol != bar.symbol or order.status.is_terminal:
                continue
            tif = order.time_in_force
            order.at_close = False
            sleeps = order.status is OrderStatus.HELD
            seen = order.seen_bar_ns >= 0
            if tif in _FIRST_BAR_ONLY and seen and not sleeps:
                self._end(order, OrderStatus.CANCELED, OrderEventKind.CANCELED)
            elif tif is TimeInForce.OPG and seen:
                self._end(order, OrderStatus.EXPIRED, OrderEventKind.EXPIRED)
            elif (
                tif is TimeInForce.DAY
                and bar.ends_session
                and not sleeps
                and (seen or order.arrived_ns < bar.end_ns - _CLOSE_LEAD_NS)
            ):
                self._end(order, OrderStatus.EXPIRED, OrderEventKind.EXPIRED)
                for leg in order.legs:
                    if not leg.status.is_terminal:
                        self._end(leg, OrderStatus.CANCELED, OrderEventKind.CANCELED)

    def _lost(self, order: SimOrder) -> bool:
        """A fault: the broker cancels a resting order by itself."""
        resting = order.works and order.type is not OrderType.MARKET
        if not resting or not self._strikes("cancelled_alone"):
            return False
        self._cancel_with_linked(order)
        return True

    # --- Details ----------------------------------------------------------------------------------------------

    def _made(self, request: OrderRequest) -> SimOrder:
        oco = request.order_class is OrderClass.OCO
        order = self._new(
            request,
            request.client_order_id,
            request.side,
            request.type,
            request.limit_price if not oco else request.take_profit_price,
            request.stop_price,
        )
        sides = (request.take_profit_price if not oco else None, request.stop_loss_price)
        for price, type_ in zip(sides, (OrderType.LIMIT, OrderType.STOP), strict=True):
            if price is None:
                continue
            self._number += 1
            leg = self._new(
                request,
                f"leg-{self._number}",
                request.side if oco else request.side.opposite,
                type_,
                price if type_ is OrderType.LIMIT else None,
                price if type_ is OrderType.STOP else None,
            )
            leg.parent = order
            leg.status = OrderStatus.NEW if oco else OrderStatus.HELD
            order.legs.append(leg)
        return order

    def _new(
        self,
        request: OrderRequest,
        name: str,
        side: OrderSide,
        type_: OrderType,
        limit: Decimal | None,
        stop: Decimal | None,
    ) -> SimOrder:
        assert request.quantity is not None, "checked before"
        self._number += 1
        return SimOrder(
            broker_order_id=f"b{self._number}",
            client_order_id=name,
            symbol=request.symbol,
            side=side,
            type=type_,
            order_class=request.order_class,
            time_in_force=request.time_in_force,
            quantity=request.quantity,
            limit=limit,
            stop=stop,
            submitted_ns=self.now_ns,
            updated_ns=self.now_ns,
        )

    def _refusal(self, request: OrderRequest) -> Refused | None:
        if request.symbol not in self._tape.bars:
            return Refused(code="42210000", message=f'asset "{request.symbol}" not found')
        if request.quantity is None:
            return Refused(code="40010001", message="qty is required")
        held = self.positions.get(request.symbol, ZERO)
        signed = request.signed_quantity or ZERO
        if held * signed < 0:
            available = abs(held) - self._held_by_orders(request.symbol)
            if request.quantity > available:
                return Refused(
                    code="40310000",
                    message=f"insufficient qty available for order (requested: {request.quantity}, "
                    f"available: {available})",
                )
            return None
        if signed < 0 and self._config.account.kind != "margin":
            return Refused(code="40310000", message="account is not allowed to short")
        price = request.limit_price or request.stop_price or self._price(request.symbol)
        power = self.account().buying_power_usd or ZERO
        if request.quantity * price > power * Decimal("1.000001"):
            return Refused(code="40310000", message="insufficient buying power")
        return None

    def _held_by_orders(self, symbol: str) -> Decimal:
        """Units that orders to leave hold; linked orders hold them once."""
        total = ZERO
        held = self.positions.get(symbol, ZERO)
        if not held:
            return total
        leaves = OrderSide.SELL if held > 0 else OrderSide.BUY
        counted: set[int] = set()
        for order in self._live.values():
            if order.side is not leaves or order.symbol != symbol or not order.works:
                continue
            root = order.parent or order
            if id(root) not in counted:
                counted.add(id(root))
                total += order.open_quantity
        return total

    def stopped_units(self, symbol: str) -> Decimal:
        """Units that stops and market orders at work would sell."""
        return sum(
            (
                order.open_quantity
                for order in self._live.values()
                if order.side is OrderSide.SELL
                and order.symbol == symbol
                and order.type in (OrderType.STOP, OrderType.MARKET)
                and order.works
            ),
            ZERO,
        )

    def _reduces(self, order: SimOrder, held: Decimal) -> bool:
        return order.sign * float(held) < 0

    def _take_in(self, order: SimOrder) -> None:
        self.orders[order.broker_order_id] = order
        self.by_name[order.client_order_id] = order
        self._live[order.broker_order_id] = order
        self._arrived.append(order)

    def _cancel_with_linked(self, order: SimOrder) -> None:
        root = order.parent or order
        linked = [order, *root.legs, *([root] if order.parent is not None else [])]
        for each in linked:
            if not each.status.is_terminal:
                self._end(each, OrderStatus.CANCELED, OrderEventKind.CANCELED)

    def _end(self, order: SimOrder, status: OrderStatus, kind: OrderEventKind) -> None:
        order.status = status
        order.updated_ns = self.now_ns
        self._live.pop(order.broker_order_id, None)
        self._tell(kind, order)

    def _tell(self, kind: OrderEventKind, order: SimOrder, execution: Execution | None = None) -> None:
        order.updated_ns = self.now_ns
        position = None if execution is None else self.positions.get(order.symbol, ZERO)
        self._events.append(
            (
                self.now_ns,
                OrderEvent(
                    kind=kind,
                    order=order.shown(),
                    at=instant(self.now_ns),
                    execution=execution,
                    position_quantity=position,
                ),
            )
        )

    def _since(self, at_ns: int) -> list[SimOrder]:
        return self._arrived[bisect_left(self._arrived, at_ns, key=_submitted_ns) :]

    def _price(self, symbol: str) -> Decimal:
        price = self._tape.last_price(symbol, self.now_ns)
        if price is None:
            price = self._tape.bars[symbol][0].open
        return Decimal(repr(price))

    def _strikes(self, fault: str) -> bool:
        rate: float = getattr(self.faults, fault)
        struck = rate > 0 and self._chance.random() < rate
        if struck:
            self.struck[fault] += 1
        return struck


def _roots(orders: Iterable[SimOrder]) -> tuple[BrokerOrder, ...]:
    """The orders that these are or hang on, each once, as the broker tells them."""
    found = {id(root): root for root in (order.parent or order for order in orders)}
    return tuple([root.shown() for root in found.values()])


def _submitted_ns(order: SimOrder) -> int:
    return order.submitted_ns


def _exit_rank(order: SimOrder) -> int:
    """Market exits first, then stops, then limits."""
    return {OrderType.MARKET: 0, OrderType.STOP: 1, OrderType.STOP_LIMIT: 1}.get(order.type, 2)
