"""A ledger that was deleted: the account is known by what else it left, and enters nothing until a person says so."""

from __future__ import annotations

import os
import signal

from journeys.live_desk import LiveDesk, exchange, live_desk

__all__ = ["exchange", "live_desk"]


def test_a_session_whose_ledger_was_deleted_begins_tripped(live_desk: LiveDesk) -> None:
    first = live_desk.started()
    os.kill(first.pid, signal.SIGTERM)
    assert live_desk.ended(first)[0] == 0
    assert live_desk.entries("breaker_tripped") == []
    for file in (live_desk.root / ".magellan").glob("ledger.sqlite*"):
        file.unlink()
    second = live_desk.started()
    tripped = [each["payload"] for each in live_desk.entries("breaker_tripped")]
    assert [each["breaker"] for each in tripped] == ["records"]
    assert "the ledger is empty, and the account has traded before" in tripped[0]["reason"]
    resumed = live_desk.run("resume", "--by", "joe", "--reason", "the disk was replaced")
    assert resumed.returncode == 0, resumed.stderr
    assert [each["payload"]["breaker"] for each in live_desk.entries("breaker_reset")] == ["records"]
    os.kill(second.pid, signal.SIGTERM)
    assert live_desk.ended(second)[0] == 0
