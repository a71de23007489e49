"""Robinhood as a broker, as far as its official server goes.

Reading is repeated, a few times and briefly. An order is reviewed first, then placed, once: what is not an answer is
`Unknown`, and is looked up by what was asked for. A review that brought no answer has placed nothing. An alert in a
review keeps shares from being bought; one about a sale does not, since the account holds no shorts: a sale only ever
leaves what is held, and leaving is never kept back.

Nothing is streamed here: orders are asked for, at least a second apart, and what has changed is told as events.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from magellan.adapters.robinhood import account_json, order_json
from magellan.adapters.robinhood.access import CAPABILITIES, RobinhoodAccess
from magellan.adapters.robinhood.call_budget import Urgency
from magellan.adapters.robinhood.connection import Connection, Declined, NoAnswer, Told
from magellan.adapters.robinhood.known_orders import KnownOrders
from magellan.adapters.robinhood.order_names import OrderNames, Recorded
from magellan.adapters.robinhood.order_poll import Changes
from magellan.adapters.robinhood.questions import Questions, must_take_orders
from magellan.adapters.robinhood.told_values import RobinhoodUnreadable
from magellan.errors import AskOperator, FixInput, MagellanError, TryAgain
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
    OrderSide,
    OrderType,
)
from magellan.trading.session import ExchangeCalendar, exchange_date

if TYPE_CHECKING:
    import httpx2


class RobinhoodBroker:
    """Keeps `ports.broker.Broker` for one account."""

    def __init__(
        self,
        access: RobinhoodAccess,
        auth: Callable[[], httpx2.Auth],
        calendar: ExchangeCalendar,
        recorded: Recorded = tuple,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """auth: what requests are authorised with, asked whenever a connection is opened.

        recorded: the orders of earlier sessions; read when the first order is told or sent.
        """
        self._access = access
        self._calendar = calendar
        self._clock = clock
        self._connection = Connection(access, auth)
        self._ask = Questions(access, self._connection)
        self._names = OrderNames(recorded)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)  # by symbol
        self._orders = KnownOrders(self._ask, self._names, clock)
        self._changed = asyncio.Event()  # an order was sent, so that events are worth a question
        self._closed = asyncio.Event()

    @property
    def capabilities(self) -> Capabilities:
        return CAPABILITIES

    @property
    def is_live(self) -> bool:
        """There is no other Robinhood."""
        return True

    async def must_take_orders(self) -> None:
        """Raises AskOperator for an account that this login may not trade; FixInput for one that it does not show."""
        must_take_orders(await self._ask.account())

    async def account(self) -> AccountSnapshot:
        account, portfolio = await self._ask.account(), await self._ask.portfolio()
        return account_json.account_of(account, portfolio, self._clock())

    async def positions(self) -> tuple[BrokerPosition, ...]:
        as_of = self._clock()
        found = [account_json.position_of(each, as_of) for each in await self._ask.positions()]
        return tuple(each for each in found if each is not None)

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        return await self._orders.open()

    async def orders_since(self, at: datetime) -> tuple[BrokerOrder, ...]:
        return await self._orders.since(at)

    async def order(self, client_order_id: str) -> BrokerOrder | None:
        return await self._orders.named(client_order_id)

    async def executions_since(self, at: datetime) -> tuple[Execution, ...]:
        return await self._orders.executions_since(at)

    async def submit(self, request: OrderRequest) -> Answer:
        why = self._cannot(request)
        if why is not None:
            return Refused(code="cannot", message=why)
        async with self._turns[request.symbol]:
            arguments = order_json.order_arguments(self._access.account_number, request)
            try:
                refused = await self._reviewed(request, arguments)
                return await self._placed(request, arguments) if refused is None else refused
            except MagellanError as error:
                # A login that has run out, or other tools than we know: neither lets an order pass.
                return Refused(code="not signed in", message=error.message)

    async def replace(self, broker_order_id: str, change: Replacement) -> Answer:
        return Refused(code="cannot", message="Robinhood's server has no tool that changes an order")

    async def cancel(self, broker_order_id: str) -> Requested | Refused | Unknown:
        if not self._access.places_orders:
            return Refused(code="read only", message=_READ_ONLY)
        asked = {"account_number": self._access.account_number, "order_id": broker_order_id}
        try:
            answer = await self._connection.call("cancel_equity_order", asked, Urgency.ORDER)
        except MagellanError as error:
            return Refused(code="not signed in", message=error.message)
        self._changed.set()
        match answer:
            case Told(data=data) if data.get("accepted") is True:
                return Requested()
            case Told():
                return Refused(code="not accepted", message="Robinhood did not accept the cancel")
            case Declined() as declined if declined.rate_limited or declined.is_certain:
                return _refusal(declined)
            case Declined(message=message):
                return Unknown(why=message)
            case _:
                return Unknown(why=answer.why)

    async def assets(self, symbols: Sequence[str]) -> Mapping[str, TradableAsset]:
        account_type = str((await self._ask.account()).get("brokerage_account_type"))
        told, not_found = await self._ask.tradability(tuple(symbols))
        found = {each.symbol: each for each in (account_json.asset_of(one, account_type) for one in told)}
        # A symbol that is left out is not one that Robinhood says it does not find.
        if untold := [each for each in symbols if each not in found and each not in not_found]:
            raise RobinhoodUnreadable(
                f"Robinhood's answer says of {', '.join(untold)} neither what may be done with it nor that "
                "there is no such symbol",
                kept="nothing was taken from it",
                next_step="start again; where it goes on, look up at Robinhood how the symbol is written there",
            )
        return found

    async def clock(self) -> BrokerClock:
        """By the date of the server's newest answer, to half a second: there is no tool that tells the time."""
        at = self._connection.now()
        if at is None:
            await self._ask.account()
            at = self._connection.now()
        if at is None:
            raise TryAgain(
                "Robinhood's server does not date its answers, so nobody knows how late it is there"
            )
        session = self._calendar.hours(exchange_date(at))
        return BrokerClock(at=at, is_open=session is not None and session[0] <= at < session[1])

    async def events(self) -> AsyncIterator[OrderEvent | StreamUp | StreamDown]:
        changes: Changes | None = None
        is_up = False
        while not self._closed.is_set():
            began_s = asyncio.get_running_loop().time()
            self._changed.clear()
            try:
                orders = await self._orders.lately()
            except (TryAgain, FixInput, AskOperator) as error:
                if is_up:
                    is_up = False
                    yield StreamDown(at=self._clock(), why=error.message)
            else:
                at = self._clock()
                if changes is None:
                    changes = Changes()
                    for order, _ in orders:
                        changes.begin(order)
                if not is_up:
                    is_up = True
                    yield StreamUp(at=at)
                for order, name in orders:
                    for event in changes.of(order, name, at):
                        yield event
            await self._rest(began_s)

    async def close(self) -> None:
        self._closed.set()
        self._changed.set()
        await self._connection.close()

    # --- Orders -----------------------------------------------------------------------------------------------

    def _cannot(self, request: OrderRequest) -> str | None:
        """Why Robinhood would not take this order, or this account sends none."""
        can = self.capabilities
        if not self._access.places_orders:
            return _READ_ONLY
        if request.order_class is not OrderClass.SIMPLE:
            return f"Robinhood's server takes no {request.order_class} orders"
        if request.type not in can.order_types:
            return f"Robinhood's server takes no {request.type} orders"
        if request.time_in_force not in can.times_in_force:
            return f"Robinhood's server knows no time in force {request.time_in_force}"
        market = request.type is OrderType.MARKET
        if request.notional_usd is not None and not market:
            return "Robinhood takes an amount of money for market orders alone"
        if request.quantity is not None and request.quantity % 1 and not market:
            return "Robinhood takes fractions of a share for market orders alone"
        if request.extended_hours and request.type is not OrderType.LIMIT:
            return "outside regular hours Robinhood takes limit orders alone"
        return None

    async def _reviewed(self, request: OrderRequest, arguments: Mapping[str, str]) -> Refused | None:
        """Have an order reviewed; None: nothing speaks against it."""
        match await self._connection.call("review_equity_order", arguments, Urgency.ORDER):
            case Told(data=data):
                try:
                    alert = order_json.alert_of(data)
                except RobinhoodUnreadable as error:
                    return Refused(code="not reviewed", message=error.message)
                if alert is None or request.side is OrderSide.SELL:
                    return None
                return Refused(code=alert[0], message=f"Robinhood's review warns: {alert[1]}")
            case Declined() as declined if declined.is_certain or declined.rate_limited:
                return _refusal(declined)
            case Declined(message=why) | NoAnswer(why=why):
                return Refused(
                    code="not reviewed", message=f"no review, so no order: {why}", rate_limited=True
                )

    async def _placed(self, request: OrderRequest, arguments: Mapping[str, str]) -> Answer:
        """Place an order, once."""
        name = request.client_order_id
        self._names.sending(request, self._clock())
        number, refused = None, False
        try:
            answer = await self._connection.call(
                "place_equity_order",
                {**arguments, "ref_id": order_json.reference_id(name)},
                Urgency.ORDER,
            )
            match answer:
                case Told(data=data) if data.get("order") is not None:
                    order = self._orders.note(order_json.order_of(data["order"]))
                    number = order.id
                    return Accepted(order=order.named(name))
                case Told():
                    return Unknown(
                        why="Robinhood answered without an order; it may wait for consent in its application"
                    )
                case Declined() as declined if declined.rate_limited or declined.is_certain:
                    refused = True
                    return _refusal(declined)
                case Declined(message=why) | NoAnswer(why=why):
                    return Unknown(why=why)
        except RobinhoodUnreadable as error:
            return Unknown(why=error.message)
        except (FixInput, AskOperator):
            refused = True  # the server wanted another login before it looked at the order
            raise
        finally:
            self._names.answered(name, number, refused=refused)
            self._changed.set()

    async def _rest(self, began_s: float) -> None:
        """Wait until the next question about orders."""
        if not self._orders.any_works and not self._changed.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), self._access.idle_poll_s)
        left_s = began_s + self._access.poll_s - asyncio.get_running_loop().time()
        if left_s > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), left_s)


_READ_ONLY: Final = "this account is read only: magellan.toml does not say places_orders = true for it"


def _refusal(declined: Declined) -> Refused:
    if declined.rate_limited:
        return Refused(code="RATE_LIMITED", message=declined.message, rate_limited=True)
    return Refused(code="declined", message=declined.message)
