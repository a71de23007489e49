"""What Robinhood tells of an account's orders, by the names that we gave them.

An order is told on by its name, or not at all while nobody knows whether it is ours. Every order that is told is
remembered for as long as something may happen to it: that is what there is to ask about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from magellan.adapters.robinhood.call_budget import Urgency
from magellan.adapters.robinhood.order_json import OPEN_STATES, ToldOrder
from magellan.adapters.robinhood.order_names import OrderNames
from magellan.adapters.robinhood.questions import Questions, RobinhoodSilent
from magellan.errors import AskOperator
from magellan.trading.order import BrokerOrder, Execution

_NEW_ORDERS: Final = timedelta(minutes=10)  # that a question about orders looks back
_ONE_BY_ONE: Final = 3  # of the orders that have gone from among those that rest, at a time


class KnownOrders:
    """The orders of one account."""

    def __init__(self, ask: Questions, names: OrderNames, clock: Callable[[], datetime]) -> None:
        self._ask = ask
        self._names = names
        self._clock = clock
        self._settling = asyncio.Lock()
        self._seen: dict[str, tuple[datetime, datetime | None]] = {}  # by id: created, and over since

    @property
    def any_works(self) -> bool:
        """Whether an order is known to which something may still happen."""
        return any(over is None for _, over in self._seen.values())

    async def open(self) -> tuple[BrokerOrder, ...]:
        """Every order that is not over."""
        found: dict[str, ToldOrder] = {}
        for state in OPEN_STATES:
            found |= {each.id: each for each in await self._ask.orders(state=state)}
        return await self._named(found.values())

    async def since(self, at: datetime) -> tuple[BrokerOrder, ...]:
        """Every order that was created then or later, oldest first."""
        return await self._named(await self._ask.orders(since=at))

    async def named(self, name: str) -> BrokerOrder | None:
        """The order of that name; None: Robinhood shows none like it.

        Raises: RobinhoodSilent where it does not show one that it had accepted; AskOperator where nobody can say which
        one it is.
        """
        number = self._names.number(name)
        if number is None:
            found = await self._found(name)
            return None if found is None else found.named(name)
        orders = await self._ask.orders(order_id=number, urgency=Urgency.LOOK_UP)
        if not orders:
            raise RobinhoodSilent(f"Robinhood tells nothing of {name}, which it had accepted")
        return self.note(orders[0]).named(name)

    async def executions_since(self, at: datetime) -> tuple[Execution, ...]:
        """Every execution at that instant or later, oldest first."""
        await self._settle()
        found: list[Execution] = []
        for order in await self._ask.orders(since=self._oldest_at(at)):
            name = self._names.name_of(self.note(order))
            if name is not None:
                found += [each for each in order.executions(name) if each.at >= at]
        return tuple(sorted(found, key=lambda each: (each.at, each.execution_id)))

    async def lately(self) -> list[tuple[ToldOrder, str]]:
        """Orders that may have changed, with their names.

        The new ones, those that rest, and what has gone from among them, one by one: not everything since the oldest.
        """
        for number, sent_at in self._names.resting.items():
            self._seen.setdefault(number, (sent_at, None))
        new = await self._ask.orders(since=self._clock() - _NEW_ORDERS, urgency=Urgency.LOOK_UP)
        found = {order.id: order for order in new}
        older = [number for number, (_, over) in self._seen.items() if over is None and number not in found]
        if older:
            resting = await self._ask.orders(state="confirmed", urgency=Urgency.LOOK_UP)
            found |= {order.id: order for order in resting}
            for number in [each for each in older if each not in found][:_ONE_BY_ONE]:
                gone = await self._ask.orders(order_id=number, urgency=Urgency.LOOK_UP)
                found |= {order.id: order for order in gone}
        named = [(self.note(order), self._names.name_of(order)) for order in found.values()]
        return [(order, name) for order, name in named if name is not None]

    def note(self, order: ToldOrder) -> ToldOrder:
        """Remember an order that was told."""
        over = (order.updated_at or order.created_at) if order.status.is_terminal else None
        self._seen[order.id] = (order.created_at, over)
        return order

    async def _found(self, name: str) -> ToldOrder | None:
        """An order whose answer was lost, by what was asked for."""
        sent = self._names.without_number(name)
        if sent is None:
            return None
        orders = await self._ask.orders(
            since=sent.sent_at - timedelta(minutes=1), symbol=sent.request.symbol, urgency=Urgency.LOOK_UP
        )
        found = self._names.find(sent, orders)
        return None if found is None else self.note(found)

    async def _settle(self) -> None:
        """Find what became of orders whose answers were lost, so that what is told can be named."""
        async with self._settling:
            for sent in self._names.lost:
                with suppress(AskOperator):  # it stays unnamed, and the look-up says so
                    await self._found(sent.request.client_order_id)

    async def _named(self, orders: Iterable[ToldOrder]) -> tuple[BrokerOrder, ...]:
        """The orders by their names, without those of which nobody knows yet whether they are ours."""
        await self._settle()
        named = [(order, self._names.name_of(self.note(order))) for order in orders]
        return tuple(order.named(name) for order, name in named if name is not None)

    def _oldest_at(self, at: datetime) -> datetime:
        """When the oldest order was created to which something may have happened at `at` or later."""
        resting = {number: (sent_at, None) for number, sent_at in self._names.resting.items()}
        began = [created for created, over in (resting | self._seen).values() if over is None or over >= at]
        return min(at, *began) if began else at
