"""What every broker must do (`ports/broker.py`): Alpaca's, at a real exchange whose wire is broken on purpose."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from pydantic import SecretStr

from exchange.server.conftest import KEYS, Client, make_server
from magellan.adapters.alpaca.broker import AlpacaAccess, AlpacaBroker
from magellan.errors import FixInput, TryAgain
from magellan.exchange.server.background import exchange_in_background
from magellan.ports.broker import (
    Accepted,
    Refused,
    Replacement,
    Requested,
    StreamDown,
    StreamUp,
    Unknown,
)
from magellan.trading.order import (
    OrderClass,
    OrderEvent,
    OrderEventKind,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
)
from streams import until

T = TypeVar("T")
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)
WITHIN_S = 20
BUY = OrderRequest(client_order_id="mg1-one", symbol="AAPL", side=OrderSide.BUY, quantity=Decimal(10))


@pytest.fixture
def there() -> Iterator[Client]:
    """The exchange, seen by a plain client with the same key."""
    with exchange_in_background(make_server) as exchange:
        client = Client(exchange)
        client.get("/v2/account")
        yield client


@pytest.fixture
def access(there: Client) -> AlpacaAccess:
    return AlpacaAccess(
        key_id=SecretStr(KEYS["APCA-API-KEY-ID"]),
        secret_key=SecretStr(KEYS["APCA-API-SECRET-KEY"]),
        live=False,
        base_url=there.http,
        read_timeout_s=1.0,
        pause_s=0.01,
    )


def with_broker(access: AlpacaAccess, work: Callable[[AlpacaBroker], Awaitable[T]]) -> T:
    """What `work` says of a broker that lives as long as it."""

    async def worked() -> T:
        broker = AlpacaBroker(access)
        try:
            return await asyncio.wait_for(work(broker), WITHIN_S)
        finally:
            await broker.close()

    return asyncio.run(worked())


def far_limit(name: str, **changes: Any) -> OrderRequest:
    """A buy that rests."""
    return replace(BUY, client_order_id=name, type=OrderType.LIMIT, limit_price=Decimal("20.00"), **changes)


# --- Reading --------------------------------------------------------------------------------------------------


def test_what_is_held_is_what_the_executions_brought(there: Client, access: AlpacaAccess) -> None:
    async def work(broker: AlpacaBroker) -> None:
        assert isinstance(await broker.submit(BUY), Accepted)
        await asyncio.to_thread(there.step, 1)
        (execution,) = await broker.executions_since(LONG_AGO)
        (position,) = await broker.positions()
        account = await broker.account()
        assert (execution.client_order_id, execution.signed_quantity) == ("mg1-one", Decimal(10))
        assert (position.symbol, position.quantity) == ("AAPL", Decimal(10))
        assert account.cash_usd == Decimal(100_000) - 10 * execution.price
        assert account.account_id == there.get("/v2/account").json()["account_number"]
        assert await broker.executions_since(execution.at + timedelta(days=1)) == ()

    with_broker(access, work)


def test_an_asset_and_the_time_are_the_brokers(there: Client, access: AlpacaAccess) -> None:
    async def work(broker: AlpacaBroker) -> None:
        assets = await broker.assets(["AAPL", "NOSUCH"])
        assert list(assets) == ["AAPL"] and assets["AAPL"].tradable
        clock = await broker.clock()
        told = there.get("/v2/clock").json()
        assert (clock.at, clock.is_open) == (datetime.fromisoformat(told["timestamp"]), True)
        assert clock.changes_at == datetime.fromisoformat(told["next_close"])

    with_broker(access, work)


def test_about_many_symbols_the_broker_is_asked_at_once(there: Client, access: AlpacaAccess) -> None:
    there.fault("rate_limited", when={"route": "GET /v2/assets/*"})

    async def work(broker: AlpacaBroker) -> None:
        with pytest.raises(TryAgain, match="asked too often"):
            await broker.assets(["AAPL"])
        assert (await broker.assets(["AAPL"] * 21))["AAPL"].tradable

    with_broker(access, work)


def test_open_orders_are_those_that_may_fill_and_orders_since_are_all(
    there: Client, access: AlpacaAccess
) -> None:
    async def work(broker: AlpacaBroker) -> None:
        await broker.submit(BUY)
        await asyncio.to_thread(there.step, 1)
        await broker.submit(far_limit("mg1-rests"))
        assert [each.client_order_id for each in await broker.open_orders()] == ["mg1-rests"]
        everything = await broker.orders_since(LONG_AGO)
        assert [(each.client_order_id, each.status) for each in everything] == [
            ("mg1-one", OrderStatus.FILLED),
            ("mg1-rests", OrderStatus.NEW),
        ]

    with_broker(access, work)


def test_orders_and_executions_of_more_than_a_page_are_all_told(there: Client, access: AlpacaAccess) -> None:
    names = [f"mg1-{number:03}" for number in range(120)]
    for name in names:
        there.buy(qty="1", client_order_id=name)
    there.step(1)

    async def work(broker: AlpacaBroker) -> None:
        assert sorted(each.client_order_id for each in await broker.orders_since(LONG_AGO)) == names
        told = await broker.executions_since(LONG_AGO)
        assert sorted(each.client_order_id for each in told) == names
        assert len({each.execution_id for each in told}) == len(names)

    with_broker(access, work)


def test_the_legs_of_a_bracket_are_told_inside_it(there: Client, access: AlpacaAccess) -> None:
    bracket = replace(
        BUY,
        order_class=OrderClass.BRACKET,
        take_profit_price=Decimal("999.00"),
        stop_loss_price=Decimal("1.00"),
    )

    async def work(broker: AlpacaBroker) -> None:
        answer = await broker.submit(bracket)
        assert isinstance(answer, Accepted)
        found = await broker.order("mg1-one")
        assert found is not None
        assert {leg.type for leg in found.legs} == {OrderType.LIMIT, OrderType.STOP}
        assert [leg.broker_order_id for leg in found.legs] == [
            leg.broker_order_id for leg in answer.order.legs
        ]

    with_broker(access, work)


@pytest.mark.parametrize(
    ("kind", "terms"),
    [
        ("rate_limited", {}),
        ("refused_request", {"status": 503}),
        ("html_page", {"status": 200}),
        ("html_page", {"status": 502}),
        ("reset_before", {}),
        ("truncated_json", {}),
        ("short_body", {}),
        ("no_answer", {}),
    ],
)
def test_a_question_that_got_no_answer_is_asked_again(
    there: Client, access: AlpacaAccess, kind: str, terms: dict[str, Any]
) -> None:
    there.fault(kind, when={"route": "GET /v2/account"}, count=1, **terms)
    assert with_broker(access, lambda broker: broker.account()).cash_usd == 100_000
    assert there.fired() == [kind]


@pytest.mark.parametrize(
    ("kind", "terms"), [("html_page", {"status": 200}), ("rate_limited", {}), ("reset_before", {})]
)
def test_who_never_answers_is_to_be_tried_later(
    there: Client, access: AlpacaAccess, kind: str, terms: dict[str, Any]
) -> None:
    there.fault(kind, when={"route": "GET /v2/positions"}, **terms)
    with pytest.raises(TryAgain, match="did not answer /positions in 3 attempts"):
        with_broker(access, lambda broker: broker.positions())
    assert len(there.fired()) == access.attempts


@pytest.mark.parametrize("status", [401, 403])
def test_keys_that_are_refused_are_for_a_person_to_mend(
    there: Client, access: AlpacaAccess, status: int
) -> None:
    there.fault("refused_request", status=status, code=40110000, message="access key verification failed")
    with pytest.raises(FixInput, match="access key verification failed") as refused:
        with_broker(access, lambda broker: broker.account())
    assert "check the key" in refused.value.next_step
    assert len(there.fired()) == 1, "asking again with the same key helps nobody"


def test_a_wrong_secret_opens_nothing_and_is_not_repeated_in_the_error(
    there: Client, access: AlpacaAccess
) -> None:
    wrong = replace(access, secret_key=SecretStr("not-this-one"))
    with pytest.raises(FixInput) as refused:
        with_broker(wrong, lambda broker: broker.account())
    assert "not-this-one" not in str(refused.value)


# --- Changing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "terms"),
    [
        ("lost_answer", {}),
        ("no_answer", {}),
        ("error_after_accept", {"status": 504}),
        ("error_after_accept", {"status": 500}),
        ("html_after_accept", {}),
        ("truncated_json", {}),
        ("short_body", {}),
    ],
)
def test_an_order_whose_answer_was_lost_is_unknown_and_found_by_its_name(
    there: Client, access: AlpacaAccess, kind: str, terms: dict[str, Any]
) -> None:
    there.fault(kind, when={"route": "POST /v2/orders"}, **terms)

    async def work(broker: AlpacaBroker) -> None:
        assert isinstance(await broker.submit(BUY), Unknown)
        found = await broker.order("mg1-one")
        assert found is not None and found.quantity == 10

    with_broker(access, work)
    assert there.fired() == [kind], "it was sent once"


@pytest.mark.parametrize(
    ("kind", "terms"),
    [
        ("reset_before", {}),
        ("html_page", {"status": 502}),
        ("html_page", {"status": 200}),
        ("refused_request", {"status": 500}),
        ("refused_request", {"status": 504}),
    ],
)
def test_an_order_that_never_arrived_is_unknown_too_and_the_broker_has_none_of_its_name(
    there: Client, access: AlpacaAccess, kind: str, terms: dict[str, Any]
) -> None:
    there.fault(kind, when={"route": "POST /v2/orders"}, **terms)

    async def work(broker: AlpacaBroker) -> None:
        assert isinstance(await broker.submit(BUY), Unknown)
        assert await broker.order("mg1-one") is None

    with_broker(access, work)
    assert there.fired() == [kind], "it was sent once"


def test_one_order_too_many_is_refused_unread(there: Client, access: AlpacaAccess) -> None:
    there.fault("rate_limited", when={"route": "POST /v2/orders"}, count=1)

    async def work(broker: AlpacaBroker) -> None:
        first = await broker.submit(BUY)
        assert isinstance(first, Refused) and first.rate_limited
        assert isinstance(await broker.submit(BUY), Accepted), "the same intent may be sent later"

    with_broker(access, work)


def test_a_name_that_is_taken_makes_no_second_order(there: Client, access: AlpacaAccess) -> None:
    async def work(broker: AlpacaBroker) -> None:
        first = await broker.submit(BUY)
        assert isinstance(first, Accepted)
        assert isinstance(await broker.submit(BUY), Unknown)
        found = await broker.order("mg1-one")
        assert found is not None and found.broker_order_id == first.order.broker_order_id
        assert len(await broker.orders_since(LONG_AGO)) == 1

    with_broker(access, work)


def test_what_the_broker_will_not_do_it_says_with_its_reason(there: Client, access: AlpacaAccess) -> None:
    async def work(broker: AlpacaBroker) -> None:
        answer = await broker.submit(replace(BUY, quantity=Decimal(1_000_000)))
        assert isinstance(answer, Refused) and not answer.rate_limited
        assert "insufficient" in answer.message
        assert await broker.order("mg1-one") is None

    with_broker(access, work)


def test_a_replacement_takes_the_orders_place_under_its_own_name(there: Client, access: AlpacaAccess) -> None:
    async def work(broker: AlpacaBroker) -> None:
        first = await broker.submit(far_limit("mg1-rests"))
        assert isinstance(first, Accepted)
        change = Replacement(client_order_id="mg1-moved", limit_price=Decimal("21.00"))
        answer = await broker.replace(first.order.broker_order_id, change)
        assert isinstance(answer, Accepted)
        assert answer.order.replaces == first.order.broker_order_id
        assert (answer.order.client_order_id, answer.order.limit_price) == ("mg1-moved", Decimal(21))
        await asyncio.to_thread(there.step, 1)
        before = await broker.order("mg1-rests")
        assert before is not None and before.status is OrderStatus.REPLACED

    with_broker(access, work)


def test_a_replacement_whose_answer_was_lost_is_unknown(there: Client, access: AlpacaAccess) -> None:
    async def work(broker: AlpacaBroker) -> None:
        first = await broker.submit(far_limit("mg1-rests"))
        assert isinstance(first, Accepted)
        there.fault("lost_answer", when={"route": "PATCH /v2/orders/*"})
        change = Replacement(client_order_id="mg1-moved", limit_price=Decimal("21.00"))
        assert isinstance(await broker.replace(first.order.broker_order_id, change), Unknown)
        found = await broker.order("mg1-moved")
        assert found is not None and found.replaces == first.order.broker_order_id

    with_broker(access, work)


def test_a_cancel_is_a_request_and_is_refused_for_what_is_over(there: Client, access: AlpacaAccess) -> None:
    async def work(broker: AlpacaBroker) -> None:
        resting, filled = await broker.submit(far_limit("mg1-rests")), await broker.submit(BUY)
        assert isinstance(resting, Accepted) and isinstance(filled, Accepted)
        await asyncio.to_thread(there.step, 1)
        assert await broker.cancel(resting.order.broker_order_id) == Requested()
        await asyncio.to_thread(there.step, 1)
        over = await broker.order("mg1-rests")
        assert over is not None and over.status is OrderStatus.CANCELED
        assert isinstance(await broker.cancel(filled.order.broker_order_id), Refused)
        assert isinstance(await broker.cancel("61e69015-8549-4bfd-b9c3-01e75843f47d"), Refused)
        there.fault("reset_before", when={"route": "DELETE /v2/orders/*"})
        assert isinstance(await broker.cancel(resting.order.broker_order_id), Unknown)

    with_broker(access, work)


def test_reads_may_lag_behind_what_was_accepted(there: Client, access: AlpacaAccess) -> None:
    there.fault("stale_reads", lag_s=5)
    there.buy(client_order_id="mg1-before")
    there.step(10)

    async def work(broker: AlpacaBroker) -> None:
        assert isinstance(await broker.submit(BUY), Accepted)
        told = [each.client_order_id for each in await broker.orders_since(LONG_AGO)]
        assert told == ["mg1-before"], "so one list without an order proves nothing"
        await asyncio.to_thread(there.step, 6)
        told = [each.client_order_id for each in await broker.orders_since(LONG_AGO)]
        assert told == ["mg1-before", "mg1-one"]

    with_broker(access, work)


# --- The stream -----------------------------------------------------------------------------------------------


def is_up(each: object) -> bool:
    return isinstance(each, StreamUp)


def is_fill(each: object) -> bool:
    return isinstance(each, OrderEvent) and each.kind is OrderEventKind.FILL


def test_the_stream_tells_that_it_listens_then_each_orders_life(there: Client, access: AlpacaAccess) -> None:
    async def work(broker: AlpacaBroker) -> None:
        async with aclosing(broker.events()) as told:  # type: ignore[type-var]
            await until(told, is_up)
            await broker.submit(BUY)
            await asyncio.to_thread(there.step, 1)
            events = await until(told, is_fill)
        assert OrderEventKind.NEW in {each.kind for each in events}
        execution = events[-1].execution
        assert execution is not None
        assert await broker.executions_since(LONG_AGO) == (execution,), (
            "both channels tell it alike, by one id"
        )

    with_broker(access, work)


@pytest.mark.parametrize("kind", ["duplicate_event", "replayed_events"])
def test_what_is_told_twice_has_the_same_id_twice(there: Client, access: AlpacaAccess, kind: str) -> None:
    there.fault(kind, when={"event": "fill"})

    async def work(broker: AlpacaBroker) -> None:
        async with aclosing(broker.events()) as told:  # type: ignore[type-var]
            await until(told, is_up)
            await broker.submit(BUY)
            await asyncio.to_thread(there.step, 1)
            await broker.submit(replace(BUY, client_order_id="mg1-two"))
            await asyncio.to_thread(there.step, 1)
            events = await until(told, lambda each: is_fill(each) and each.order.client_order_id == "mg1-two")
        ids = {each.execution.execution_id for each in events if each.execution is not None}
        assert len([each for each in events if each.execution is not None]) > len(ids) == 2

    with_broker(access, work)


def test_events_out_of_their_order_are_told_as_they_come(there: Client, access: AlpacaAccess) -> None:
    there.fault("reordered_events", when={"event": "new"}, count=1)

    async def work(broker: AlpacaBroker) -> None:
        async with aclosing(broker.events()) as told:  # type: ignore[type-var]
            await until(told, is_up)
            await broker.submit(BUY)
            await asyncio.to_thread(there.step, 1)
            events = await until(
                told, lambda each: isinstance(each, OrderEvent) and each.kind is OrderEventKind.NEW
            )
        assert any(map(is_fill, events)), "the fill came before"

    with_broker(access, work)


@pytest.mark.parametrize("kind", ["disconnect", "close_without_frame", "broken_message"])
def test_a_lost_stream_is_told_and_made_anew(there: Client, access: AlpacaAccess, kind: str) -> None:
    async def work(broker: AlpacaBroker) -> None:
        async with aclosing(broker.events()) as told:  # type: ignore[type-var]
            await until(told, is_up)
            there.fault(kind, when={"stream": "trades"}, count=1, after_messages=1)
            await broker.submit(BUY)
            await asyncio.to_thread(there.step, 1)
            events = await until(told, is_up)
            assert isinstance(events[-2], StreamDown)
            await broker.submit(replace(BUY, client_order_id="mg1-after"))
            await asyncio.to_thread(there.step, 1)
            await until(told, lambda each: is_fill(each) and each.order.client_order_id == "mg1-after")
        assert len(await broker.executions_since(LONG_AGO)) == 2, (
            "what the stream missed, the broker still tells"
        )

    with_broker(access, work)
