"""alpaca-py, unmodified: only the addresses are overridden."""

import queue
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

pytest.importorskip("alpaca", reason="alpaca-py is not installed: pip install 'magellan-trading[alpaca]'")

with warnings.catch_warnings():
    # alpaca-py uses a part of `websockets` that its makers have deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.common.exceptions import APIError
    from alpaca.data.historical import StockHistoricalDataClient
    from alpaca.data.live import StockDataStream
    from alpaca.data.requests import StockBarsRequest, StockLatestQuoteRequest, StockSnapshotRequest
    from alpaca.data.timeframe import TimeFrame
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import OrderClass, OrderSide, OrderStatus, QueryOrderStatus, TimeInForce
    from alpaca.trading.requests import (
        ClosePositionRequest,
        GetCalendarRequest,
        GetOrderByIdRequest,
        GetOrdersRequest,
        LimitOrderRequest,
        MarketOrderRequest,
        ReplaceOrderRequest,
        StopLossRequest,
        StopOrderRequest,
        TakeProfitRequest,
        TrailingStopOrderRequest,
    )
    from alpaca.trading.stream import TradingStream

TIMEOUT_S = 10
KEYS = ("PKTEST", "secret")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def trading(client) -> Iterator[TradingClient]:
    made = TradingClient(*KEYS, paper=True, url_override=client.http)
    yield made
    made._session.close()


@pytest.fixture
def data(client) -> Iterator[StockHistoricalDataClient]:
    made = StockHistoricalDataClient(*KEYS, url_override=client.http)
    yield made
    made._session.close()


def market(qty: float = 10, side: OrderSide = OrderSide.BUY, **more: Any) -> MarketOrderRequest:
    return MarketOrderRequest(symbol="AAPL", qty=qty, side=side, time_in_force=TimeInForce.DAY, **more)


@contextmanager
def running(stream: Any) -> Iterator[None]:
    """Run a stream in a thread of its own until the block ends."""
    thread = threading.Thread(target=stream.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stream.stop()
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()


def test_a_market_order_from_entry_to_a_closed_position(client, trading: TradingClient) -> None:
    order = trading.submit_order(market(client_order_id="entry-1"))
    client.step(1)
    filled = trading.get_order_by_client_id("entry-1")
    assert (filled.id, filled.status) == (order.id, OrderStatus.FILLED)
    position = trading.get_open_position("AAPL")
    assert (position.qty, position.avg_entry_price) == ("10", filled.filled_avg_price)
    trading.close_position("AAPL", ClosePositionRequest(qty="4"))
    client.step(1)
    assert trading.get_open_position("AAPL").qty == "6"
    trading.close_all_positions(cancel_orders=True)
    client.step(1)
    assert trading.get_all_positions() == []


def test_a_resting_order_is_replaced_and_cancelled(client, trading: TradingClient) -> None:
    order = trading.submit_order(
        LimitOrderRequest(
            symbol="AAPL", qty=5, side=OrderSide.BUY, time_in_force=TimeInForce.GTC, limit_price=10.00
        )
    )
    client.step(1)
    replaced = trading.replace_order_by_id(order.id, ReplaceOrderRequest(qty=3, limit_price=11.00))
    client.step(1)
    assert trading.get_order_by_id(order.id).status is OrderStatus.REPLACED
    assert (replaced.replaces, replaced.qty) == (order.id, "3")
    trading.cancel_order_by_id(replaced.id)
    client.step(1)
    closed = trading.get_orders(GetOrdersRequest(status=QueryOrderStatus.CLOSED))
    assert {each.status for each in closed} == {OrderStatus.REPLACED, OrderStatus.CANCELED}


def test_a_bracket_protects_a_position_and_its_legs_exclude_each_other(
    client, trading: TradingClient
) -> None:
    price = client.price()
    order = trading.submit_order(
        market(
            order_class=OrderClass.BRACKET,
            take_profit=TakeProfitRequest(limit_price=round(price * 1.2, 2)),
            stop_loss=StopLossRequest(stop_price=round(price * 0.8, 2)),
        )
    )
    client.step(1)
    legs = trading.get_order_by_id(order.id, GetOrderByIdRequest(nested=True)).legs
    assert legs is not None
    assert {each.order_type.value for each in legs} == {"limit", "stop"}
    trading.cancel_order_by_id(legs[0].id)
    client.step(1)
    assert {trading.get_order_by_id(each.id).status for each in legs} == {OrderStatus.CANCELED}


@pytest.mark.parametrize(
    "request_",
    [
        StopOrderRequest(
            symbol="AAPL", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, stop_price=9999
        ),
        TrailingStopOrderRequest(
            symbol="AAPL", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, trail_percent=50
        ),
        MarketOrderRequest(symbol="AAPL", notional=500, side=OrderSide.BUY, time_in_force=TimeInForce.DAY),
        MarketOrderRequest(symbol="AAPL", qty=0.5, side=OrderSide.BUY, time_in_force=TimeInForce.DAY),
    ],
    ids=["stop", "trailing stop", "notional", "fraction"],
)
def test_every_kind_of_order_is_understood(client, trading: TradingClient, request_: Any) -> None:
    order = trading.submit_order(request_)
    client.step(1)
    assert trading.get_order_by_id(order.id).status in (OrderStatus.NEW, OrderStatus.FILLED)


def test_a_refusal_arrives_with_its_code_and_message(trading: TradingClient) -> None:
    with pytest.raises(APIError) as refused:
        trading.submit_order(market(qty=10_000_000))
    assert (refused.value.status_code, refused.value.code) == (403, 40310000)
    assert refused.value.message == "insufficient buying power"


def test_account_clock_calendar_and_assets_are_read(client, trading: TradingClient) -> None:
    assert trading.get_account().equity == "100000"
    assert trading.get_clock().is_open
    (day,) = trading.get_calendar(
        GetCalendarRequest(start=datetime(2024, 3, 11).date(), end=datetime(2024, 3, 11).date())
    )
    assert (day.open.hour, day.close.hour) == (9, 16)
    assert trading.get_asset("AAPL").tradable
    assert {each.symbol for each in trading.get_all_assets()} >= {"AAPL", "MSFT"}
    assert trading.get_portfolio_history().equity is not None
    assert trading.get_account_configurations().no_shorting is False


def test_bars_quotes_and_snapshots_are_read(client, data: StockHistoricalDataClient) -> None:
    client.step(600)
    asked = StockBarsRequest(
        symbol_or_symbols=["AAPL", "MSFT"],
        timeframe=TimeFrame.Minute,
        start=datetime(2024, 3, 11, 13, 30, tzinfo=UTC),
        end=datetime(2024, 3, 11, 13, 39, tzinfo=UTC),
    )
    bars = data.get_stock_bars(asked).data
    assert {symbol: len(rows) for symbol, rows in bars.items()} == {"AAPL": 10, "MSFT": 10}
    quote = data.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="AAPL"))["AAPL"]
    assert 0 < quote.bid_price < quote.ask_price
    snapshot = data.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols="AAPL"))["AAPL"]
    assert snapshot.minute_bar is not None


