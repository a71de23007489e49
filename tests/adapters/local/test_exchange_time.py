"""The time of a local exchange: what is no exchange is told in plain words, and nothing stays open."""

from __future__ import annotations

import asyncio
import gc
import socket
from datetime import UTC, datetime, timedelta

import pytest

from magellan.adapters.local.exchange_time import Clock, PacedExchange, exchange_time
from magellan.errors import AskOperator
from one_answer import answering


def begin(address: str) -> None:
    """Ask for the time there. A pool of connections that is left open is a warning, and warnings are errors."""
    asyncio.run(exchange_time(address, key_id="PK1", symbols=frozenset()))
    gc.collect()


@pytest.mark.parametrize(
    "body", [b"<html>Welcome to the hotel's network</html>", b"{}", b"[]", b'{"mode": "shifted", "now": 7}']
)
def test_what_answers_and_is_no_exchange_is_told_as_that(body: bytes) -> None:
    with answering(body) as address, pytest.raises(AskOperator, match="not like a paper exchange"):
        begin(address)
    gc.collect()


def test_an_address_where_nobody_listens_is_told_and_leaves_nothing_open() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(AskOperator, match="cannot be reached"):
        begin(address)
    gc.collect()


class ToldClock:
    """In place of the control API: an exchange whose clock somebody changes."""

    def __init__(self, *told: Clock) -> None:
        self.told = list(told)
        self.is_closed = False

    async def clock(self) -> Clock:
        return self.told.pop(0) if len(self.told) > 1 else self.told[0]

    async def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize("mode", ["paced", "shifted"])
def test_a_session_follows_a_paced_exchange_whose_time_is_made_to_pass_otherwise(mode: str) -> None:
    begun = Clock(mode="paced", now=datetime(2026, 3, 2, 15, tzinfo=UTC), end=None, speed=60.0)
    changed = Clock(mode=mode, now=begun.now + timedelta(hours=5), end=None, speed=600.0)

    async def follow() -> tuple[datetime, bool]:
        control = ToldClock(begun, changed)
        pace = PacedExchange(begun, control, look_every_s=0.001)  # type: ignore[arg-type]
        for _ in range(10_000):
            if pace.now() >= changed.now:
                break
            await asyncio.sleep(0.001)
        at = pace.now()
        await pace.close()
        return at, control.is_closed

    at, is_closed = asyncio.run(follow())
    assert changed.now <= at < changed.now + timedelta(hours=1) and is_closed


def test_a_session_waits_for_a_paced_exchange_that_was_slowed_down() -> None:
    begun = Clock(mode="paced", now=datetime(2026, 3, 2, 15, tzinfo=UTC), end=None, speed=60.0)
    slowed = Clock(mode="paced", now=begun.now - timedelta(seconds=60), end=None, speed=6000.0)

    async def follow() -> list[datetime]:
        control = ToldClock(slowed)
        pace = PacedExchange(begun, control, look_every_s=0.01)  # type: ignore[arg-type]
        seen = [pace.now()]
        while seen[-1] <= begun.now + timedelta(seconds=60):
            await asyncio.sleep(0.001)
            seen.append(pace.now())
        await pace.close()
        return seen

    seen = asyncio.run(follow())
    assert seen == sorted(seen)
    assert len(set(seen)) < len(seen), "it stood still until the exchange was there"


def test_a_session_does_not_follow_an_exchange_whose_time_stands_still_or_goes_back() -> None:
    begun = Clock(mode="paced", now=datetime(2026, 3, 2, 15, tzinfo=UTC), end=None, speed=60.0)
    frozen = Clock(mode="frozen", now=begun.now + timedelta(hours=5), end=None, speed=60.0)
    earlier = Clock(mode="paced", now=begun.now - timedelta(hours=5), end=None, speed=60.0)

    async def follow() -> list[datetime]:
        control = ToldClock(frozen, earlier, begun)
        pace = PacedExchange(begun, control, look_every_s=0.001)  # type: ignore[arg-type]
        seen = [pace.now()]
        while len(control.told) > 1:
            await asyncio.sleep(0.001)
            seen.append(pace.now())
        await pace.close()
        return seen

    seen = asyncio.run(follow())
    assert seen == sorted(seen) and seen[0] >= begun.now and seen[-1] < frozen.now
