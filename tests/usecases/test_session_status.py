"""What the status of an account says it is worth, and by whose word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from magellan.adapters.memory_ledger import MemoryLedger
from magellan.ledger.book import RunningSession
from magellan.ledger.entries import AccountMarked, FailureSeen, NewEntry, Payload, SessionBegan
from magellan.ports.heartbeat import Heartbeat
from magellan.ports.ledger import Holder
from magellan.usecases.named_account import NamedAccount
from magellan.usecases.session_status import Running, SessionStatus, session_status
from magellan.usecases.watch_session import Seen

BeatAt = Callable[[datetime], Heartbeat]

BEGAN_AT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
NOW = BEGAN_AT + timedelta(minutes=24)
BEGAN = SessionBegan(
    run_id="s1", strategy="moods", stage="prod", mode="paper", magellan_version="0", config_hash="0" * 64,
    release_id=None, data_id=None, bar_source="alpaca/sip", symbols=("AMC",), timeframe="1Min", host="here", pid=7,
)  # fmt: skip
MARK = AccountMarked(
    session_on=date(2026, 3, 2),
    cash_usd=Decimal("60253.77"),
    equity_usd=Decimal("100013.16"),
    last_equity_usd=Decimal(100000),
    buying_power_usd=Decimal("360253.77"),
    occasion="start",
)


def status_of(
    beat: Heartbeat, *, holder: Holder | None, began: bool | None = None, behind: Sequence[Payload] = ()
) -> SessionStatus:
    """began: whether a session is known that has not ended; left out: where one holds the account."""
    ledger = MemoryLedger(lambda: NOW)
    with ledger.writer("PA1") as writer:
        writer.append([NewEntry(at=BEGAN_AT, session="s1", payload=each) for each in (BEGAN, MARK, *behind)])
    known = holder is not None if began is None else began
    session = RunningSession(session="s1", began_at=BEGAN_AT, began=BEGAN) if known else None
    seen = Seen(at=NOW, holder=holder, session=session, beat=beat, beat_at=NOW)
    account = NamedAccount(ledger="PA1", name=None, terms=None)
    return session_status(account, ledger, seen, silent=(), look=None)


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        ("", "allowed"),
        ("our clock is not the broker's", "KEPT OUT for now: our clock is not the broker's"),
    ],
)
def test_entries_are_not_said_to_be_allowed_while_the_session_lets_none_in(
    beat_at: BeatAt, refused: str, told: str
) -> None:
    beat = replace(beat_at(NOW), entries_refused=refused)
    assert status_of(beat, holder=Holder(host="here", pid=7, since=BEGAN_AT)).entries == told
    assert status_of(beat, holder=None).entries == "allowed", (
        "of a session that is over nothing holds any more"
    )


@pytest.mark.parametrize(
    ("told_s_ago", "cash", "source", "age_s"),
    [
        (30, "99997.12", "broker, by the heartbeat", 30),
        (None, "60253.77", "ledger, start", 24 * 60),  # as an older Magellan left it
        (25 * 60, "60253.77", "ledger, start", 24 * 60),  # of a session before
    ],
)
def test_an_account_is_worth_what_the_broker_said_last(
    beat_at: BeatAt, told_s_ago: float | None, cash: str, source: str, age_s: float
) -> None:
    told_at = None if told_s_ago is None else NOW - timedelta(seconds=told_s_ago)
    beat = replace(
        beat_at(NOW),
        account_told_at=told_at,
        cash_usd=99997.12,
        buying_power_usd=399988.48,
        equity_usd=99997.12,
    )
    money = status_of(beat, holder=None).money
    assert money is not None
    assert (money.cash_usd, money.source, money.age_s) == (Decimal(cash), source, age_s)


def test_a_session_that_is_gone_says_what_it_could_not_go_on_after(beat_at: BeatAt) -> None:
    strategy = FailureSeen(where="moods", error="KeyError: 'AMC'")
    broken = FailureSeen(where=FailureSeen.SESSION, error="the broker answers for the account PA-OTHER now")
    killed = status_of(beat_at(NOW), holder=None, began=True, behind=[strategy])
    assert (killed.running, killed.broken_by) == (Running.GONE, "")
    ended = status_of(beat_at(NOW), holder=None, began=True, behind=[strategy, broken])
    assert (ended.running, ended.broken_by) == (Running.GONE, broken.error)
    assert ended.health.failures == 2
