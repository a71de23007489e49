"""What a roll-out sees of a session's first bar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.memory_ledger import MemoryLedger
from magellan.ledger.entries import NewEntry, SessionBegan
from magellan.ports.heartbeat import Heartbeat
from magellan.usecases.look_at_session import look_at_session
from magellan.usecases.named_account import NamedAccount

OPENS = datetime(2026, 3, 2, 14, 30, tzinfo=UTC)  # in New York; it closes at 21:00
BEGAN = SessionBegan(
    run_id="s1", strategy="moods", stage="prod", mode="paper", magellan_version="0", config_hash="0" * 64,
    release_id=None, data_id=None, bar_source="alpaca/sip", symbols=("AMC",), timeframe="1Min", host="here", pid=7,
)  # fmt: skip


@pytest.mark.parametrize(
    ("timeframe", "began_after_s", "looked_after_s", "first_bar_s"),
    [
        ("1Min", 600, 600, 60),
        ("1Min", 610, 640, 20),
        ("1Min", -3600, 5, 55),  # begun before the open
        ("5Min", 610, 640, 260),
        ("1Hour", 610, 640, 2960),
        ("1Hour", 6.4 * 3600, 6.45 * 3600, 0.05 * 3600),  # the day's last one is shorter
        ("1Day", 610, 640, 6.5 * 3600 - 640),
        ("1Min", 600, 700, -40),
    ],
)
def test_it_is_told_when_the_first_bar_that_a_session_can_get_is_over(
    beat_at: Callable[[datetime], Heartbeat],
    timeframe: str,
    began_after_s: float,
    looked_after_s: float,
    first_bar_s: float,
) -> None:
    now = OPENS + timedelta(seconds=looked_after_s)
    beat = beat_at(now)
    ledger = MemoryLedger(lambda: now)
    with ledger.writer("PA1") as writer:
        began_at = OPENS + timedelta(seconds=began_after_s)
        writer.append([NewEntry(at=began_at, session="s1", payload=replace(BEGAN, timeframe=timeframe))])
        account = NamedAccount(ledger="PA1", name=None, terms=None)
        look = look_at_session(account, ledger, (beat, now), calendar=load_calendar(), now=now)
    assert look.market_open
    assert look.bar_age_s is None
    assert look.first_bar_s == pytest.approx(first_bar_s)
