"""What a session reads of the ledger when it begins."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from magellan.adapters.memory_ledger import MemoryLedger
from magellan.ledger.entries import Decision, Halted, NewEntry
from magellan.usecases import trade

_AT = datetime(2025, 11, 24, 15, 0, tzinfo=UTC)


def _decision(minute: int) -> NewEntry:
    opened_at = _AT + timedelta(minutes=minute)
    return NewEntry(
        at=opened_at,
        session="s",
        payload=Decision(
            decision_id=f"AMC-{minute}",
            strategy="bear_trap",
            symbol="AMC",
            bar_opened_at=opened_at,
            bar_closed_at=opened_at + timedelta(minutes=1),
            bar_received_at=None,
            bar_source="alpaca/sip",
            action="nothing",
            price=Decimal(4),
            reasoning="",
        ),
    )


def test_a_session_remembers_everything_but_old_decisions(monkeypatch) -> None:
    monkeypatch.setattr(trade, "_DECISIONS_KEPT", 3)
    ledger = MemoryLedger(lambda: _AT)
    halt = NewEntry(at=_AT, session="s", payload=Halted(source="command", person="ada", reason="odd fills"))
    with ledger.writer("a") as writer:
        writer.append([halt, *(_decision(minute) for minute in range(10))])
    found = trade.remembered(ledger, "a")
    assert [entry.number for entry in found] == [1, 9, 10, 11]
    assert found[0].payload == halt.payload


def test_a_session_of_a_new_account_remembers_nothing() -> None:
    assert trade.remembered(MemoryLedger(lambda: _AT), "a") == ()
