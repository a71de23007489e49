"""Alpaca's own client reads our bodies: its models parse every row, its stream every message."""

import asyncio
from datetime import UTC, datetime

import msgpack
import orjson
import pytest

from exchange.data_api.asking import CALL, NOW_NS, PUT, api, body
from exchange.market.sample_market import MONDAY, at, generated
from magellan.exchange.data_api.stream import publication
from magellan.exchange.data_api.stream.frame import Encoding, frames
from magellan.exchange.market.halt import Halt

alpaca_models = pytest.importorskip("alpaca.data.models", reason="alpaca-py is not installed")


def raw(path, query=None):
    return orjson.loads(orjson.dumps(body(path, query)))


def test_bars_quotes_and_trades_of_shares_are_read():
    query = {"symbols": "AAA,BBB", "start": "2025-07-07T15:10:00Z"}
    bars = alpaca_models.BarSet(raw("/v2/stocks/bars", query | {"timeframe": "1Min"})["bars"])
    first = bars["AAA"][0]
    assert first.timestamp == datetime(2025, 7, 7, 15, 10, tzinfo=UTC)
    assert first.low <= first.vwap <= first.high
    assert first.trade_count == 13
    quotes = alpaca_models.QuoteSet(raw("/v2/stocks/quotes", query)["quotes"])
    assert all(quote.bid_price < quote.ask_price for quote in quotes["AAA"])
    assert quotes["AAA"][0].conditions == ["R"]
    trades = alpaca_models.TradeSet(raw("/v2/stocks/trades", query)["trades"])
    assert trades["AAA"][0].price == first.open
    assert trades["AAA"][0].exchange == "Q"


def test_snapshots_are_read():
    snapshot = alpaca_models.Snapshot("AAA", raw("/v2/stocks/snapshots", {"symbols": "AAA"})["AAA"])
    assert snapshot.minute_bar.timestamp == datetime(2025, 7, 7, 15, 14, tzinfo=UTC)
    assert snapshot.daily_bar.timestamp.date().isoformat() == "2025-07-07"
    assert snapshot.previous_daily_bar.timestamp.date().isoformat() == "2025-07-03"
    assert snapshot.latest_quote.bid_price < snapshot.latest_quote.ask_price
    assert snapshot.latest_trade.price == pytest.approx(api()._market.price("AAA", NOW_NS), rel=0.01)


def test_crypto_is_read():
    pair = {"symbols": "BTC/USD"}
    snapshots = raw("/v1beta3/crypto/us/snapshots", pair)["snapshots"]
    snapshot = alpaca_models.Snapshot("BTC/USD", snapshots["BTC/USD"])
    assert snapshot.daily_bar.timestamp == datetime(2025, 7, 7, tzinfo=UTC)
    book = raw("/v1beta3/crypto/us/latest/orderbooks", pair)["orderbooks"]["BTC/USD"]
    orderbook = alpaca_models.Orderbook("BTC/USD", book)
    assert orderbook.bids[0].price < orderbook.asks[0].price
    assert len(orderbook.bids) == len(orderbook.asks) == 10


def test_options_are_read():
    from alpaca.data.models.snapshots import OptionsSnapshot

    found = raw("/v1beta1/options/snapshots", {"symbols": f"{CALL},{PUT}"})["snapshots"]
    call, put = (OptionsSnapshot(symbol, found[symbol]) for symbol in (CALL, PUT))
    assert call.greeks.delta > 0 > put.greeks.delta
    assert call.implied_volatility == put.implied_volatility
    assert call.latest_trade.price > 0 and call.latest_quote.ask_price > 0


def test_corporate_actions_and_screens_are_read():
    from alpaca.data.models.corporate_actions import CorporateActionsSet
    from alpaca.data.models.screener import MostActives, Movers

    actions = CorporateActionsSet(raw("/v1/corporate-actions", {"start": "2025-07-01"})["corporate_actions"])
    assert actions.data["forward_splits"][0].new_rate == 2
    assert actions.data["cash_dividends"][0].rate == 0.25
    actives = MostActives(**raw("/v1beta1/screener/stocks/most-actives"))
    assert actives.most_actives[0].volume >= actives.most_actives[1].volume
    movers = Movers(**raw("/v1beta1/screener/stocks/movers"))
    assert len(movers.gainers) + len(movers.losers) == 2
    assert Movers(**raw("/v1beta1/screener/crypto/movers")).market_type.value == "crypto"


def stream_messages():
    market = generated("AAA", "BTC/USD")
    closed_ns, both = at(MONDAY, 11, 15), ("AAA", "BTC/USD")
    trade = publication.trade_messages(market, ["AAA"], closed_ns - 1, closed_ns)[0]
    return [
        *publication.bar_messages(market, both, closed_ns),
        *publication.updated_bar_messages(market, both, closed_ns),
        *publication.daily_bar_messages(market, both, closed_ns),
        *publication.trade_messages(market, both, closed_ns - 1, closed_ns + 5_000_000_000),
        *publication.quote_messages(market, both, closed_ns - 1, closed_ns),
        *publication.orderbook_messages(market, ["BTC/USD"], closed_ns),
        publication.halt_message(market, Halt(symbol="AAA", from_ns=closed_ns, until_ns=None)),
        publication.resume_message(market, "AAA", closed_ns),
        publication.correction_message(trade, 1.0, 2, closed_ns),
        publication.cancel_message(trade, closed_ns),
        *publication.band_messages(market, ["AAA"], closed_ns),
    ]


def test_alpacas_stream_reads_every_message():
    from alpaca.data.live import StockDataStream

    stream = StockDataStream("key", "secret")
    read = []

    async def keep(parsed):
        read.append(parsed)

    for handlers in stream._handlers.values():
        handlers["*"] = keep
    messages = stream_messages()
    for frame in frames(messages, Encoding.MSGPACK):
        for message in msgpack.unpackb(frame):
            asyncio.run(stream._dispatch(message))
    assert len(read) == len(messages)
    kinds = {type(each).__name__ for each in read}
    parsed = {"Bar", "Trade", "Quote", "Orderbook", "TradingStatus", "TradeCorrection", "TradeCancel"}
    assert kinds == parsed | {"dict"}
    # alpaca-py 0.44 hands price bands on as they are.
    assert {each["T"] for each in read if isinstance(each, dict)} == {"l"}


def test_json_and_messagepack_say_the_same():
    messages = stream_messages()
    (as_json,), (as_msgpack,) = (list(frames(messages, encoding)) for encoding in Encoding)
    for plain, packed in zip(orjson.loads(as_json), msgpack.unpackb(as_msgpack), strict=True):
        at_ns = packed.pop("t").to_unix_nano()
        text = plain.pop("t")
        assert plain == packed
        assert at_ns == round(datetime.fromisoformat(text.rstrip("Z") + "+00:00").timestamp() * 1e6) * 1000
