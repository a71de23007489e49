"""No broker: what a dry run without an account trades with. It holds the config's cash, and is sent nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NoReturn

from magellan.ports.broker import BrokerClock, Capabilities, Replacement, StreamDown, StreamUp
from magellan.trading.account import AccountSnapshot, BrokerPosition, TradableAsset
from magellan.trading.order import (
    BrokerOrder,
    Execution,
    OrderClass,
    OrderEvent,
    OrderRequest,
    OrderType,
    TimeInForce,
)
from magellan.trading.session import ExchangeCalendar, exchange_date

CAPABILITIES: Final = Capabilities(
    name="dry run",
    order_types=frozenset(OrderType),
    order_classes=frozenset(OrderClass),
    times_in_force=frozenset(TimeInForce),
    asset_classes=frozenset({"us_equity"}),
    fractions=True,
    shorts=True,
    extended_hours=True,
    order_stream=True,
    replace=True,
    requests_per_minute=None,
)


class NoBroker:
    """Keeps `ports.broker.Broker` for a session that sends nothing."""

    def __init__(self, cash_usd: Decimal, calendar: ExchangeCalendar, clock: Callable[[], datetime]) -> None:
        self._cash_usd = cash_usd
        self._calendar = calendar
        self._clock = clock
        self._closed = asyncio.Event()

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    @property
    def is_live(self) -> bool:
        return False

    async def account(self) -> AccountSnapshot:
        return AccountSnapshot(
            account_id="dry run",
            as_of=self._clock(),
            cash_usd=self._cash_usd,
            equity_usd=self._cash_usd,
            last_equity_usd=self._cash_usd,
            buying_power_usd=self._cash_usd,
            multiplier=Decimal(1),
            shorting_enabled=True,
            trading_blocked=False,
        )

    async def positions(self) -> tuple[BrokerPosition, ...]:
        return ()

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        return ()

    async def orders_since(self, at: datetime) -> tuple[BrokerOrder, ...]:
        return ()

    async def order(self, client_order_id: str) -> BrokerOrder | None:
        return None

    async def executions_since(self, at: datetime) -> tuple[Execution, ...]:
        return ()

    async def submit(self, request: OrderRequest) -> NoReturn:
        raise AssertionError(f"a dry run was about to send {request.client_order_id}")

    async def replace(self, broker_order_id: str, change: Replacement) -> NoReturn:
        raise AssertionError(f"a dry run was about to replace {broker_order_id}")

    async def cancel(self, broker_order_id: str) -> NoReturn:
        raise AssertionError(f"a dry run was about to cancel {broker_order_id}")

    async def assets(self, symbols: Sequence[str]) -> Mapping[str, TradableAsset]:
        return {
            symbol: TradableAsset(
                symbol=symbol,
                tradable=None,
                shortable=None,
                easy_to_borrow=None,
                fractionable=None,
                marginable=None,
                asset_class="",
            )
            for symbol in symbols
        }

    async def clock(self) -> BrokerClock:
        now = self._clock()
        session = self._calendar.hours(exchange_date(now))
        is_open = session is not None and session[0] <= now < session[1]
        return BrokerClock(at=now, is_open=is_open)

    async def events(self) -> AsyncIterator[OrderEvent | StreamUp | StreamDown]:
        yield StreamUp(at=self._clock())
        await self._closed.wait()

    async def close(self) -> None:
        self._closed.set()
