"""The simulated broker's core: one account whose orders are matched by bars. Synchronous; time comes in as ns UTC.

What it does to orders is what the local paper exchange and Alpaca do: brackets wake when their entry is filled whole,
one of two linked orders cancels the other, shares that orders hold cannot be sold again, a name is used once.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter
from datetime import datetime
from decimal import Decimal

from magellan.adapters.simulated.account_orders import AccountOrders, shown, siblings
from magellan.adapters.simulated.bar_tape import MILLISECOND_NS, BarTape, Phase, TapeBar, Tick
from magellan.adapters.simulated.faults import NO_FAULTS, BrokerFaults
from magellan.adapters.simulated.holdings import Holdings
from magellan.adapters.simulated.matching import Match, match, match_now
from magellan.adapters.simulated.sim_order import ZERO, Entered, SimOrder
from magellan.backtest.fill_model import commission, on_tick, slipped, whole_steps
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
from magellan.workspace.fill_costs import FillCosts

_LATENCY_NS = 5 * MILLISECOND_NS  # from an order's arrival to its fill, when it can fill at once
_OPEN_GRACE_NS = 15 * SECOND_NS  # after a bar's start, at most a quarter of it: what comes then gets the open
_CLOSE_LEAD_NS = 3 * SECOND_NS // 2  # before a bar's end: what comes then gets the close
_FIRST_BAR_ONLY = (TimeInForce.IOC, TimeInForce.FOK)


class BrokerCore:
    """One account. `advance` matches orders up to an instant; what happened is in `take_events`.

    config: costs, account and instruments, as a backtest of the same strategy reads them.
    Raises: FixInput for a config whose stops or limits fill at their level even when a bar opens beyond it.
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
        terms = config.execution
        if "at-level" in (terms.stop_fill, terms.limit_fill):
            raise FixInput(
                "this config fills stops or limits at their level even when a bar opens beyond it: no broker does",
                next_step='set execution.stop_fill and execution.limit_fill to "gap-aware"',
            )
        self._tape = tape
        self._config = config
        self._through = terms.limit_needs == "through"
        self._takes_share = bool(terms.impact) or terms.volume_share_max is not None
        self._taken: dict[tuple[str, int], Decimal] = {}  # units of a bar's volume, by symbol and start
        self._chance = random.Random(f"broker {seed}")
        self.faults = faults
        self.account_id = account_id
        self.now_ns = 0
        self.holdings = Holdings(Decimal(repr(config.account.cash_usd)))
        self.orders = AccountOrders()
        self.executions: list[Execution] = []
        self.halted: set[str] = set()
        self.struck: Counter[str] = Counter()  # faults, by name
        self._costs = {each: FillCosts.of(config.execution, config.instrument(each)) for each in tape.bars}
        self._at_once: list[tuple[int, SimOrder, Match]] = []  # when each fills, the soonest first
        self._next_tick = 0
        self._last_equity = self.holdings.cash

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
        return self.orders.take_events()

    # --- Questions --------------------------------------------------------------------------------------------

    def account(self, *, as_of: datetime | None = None) -> AccountSnapshot:
        """What the account is worth now. as_of: when it was told, by the clock of whoever asked."""
        equity = self.holdings.cash + sum(
            (quantity * self._price(symbol) for symbol, quantity in self.holdings.positions.items()), ZERO
        )
        margin = self._config.account.kind == "margin"
        leverage = Decimal(repr(self._config.account.leverage)) if margin else Decimal(1)
        return AccountSnapshot(
            account_id=self.account_id,
            as_of=instant(self.now_ns) if as_of is None else as_of,
            cash_usd=self.holdings.cash,
            equity_usd=equity,
            last_equity_usd=self._last_equity,
            buying_power_usd=max(equity * leverage, ZERO) if margin else max(self.holdings.cash, ZERO),
            multiplier=leverage,
            shorting_enabled=margin,
            trading_blocked=False,
        )

    def positions_told(self) -> tuple[BrokerPosition, ...]:
        if not self.holdings.positions:
            return ()
        at = instant(self.now_ns)
        return tuple(
            BrokerPosition(
                symbol=symbol,
                quantity=quantity,
                available=abs(quantity) - self.held_by_orders(symbol),
                average_entry_price=self.holdings.average_entry_price(symbol),
                market_price=self._price(symbol),
                as_of=at,
            )
            for symbol, quantity in self.holdings.positions.items()
        )

    def open_orders(self) -> tuple[BrokerOrder, ...]:
        return shown(self.orders.open())

    def orders_since(self, at_ns: int) -> tuple[BrokerOrder, ...]:
        return shown(self.orders.since(at_ns))

    def open_orders_and_since(self, at_ns: int) -> tuple[BrokerOrder, ...]:
        """Orders since an instant, and then those that are older and open."""
        return shown((*self.orders.since(at_ns), *self.orders.open()))

    def order(self, client_order_id: str) -> BrokerOrder | None:
        found = self.orders.by_name.get(client_order_id)
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
        if request.client_order_id in self.orders.by_name:
            return Refused(code="40010001", message="client_order_id must be unique")
        if self._strikes("rate_limited"):
            return Refused(code="42910000", message="rate limit exceeded", rate_limited=True)
        if self._strikes("refused"):
            return Refused(code="40310000", message="order refused, without a reason")
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        order = self.orders.made(request, self.now_ns)
        for each in (order, *order.legs):
            self.orders.take_in(each)
        self._tell(OrderEventKind.NEW, order)
        if self._strikes("rejected_later"):
            self.orders.end(order, OrderStatus.REJECTED, OrderEventKind.REJECTED, self.now_ns)
            for leg in order.legs:
                self._cancel(leg)
        else:
            for each in (order, *(leg for leg in order.legs if leg.works)):
                self._arrive(each)
        return Accepted(order=order.shown())

    def replace(self, broker_order_id: str, change: Replacement) -> Answer:
        """Put an order with other prices in the place of one that works."""
        order = self.orders.by_id.get(broker_order_id)
        if order is None:
            return Refused(code="40410000", message="order not found")
        if change.client_order_id in self.orders.by_name:
            return Refused(code="40010001", message="client_order_id must be unique")
        if not order.works:
            return Refused(code="42210000", message=f'order is already in "{order.status}" state')
        if self._strikes("replace_refused"):
            return Refused(code="42210000", message="cannot replace order")
        after = SimOrder(
            broker_order_id=f"b{self.orders.next_number()}",
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
        self.orders.take_in(after)
        self.orders.end(order, OrderStatus.REPLACED, OrderEventKind.REPLACED, self.now_ns)
        self._tell(OrderEventKind.NEW, after)
        self._arrive(after)
        return Accepted(order=after.shown())

    def cancel(self, broker_order_id: str) -> Requested | Refused:
        """Ask for a cancel; linked orders go with it."""
        order = self.orders.by_id.get(broker_order_id)
        if order is None:
            return Refused(code="40410000", message="order not found")
        if order.status.is_terminal:
            return Refused(code="42210000", message=f'order is already in "{order.status}" state')
        if order.status is not OrderStatus.PENDING_CANCEL and self._strikes("cancel_ignored"):
            order.status = OrderStatus.PENDING_CANCEL
            self._tell(OrderEventKind.PENDING_CANCEL, order)
            return Requested()
        self.orders.cancel_with_linked(order, self.now_ns)
        return Requested()

    # --- What happens at the broker without us ----------------------------------------------------------------

    def trade_by_hand(self, symbol: str, quantity: Decimal) -> None:
        """A person trades in the account: at the newest price, at once, by an order that is not ours.

        Where resting orders hold the shares that are sold, the person cancels those first.
        """
        price = self._tape.last_price(symbol, self.now_ns)
        if price is None or quantity == 0:
            raise FixInput(f"{symbol} cannot be traded by hand: {quantity} units at {price}")
        if self._held(symbol) * quantity < 0:
            for order in self.orders.open_in(symbol):
                if (order.side is OrderSide.BUY) == (quantity > 0):
                    self._cancel(order)
        number = self.orders.next_number()
        order = SimOrder(
            broker_order_id=f"b{number}",
            client_order_id=f"by-hand-{number}",
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
        self.orders.take_in(order)
        self._fill(order, Match(price, slips=False), None)

    def split(self, symbol: str, new_shares: int, old_shares: int) -> None:
        """Change the share basis: positions follow, open orders in the symbol are cancelled."""
        for order in self.orders.open_in(symbol):
            self._cancel(order)
        self.holdings.split(symbol, new_shares, old_shares)

    # --- Matching ---------------------------------------------------------------------------------------------

    def _match(self, tick: Tick) -> None:
        for bar in tick.bars:
            if bar.symbol in self.halted:
                self._pass_by(bar, tick.phase)
                continue
            orders = self.orders.open_in(bar.symbol)
            if not orders:
                self._pass_by(bar, tick.phase)
                continue
            if tick.phase is Phase.OPEN:
                orders = [order for order in orders if not self._lost(order)]
            reducing = self._reducing(orders, bar.symbol)
            # Legs that sleep now take part after their entry, in their own order.
            entering = [each for each in orders if each.works and each not in reducing]
            if tick.phase is Phase.RANGE:
                self._try(entering, bar, tick.phase)
                # Legs that the entry has just woken take part.
                orders = self.orders.open_in(bar.symbol)
                self._try(self._reducing(orders, bar.symbol), bar, tick.phase)
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
            found = match(order, bar, phase, through=self._through)
            if order.seen_bar_ns < 0 and phase is not Phase.CLOSE:
                order.seen_bar_ns = bar.start_ns
            if found is None:
                continue
            self._fill(order, found, bar)

    def _waits(self, order: SimOrder, bar: TapeBar) -> bool:
        """An opening order waits for the first bar of a session that begins after it came."""
        if order.time_in_force is not TimeInForce.OPG:
            return False
        return order.submitted_ns > bar.start_ns or not self._tape.begins_session(bar)

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
        found = match_now(order, price)
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
        share = 0.0
        if self._takes_share and bar is not None:
            taken = self._taken.get((order.symbol, bar.start_ns), ZERO)
            quantity = min(quantity, self._room(bar) - taken)
            if quantity <= 0 or (order.time_in_force is TimeInForce.FOK and quantity < order.open_quantity):
                return
            self._taken[order.symbol, bar.start_ns] = taken = taken + quantity
            share = min(1.0, float(taken) / bar.volume) if bar.volume > 0 else 1.0
        price = found.price
        if found.slips:
            costs, tick_size = self._costs[order.symbol], self._config.instrument(order.symbol).tick_size
            impact = self._config.execution.impact
            worse = slipped(order.sign, price, costs.half_spread_rate, costs.slippage_rate, impact, share)
            price = float(on_tick(order.sign, worse, tick_size))
            if order.type is OrderType.STOP_LIMIT and order.limit is not None:
                price = min(price, float(order.limit)) if order.sign > 0 else max(price, float(order.limit))
        self._book(order, quantity, price)
        if order.status is not OrderStatus.FILLED:
            for other in siblings(order):
                other.quantity -= quantity
            return
        # What hangs on it: legs wake, or the sibling goes.
        for leg in order.legs:
            if leg.status is OrderStatus.HELD:
                self._wake(leg, found, bar)
        for other in siblings(order):
            self._cancel(other)

    def _room(self, bar: TapeBar) -> Decimal:
        """Units of a bar's volume that the account may take in all; without a bound, more than there are."""
        most = self._config.execution.volume_share_max
        if most is None:
            return Decimal("Infinity")
        return Decimal(
            repr(whole_steps(most * bar.volume, self._config.instrument(bar.symbol).quantity_step))
        )

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
        costs, paid = self._costs[order.symbol], Decimal(repr(price))
        fee = Decimal(
            repr(
                float(
                    commission(
                        float(quantity),
                        price,
                        costs.commission_per_unit_usd,
                        costs.commission_rate,
                        costs.commission_min_usd,
                        self._config.instrument(order.symbol).point_value,
                    )
                )
            )
        )
        self.holdings.trade(order.symbol, quantity if order.side is OrderSide.BUY else -quantity, paid, fee)
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
        self.orders.filled(order, made, self.now_ns, self._held(order.symbol))

    def _expire(self, bar: TapeBar) -> None:
        for order in self.orders.open_in(bar.symbol):
            if order.status.is_terminal:  # it went with one before it
                continue
            tif = order.time_in_force
            order.at_close = False
            sleeps = order.status is OrderStatus.HELD
            seen = order.seen_bar_ns >= 0
            if tif in _FIRST_BAR_ONLY and seen and not sleeps:
                self._cancel(order)
            elif tif is TimeInForce.OPG and seen:
                self._expired(order)
            elif (
                tif is TimeInForce.DAY
                and bar.ends_session
                and not sleeps
                and (seen or order.arrived_ns < bar.end_ns - _CLOSE_LEAD_NS)
            ):
                self._expired(order)
                for leg in order.legs:
                    if not leg.status.is_terminal:
                        self._cancel(leg)

    def _lost(self, order: SimOrder) -> bool:
        """A fault: the broker cancels a resting order by itself."""
        resting = order.works and order.type is not OrderType.MARKET
        if not resting or not self._strikes("cancelled_alone"):
            return False
        self.orders.cancel_with_linked(order, self.now_ns)
        return True

    # --- Details ----------------------------------------------------------------------------------------------

    def _refusal(self, request: OrderRequest) -> Refused | None:
        if request.symbol not in self._tape.bars:
            return Refused(code="42210000", message=f'asset "{request.symbol}" not found')
        if request.quantity is None:
            return Refused(code="40010001", message="qty is required")
        held = self._held(request.symbol)
        signed = request.signed_quantity or ZERO
        if held * signed < 0:
            available = abs(held) - self.held_by_orders(request.symbol)
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

    def held_by_orders(self, symbol: str) -> Decimal:
        """Units of the position that orders to leave it hold; linked orders hold them once."""
        return self.orders.held_by_orders(symbol, self._held(symbol))

    def _held(self, symbol: str) -> Decimal:
        return self.holdings.positions.get(symbol, ZERO)

    def _reducing(self, orders: list[SimOrder], symbol: str) -> list[SimOrder]:
        """Those that make the position smaller, in the order in which they take their turn."""
        held = float(self._held(symbol))
        return sorted((each for each in orders if each.sign * held < 0), key=_exit_rank)

    def _cancel(self, order: SimOrder) -> None:
        self.orders.cancel(order, self.now_ns)

    def _expired(self, order: SimOrder) -> None:
        self.orders.end(order, OrderStatus.EXPIRED, OrderEventKind.EXPIRED, self.now_ns)

    def _tell(self, kind: OrderEventKind, order: SimOrder) -> None:
        self.orders.tell(kind, order, self.now_ns)

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


def _exit_rank(order: SimOrder) -> int:
    """Market exits first, then stops, then limits."""
    return {OrderType.MARKET: 0, OrderType.STOP: 1, OrderType.STOP_LIMIT: 1}.get(order.type, 2)
