"""A ledger that was lost: an account that has evidently traded before enters nothing until a person has looked."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from magellan.engine import events as e
from magellan.ledger.entries import BreakerTripped
from risk.small_session import OPEN, SmallSession


def resumed(small: SmallSession) -> None:
    small.tell(
        e.Operator(
            at=small.now,
            asks=e.OperatorAsks.RESUME,
            person="ada",
            reason="the disk was new",
            source="command",
        )
    )


def after_a_trade() -> SmallSession:
    small = SmallSession().start()
    small.trade(10)
    assert small.closed == 1
    return small


def without_its_ledger(before: SmallSession, **setup: Any) -> SmallSession:
    """The same account, and a ledger without an entry where none is handed in."""
    small = SmallSession(**setup)
    small.executions = list(before.executions)
    small.held, small.cash = dict(before.held), before.cash
    return small


def test_a_new_account_enters() -> None:
    small = SmallSession().start()
    small.bar(100)
    assert (len(small.bought), small.tripped) == (1, [])


def test_a_lost_ledger_is_told_by_the_orders_that_the_broker_remembers() -> None:
    small = without_its_ledger(after_a_trade()).start(OPEN + timedelta(minutes=30))
    assert small.tripped == ["records"]
    small.bar(100)
    assert small.bought == []
    assert any("the ledger is empty" in text and "mg1-" in text for text in small.alerts)


def test_only_a_person_resets_it() -> None:
    lost = without_its_ledger(after_a_trade()).start(OPEN + timedelta(minutes=30))
    again = without_its_ledger(lost, recorded=tuple(lost.entries))
    again.start(OPEN + timedelta(minutes=60))
    again.bar(100)
    assert again.bought == [], "a restart finds entries in its ledger, and is tripped all the same"
    resumed(again)
    for _ in range(3):
        again.bar(100)
        again.broker_tells()
    assert len(again.bought) == 1


def test_a_position_tells_it_even_where_the_session_refuses_to_begin() -> None:
    small = SmallSession()
    small.held["AMC"] = Decimal(10)
    small.start()
    assert "records" in small.tripped
    again = SmallSession(recorded=tuple(small.entries)).start(OPEN + timedelta(minutes=30))
    again.bar(100)
    assert again.bought == []


def test_what_an_earlier_session_left_beside_the_ledger_tells_it() -> None:
    small = SmallSession(heard_before="a session has left heartbeats/PA3.json").start()
    small.bar(100)
    assert (small.tripped, small.bought) == (["records"], [])
    told = [entry.payload.reason for entry in small.entries if isinstance(entry.payload, BreakerTripped)]
    assert told == [
        "the ledger is empty, and the account has traded before: a session has left heartbeats/PA3.json"
    ]


def test_with_its_ledger_the_same_account_goes_on() -> None:
    before = after_a_trade()
    again = without_its_ledger(
        before, recorded=tuple(before.entries), heard_before="a session has left a file"
    )
    again.start(OPEN + timedelta(minutes=30))
    again.bar(100)
    assert (again.tripped, len(again.bought)) == ([], 1)


def test_a_dry_run_has_a_ledger_of_its_own() -> None:
    small = without_its_ledger(after_a_trade(), sends=False).start(OPEN + timedelta(minutes=30))
    assert small.tripped == []
