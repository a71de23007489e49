"""One connection to a data stream: the documented conversation, word for word."""

import json

import msgpack
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.market.sample_market import MONDAY, at, generated
from magellan.exchange.data_api.entitlement import ALGO_TRADER_PLUS, BASIC
from magellan.exchange.data_api.series import bar_rows, feed_share
from magellan.exchange.data_api.stream.frame import LONGEST_FRAME, Encoding, frames
from magellan.exchange.data_api.stream.message import Message
from magellan.exchange.data_api.stream.publication import bar_messages, daily_bar_messages
from magellan.exchange.data_api.stream.session import STREAM_ERRORS, SessionState, StreamSession
from magellan.exchange.data_api.stream.stream_kind import CHANNELS, CRYPTO, NEWS, OPTIONS, STOCKS
from magellan.exchange.market.bar_span import BarSpan
from magellan.trading.timeframe import SECOND_NS

GOOD = {"action": "auth", "key": "K", "secret": "S"}


def session(kind=STOCKS, *, entitlement=ALGO_TRADER_PLUS, encoding=Encoding.JSON, admitted=True):
    return StreamSession(
        kind,
        encoding,
        lambda given: entitlement if (given.key, given.secret) == ("K", "S") else None,
        opened_ns=0,
        admits=lambda _: admitted,
    )


def say(stream, message):
    answer = stream.receive(json.dumps(message))
    return [part for frame in answer.frames for part in orjson.loads(frame)], answer.close


def ready(kind=STOCKS, **rest):
    stream = session(kind, **rest)
    assert say(stream, GOOD) == ([{"T": "success", "msg": "authenticated"}], False)
    return stream


def error(code):
    return [{"T": "error", "code": code, "msg": STREAM_ERRORS[code]}]


def test_a_client_is_greeted_authenticated_and_told_all_its_subscriptions():
    stream = session()
    assert stream.greet().frames == (b'[{"T":"success","msg":"connected"}]',)
    say(stream, GOOD)
    told, close = say(stream, {"action": "subscribe", "trades": ["AAPL"], "quotes": ["AMD"], "bars": ["*"]})
    assert not close
    assert told == [
        {
            "T": "subscription",
            "trades": ["AAPL"],
            "quotes": ["AMD"],
            "bars": ["*"],
            "updatedBars": [],
            "dailyBars": [],
            "statuses": [],
            "lulds": [],
            "corrections": ["AAPL"],
            "cancelErrors": ["AAPL"],
        }
    ]
    told, _ = say(stream, {"action": "unsubscribe", "quotes": ["AMD"], "trades": ["XYZ"]})
    assert (told[0]["trades"], told[0]["quotes"], told[0]["bars"]) == (["AAPL"], [], ["*"])


@pytest.mark.parametrize(
    ("kind", "channels"),
    [
        (CRYPTO, ["trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars"]),
        (OPTIONS, ["trades", "quotes"]),
        (NEWS, ["news"]),
    ],
)
def test_other_streams_have_their_own_channels(kind, channels):
    told, _ = say(ready(kind), {"action": "subscribe", channels[0]: ["*"]})
    assert list(told[0]) == ["T", *channels]


@pytest.mark.parametrize(
    ("message", "code", "closes"),
    [
        ({"action": "subscribe", "bars": ["AAPL"]}, 401, False),
        ({"action": "dance"}, 401, False),
        ({"action": "auth", "key": "K", "secret": "wrong"}, 402, True),
        ({"action": "auth", "key": "K"}, 400, False),
        ([1, 2], 400, False),
    ],
)
def test_before_authentication_only_authentication_makes_sense(message, code, closes):
    assert say(session(), message) == (error(code), closes)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (GOOD, 403),
        ({"action": "dance"}, 400),
        ({"action": "subscribe", "bars": "AAPL"}, 400),
        ({"action": "subscribe", "bars": [1]}, 400),
        ({"action": "subscribe", "candles": ["AAPL"]}, 400),
        ({"action": "subscribe", "orderbooks": ["BTC/USD"]}, 410),
        ({"action": "subscribe", "news": ["*"]}, 410),
    ],
)
def test_after_it_what_makes_no_sense_changes_nothing(message, code):
    stream = ready()
    say(stream, {"action": "subscribe", "bars": ["AAPL"]})
    assert say(stream, message) == (error(code), False)
    assert stream.subscriptions("bars") == ("AAPL",)


def test_a_feed_outside_the_subscription_is_refused_at_authentication():
    assert say(session(admitted=False), GOOD) == (error(409), True)


def test_a_client_that_does_not_authenticate_within_ten_seconds_is_let_go():
    stream = session()
    assert not stream.passed(10 * SECOND_NS).close
    assert stream.passed(10 * SECOND_NS + 1).close
    assert stream.state is SessionState.CLOSED
    assert not ready().passed(60 * SECOND_NS).close


