"""Flatten an account at its broker, with no session's help: cancel every order, leave every position, look.

It needs nothing but the broker: it works while the session hangs, while the ledger is held, and while the broker
refuses every other request. Each order has a name that follows from the request, the symbol and a count, so that an
order whose answer was lost is looked up, and sent again under the same name at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, TypeVar

from magellan.engine import names
from magellan.errors import FixInput, TryAgain
from magellan.ledger.entries import (
    AnswerIs,
    AnswerTo,
    CancelIntended,
    ExecutionSeen,
    NewEntry,
    OrderAnswered,
    OrderIntended,
    Payload,
    PositionAdopted,
)
from magellan.ports.broker import Accepted, Broker, Refused, Requested, Unknown
from magellan.trading.account import BrokerPosition
from magellan.trading.bar import nanoseconds
from magellan.trading.order import BrokerOrder, Execution, OrderRequest, OrderSide, OrderStatus
from magellan.trading.purpose import OrderPurpose
from magellan.usecases.named_account import must_open

FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 2.0
LAST_QUESTIONS_S: Final = 10.0  # for what became of it all, when everything else is over
KEYS_REFUSED: Final = 3  # as often in a row, and they are wrong
_OVERLAP: Final = timedelta(minutes=1)  # of what the record holds and what the broker is asked for
REASON: Final = "flattened"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flattened:
    """What a flatten came to. `positions` and `open_orders` as the broker last told them; None: it never did."""

    flat: bool
    positions: tuple[BrokerPosition, ...] | None
    open_orders: tuple[BrokerOrder, ...] | None
    cancelled: int  # orders whose cancel was asked for
    sent: tuple[str, ...]  # client_order_id of each order sent
    trouble: str  # the last thing that went wrong; "" when nothing did
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Flattening:
    """One request to flatten, and everything that it is carried out with."""

    broker: Broker
    account: str  # of the ledger
    number: str  # that the broker must name
    strategy: str  # whose positions these are, for the record; "" where nobody knows
    asked_at: datetime  # aware, UTC: the names of orders follow from it
    record: Callable[[Sequence[Payload]], None]  # keeps what is about to be done, durably
    known_executions: frozenset[str] = frozenset()
    known_orders: frozenset[str] = frozenset()  # by client_order_id: those that the record names
    units: Mapping[str, Decimal] | None = None  # held by the record's book, by symbol; None: nobody knows
    executions_since: datetime | None = None  # of which the record knows all before; None: since it began
    tell: Callable[[str], None] = lambda text: None
    monotonic_s: Callable[[], float] = lambda: asyncio.get_running_loop().time()
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def carry_out(self, within_s: float) -> Flattened:
        """Go on until the broker shows neither a position nor an open order, or the time is over.

        Raises: FixInput when the broker refuses the keys again and again, or they open another account; AskOperator
        when what is about to be done cannot be recorded.
        """
        return await _Rounds(self, within_s).run()


class _Trouble(Exception):
    """This round cannot go on."""


@dataclass(slots=True)
class _Sent:
    """The newest order for a symbol."""

    request: OrderRequest
    count: int
    arrived: bool | None  # None: nobody knows
    refused: bool = False


@dataclass(slots=True)
class _Rounds:
    asked: Flattening
    within_s: float
    positions: tuple[BrokerPosition, ...] | None = None
    open_orders: tuple[BrokerOrder, ...] | None = None
    is_ours: bool = False  # the broker has named the account
    began_at: datetime | None = None  # on the broker's clock
    prices: dict[str, Decimal | None] = field(default_factory=dict)  # at which what is left was entered
    cancelled: set[str] = field(default_factory=set)
    sent: dict[str, _Sent] = field(default_factory=dict)  # by symbol
    names: list[str] = field(default_factory=list)

    async def run(self) -> Flattened:
        asked = self.asked
        began_s = asked.monotonic_s()
        pause_s, trouble, keys_refused = FIRST_PAUSE_S, "", 0
        shown: object = None
        while True:
            left_s = began_s + self.within_s - asked.monotonic_s()
            try:
                flat = await asyncio.wait_for(self._round(), max(left_s, 0.001))
                trouble, keys_refused = "", 0
                if flat:
                    break
                if shown != (shown := self._shown()):
                    pause_s = FIRST_PAUSE_S  # it goes on
            except FixInput as error:
                keys_refused += 1
                trouble = error.message
                if keys_refused == KEYS_REFUSED:
                    raise
            except (TryAgain, _Trouble) as error:
                keys_refused = 0
                trouble = str(error).splitlines()[0]
                if shown != (shown := self._shown()):
                    pause_s = FIRST_PAUSE_S
                asked.tell(f"not yet: {trouble}; again in {pause_s:g} s")
            except TimeoutError:
                flat, trouble = False, trouble or "the broker does not answer"
                break
            if asked.monotonic_s() - began_s + pause_s >= self.within_s:
                flat = False
                break
            await asked.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        await self._note_what_became_of_it()
        return Flattened(
            flat=flat,
            positions=self.positions,
            open_orders=self.open_orders,
            cancelled=len(self.cancelled),
            sent=tuple(self.names),
            trouble="" if flat else trouble,
            took_s=asked.monotonic_s() - began_s,
        )

    async def _round(self) -> bool:
        """Ask, cancel, send. True: the broker shows an account that is flat."""
        broker = self.asked.broker
        if not self.is_ours:
            must_open((await broker.account()).account_id, self.asked.number)
            self.began_at = (await broker.clock()).at
            self.is_ours = True
        # What fails keeps nothing else from being tried. Orders come first: one that fills between the two answers
        # shows as a position.
        troubles: list[str] = []
        orders = await _tried(broker.open_orders(), troubles)
        positions = await _tried(broker.positions(), troubles)
        if orders is not None:
            self.open_orders = orders
            ours = {each.request.client_order_id for each in self.sent.values()}
            for order in _each(orders):
                if order.client_order_id not in ours and order.status is not OrderStatus.PENDING_CANCEL:
                    await _tried(self._cancel(order), troubles)
        if positions is not None:
            self.positions = positions
            for position in positions:
                self.prices.setdefault(position.symbol, position.average_entry_price or position.market_price)
            for position in positions:
                await _tried(self._leave(position), troubles)
        if troubles:
            raise _Trouble("; ".join(dict.fromkeys(troubles)))
        return not orders and not positions

    def _shown(self) -> object:
        """What the broker shows, without its prices and times."""
        return (
            [(each.symbol, each.quantity, each.available) for each in self.positions or ()],
            [(each.broker_order_id, each.status) for each in _each(self.open_orders or ())],
        )

    async def _cancel(self, order: BrokerOrder) -> None:
        if order.broker_order_id not in self.cancelled:
            self.cancelled.add(order.broker_order_id)
            self.asked.record(
                (
                    CancelIntended(
                        client_order_id=order.client_order_id,
                        broker_order_id=order.broker_order_id,
                        reason=REASON,
                    ),
                )
            )
        answer = await self.asked.broker.cancel(order.broker_order_id)
        # Refused for what it is: it has filled or gone, which the next round sees.
        if not isinstance(answer, Requested) and not (
            isinstance(answer, Refused) and not answer.rate_limited
        ):
            raise _Trouble(f"the cancel of {order.client_order_id} was not taken: {_why(answer)}")

    async def _leave(self, position: BrokerPosition) -> None:
        symbol = position.symbol
        before = self.sent.get(symbol)
        if before is not None and await self._is_under_way(before):
            return
        free = abs(position.quantity if position.available is None else position.available)
        quantity = min(free, abs(position.quantity))
        if quantity == 0:
            return  # orders hold all of it until their cancels are done
        if before is not None and before.arrived is False and _units(before) <= quantity:
            again = before  # it never arrived: the same order, under the same name
        else:
            again = self._next(position, quantity, 1 if before is None else before.count + 1)
            self.sent[symbol] = again
            self.names.append(again.request.client_order_id)
            self.asked.record(
                (
                    OrderIntended(
                        strategy=self.asked.strategy,
                        purpose=OrderPurpose.FLATTEN,
                        request=again.request,
                        reason=REASON,
                    ),
                )
            )
        await self._send(again)

    def _next(self, position: BrokerPosition, quantity: Decimal, count: int) -> _Sent:
        sells = position.quantity > 0
        plan = names.plan_id(
            "flatten",
            self.asked.account,
            position.symbol,
            nanoseconds(self.asked.asked_at),
            1 if sells else -1,
        )
        request = OrderRequest(
            client_order_id=names.order_name(plan, names.FLATTEN, 0, count),
            symbol=position.symbol,
            side=OrderSide.SELL if sells else OrderSide.BUY,
            quantity=quantity,
        )
        return _Sent(request=request, count=count, arrived=None)

    async def _send(self, order: _Sent) -> None:
        name = order.request.client_order_id
        answer = await self.asked.broker.submit(order.request)
        match answer:
            case Accepted(order=told):
                order.arrived = True
                self._answered(name, AnswerIs.ACCEPTED, told)
            case Refused(rate_limited=True):
                order.arrived = False
                raise _Trouble(f"{name} was refused unread: {answer.message}")
            case Refused():
                order.arrived, order.refused = True, True
                self._answered(name, AnswerIs.REFUSED, None, answer)
                raise _Trouble(f"{name} was refused: {answer.message}")
            case _:
                order.arrived = None
                self._answered(name, AnswerIs.UNKNOWN, None, answer)
                raise _Trouble(f"nobody knows whether {name} arrived: {answer.why}")

    async def _is_under_way(self, sent: _Sent) -> bool:
        """Whether the newest order of a symbol may still fill. Says of one whose answer was lost whether it arrived."""
        if sent.arrived is False or sent.refused:
            return False
        told = await self.asked.broker.order(sent.request.client_order_id)
        if told is None:
            # The broker says that it has none of that name. If it is wrong, it refuses the name a second time.
            sent.arrived = False
            return False
        if sent.arrived is None:
            sent.arrived = True
            self._answered(sent.request.client_order_id, AnswerIs.ACCEPTED, told)
        return not told.status.is_terminal

    def _answered(
        self, name: str, answer: AnswerIs, order: BrokerOrder | None, said: Refused | Unknown | None = None
    ) -> None:
        self.asked.record(
            (
                OrderAnswered(
                    client_order_id=name,
                    to=AnswerTo.SUBMIT,
                    answer=answer,
                    order=order,
                    code=said.code if isinstance(said, Refused) else "",
                    message="" if said is None else _why(said),
                ),
            )
        )

    async def _note_what_became_of_it(self) -> None:
        """Record fills and orders, so that the book is right at once; the next session would find them too."""
        asked = self.asked
        if self.began_at is None:
            return  # the broker has not told anything, and nothing was done
        since = min(asked.executions_since or self.began_at, self.began_at) - _OVERLAP
        try:
            async with asyncio.timeout(LAST_QUESTIONS_S):
                executions, orders = await self._since(since)
        except (FixInput, TimeoutError):
            asked.tell("the broker does not tell what changed hands; the next session asks it")
            return
        ours = {*self.names, *asked.known_orders}
        news = [each for each in executions if each.execution_id not in asked.known_executions]
        found: list[Payload] = list(self._never_told(news))
        found += [ExecutionSeen(execution=each, source="flatten") for each in news]
        found += [
            OrderAnswered(
                client_order_id=each.client_order_id,
                to=AnswerTo.LOOK_UP,
                answer=AnswerIs.ACCEPTED,
                order=each,
            )
            for each in orders
            if each.client_order_id in ours
        ]
        if found:
            asked.record(tuple(found))

    def _never_told(self, news: Sequence[Execution]) -> Iterator[PositionAdopted]:
        """Units that were left and that the record had never heard of: without them it would hold the opposite."""
        asked = self.asked
        if asked.units is None or self.positions is None:
            return
        left = {each.symbol: each.quantity for each in self.positions}
        for symbol, price in self.prices.items():
            moved = sum((each.signed_quantity for each in news if each.symbol == symbol), Decimal(0))
            missing = left.get(symbol, Decimal(0)) - asked.units.get(symbol, Decimal(0)) - moved
            if missing and price is not None:
                yield PositionAdopted(
                    adoption_id=f"flatten-{asked.asked_at.isoformat()}-{symbol}",
                    strategy=asked.strategy,
                    symbol=symbol,
                    quantity=missing,
                    price=price,
                    at=self.began_at or asked.asked_at,
                    reason="the broker held it when the account was flattened",
                )

    async def _since(self, at: datetime) -> tuple[tuple[Execution, ...], tuple[BrokerOrder, ...]]:
        broker = self.asked.broker
        while True:
            try:
                return await broker.executions_since(at), await broker.orders_since(at)
            except TryAgain:
                await self.asked.sleep(FIRST_PAUSE_S)


def entries_of(
    payloads: Sequence[Payload], *, session: str, now: Callable[[], datetime]
) -> tuple[NewEntry, ...]:
    """The payloads as entries of one command."""
    at = now()
    return tuple(NewEntry(at=at, session=session, payload=each) for each in payloads)


async def _tried(step: Awaitable[T], troubles: list[str]) -> T | None:
    """What a step answers; None, and a word among the troubles, where it got no answer."""
    try:
        return await step
    except (TryAgain, _Trouble) as error:
        troubles.append(str(error).splitlines()[0])
        return None


def _each(orders: Sequence[BrokerOrder]) -> list[BrokerOrder]:
    """Orders and legs that may still fill."""
    return [each for order in orders for each in (order, *order.legs) if not each.status.is_terminal]


def _units(sent: _Sent) -> Decimal:
    assert sent.request.quantity is not None, "a flatten sells units"
    return sent.request.quantity


def _why(answer: object) -> str:
    return answer.message if isinstance(answer, Refused) else getattr(answer, "why", "")
