"""Bars of a session: what the stream's next bar waits for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta

import pytest

from engine.test_session import CALENDAR
from magellan.ports.live_bars import FeedDown, FeedUp, LiveBar, TradingStatus
from magellan.ports.pace import Tally
from magellan.trading.bar import Bar, Bars, instant
from magellan.trading.timeframe import MINUTE, Timeframe
from magellan.usecases.live_bars import BarsOfSession
from magellan.workspace.config import DataTerms
from usecases.test_run_session import StandingTime

OPENS_AT = instant(int(CALENDAR.opens_at_ns[0]))
BURST = 3
TURNS = 3  # of the loop, until an order is on the wire


class Burst:
    """Keeps `LiveBars`: so many bars, which are there at once. Notes when each is asked for."""

    source = "sim"

    def __init__(self, happened: list[str]) -> None:
        self._happened = happened

    async def history(
        self, symbols: Sequence[str], timeframe: Timeframe, start_at: datetime, end_at: datetime
    ) -> Mapping[str, Bars]:
        raise AssertionError("nobody asks")

    async def stream(
        self, symbols: Sequence[str]
    ) -> AsyncIterator[LiveBar | FeedUp | FeedDown | TradingStatus]:
        for number in range(BURST):
            self._happened.append(f"bar {number}")
            at = OPENS_AT + timedelta(minutes=number)
            bar = Bar(opened_at=at, open=10.0, high=10.0, low=10.0, close=10.0, volume=100.0)
            yield LiveBar(symbol="A", timeframe=MINUTE, bar=bar, source="sim", received_at=at, corrects=False)

    async def close(self) -> None:
        return None


def listened(arrived: Callable[[list[str]], None], gives_way: Callable[[], bool]) -> list[str]:
    """What happened while a burst was listened to. arrived: called with what has happened so far, at every bar."""
    happened: list[str] = []
    bars = BarsOfSession(
        source=Burst(happened),
        pace=StandingTime(),
        calendar=CALENDAR,
        terms=DataTerms(timeframe="1Min"),
        symbols=("A",),
        history_from=OPENS_AT,
        put=lambda event: None,
        at=lambda name, at, then: None,
        begin=lambda work: work.close(),
        arrived=lambda: arrived(happened),
        gives_way=gives_way,
        tally=Tally(),
    )
    asyncio.run(asyncio.wait_for(bars.listen(), 30))
    return happened


@pytest.mark.parametrize("at", range(BURST - 1))
def test_an_order_is_on_the_wire_before_the_next_bar_of_a_burst_is_read(at: int) -> None:
    sending = set[asyncio.Task[None]]()

    async def send(happened: list[str]) -> None:
        for turn in range(TURNS):
            happened.append(f"turn {turn}")
            if turn < TURNS - 1:
                await asyncio.sleep(0)
        sending.clear()

    def arrived(happened: list[str]) -> None:
        if happened[-1] == f"bar {at}":
            sending.add(asyncio.get_running_loop().create_task(send(happened)))

    happened = listened(arrived, lambda: bool(sending))
    turns = [f"turn {turn}" for turn in range(TURNS)]
    bars = [f"bar {number}" for number in range(BURST)]
    assert happened == [*bars[: at + 1], *turns, *bars[at + 1 :]]


def test_bars_come_even_if_what_they_give_way_to_never_ends() -> None:
    assert listened(lambda happened: None, lambda: True) == [f"bar {number}" for number in range(BURST)]