def test_trade_updates_arrive_while_orders_are_sent(client, trading: TradingClient) -> None:
    heard: queue.Queue[Any] = queue.Queue()
    stream = TradingStream(*KEYS, paper=True, url_override=client.ws + "/stream")

    async def hear(update: Any) -> None:
        heard.put(update)

    stream.subscribe_trade_updates(hear)
    with running(stream):
        wait_for_listeners(client)
        order = trading.submit_order(market())
        client.step(1)
        events = []
        while not events or events[-1].event != "fill":
            events.append(heard.get(timeout=TIMEOUT_S))
    assert {each.order.id for each in events} == {order.id}
    assert (events[-1].qty, events[-1].position_qty) == (10, 10)


def test_bars_arrive_on_the_data_stream(client) -> None:
    heard: queue.Queue[Any] = queue.Queue()
    stream = StockDataStream(*KEYS, url_override=client.ws + "/v2/iex")

    async def hear(bar: Any) -> None:
        heard.put(bar)

    stream.subscribe_bars(hear, "AAPL", "MSFT")
    with running(stream):
        wait_for_subscribers(client)
        client.step(30)
        bars = {bar.symbol: bar for bar in (heard.get(timeout=TIMEOUT_S) for _ in range(2))}
    assert bars["AAPL"].timestamp == datetime(2024, 3, 11, 13, 31, tzinfo=UTC)


def test_a_retry_of_alpaca_py_after_a_lost_answer_does_not_double_an_order_with_an_id(
    client, trading: TradingClient
) -> None:
    trading._retry_wait = 0.01
    client.fault("error_after_accept", when={"route": "POST /v2/orders"}, count=1, status=504)
    with pytest.raises(APIError, match="client_order_id must be unique"):
        trading.submit_order(market(client_order_id="once"))
    assert len(trading.get_orders(GetOrdersRequest(status=QueryOrderStatus.ALL))) == 1


def wait_for_listeners(client) -> None:
    """Until a trade stream listens: the exchange says so itself, nobody guesses a time."""
    wait_until(client, lambda stream: stream.get("listens", False))


def wait_for_subscribers(client) -> None:
    """Until somebody has subscribed to bars."""
    wait_until(client, lambda stream: "bars" in stream.get("channels", {}))


def wait_until(client, holds: Callable[[dict[str, Any]], bool]) -> None:
    for _ in range(2_000):
        if any(holds(stream) for stream in client.exchange.call(lambda server: server.streams())):
            return
        threading.Event().wait(0.005)
    raise AssertionError("the client never came")
