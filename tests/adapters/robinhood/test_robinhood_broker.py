"""What every broker must do (`ports/broker.py`, tests/contracts/test_broker.py), by Robinhood as far as it can; what it
cannot is said. Against a server on this machine: the real one has never been met."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.robinhood.conftest import Trader
from adapters.robinhood.stand_in import LATE_S, OTHER_ACCOUNT, StandIn
from magellan.adapters.robinhood.broker import RobinhoodBroker
from magellan.adapters.robinhood.order_json import reference_id
from magellan.adapters.robinhood.order_names import SentOrder
from magellan.adapters.robinhood.told_values import RobinhoodUnreadable
from magellan.errors import AskOperator, FixInput, TryAgain
from magellan.ports.broker import Accepted, Refused, Replacement, Requested, StreamDown, StreamUp, Unknown
from magellan.trading.order import (
    OrderClass,
    OrderEvent,
    OrderEventKind,
    OrderRequest,
    OrderSide,
    OrderStatus,
    OrderType,
    TimeInForce,
)
from streams import until

LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)
BUY = OrderRequest(client_order_id="mg1-one", symbol="AAPL", side=OrderSide.BUY, quantity=Decimal(10))
SELL = replace(BUY, client_order_id="mg1-exit", side=OrderSide.SELL)


def far_limit(name: str, **changes: Any) -> OrderRequest:
    """A buy that rests."""
    return replace(BUY, client_order_id=name, type=OrderType.LIMIT, limit_price=Decimal("20.00"), **changes)


# --- Reading --------------------------------------------------------------------------------------------------


def test_what_is_held_is_what_the_executions_brought(there: StandIn, trader: Trader) -> None:
    async def work(broker: RobinhoodBroker) -> None:
        bought = await broker.submit(BUY)
        assert isinstance(bought, Accepted)
        there.desk.fill(bought.order.broker_order_id, "4")
        there.desk.fill(bought.order.broker_order_id, "6", "101.50")
        first, second = await broker.executions_since(LONG_AGO)
        assert (first.client_order_id, first.signed_quantity, first.commission_usd) == (
            "mg1-one",
            Decimal(4),
            Decimal("0.01"),
        )
        assert (second.price, second.execution_id) != (first.price, first.execution_id)
        (position,) = await broker.positions()
        assert (position.symbol, position.quantity, position.available) == ("AAPL", 10, 10)
        assert await broker.executions_since(second.at + timedelta(days=1)) == ()

    trader.with_broker(work)


def test_an_account_is_told_with_its_money_and_whether_it_may_trade(there: StandIn, trader: Trader) -> None:
    account = trader.with_broker(lambda broker: broker.account())
    assert (account.account_id, account.cash_usd, account.multiplier) == ("RH-AGENT-1", 10_000, 1)
    assert (account.trading_blocked, account.shorting_enabled, account.last_equity_usd) == (
        False,
        False,
        None,
    )
    other = trader.with_broker(lambda broker: broker.account(), account_number=OTHER_ACCOUNT)
    assert other.trading_blocked, "a program may only read it"


def test_an_account_that_the_login_does_not_show_is_for_a_person(trader: Trader) -> None:
    with pytest.raises(FixInput, match="shows 2 accounts at Robinhood, and none of them is RH-3"):
        trader.with_broker(lambda broker: broker.account(), account_number="RH-3")


def test_an_asset_and_the_time_are_the_brokers(there: StandIn, trader: Trader) -> None:
    async def work(broker: RobinhoodBroker) -> None:
        symbols = ["AAPL", "NOSUCH", "HALT", *(f"S{number}" for number in range(12))]
        assets = await broker.assets(symbols)
        assert "NOSUCH" not in assets and len(assets) == 14
        assert assets["AAPL"].tradable and not assets["HALT"].tradable
        clock = await broker.clock()
        assert abs((clock.at - datetime.now(UTC)).total_seconds()) < 2
        session = await broker.clock()
        assert session.at >= clock.at

    trader.with_broker(work)
    assert len(there.desk.called("get_equity_tradability")) == 2, "ten symbols at a time"


def test_a_symbol_of_which_nothing_is_told_is_not_one_that_robinhood_does_not_know(
    there: StandIn, trader: Trader
) -> None:
    there.desk.left_out.add("AAPL")
    with pytest.raises(RobinhoodUnreadable, match="says of AAPL neither what may be done with it"):
        trader.with_broker(lambda broker: broker.assets(["MSFT", "AAPL", "NOSUCH"]))


def test_open_orders_are_those_that_may_fill_and_orders_since_are_all(there: StandIn, trader: Trader) -> None:
    async def work(broker: RobinhoodBroker) -> None:
        bought = await broker.submit(BUY)
        assert isinstance(bought, Accepted)
        there.desk.fill(bought.order.broker_order_id, "10")
        await broker.submit(far_limit("mg1-rests"))
        assert [each.client_order_id for each in await broker.open_orders()] == ["mg1-rests"]
        assert [(each.client_order_id, each.status) for each in await broker.orders_since(LONG_AGO)] == [
            ("mg1-one", OrderStatus.FILLED),
            ("mg1-rests", OrderStatus.NEW),
        ]

    trader.with_broker(work)


STATES = {
    "queued": OrderStatus.ACCEPTED,
    "unconfirmed": OrderStatus.PENDING_NEW,
    "pending_cancelled": OrderStatus.PENDING_CANCEL,
    "partially_filled_rest_cancelled": OrderStatus.CANCELED,
    "rejected": OrderStatus.REJECTED,
    "voided": OrderStatus.CANCELED,
}


def test_a_state_is_told_in_our_words(there: StandIn, trader: Trader) -> None:
    for state in STATES:
        there.desk.first_state = state
        there.desk.place(type="market", quantity="1")
    told = trader.with_broker(lambda broker: broker.orders_since(LONG_AGO))
    assert [order.status for order in told] == list(STATES.values())


def test_a_state_that_nobody_knows_stops_everything(there: StandIn, trader: Trader) -> None:
    there.desk.first_state = "pondered"
    there.desk.place(type="market", quantity="1")
    with pytest.raises(TryAgain, match="the state 'pondered', which nobody here knows"):
        trader.with_broker(lambda broker: broker.orders_since(LONG_AGO))


def test_orders_and_executions_of_more_than_a_page_are_all_told(there: StandIn, trader: Trader) -> None:
    there.desk.page_size = 4
    numbers = [there.desk.place(quantity="1")["id"] for _ in range(12)]
    for number in numbers:
        there.desk.fill(number, "1")

    async def work(broker: RobinhoodBroker) -> None:
        assert [each.broker_order_id for each in await broker.orders_since(LONG_AGO)] == numbers
        assert len({each.execution_id for each in await broker.executions_since(LONG_AGO)}) == 12

    trader.with_broker(work)


def test_a_question_that_got_no_answer_is_asked_again(there: StandIn, trader: Trader) -> None:
    async def work(broker: RobinhoodBroker) -> None:
        for kind in ("limited", "unsent", "strange", "lost"):
            there.fault("get_portfolio", kind)
            assert (await broker.account()).cash_usd == 10_000

    trader.with_broker(work)
    assert there.fired == ["limited", "unsent", "strange", "lost"]


def test_who_never_answers_is_to_be_tried_later(there: StandIn, trader: Trader) -> None:
    there.fault("get_equity_positions", "limited", count=99)
    with pytest.raises(TryAgain, match="get_equity_positions in 3 attempts: it is asked too often"):
        trader.with_broker(lambda broker: broker.positions())


def test_a_server_that_is_not_there_is_to_be_tried_later(trader: Trader) -> None:
    with pytest.raises(TryAgain, match="cannot be reached"):
        trader.with_broker(lambda broker: broker.positions(), server="http://127.0.0.1:9/mcp", answer_s=1.0)


# --- Changing -------------------------------------------------------------------------------------------------


def test_an_order_is_reviewed_and_then_placed_under_a_key_of_its_name(there: StandIn, trader: Trader) -> None:
    assert isinstance(trader.with_broker(lambda broker: broker.submit(BUY)), Accepted)
    changing = [call for call in there.desk.calls if not call[0].startswith("get_")]
    assert [tool for tool, _ in changing] == ["review_equity_order", "place_equity_order"]
    (_, reviewed), (_, placed) = changing
    assert placed == reviewed | {"ref_id": reference_id("mg1-one")}
    assert reviewed["quantity"] == "10" and reviewed["market_hours"] == "regular_hours"
    assert "mg1" not in placed["ref_id"] and reference_id("mg1-one") == reference_id("mg1-one")


TAKEN: tuple[tuple[OrderRequest, dict[str, str]], ...] = (
    (
        far_limit("a", time_in_force=TimeInForce.GTC),
        {"type": "limit", "limit_price": "20.00", "time_in_force": "gtc"},
    ),
    (
        replace(BUY, type=OrderType.STOP, stop_price=Decimal("120.5")),
        {"type": "stop_market", "stop_price": "120.5"},
    ),
    (
        replace(BUY, type=OrderType.STOP_LIMIT, stop_price=Decimal(120), limit_price=Decimal(121)),
        {"type": "stop_limit", "stop_price": "120", "limit_price": "121"},
    ),
    (replace(BUY, quantity=Decimal("0.25")), {"type": "market", "quantity": "0.25"}),
    (
        replace(BUY, quantity=None, notional_usd=Decimal("50.00")),
        {"type": "market", "dollar_amount": "50.00"},
    ),
    (far_limit("b", extended_hours=True), {"market_hours": "extended_hours"}),
)


def test_every_kind_of_order_that_it_takes_is_told_back_as_it_was_meant(
    there: StandIn, trader: Trader
) -> None:
    async def work(broker: RobinhoodBroker) -> None:
        for number, (request, told) in enumerate(TAKEN):
            answer = await broker.submit(replace(request, client_order_id=f"mg1-{number}"))
            assert isinstance(answer, Accepted), request
            order = answer.order
            assert told.items() <= there.desk.called("place_equity_order")[-1].items()
            assert (order.type, order.time_in_force) == (request.type, request.time_in_force)
            assert (order.limit_price, order.stop_price) == (request.limit_price, request.stop_price)

    trader.with_broker(work)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (far_limit("a", quantity=Decimal("0.5")), "fractions of a share for market orders alone"),
        (
            far_limit("a", quantity=None, notional_usd=Decimal(50)),
            "an amount of money for market orders alone",
        ),
        (replace(BUY, extended_hours=True), "outside regular hours Robinhood takes limit orders alone"),
        (replace(BUY, time_in_force=TimeInForce.IOC), "no time in force ioc"),
        (
            replace(BUY, type=OrderType.TRAILING_STOP, trail_percent=Decimal(2)),
            "takes no trailing_stop orders",
        ),
        (
            replace(
                BUY,
                order_class=OrderClass.BRACKET,
                take_profit_price=Decimal(120),
                stop_loss_price=Decimal(90),
            ),
            "takes no bracket orders",
        ),
    ],
)
def test_what_it_cannot_do_is_refused_here_with_its_reason(
    there: StandIn, trader: Trader, request_: OrderRequest, why: str
) -> None:
    answer = trader.with_broker(lambda broker: broker.submit(request_))
    assert isinstance(answer, Refused) and why in answer.message
    assert there.desk.calls == []


def test_an_account_that_is_only_read_sends_and_cancels_nothing(there: StandIn, trader: Trader) -> None:
    number = there.desk.place(quantity="1")["id"]

    async def work(broker: RobinhoodBroker) -> None:
        for answer in (await broker.submit(BUY), await broker.cancel(number)):
            assert isinstance(answer, Refused) and "places_orders = true" in answer.message
        assert len(await broker.open_orders()) == 1

    trader.with_broker(work, places_orders=False)
    assert {tool for tool, _ in there.desk.calls} == {"get_equity_orders"}


def test_an_account_that_is_not_agentic_is_refused_in_a_sentence(there: StandIn, trader: Trader) -> None:
    async def work(broker: RobinhoodBroker) -> None:
        with pytest.raises(AskOperator, match="lets programs read this account, and not trade it"):
            await broker.must_take_orders()
        answer = await broker.submit(BUY)
        assert isinstance(answer, Refused) and "not enabled for agentic trading" in answer.message

    trader.with_broker(work, account_number=OTHER_ACCOUNT)
    assert there.desk.called("place_equity_order") == []
    trader.with_broker(lambda broker: broker.must_take_orders())


def test_an_order_whose_answer_was_lost_is_unknown_and_found_by_what_was_asked_for(
    there: StandIn, trader: Trader
) -> None:
    there.fault("place_equity_order", "lost")

    async def work(broker: RobinhoodBroker) -> None:
        assert isinstance(await broker.submit(BUY), Unknown)
        found = await broker.order("mg1-one")
        assert found is not None and (found.client_order_id, found.quantity) == ("mg1-one", 10)
        there.desk.fill(found.broker_order_id, "10")
        (execution,) = await broker.executions_since(LONG_AGO)
        assert execution.client_order_id == "mg1-one"

    trader.with_broker(work)
    assert len(there.desk.called("place_equity_order")) == 1, "it was sent once"


@pytest.mark.parametrize("kind", ["unsent", "strange"])
def test_an_order_that_never_arrived_is_unknown_too_and_the_broker_has_none_of_its_name(
    there: StandIn, trader: Trader, kind: str
) -> None:
    there.fault("place_equity_order", kind)

    async def work(broker: RobinhoodBroker) -> None:
        assert isinstance(await broker.submit(BUY), Unknown)
        assert await broker.order("mg1-one") is None

    trader.with_broker(work)
    assert len(there.desk.called("place_equity_order")) == 1, "it was sent once"


def test_an_order_that_is_not_answered_in_time_is_unknown_and_the_connection_goes_on(
    there: StandIn, trader: Trader
) -> None:
    there.fault("place_equity_order", "late")

    async def work(broker: RobinhoodBroker) -> None:
        await broker.positions()
        answer = await broker.submit(BUY)
        assert isinstance(answer, Unknown), answer
        found = await broker.order("mg1-one")
        assert found is not None

    trader.with_broker(work, answer_s=LATE_S - 0.5)
    assert len(there.desk.called("place_equity_order")) == 1


def test_an_error_that_leaves_open_whether_it_was_done_is_unknown(there: StandIn, trader: Trader) -> None:
    async def work(broker: RobinhoodBroker) -> None:
        for says in ("rpc error: code = DeadlineExceeded desc = upstream", "502 Bad Gateway"):
            there.fault("place_equity_order", "says", says=says)
            answer = await broker.submit(replace(BUY, client_order_id=says))
            assert isinstance(answer, Unknown) and answer.why == says

    trader.with_broker(work)


def test_one_order_too_many_is_refused_unread(there: StandIn, trader: Trader) -> None:
    there.fault("place_equity_order", "limited")

    async def work(broker: RobinhoodBroker) -> None:
        first = await broker.submit(BUY)
        assert isinstance(first, Refused) and first.rate_limited
        assert isinstance(await broker.submit(BUY), Accepted), "the same intent may be sent later"

    trader.with_broker(work)


def test_without_a_review_nothing_is_placed_and_the_same_intent_may_be_sent_later(
    there: StandIn, trader: Trader
) -> None:
    async def work(broker: RobinhoodBroker) -> None:
        for kind in ("lost", "limited", "strange"):
            there.fault("review_equity_order", kind)
            refused = await broker.submit(BUY)
            assert isinstance(refused, Refused) and refused.rate_limited
        assert there.desk.called("place_equity_order") == []
        assert isinstance(await broker.submit(BUY), Accepted)

    trader.with_broker(work)


def test_a_name_that_is_sent_twice_makes_no_second_order(there: StandIn, trader: Trader) -> None:
    async def work(broker: RobinhoodBroker) -> None:
        first, second = await broker.submit(BUY), await broker.submit(BUY)
        assert isinstance(first, Accepted) and isinstance(second, Accepted)
        assert first.order.broker_order_id == second.order.broker_order_id
        assert len(await broker.orders_since(LONG_AGO)) == 1

    trader.with_broker(work)


def test_what_the_broker_will_not_do_it_says_with_its_reason(there: StandIn, trader: Trader) -> None:
    async def work(broker: RobinhoodBroker) -> None:
        answer = await broker.submit(replace(BUY, quantity=Decimal(1_000_000)))
        assert isinstance(answer, Refused) and not answer.rate_limited
        assert answer.message == "Not enough buying power."
        assert await broker.order("mg1-one") is None

    trader.with_broker(work)
    assert there.desk.called("place_equity_order") == [], "the review said so"


def test_an_alert_of_the_review_keeps_from_buying_and_never_from_selling(
    there: StandIn, trader: Trader
) -> None:
    there.desk.alert = "PATTERN_DAY_TRADE"
    there.desk.held["AAPL"] = Decimal(10)

    async def work(broker: RobinhoodBroker) -> None:
        refused = await broker.submit(BUY)
        assert isinstance(refused, Refused) and refused.code == "PATTERN_DAY_TRADE"
        assert "needs" in refused.message, "with its details"
        assert isinstance(await broker.submit(SELL), Accepted)

    trader.with_broker(work)
    assert len(there.desk.called("place_equity_order")) == 1


def test_there_is_no_replacement(there: StandIn, trader: Trader) -> None:
    change = Replacement(client_order_id="mg1-moved", limit_price=Decimal(21))
    answer = trader.with_broker(lambda broker: broker.replace("any", change))
    assert isinstance(answer, Refused) and there.desk.calls == []


def test_a_cancel_is_a_request_and_is_refused_for_what_is_over(there: StandIn, trader: Trader) -> None:
    async def work(broker: RobinhoodBroker) -> None:
        resting, filled = await broker.submit(far_limit("mg1-rests")), await broker.submit(BUY)
        assert isinstance(resting, Accepted) and isinstance(filled, Accepted)
        there.desk.fill(filled.order.broker_order_id, "10")
        assert await broker.cancel(resting.order.broker_order_id) == Requested()
        over = await broker.order("mg1-rests")
        assert over is not None and over.status is OrderStatus.CANCELED
        assert isinstance(await broker.cancel(filled.order.broker_order_id), Refused)
        assert isinstance(await broker.cancel("61e69015-8549-4bfd-b9c3-01e75843f47d"), Refused)
        there.fault("cancel_equity_order", "lost")
        assert isinstance(await broker.cancel(resting.order.broker_order_id), Refused | Unknown)

    trader.with_broker(work)


# --- Whose an order is ----------------------------------------------------------------------------------------


def test_after_a_restart_orders_have_the_names_that_the_ledger_knows(there: StandIn, trader: Trader) -> None:
    first = trader.with_broker(lambda broker: broker.submit(far_limit("mg1-rests")))
    assert isinstance(first, Accepted)
    number = first.order.broker_order_id
    trader.recorded = [
        SentOrder(
            request=far_limit("mg1-rests"),
            sent_at=datetime.now(UTC) - timedelta(seconds=5),
            broker_order_id=number,
        )
    ]
    there.desk.fill(number, "3")

    async def work(broker: RobinhoodBroker) -> None:
        (order,) = await broker.open_orders()
        (execution,) = await broker.executions_since(datetime.now(UTC) - timedelta(minutes=1))
        assert order.client_order_id == execution.client_order_id == "mg1-rests"

    trader.with_broker(work)


def test_an_order_whose_answer_was_lost_by_a_kill_is_found_by_the_next_session(
    there: StandIn, trader: Trader
) -> None:
    there.desk.place(side="buy", type="market", quantity="10", symbol="AAPL")
    trader.recorded = [SentOrder(request=BUY, sent_at=datetime.now(UTC) - timedelta(seconds=5))]

    async def work(broker: RobinhoodBroker) -> None:
        assert [each.client_order_id for each in await broker.orders_since(LONG_AGO)] == ["mg1-one"]

    trader.with_broker(work)


OTHERS: tuple[dict[str, str], ...] = (
    {"quantity": "11"},
    {"symbol": "MSFT"},
    {"type": "limit", "limit_price": "99"},
    {"time_in_force": "gtc"},
    {"by": "user"},
)


def test_an_order_that_differs_in_anything_is_somebody_elses(there: StandIn, trader: Trader) -> None:
    placed = [there.desk.place(**({"quantity": "10"} | other))["id"] for other in OTHERS]
    trader.recorded = [SentOrder(request=BUY, sent_at=datetime.now(UTC) - timedelta(seconds=5))]

    async def work(broker: RobinhoodBroker) -> None:
        assert await broker.order("mg1-one") is None
        assert [each.client_order_id for each in await broker.orders_since(LONG_AGO)] == placed

    trader.with_broker(work)


def test_an_order_from_before_ours_was_sent_is_somebody_elses(there: StandIn, trader: Trader) -> None:
    there.desk.place(quantity="10")
    trader.recorded = [SentOrder(request=BUY, sent_at=datetime.now(UTC) + timedelta(minutes=5))]
    assert trader.with_broker(lambda broker: broker.order("mg1-one")) is None


def test_where_two_orders_may_be_ours_neither_is_taken_and_none_is_told(
    there: StandIn, trader: Trader
) -> None:
    for _ in range(2):
        there.desk.fill(there.desk.place(quantity="10")["id"], "10")
    trader.recorded = [SentOrder(request=BUY, sent_at=datetime.now(UTC) - timedelta(seconds=5))]

    async def work(broker: RobinhoodBroker) -> None:
        with pytest.raises(AskOperator, match="2 orders at Robinhood may be mg1-one") as asked:
            await broker.order("mg1-one")
        assert "not sent again" in asked.value.kept
        assert await broker.orders_since(LONG_AGO) == ()
        assert await broker.executions_since(LONG_AGO) == ()
        (position,) = await broker.positions()
        assert position.quantity == 20, (
            "so the books differ, and nothing is entered until a person has looked"
        )

    trader.with_broker(work)


def test_two_of_ours_that_are_alike_are_told_apart_by_their_answers(there: StandIn, trader: Trader) -> None:
    async def work(broker: RobinhoodBroker) -> None:
        first = await broker.submit(BUY)
        there.fault("place_equity_order", "lost")
        assert isinstance(await broker.submit(replace(BUY, client_order_id="mg1-two")), Unknown)
        second = await broker.order("mg1-two")
        assert isinstance(first, Accepted) and second is not None
        assert second.broker_order_id != first.order.broker_order_id

    trader.with_broker(work)


# --- Events ---------------------------------------------------------------------------------------------------


def is_up(each: object) -> bool:
    return isinstance(each, StreamUp)


def is_kind(kind: OrderEventKind) -> Callable[[object], bool]:
    return lambda each: isinstance(each, OrderEvent) and each.kind is kind


def test_what_changes_is_told_as_events_each_execution_once(there: StandIn, trader: Trader) -> None:
    old = there.desk.place(quantity="1")["id"]
    there.desk.fill(old, "1")

    async def work(broker: RobinhoodBroker) -> None:
        async with aclosing(broker.events()) as events:
            await until(events, is_up)
            answer = await broker.submit(BUY)
            assert isinstance(answer, Accepted)
            number = answer.order.broker_order_id
            await until(events, is_kind(OrderEventKind.NEW))
            there.desk.fill(number, "4")
            partial = await until(events, is_kind(OrderEventKind.PARTIAL_FILL))
            there.desk.fill(number, "6")
            rest = await until(events, is_kind(OrderEventKind.FILL))
            told = [each.execution.quantity for each in (*partial, *rest) if each.execution is not None]
            assert told == [4, 6], "and nothing of the order from before"
            assert {each.order.client_order_id for each in (*partial, *rest)} == {"mg1-one"}

    trader.with_broker(work)


def test_an_order_from_long_ago_that_rests_is_told_of_too(there: StandIn, trader: Trader) -> None:
    stop = replace(SELL, type=OrderType.STOP, stop_price=Decimal(90), time_in_force=TimeInForce.GTC)
    there.desk.held["AAPL"] = Decimal(10)
    placed = there.desk.place(
        side="sell", type="stop_market", stop_price="90", quantity="10", time_in_force="gtc"
    )
    long_ago = datetime.now(UTC) - timedelta(days=20)
    placed["created_at"] = long_ago.isoformat()
    trader.recorded = [SentOrder(request=stop, sent_at=long_ago, broker_order_id=placed["id"])]

    async def work(broker: RobinhoodBroker) -> None:
        async with aclosing(broker.events()) as events:
            await until(events, is_up)
            there.desk.fill(placed["id"], "10", "89.90")
            (*_, filled) = await until(events, is_kind(OrderEventKind.FILL))
            assert filled.order.client_order_id == "mg1-exit"
            (execution,) = await broker.executions_since(datetime.now(UTC) - timedelta(minutes=1))
            assert execution.execution_id == filled.execution.execution_id

    trader.with_broker(work)


def test_silence_is_told_and_what_was_missed_comes_when_it_is_over(there: StandIn, trader: Trader) -> None:
    async def work(broker: RobinhoodBroker) -> None:
        async with aclosing(broker.events()) as events:
            await until(events, is_up)
            answer = await broker.submit(BUY)
            assert isinstance(answer, Accepted)
            await until(events, is_kind(OrderEventKind.NEW))
            there.fault("get_equity_orders", "limited", count=3)
            await until(events, lambda each: isinstance(each, StreamDown))
            there.desk.fill(answer.order.broker_order_id, "10")
            told = await until(events, is_kind(OrderEventKind.FILL))
            assert is_up(told[0])

    trader.with_broker(work)


def test_events_end_with_the_broker(there: StandIn, trader: Trader) -> None:
    async def work(broker: RobinhoodBroker) -> None:
        async def listen() -> None:
            async for _ in broker.events():
                pass

        listening = asyncio.create_task(listen())
        await broker.close()
        await listening

    trader.with_broker(work)
