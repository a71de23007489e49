"""Bars of a vendor that is asked after each minute: what is told when, and what a failure does."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from magellan.adapters.polled_bars import PolledBars
from magellan.archive.dataset import Adjustment, DateRange, SetId
from magellan.errors import FixInput
from magellan.ports.live_bars import FeedDown, FeedUp, LiveBar
from magellan.ports.vendor import VendorBusy, VendorRefused
from magellan.trading.bar import Bar, Bars, nanoseconds
from magellan.trading.session import Hours
from magellan.trading.timeframe import DAY, MINUTE, Timeframe

OPENS = datetime(2026, 1, 21, 14, 30, tzinfo=UTC)


def at(minute: float) -> datetime:
    return OPENS + timedelta(minutes=minute)


@dataclass
class Tape:
    """A vendor, its clock, and what happens while somebody waits."""

    rows: dict[str, dict[datetime, float]] = field(default_factory=dict)  # close by start, by symbol
    now: datetime = OPENS
    asked: list[tuple[str, DateRange]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    meanwhile: list[Callable[[], None]] = field(default_factory=list)  # one per wait
    name = "tape"

    def set_id(
        self,
        symbol: str,
        timeframe: Timeframe,
        *,
        feed: str | None,
        adjustment: Adjustment | None,
        hours: Hours | None,
    ) -> SetId:
        assert adjustment is Adjustment.SPLIT
        return SetId(
            symbol=symbol,
            timeframe=timeframe,
            vendor="tape",
            feed="all",
            adjustment=adjustment,
            hours=Hours.ALL,
        )

    def days_per_request(self, timeframe: Timeframe) -> int:
        return 2

    def bars(self, set_id: SetId, dates: DateRange) -> Bars:
        self.asked.append((set_id.symbol, dates))
        if self.failures:
            raise self.failures.pop(0)
        rows = [
            (start, close)
            for start, close in sorted(self.rows.get(set_id.symbol, {}).items())
            if dates.first_on <= start.date() <= dates.last_on
        ]
        close = np.array([close for _, close in rows], dtype=np.float64)
        starts = np.array([nanoseconds(start) for start, _ in rows], dtype=np.int64)
        return Bars(
            symbol=set_id.symbol,
            timeframe=set_id.timeframe,
            opened_at_ns=starts,
            open=close,
            high=close,
            low=close,
            close=close,
            volume=np.full(len(rows), 100.0),
        )

    def put(self, symbol: str, minute: float, close: float) -> None:
        self.rows.setdefault(symbol, {})[at(minute)] = close

    async def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        if self.meanwhile:
            self.meanwhile.pop(0)()
        await asyncio.sleep(0)

    def source(self) -> PolledBars:
        return PolledBars(self, delay_s=5.0, clock=lambda: self.now, sleep=self.sleep)

    def told(self, count: int, *symbols: str) -> list[object]:
        """The first things that the stream tells, in short."""

        async def listen() -> list[object]:
            source, found = self.source(), []
            async with aclosing(source.stream(symbols)) as stream:  # type: ignore[type-var]
                async for each in stream:
                    found.append(_short(each))
                    if len(found) == count:
                        break
            await source.close()
            return found

        return asyncio.run(listen())


def _short(told: object) -> object:
    match told:
        case LiveBar(symbol=symbol, bar=Bar(opened_at=opened_at, close=close), corrects=corrects):
            return (
                symbol,
                (opened_at - OPENS).total_seconds() / 60,
                close,
                *(("corrects",) if corrects else ()),
            )
        case FeedUp():
            return "up"
        case FeedDown(why=why):
            return f"down: {why}"
    return told


@pytest.fixture
def tape() -> Tape:
    tape = Tape(now=at(2.2))
    for minute in (0, 1):
        tape.put("AA", minute, 10 + minute)
        tape.put("BB", minute, 20 + minute)
    return tape


def test_a_bar_is_told_once_soon_after_its_minute_and_the_running_minute_never(tape: Tape) -> None:
    def two_closed() -> None:
        assert tape.now == at(3) + timedelta(seconds=5)
        tape.put("AA", 2, 12)
        tape.put("BB", 2, 22)
        tape.put("AA", 3, 99)  # still running

    def nothing_new() -> None:
        pass

    def three_closed() -> None:
        tape.put("AA", 3, 13)

    tape.meanwhile = [two_closed, nothing_new, three_closed]
    assert tape.told(5, "AA", "BB") == [
        "up",
        ("AA", 2, 12),
        ("BB", 2, 22),
        ("AA", 3, 99),  # as it stood once its minute was over
        ("AA", 3, 13, "corrects"),
    ]


def test_a_bar_that_comes_late_is_told_when_it_is_seen(tape: Tape) -> None:
    tape.meanwhile = [
        lambda: tape.put("AA", 2, 12),
        lambda: tape.rows["BB"].update({at(2): 22.0, at(3): 23.0}),
    ]
    assert tape.told(4, "AA", "BB") == ["up", ("AA", 2, 12), ("BB", 2, 22), ("BB", 3, 23)]


def test_a_vendor_that_is_not_ready_is_a_feed_that_is_down_until_it_answers_again(tape: Tape) -> None:
    tape.meanwhile = [
        lambda: tape.failures.extend([VendorBusy("too many requests"), VendorBusy("still too many")]),
        lambda: tape.put("AA", 2, 12),
        lambda: None,
        lambda: tape.put("AA", 3, 13),
    ]
    # What came meanwhile is not told: whoever hears "up" asks the history.
    assert tape.told(5, "AA") == [
        "up",
        "down: too many requests",
        "down: still too many",
        "up",
        ("AA", 3, 13),
    ]


def test_a_vendor_that_refuses_for_good_ends_the_stream(tape: Tape) -> None:
    tape.failures = [VendorRefused("this plan has no minutes")]
    with pytest.raises(FixInput, match="this plan has no minutes"):
        tape.told(1, "AA")


def test_closing_ends_a_stream_that_waits() -> None:
    async def listen() -> list[object]:
        tape = Tape(now=at(2))
        source = PolledBars(tape, delay_s=5.0, clock=lambda: tape.now)  # really sleeps, for over a minute
        found = []
        async for each in source.stream(["AA"]):
            found.append(_short(each))
            asyncio.get_running_loop().call_soon(lambda: asyncio.ensure_future(source.close()))
        return found

    assert asyncio.run(asyncio.wait_for(listen(), 20)) == ["up"]


def test_history_is_asked_in_pieces_and_holds_closed_bars_of_the_range_only(tape: Tape) -> None:
    for day in range(5):
        tape.rows["AA"][OPENS - timedelta(days=day)] = 30.0 + day

    async def read(timeframe: Timeframe, start: datetime, end: datetime) -> Bars:
        source = tape.source()
        try:
            return (await source.history(["AA"], timeframe, start, end))["AA"]
        finally:
            await source.close()

    bars = asyncio.run(read(MINUTE, OPENS - timedelta(days=3), at(10)))
    assert list(bars.close) == [33.0, 32.0, 31.0, 30.0, 11.0]
    assert [dates for _, dates in tape.asked] == [
        DateRange(first_on=date(2026, 1, 18), last_on=date(2026, 1, 19)),
        DateRange(first_on=date(2026, 1, 20), last_on=date(2026, 1, 21)),
    ]


def test_daily_bars_open_with_their_date_on_the_exchanges_clock(tape: Tape) -> None:
    tape.rows["AA"] = {datetime(2026, 1, day, tzinfo=UTC): float(day) for day in (19, 20, 21, 22)}

    async def read() -> Bars:
        source = tape.source()
        try:
            start = datetime(2026, 1, 20, 5, tzinfo=UTC)  # midnight in New York
            return (await source.history(["AA"], DAY, start, at(0)))["AA"]
        finally:
            await source.close()

    assert list(asyncio.run(read()).close) == [20.0, 21.0]
