"""Packed bars say what the messages say that are made one by one."""

from datetime import date

import msgpack
import pytest

from magellan.adapters.exchange_calendar import load_calendar
from magellan.exchange.data_api.stream.publication import bar_messages
from magellan.exchange.market.instant import InstantKind
from magellan.exchange.server.market_streams import _iex_share, _whole
from magellan.exchange.server.packed_bars import PackedBars, packed_frames
from magellan.exchange.server.served_market import generated_sessions

ON = date(2024, 3, 11)


@pytest.mark.parametrize("iex", [False, True])
def test_every_bar_of_a_day_is_packed_as_it_would_be_sent(iex: bool) -> None:
    served = generated_sessions(("AAPL", "ZQ"), load_calendar(), ON, ON, seed=3)
    packed = PackedBars(served.market)
    closing = [
        each
        for each in served.market.instants(
            served.start_ns - 6 * 3600 * 10**9, served.end_ns + 5 * 3600 * 10**9
        )
        if each.kind is InstantKind.BAR_CLOSED
    ]
    compared = 0
    for instant in closing:
        one_by_one = bar_messages(served.market, instant.symbols, instant.at_ns, iex=iex)
        found = packed.closing(instant.symbols, instant.at_ns, _iex_share if iex else _whole)
        assert [msgpack.unpackb(each) for _, each in found] == [
            msgpack.unpackb(each.msgpack) for each in one_by_one
        ]
        compared += len(found)
    assert compared > 500


def test_frames_hold_all_messages_and_none_is_too_long() -> None:
    messages = [msgpack.packb({"n": number, "text": "x" * 300}) for number in range(2_000)]
    frames = list(packed_frames(messages))
    assert len(frames) > 1
    assert max(map(len, frames)) <= 257 * 1024
    assert [each["n"] for frame in frames for each in msgpack.unpackb(frame)] == list(range(2_000))