def test_the_free_plan_has_thirty_trades_and_quotes_and_any_number_of_bars():
    stream = ready(entitlement=BASIC)
    symbols = [f"S{number}" for number in range(40)]
    assert (
        say(stream, {"action": "subscribe", "bars": symbols, "trades": symbols[:20]})[0][0]["T"]
        == "subscription"
    )
    assert say(stream, {"action": "subscribe", "quotes": symbols[:11]}) == (error(405), False)
    assert say(stream, {"action": "subscribe", "trades": ["*"]}) == (error(405), False)
    assert stream.subscriptions("quotes") == ()
    assert say(stream, {"action": "subscribe", "quotes": symbols[:10]})[0][0]["quotes"] == symbols[:10]


def test_no_plan_has_the_quotes_of_all_options():
    assert say(ready(OPTIONS), {"action": "subscribe", "quotes": ["*"]}) == (error(405), False)
    assert say(ready(OPTIONS), {"action": "subscribe", "trades": ["*"]})[0][0]["trades"] == ["*"]


def test_messagepack_is_understood_and_answered_in_kind():
    stream = session(encoding=Encoding.MSGPACK)
    answer = stream.receive(msgpack.packb(GOOD))
    assert msgpack.unpackb(answer.frames[0]) == [{"T": "success", "msg": "authenticated"}]


@given(data=st.binary(max_size=40) | st.text(max_size=40))
def test_noise_is_an_error_and_never_more(data):
    answer = session().receive(data)
    assert orjson.loads(answer.frames[0])[0]["code"] in (400, 401)
    assert not answer.close


def actions():
    symbols = st.lists(st.sampled_from(["A", "B", "C", "*"]), max_size=3)
    channels = st.dictionaries(st.sampled_from(STOCKS.channels), symbols, max_size=3)
    return st.lists(st.tuples(st.sampled_from(["subscribe", "unsubscribe"]), channels), max_size=8)


@given(asked=actions())
@settings(max_examples=60)
def test_subscriptions_are_the_sum_of_what_was_asked(asked):
    stream, wanted = ready(), {channel: set() for channel in STOCKS.channels}
    for action, channels in asked:
        told, _ = say(stream, {"action": action} | channels)
        for channel, symbols in channels.items():
            wanted[channel] = (
                wanted[channel] | set(symbols) if action == "subscribe" else wanted[channel] - set(symbols)
            )
        assert {channel: set(told[0][channel]) for channel in wanted} == wanted
        assert told[0]["corrections"] == told[0]["cancelErrors"] == told[0]["trades"]
    for channel in CHANNELS - {"news", "orderbooks"}:
        listened = wanted["trades" if channel in STOCKS.implied else channel]
        assert stream.wants(channel, "A") == bool(listened & {"A", "*"})


def test_whoever_wants_everything_shares_the_very_same_messages():
    messages = [Message("bars", symbol, 0, {"o": 1.0}) for symbol in ("AAA", "BBB")]
    everything, one = ready(), ready()
    say(everything, {"action": "subscribe", "bars": ["*"]})
    say(one, {"action": "subscribe", "bars": ["BBB"]})
    assert everything.select(messages) is messages
    assert [message.symbol for message in one.select(messages)] == ["BBB"]
    assert ready().select(messages) == []


def test_frames_hold_many_messages_and_stay_short_enough_for_clients():
    messages = [Message("bars", "AAA", number, {"o": 1.0}) for number in range(10_000)]
    for encoding, read in ((Encoding.JSON, orjson.loads), (Encoding.MSGPACK, msgpack.unpackb)):
        sent = list(frames(messages, encoding))
        assert 1 < len(sent) < 10
        assert all(len(frame) <= LONGEST_FRAME for frame in sent)
        assert sum(len(read(frame)) for frame in sent) == len(messages)
    assert list(frames([], Encoding.JSON)) == []


@pytest.mark.parametrize("symbol", ["AAA", "BTC/USD"])
@pytest.mark.parametrize("iex", [False, True])
def test_the_streams_bars_are_those_of_the_history(symbol, iex):
    market = generated("AAA", "BTC/USD")
    minute, day = BarSpan.parse("1Min"), BarSpan.parse("1Day")
    share = feed_share(symbol, iex)
    for hour in (5, 9, 12, 15, 17, 21):
        closed_ns = at(MONDAY, hour, 31)
        told = bar_messages(market, [symbol], closed_ns, iex=iex)
        history = market.closed_bars(
            symbol, minute, closed_ns - 60 * SECOND_NS, closed_ns - 1, closed_ns, volume_share=share
        )
        rows = bar_rows(history, whole_units=symbol == "AAA")
        assert [without_names(message.value) for message in told] == rows
        for message in daily_bar_messages(market, [symbol], closed_ns, iex=iex):
            today = market.closed_bars(
                symbol, day, message.at_ns, message.at_ns, closed_ns, volume_share=share
            )
            (row,) = bar_rows(today, whole_units=symbol == "AAA")
            assert close_to(message.value, row)


def without_names(value):
    return {name: each for name, each in value.items() if name not in ("T", "S")} | {
        "v": round(value["v"], 9)
    }


def close_to(value, row):
    return all(
        value[name] == pytest.approx(row[name]) if name != "t" else value["t"] == row["t"] for name in row
    )
