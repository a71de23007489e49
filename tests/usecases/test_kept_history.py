"""Kept history: the same bars as the source tells, for fewer questions; and never bars that mean something else now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from magellan.trading.bar import Bars, nanoseconds
from magellan.trading.timeframe import MINUTE, MINUTE_NS, Timeframe
from magellan.usecases.kept_history import KeptHistory

NOON = datetime(2026, 1, 20, 17, 0, tzinfo=UTC)
FROM = NOON - timedelta(days=2)


@dataclass
class Source:
    """Keeps `ports.live_bars.LiveBars`: a bar of each minute that has begun, whose price is its number."""

    factor: float = 1.0  # of a split
    corrected: dict[int, float] = field(default_factory=dict)  # minutes, and what they close at now
    asked: list[float] = field(default_factory=list)  # hours

    @property
    def source(self) -> str:
        return "small/iex"

    async def history(
        self, symbols: Sequence[str], timeframe: Timeframe, start_at: datetime, end_at: datetime
    ) -> Mapping[str, Bars]:
        self.asked.append((end_at - start_at).total_seconds() / 3600)
        first, last = -(-nanoseconds(start_at) // MINUTE_NS), nanoseconds(end_at) // MINUTE_NS
        minutes = np.arange(first, last, dtype=np.int64)
        price = (
            np.array([self.corrected.get(int(each), float(each % 1000 + 1)) for each in minutes])
            * self.factor
        )
        columns: dict[str, Any] = dict.fromkeys(("open", "high", "low", "close", "volume"), price)
        return {
            each: Bars(symbol=each, timeframe=timeframe, opened_at_ns=minutes * MINUTE_NS, **columns)
            for each in symbols
        }

    async def stream(self, symbols: Sequence[str]) -> AsyncIterator[Any]:
        return
        yield

    async def close(self) -> None:
        return None


def asked(kept: KeptHistory, source: Source, at: datetime) -> list[tuple[int, float]]:
    found = asyncio.run(kept.over(source).history(("AMC",), MINUTE, FROM, at))["AMC"]
    return list(zip(found.opened_at_ns.tolist(), found.close.tolist(), strict=True))


def whole(source: Source, at: datetime) -> list[tuple[int, float]]:
    return asked(KeptHistory(), source, at)


@given(pauses=st.lists(st.integers(0, 45), min_size=1, max_size=6))
def test_what_is_kept_and_what_is_newer_are_what_the_source_tells(pauses: list[int]) -> None:
    kept, source, at = KeptHistory(), Source(), NOON
    for minutes in pauses:
        at += timedelta(minutes=minutes)
        assert asked(kept, source, at) == whole(source, at)


def test_a_session_that_begins_soon_after_asks_for_the_last_hours_only() -> None:
    kept, source = KeptHistory(), Source()
    asked(kept, source, NOON)
    asked(kept, source, NOON + timedelta(minutes=10))
    assert source.asked[0] == 48 and source.asked[1] < 2.2


def test_what_was_read_too_long_ago_is_read_again_as_a_whole() -> None:
    kept, source = KeptHistory(), Source()
    asked(kept, source, NOON)
    asked(kept, source, NOON + timedelta(minutes=31))
    assert source.asked[1] > 48


def test_prices_that_mean_something_else_since_are_all_asked_for_again() -> None:
    kept, source = KeptHistory(), Source()
    asked(kept, source, NOON)
    source.factor = 0.1  # the vendor adjusts for a split
    at = NOON + timedelta(minutes=5)
    assert asked(kept, source, at) == whole(source, at)


def test_a_bar_that_was_corrected_meanwhile_is_told_as_it_is_now() -> None:
    kept, source = KeptHistory(), Source()
    asked(kept, source, NOON)
    source.corrected[nanoseconds(NOON) // MINUTE_NS - 30] = 7.0
    at = NOON + timedelta(minutes=5)
    assert asked(kept, source, at) == whole(source, at)
