"""Reconciliation: what the broker tells beside our own book.

What explains itself is taken in; the rest is a difference. Executions that were missed are taken in, whoever's they
are: positions come from executions alone. What an order has become is taken in. Then positions and open orders are
compared. A difference must last for a while before it is one, since the broker's answers were given one after the other
while trading went on.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from magellan.engine import names, purse
from magellan.engine.commands import Severity
from magellan.engine.desk import Desk
from magellan.engine.events import BrokerFacts
from magellan.engine.lookups import Lookups
from magellan.engine.order_watch import OrderWatch
from magellan.engine.setup import Differing
from magellan.ledger.entries import (
    AccountMarked,
    AnswerIs,
    AnswerTo,
    CashMoved,
    Difference,
    ExecutionSeen,
    FlatShown,
    OrderAnswered,
    PositionAdopted,
    Reconciliation,
    TradePlanned,
)
from magellan.trading.account import AccountSnapshot, BrokerPosition
from magellan.trading.order import BrokerOrder, OrderType, TimeInForce
from magellan.trading.session import exchange_date
from magellan.trading.timeframe import SECOND_NS
from magellan.trading.trade_terms import EntryTerms, TradeTerms

_CENT = Decimal("0.01")
_BOOKED_FRACTION_MAX = Decimal("0.001")  # of equity: what a broker books by itself comes to no more at a time
_OTHERS_TOLD_S = 300.0  # of one order that is not ours, a person hears so often
# Of units that no strategy asked for: they are held until a rule of the strategy, or a person, says otherwise.
_NO_TERMS = TradeTerms(
    entry=EntryTerms(type=OrderType.MARKET, time_in_force=TimeInForce.DAY),
    stop=None,
    trail=None,
    targets=(),
    hold_minutes=None,
    hold_bars=None,
    cooldown_bars=0,
    exits_with_session=False,
)


class Reconciler:
    """Compares, at the start and all day."""

    def __init__(self, desk: Desk, lookups: Lookups, order_watch: OrderWatch) -> None:
        self._desk = desk
        self._lookups = lookups
        self._order_watch = order_watch
        self._differs_since: datetime | None = None
        self._told: tuple[Difference, ...] = ()
        self._accepted: tuple[Difference, ...] = ()  # a person has looked at these
        self._positions: tuple[BrokerPosition, ...] = ()
        self._looked_at: set[str] = set()  # executions whose order we have asked ourselves about
        self._has_begun = False
        self.refused = False  # differences stand, and the policy refuses to go on

    def at_start(self, facts: BrokerFacts) -> bool:
        """Take the facts in and compare. False: the session must not begin."""
        first = self._desk.state.book.last_mark is None
        self._take(facts)
        # Before the first entry was ever written, the account is as it is: money is no difference then.
        if first or not self._differences(facts):
            self._settle_cash(facts, first=first)
        if not first:
            self._mark(facts.account, "start")
        self._judge(facts.account)
        found = self._differences(facts)
        result = "agreed"
        if found and self._may_wait():
            result = ""
        elif found:
            result = self._apply_policy(found)
        if result:
            self._note("start", found, result)
        if first:
            self._mark(facts.account, "start")
        self.refused = result == "refused"
        return not self.refused

    def at_any_time(self, facts: BrokerFacts, occasion: str) -> None:
        """Take the facts in and compare, while trading goes on."""
        desk = self._desk
        self._take(facts)
        found = self._differences(facts)
        # Before equity is judged: money that came or went is neither a loss nor a profit.
        if not found:
            self._settle_cash(facts, first=False)
        session = desk.schedule.session_at(desk.now_ns)
        if session is not None and session.on not in desk.state.book.marks_by_day:
            # Before today's equity is judged: what was lost by yesterday's close is not today's loss.
            self._mark(facts.account, "open")
        self._judge(facts.account)
        if not found:
            if self._differs_since is not None and self._told:
                self._note(occasion, (), "agreed")
            self._differs_since, self._told, self.refused = None, (), False
            desk.reconciled_at = desk.now
            desk.due("differs", None)
            return
        if found == self._accepted:
            desk.reconciled_at = desk.now
            return
        if desk.market_rests:
            return  # a split may be half done; it is asked again before the opening
        waits_s = desk.setup.timings.differs_for_s
        if self._differs_since is None:
            self._differs_since = desk.now
        if (desk.now - self._differs_since).total_seconds() < waits_s:
            desk.due("differs", desk.now_ns + int(waits_s * SECOND_NS / 2))
            return
        if found == self._told:
            return
        self._told = found
        result = self._apply_policy(found)
        self.refused = result == "refused"
        self._note(occasion, found, result)
        if not self.refused:
            self._differs_since = None

    def _may_wait(self) -> bool:
        """Whether a difference is better taken over before the opening: at night a split may be half done."""
        return self._desk.market_rests and self._desk.setup.differing is not Differing.REFUSE

    def look_again(self) -> None:
        """A difference was found a moment ago: ask whether it is still there."""
        if self._desk.is_due("differs"):
            self._desk.due("differs", None)
            self._desk.ask()

    def accept(self) -> None:
        """A person has looked at the differences, and says that they may stand."""
        self._accepted = self._told
        self.refused = False
        self._differs_since = None

    # --- Taking in --------------------------------------------------------------------------------------------

    def _take(self, facts: BrokerFacts) -> None:
        desk, state = self._desk, self._desk.state
        desk.account = facts.account
        desk.read_clock(facts.clock)
        desk.told_at = desk.now
        desk.asked_at = None
        self._positions = facts.positions
        for order in facts.orders:
            self._take_order(order)
        self._tell_of_others(facts)
        for execution in facts.executions:
            if execution.execution_id not in state.book.executions:
                desk.note(ExecutionSeen(execution=execution, source="asked"))
                self._order_watch.found(execution)
                desk.touched.add(execution.symbol)
        shown = {each.client_order_id for order in facts.orders for each in (order, *order.legs)}
        for symbol in list(state.active):
            for plan in state.under_way(symbol):
                for ours in state.live(plan):
                    # The broker shows every open order: one that it does not show is over, or its answer is older.
                    if ours.name not in shown and state.is_known(ours):
                        self._lookups.begin(ours.name)
        desk.held_by_others = {}
        for order in facts.orders:
            if not self._is_ours(order) and order.side.sign * state.book.quantity(order.symbol) < 0:
                taken = desk.held_by_others.get(order.symbol, Decimal(0))
                desk.held_by_others[order.symbol] = taken + order.open_quantity
        working = any(not order.status.is_terminal for order in facts.orders)
        whether_flat = FlatShown(flat=not facts.positions and not working)
        if desk.safety.is_news(whether_flat):
            desk.note(whether_flat)
            if whether_flat.flat:
                desk.alert(Severity.WARNING, "flat: the broker shows neither a position nor an open order")

    def _judge(self, account: AccountSnapshot) -> None:
        """What the account is worth now may trip a breaker."""
        desk = self._desk
        if account.equity_usd is not None:
            for tripped in desk.safety.equity(desk.now, account.equity_usd):
                desk.trip(tripped)

    def _take_order(self, order: BrokerOrder) -> None:
        """What became of one of our orders, where that is news. Other people's orders are compared below."""
        desk, state = self._desk, self._desk.state
        name = state.book.client_order_ids.get(order.broker_order_id, order.client_order_id)
        ours = state.orders.get(name)
        if ours is None:
            return
        known = state.book.orders[name]
        legs_known = all(leg.broker_order_id in state.book.client_order_ids for leg in order.legs)
        legs_same = legs_known and all(
            state.book.orders[state.book.client_order_ids[leg.broker_order_id]].status is leg.status
            for leg in order.legs
        )
        news = (
            known.status is not order.status
            or not legs_same
            or known.told is None
            or known.told.filled_quantity < order.filled_quantity
        )
        if news:
            desk.note(
                OrderAnswered(
                    client_order_id=name, to=AnswerTo.LOOK_UP, answer=AnswerIs.ACCEPTED, order=order
                )
            )
            desk.touched.add(ours.symbol)

    def _tell_of_others(self, facts: BrokerFacts) -> None:
        """Tell a person of executions by orders that are not ours: what they move, the session holds from then on."""
        desk, book = self._desk, self._desk.state.book
        others = {
            order.broker_order_id
            for whole in facts.orders
            if whole.symbol in desk.setup.symbols
            for order in (whole, *whole.legs)
            if not self._is_ours(whole) and not self._is_ours(order)
        }
        for execution in facts.executions:
            number = execution.execution_id
            news = number not in self._looked_at and (self._has_begun or number not in book.executions)
            self._looked_at.add(number)
            if news and execution.broker_order_id in others:
                did = "bought" if execution.side.sign > 0 else "sold"
                what = f"{execution.quantity:f} {execution.symbol} at {execution.price:f}"
                desk.alert(
                    Severity.WARNING,
                    f"an order that is not ours {did} {what}; "
                    "the session cares for all that the account holds of it, as for its own",
                    once_s=_OTHERS_TOLD_S,
                    about=f"not ours {execution.broker_order_id}",
                )
        self._has_begun = True

    def _settle_cash(self, facts: BrokerFacts, *, first: bool) -> None:
        """Book what came to the account or left it without a trade.

        A broker tells that its cash is other than our executions make it, and not why. Little is what it books by
        itself: fees, interest, a payment. More is what a person brings or takes out.
        """
        desk, account = self._desk, facts.account
        told = account.cash_usd
        if told is None or not (first or self._is_settled(facts)):
            return
        difference = told - purse.cash(desk)
        if not first and abs(difference) < _CENT:
            return
        worth = account.equity_usd if account.equity_usd is not None else told
        is_profit = not first and abs(difference) <= _BOOKED_FRACTION_MAX * worth
        reason = "the broker has booked it"
        if first:
            reason = "the account's cash when it was first seen"
        elif not is_profit:
            reason = "brought in by a person" if difference > 0 else "taken out by a person"
            desk.alert(
                Severity.WARNING,
                f"{abs(difference)} USD {'came into' if difference > 0 else 'left'} the account without a trade; "
                f"that is {reason}, and neither a profit nor a loss",
            )
        desk.note(
            CashMoved(
                movement_id=f"cash-{desk.setup.session_id}-{desk.now.isoformat()}",
                amount_usd=difference,
                reason=reason,
                symbol=None,
                at=desk.now,
                is_profit=is_profit,
            )
        )

    def _is_settled(self, facts: BrokerFacts) -> bool:
        """Whether the broker told of its cash so long after the newest execution that it has that one in it."""
        newest_at = self._desk.state.newest_execution_at
        lag = timedelta(seconds=self._desk.setup.timings.differs_for_s)
        # Both by the broker's clock, since ours may be wrong.
        cash_at = facts.clock.broker_at - (facts.clock.told_at - facts.account.as_of)
        return newest_at is None or newest_at + lag <= cash_at

    # --- Comparing --------------------------------------------------------------------------------------------

    def _differences(self, facts: BrokerFacts) -> tuple[Difference, ...]:
        state = self._desk.state
        book = state.book
        theirs = {position.symbol: position.quantity for position in facts.positions}
        found = [
            Difference(
                what="position",
                name=symbol,
                ours=f"{book.quantity(symbol):f}",
                brokers=f"{theirs.get(symbol, Decimal(0)):f}",
            )
            for symbol in sorted(theirs.keys() | book.positions.keys())
            if theirs.get(symbol, Decimal(0)) != book.quantity(symbol)
        ]
        found += [
            Difference(
                what="position",
                name=symbol,
                ours="nobody's trade",
                brokers=f"{quantity:f}",
            )
            for symbol, quantity in sorted(theirs.items())
            if quantity == book.quantity(symbol) and self._is_orphan(symbol)
        ]
        for order in facts.orders:
            if order.status.is_terminal or self._is_ours(order):
                continue
            found.append(
                Difference(
                    what="order",
                    name=order.client_order_id or order.broker_order_id,
                    ours="",
                    brokers=f"{order.side} {order.quantity} {order.symbol}, {order.type}, {order.status}",
                )
            )
        return tuple(found)

    def _is_orphan(self, symbol: str) -> bool:
        """Units of a symbol that we trade, held by no plan of ours: nothing protects them."""
        state = self._desk.state
        if symbol not in self._desk.setup.symbols:
            return False
        plan = state.open_plan(symbol)
        return plan is None or (plan.side > 0) != (state.book.quantity(symbol) > 0)

    def _is_ours(self, order: BrokerOrder) -> bool:
        state = self._desk.state
        if order.broker_order_id in state.book.client_order_ids:
            return state.book.client_order_ids[order.broker_order_id] in state.orders
        return order.client_order_id in state.orders or names.parts(order.client_order_id) is not None

    # --- Acting -----------------------------------------------------------------------------------------------

    def _apply_policy(self, found: tuple[Difference, ...]) -> str:
        desk = self._desk
        policy = desk.setup.differing
        words = "; ".join(
            f"{each.what} {each.name}: ours {each.ours or 'none'}, broker's {each.brokers}" for each in found
        )
        if policy is Differing.REFUSE:
            for tripped in desk.safety.differs(desk.now, words):
                desk.note(tripped)
            desk.alert(Severity.CRITICAL, f"the broker and our book differ: {words}")
            return "refused"
        theirs = {position.symbol: position for position in self._positions}
        for each in found:
            if each.what == "position":
                self._adopt(each.name, theirs.get(each.name))
                if policy is Differing.FLATTEN:
                    desk.flatten_unexplained.add(each.name)
            elif policy is Differing.FLATTEN:
                desk.cancel_foreign.add(each.name)
        desk.alert(Severity.WARNING, f"taken over from the broker: {words}")
        return "adopted" if policy is Differing.ADOPT else "flattened"

    def _adopt(self, symbol: str, position: BrokerPosition | None) -> None:
        desk, book = self._desk, self._desk.state.book
        quantity = Decimal(0) if position is None else position.quantity
        moved = quantity - book.quantity(symbol)
        price = None if position is None else position.average_entry_price or position.market_price
        if price is None:
            held = book.positions.get(symbol)
            price = desk.last_price(symbol) or (None if held is None else held.average_price)
        assert price is not None, f"{symbol}: the broker holds it and nobody knows a price"
        if moved:
            self._adopt_units(symbol, moved, price)
        if self._is_orphan(symbol):
            desk.note(
                TradePlanned(
                    plan_id=names.plan_id(
                        desk.setup.began.strategy,
                        desk.setup.account,
                        f"{symbol}+",
                        desk.now_ns,
                        1 if quantity > 0 else -1,
                    ),
                    strategy=desk.setup.began.strategy,
                    symbol=symbol,
                    side=1 if quantity > 0 else -1,
                    signal_bar_at=desk.now,
                    reference_price=float(price),
                    units=abs(quantity),
                    terms=_NO_TERMS,
                    adopted_price=price,
                )
            )
        desk.touched.add(symbol)

    def _adopt_units(self, symbol: str, moved: Decimal, price: Decimal) -> None:
        """Take units over as if they had been bought at that price, with money that came for it: ours paid for none."""
        desk = self._desk
        name = f"{symbol}-{desk.setup.session_id}-{desk.now.isoformat()}"
        reason = "the broker's position is not what executions make it"
        desk.note(
            PositionAdopted(
                adoption_id=f"adopted-{name}",
                strategy=desk.setup.began.strategy,
                symbol=symbol,
                quantity=moved,
                price=price,
                at=desk.now,
                reason=reason,
            )
        )
        desk.note(
            CashMoved(
                movement_id=f"cash-{name}",
                amount_usd=moved * price,
                reason=reason,
                symbol=symbol,
                at=desk.now,
                is_profit=False,
            )
        )

    def _note(self, occasion: str, found: tuple[Difference, ...], result: str) -> None:
        desk = self._desk
        desk.note(
            Reconciliation(
                occasion=occasion, differences=found, policy=str(desk.setup.differing), result=result
            )
        )
        if result != "refused":
            desk.reconciled_at = desk.now
        self._told = found

    def _mark(self, account: AccountSnapshot, occasion: str) -> None:
        desk = self._desk
        desk.note(
            AccountMarked(
                session_on=exchange_date(desk.now),
                cash_usd=account.cash_usd,
                equity_usd=account.equity_usd,
                last_equity_usd=account.last_equity_usd,
                buying_power_usd=account.buying_power_usd,
                occasion=occasion,
            )
        )
