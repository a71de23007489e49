"""Alpaca as a broker.

Reading is repeated here, a few times and briefly. A submit, a replacement or a cancel is sent once. Those of one symbol
are sent one after the other, in their order; those of different symbols do not wait for each other. What is not an
answer (a time-out, a cut connection, a status of 500 and above, a web page) is `Unknown`. So is "client_order_id must
be unique": an order of that name is there, and looking it up says what became of it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from pydantic import SecretStr

from magellan.adapters.alpaca import trading_json as told
from magellan.adapters.alpaca.order_stream import OrderStream
from magellan.adapters.alpaca.rest import AlpacaRest, Body
from magellan.adapters.vendor_request import checked_base_url
from magellan.errors import FixInput, TryAgain
from magellan.ports.broker import (
    Accepted,
    Answer,
    BrokerClock,
    Capabilities,
    Refused,
    Replacement,
    Requested,
    StreamDown,
    StreamUp,
    Unknown,
)
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

PAPER_URL: Final = "https://paper-api.alpaca.markets"
LIVE_URL: Final = "https://api.alpaca.markets"

CAPABILITIES: Final = Capabilities(
    name="alpaca",
    order_types=frozenset(OrderType),
    order_classes=frozenset(OrderClass),
    times_in_force=frozenset(TimeInForce),
    asset_classes=frozenset({"us_equity", "crypto", "us_option"}),
    fractions=True,
    shorts=True,
    extended_hours=True,
    order_stream=True,
    replace=True,
    requests_per_minute=200,
)

_PAGE: Final = 500  # orders, Alpaca's largest page
_ACTIVITIES: Final = 100
_ASSETS_ONE_BY_ONE: Final = (
    20  # of more, the whole list is read: some megabytes, and one request of 200 a minute
)
_READS: Final = 3  # at a time: what else the broker admits stays free for orders


@dataclass(frozen=True, slots=True, kw_only=True)
class AlpacaAccess:
    """Where an account is and how one gets in."""

    key_id: SecretStr
    secret_key: SecretStr
    live: bool
    base_url: str | None = None  # instead of Alpaca's own address, for the local paper exchange
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 10.0
    attempts: int = 3  # of a reading request
    pause_s: float = 0.5  # before the second attempt, doubled before each further one


class NotAnswered(TryAgain):
    """No answer that can be read came from Alpaca, or it asks us to come back later."""


class AlpacaBroker:
    """Keeps `ports.broker.Broker` for one account."""

    def __init__(
        self, access: AlpacaAccess, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._access = access
        self._clock = clock
        self._base_url = checked_base_url(
            access.base_url or (LIVE_URL if access.live else PAPER_URL), "the broker's base_url"
        )
        # One pool, in which reading keeps connections open that an order then finds.
        self._rest = AlpacaRest(
            (access.key_id.get_secret_value(), access.secret_key.get_secret_value()),
            f"{self._base_url}/v2",
            connect_timeout_s=access.connect_timeout_s,
            read_timeout_s=access.read_timeout_s,
        )
        self._reading = asyncio.Semaphore(_READS)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)  # by symbol
        self._stream = OrderStream(access.key_id, access.secret_key, self._base_url, clock)
        self._names: dict[str, str] = {}  # client_order_id by the broker's id
        self._symbols: dict[str, str] = {}  # likewise

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    @property
    def is_live(self) -> bool:
        return self._access.live

    async def account(self) -> AccountSnapshot:
        body = await self._read("/account")
        return told.account_of(body, self._clock())

    async def positions(self) -> tuple[BrokerPosition, ...]:
        as_of = self._clock()
        return tuple(told.position_of(each, as_of) for each in _list(await self._read("/positions")))

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        return await self._orders({"status": "open"})

    async def orders_since(self, at: datetime) -> tuple[BrokerOrder, ...]:
        return await self._orders({"status": "all"}, since=at)

    async def order(self, client_order_id: str) -> BrokerOrder | None:
        body = await self._read(
            "/orders:by_client_order_id",
            {"client_order_id": client_order_id, "nested": "true"},
            absent_is_none=True,
        )
        return None if body is None else self._known(told.order_of(body))

    async def executions_since(self, at: datetime) -> tuple[Execution, ...]:
        found: list[Execution] = []
        page: dict[str, str] = {}
        while True:
            activities = _list(
                await self._read(
                    "/account/activities",
                    {
                        "activity_types": "FILL",
                        "after": _text(at),
                        "direction": "asc",
                        "page_size": str(_ACTIVITIES),
                        **page,
                    },
                )
            )
            for activity in activities:
                found.append(told.execution_of(activity, await self._name_of(activity)))
            if len(activities) < _ACTIVITIES:
                return tuple(found)
            page = {"page_token": str(activities[-1]["id"])}

    async def submit(self, request: OrderRequest) -> Answer:
        body = told.request_json(request)
        return self._answer(await self._change(request.symbol, "POST", "/orders", body))

    async def replace(self, broker_order_id: str, change: Replacement) -> Answer:
        body = {"client_order_id": change.client_order_id}
        for name, value in (
            ("qty", change.quantity),
            ("limit_price", change.limit_price),
            ("stop_price", change.stop_price),
        ):
            if value is not None:
                body[name] = f"{value:f}"
        path = f"/orders/{quote(broker_order_id, safe='')}"
        return self._answer(await self._change(self._symbol_of(broker_order_id), "PATCH", path, body))

    async def cancel(self, broker_order_id: str) -> Requested | Refused | Unknown:
        path = f"/orders/{quote(broker_order_id, safe='')}"
        answer = await self._change(self._symbol_of(broker_order_id), "DELETE", path)
        return Requested() if isinstance(answer, Body) else answer

    async def assets(self, symbols: Sequence[str]) -> Mapping[str, TradableAsset]:
        found: dict[str, TradableAsset] = {}
        if len(symbols) > _ASSETS_ONE_BY_ONE:
            everything = _list(await self._read("/assets", {"status": "active"}))
            wanted = frozenset(symbols)
            listed = (each for each in everything if isinstance(each, dict) and each.get("symbol") in wanted)
            found = {asset.symbol: asset for asset in map(told.asset_of, listed)}
        # The list holds active shares; about what is not in it, the broker is asked by name.
        for asset in await asyncio.gather(*(self._asset(each) for each in symbols if each not in found)):
            if asset is not None:
                found[asset.symbol] = asset
        return found

    async def _asset(self, symbol: str) -> TradableAsset | None:
        body = await self._read(f"/assets/{quote(symbol, safe='')}", absent_is_none=True)
        return None if body is None else told.asset_of(body)

    async def clock(self) -> BrokerClock:
        return told.clock_of(await self._read("/clock"))

    async def events(self) -> AsyncIterator[OrderEvent | StreamUp | StreamDown]:
        async for event in self._stream.events():
            if isinstance(event, OrderEvent):
                self._known(event.order)
            yield event

    async def close(self) -> None:
        await self._stream.close()
        await self._rest.close()

    async def _orders(
        self, query: dict[str, str], *, since: datetime | None = None
    ) -> tuple[BrokerOrder, ...]:
        """All pages, oldest first. A page begins at the instant of the last order before, whose twins come again."""
        found: dict[str, BrokerOrder] = {}
        after = since
        while True:
            asked = {**query, "limit": str(_PAGE), "direction": "asc", "nested": "true"}
            if after is not None:
                asked["after"] = _text(after)
            page = [self._known(told.order_of(each)) for each in _list(await self._read("/orders", asked))]
            new = [order for order in page if order.broker_order_id not in found]
            found.update((order.broker_order_id, order) for order in new)
            last_at = max((o.submitted_at for o in new if o.submitted_at is not None), default=None)
            if len(page) < _PAGE or last_at is None:
                return tuple(found.values())
            after = last_at

    async def _name_of(self, activity: Any) -> str:
        """The client_order_id of the order that an activity belongs to: the activity does not tell it."""
        number = str(activity["order_id"]) if isinstance(activity, dict) and "order_id" in activity else ""
        if number not in self._names:
            body = await self._read(f"/orders/{quote(number, safe='')}", absent_is_none=True)
            if body is None:
                return ""
            self._known(told.order_of(body))
        return self._names[number]

    def _known(self, order: BrokerOrder) -> BrokerOrder:
        for each in (order, *order.legs):
            self._names[each.broker_order_id] = each.client_order_id
            self._symbols[each.broker_order_id] = each.symbol
        return order

    def _symbol_of(self, broker_order_id: str) -> str:
        """Whose turn a change of an order takes; one that was never told of takes a turn of its own."""
        return self._symbols.get(broker_order_id, broker_order_id)

    async def _change(
        self, symbol: str, method: str, path: str, body: dict[str, Any] | None = None
    ) -> Body | Refused | Unknown:
        async with self._turns[symbol]:
            return await self._rest.once(method, path, body=body)

    def _answer(self, answer: Body | Refused | Unknown) -> Answer:
        if not isinstance(answer, Body):
            return answer
        try:
            return Accepted(order=self._known(told.order_of(answer.value)))
        except told.Unreadable as error:
            return Unknown(why=error.message)

    async def _read(
        self, path: str, query: dict[str, str] | None = None, *, absent_is_none: bool = False
    ) -> Any:
        """The body of a GET. Raises NotAnswered after the last attempt, FixInput for keys that are refused."""
        pause_s = self._access.pause_s
        for attempt in range(self._access.attempts):
            if attempt:
                await asyncio.sleep(pause_s)
                pause_s *= 2
            async with self._reading:
                answer = await self._rest.once("GET", path, query=query)
            match answer:
                case Body(value=value):
                    return value
                case Refused(code="404" | "40410000") if absent_is_none:
                    return None
                case Refused(code=code, message=message) if not answer.rate_limited:
                    raise FixInput(
                        f"Alpaca refuses to tell {path} ({code}): {message}",
                        next_step=_key_advice(self._access),
                    )
        why = answer.why if isinstance(answer, Unknown) else "it is asked too often"
        raise NotAnswered(
            f"Alpaca did not answer {path} in {self._access.attempts} attempts: {why}",
            kept="nothing was changed there",
            next_step="check the network and Alpaca's status page",
        )


def _list(body: Any) -> list[Any]:
    if not isinstance(body, list):
        raise told.Unreadable(
            f"Alpaca told a {type(body).__name__} where a list was asked for",
            kept="nothing was taken from it",
        )
    return body


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _key_advice(access: AlpacaAccess) -> str:
    kind = "live" if access.live else "paper"
    return f"check the key: it must belong to a {kind} account, and be neither expired nor regenerated"
