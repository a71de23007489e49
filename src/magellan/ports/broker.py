"""The broker: whoever holds the account and carries out orders.

Kept by `adapters/alpaca/broker.py`, `adapters/robinhood/broker.py` and `adapters/simulated/broker.py`, and held to by
tests/contracts and tests/adapters/robinhood. Asking is repeated by the adapter where that can help. Changing anything
is never repeated: a submit, a replacement and a cancel are sent once, and an answer that did not come is `Unknown`,
which the engine resolves by looking the order up.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from magellan.trading.account import AccountSnapshot, BrokerPosition, TradableAsset
from magellan.trading.answer import Accepted as Accepted
from magellan.trading.answer import Answer as Answer
from magellan.trading.answer import Refused as Refused
from magellan.trading.answer import Replacement as Replacement
from magellan.trading.answer import Requested as Requested
from magellan.trading.answer import StreamDown as StreamDown
from magellan.trading.answer import StreamUp as StreamUp
from magellan.trading.answer import Unknown as Unknown
from magellan.trading.capabilities import Capabilities as Capabilities
from magellan.trading.order import BrokerOrder, Execution, OrderEvent, OrderRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerClock:
    """The broker's own time, and whether its market is open.

    changes_at: when its market closes, or opens where it is closed; None: the broker does not say.
    """

    at: datetime  # aware, UTC
    is_open: bool
    changes_at: datetime | None = None


class Broker(Protocol):
    """One account at one broker. The mode (paper or live) is fixed where it is built.

    Reading raises TryAgain when the broker cannot be reached or is not ready, FixInput for keys that it refuses (with
    the reason and what to do), AskOperator for an account that a person must look at.
    """

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def is_live(self) -> bool:
        """Whether real money moves."""
        ...

    async def account(self) -> AccountSnapshot: ...

    async def positions(self) -> tuple[BrokerPosition, ...]: ...

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        """Every order that is not terminal, legs inside their parents."""
        ...

    async def orders_since(self, at: datetime) -> tuple[BrokerOrder, ...]:
        """Every order submitted at or after `at`, terminal ones too, oldest first."""
        ...

    async def order(self, client_order_id: str) -> BrokerOrder | None:
        """The order of that name; None when the broker says that it has none."""
        ...

    async def executions_since(self, at: datetime) -> tuple[Execution, ...]:
        """Every execution at or after `at`, oldest first."""
        ...

    async def submit(self, request: OrderRequest) -> Answer: ...

    async def replace(self, broker_order_id: str, change: Replacement) -> Answer: ...

    async def cancel(self, broker_order_id: str) -> Requested | Refused | Unknown:
        """Ask for a cancel. What becomes of the order, its events tell."""
        ...

    async def assets(self, symbols: Sequence[str]) -> Mapping[str, TradableAsset]:
        """What may be done with each of the symbols; those that the broker does not know are absent."""
        ...

    async def clock(self) -> BrokerClock: ...

    def events(self) -> AsyncIterator[OrderEvent | StreamUp | StreamDown]:
        """Order events as they come; reconnects by itself, and says so. Ends when the broker is closed."""
        ...

    async def close(self) -> None: ...
