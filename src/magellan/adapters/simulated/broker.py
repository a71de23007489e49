"""The simulated broker behind the broker's port: the core, with time moved from outside and events as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from magellan.adapters.simulated.broker_core import BrokerCore
from magellan.ports.broker import (
    Answer,
    BrokerClock,
    Capabilities,
    Refused,
    Replacement,
    Requested,
    StreamDown,
    StreamUp,
)
from magellan.trading.account import AccountSnapshot, BrokerPosition, TradableAsset
from magellan.trading.bar import nanoseconds
from magellan.trading.order import (
    BrokerOrder,
    Execution,
    OrderClass,
    OrderEvent,
    OrderRequest,
    OrderType,
    TimeInForce,
)

CAPABILITIES: Final = Capabilities(
    name="simulated",
    order_types=frozenset(OrderType) - {OrderType.TRAILING_STOP},
    order_classes=frozenset(OrderClass),
    times_in_force=frozenset(TimeInForce),
    asset_classes=frozenset({"us_equity"}),
    fractions=True,
    shorts=True,
    extended_hours=False,
    order_stream=True,
    replace=True,
    requests_per_minute=None,
)


class SimulatedBroker:
    """Keeps `ports.broker.Broker` over a core.

    clock: now, aware, UTC. Before every question and change the core is brought up to it; `catch_up` does the same when
    nothing is asked, so that what happened reaches the stream.
    """

    def __init__(self, core: BrokerCore, clock: Callable[[], datetime]) -> None:
        self._core = core
        self._clock = clock
        self._listeners: list[asyncio.Queue[OrderEvent | StreamUp | StreamDown | None]] = []

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    @property
    def is_live(self) -> bool:
        return False

    def catch_up(self) -> None:
        """Match orders up to now, and tell whoever listens."""
        self._core.advance(nanoseconds(self._clock()))
        self._publish()

    async def account(self) -> AccountSnapshot:
        self.catch_up()
        return self._core.account()

    async def positions(self) -> tuple[BrokerPosition, ...]:
        self.catch_up()
        return self._core.positions_told()

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        self.catch_up()
        return self._core.open_orders()

    async def orders_since(self, at: datetime) -> tuple[BrokerOrder, ...]:
        self.catch_up()
        return self._core.orders_since(nanoseconds(at))

    async def order(self, client_order_id: str) -> BrokerOrder | None:
        self.catch_up()
        return self._core.order(client_order_id)

    async def executions_since(self, at: datetime) -> tuple[Execution, ...]:
        self.catch_up()
        return self._core.executions_since(nanoseconds(at))

    async def submit(self, request: OrderRequest) -> Answer:
        self.catch_up()
        answer = self._core.submit(request)
        self._publish()
        return answer

    async def replace(self, broker_order_id: str, change: Replacement) -> Answer:
        self.catch_up()
        answer = self._core.replace(broker_order_id, change)
        self._publish()
        return answer

    async def cancel(self, broker_order_id: str) -> Requested | Refused:
        self.catch_up()
        answer = self._core.cancel(broker_order_id)
        self._publish()
        return answer

    async def assets(self, symbols: Sequence[str]) -> Mapping[str, TradableAsset]:
        known = ((symbol, self._core.asset(symbol)) for symbol in symbols)
        return {symbol: asset for symbol, asset in known if asset is not None}

    async def clock(self) -> BrokerClock:
        now = self._clock()
        return BrokerClock(at=now, is_open=self._core.is_open(nanoseconds(now)))

    async def events(self) -> AsyncIterator[OrderEvent | StreamUp | StreamDown]:
        """Order events from now on, in the order in which they happen. Ends when the broker is closed."""
        queue: asyncio.Queue[OrderEvent | StreamUp | StreamDown | None] = asyncio.Queue()
        self._listeners.append(queue)
        yield StreamUp(at=self._clock())
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._listeners.remove(queue)

    async def close(self) -> None:
        for queue in self._listeners:
            queue.put_nowait(None)

    def _publish(self) -> None:
        for _, event in self._core.take_events():
            for queue in self._listeners:
                queue.put_nowait(event)
