"""What follows from a ledger is read from its newest bookmark that fits; where none does, everything is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ledger.samples import BEGAN, entry
from magellan.adapters.memory_ledger import MemoryLedger
from magellan.engine.session import Session
from magellan.engine.setup import SessionSetup
from magellan.ledger.book import FOLDED_KINDS, Book
from magellan.ledger.bookmark import bookmark
from magellan.ledger.entries import BreakerTripped, NewEntry
from magellan.usecases import recall
from magellan.usecases.recall import NOTHING, account_now, book_now, fold_form, put_away_if_long, recalled
from simulation.campaign import simulate

AT = datetime(2026, 1, 20, tzinfo=UTC)
Week = tuple[SessionSetup, Sequence[NewEntry]]


@pytest.fixture(scope="module")
def week() -> Week:
    world = simulate(23, days=5).world
    return world.make_setup(99), tuple(world.ledger)


@pytest.fixture
def ledger(week: Week) -> MemoryLedger:
    """With a bookmark in the middle."""
    setup, entries = week
    ledger = MemoryLedger(lambda: AT)
    half = len(entries) // 2
    with ledger.writer("SIM") as writer:
        writer.append(entries[:half])
        session = Session(setup, entries[:half])
        writer.keep(bookmark("SIM", writer.head, fold_form(), session.put_away()))
        writer.append(entries[half:])
    return ledger


def test_an_account_is_what_its_whole_ledger_makes_it(week: Week, ledger: MemoryLedger) -> None:
    with ledger.writer("SIM") as writer:
        writer.append([entry(BreakerTripped(breaker="daily loss", reason="lost too much"))])
    book, safety, behind = account_now(ledger, "SIM", FOLDED_KINDS)
    assert book == Book.of("SIM", ledger.entries("SIM", kinds=FOLDED_KINDS))
    assert safety.tripped == ("daily loss",)
    assert {each.number for each in behind} <= set(range(len(week[1]) // 2 + 1, len(week[1]) + 2))


def test_without_a_bookmark_everything_is_read() -> None:
    assert recalled(MemoryLedger(lambda: AT), "SIM") == NOTHING


@pytest.mark.parametrize(
    "what", ["the body", "the entry's number", "the entry's hash", "the code", "the account"]
)
def test_a_bookmark_that_does_not_fit_is_as_if_there_were_none(ledger: MemoryLedger, what: str) -> None:
    found = ledger.bookmark("SIM")
    assert found is not None and recalled(ledger, "SIM").after == found.head.number
    lines = [b"{}"]
    match what:
        case "the body":
            other = replace(found, body=found.body[:-9] + b"x" + found.body[-8:])
        case "the entry's number":
            other = bookmark("SIM", replace(found.head, number=10**6), fold_form(), lines)
        case "the entry's hash":  # the ledger is another one: an older backup, or written anew
            other = bookmark("SIM", replace(found.head, hash="0" * 64), fold_form(), lines)
        case "the code":
            other = bookmark("SIM", found.head, "another version's", lines)
        case _:
            other = bookmark("another", found.head, fold_form(), lines)
    with ledger.writer("SIM") as writer:
        writer.keep(other)
    assert recalled(ledger, "SIM") == NOTHING
    assert book_now(ledger, "SIM", FOLDED_KINDS) == Book.of("SIM", ledger.entries("SIM", kinds=FOLDED_KINDS))


def test_a_session_that_read_much_behind_a_bookmark_makes_the_next_one(
    week: Week, ledger: MemoryLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup, entries = week
    session, found = Session(setup, entries), recalled(ledger, "SIM")
    with ledger.writer("SIM") as writer:
        put_away_if_long(writer, session, found)
        assert recalled(ledger, "SIM") == found
        monkeypatch.setattr(recall, "_READ_AGAIN_MAX", len(entries) // 3)
        put_away_if_long(writer, session, found)
        writer.append([entry(BEGAN)])
    assert recalled(ledger, "SIM").after == len(entries)
    assert book_now(ledger, "SIM", FOLDED_KINDS) == Book.of("SIM", ledger.entries("SIM", kinds=FOLDED_KINDS))
