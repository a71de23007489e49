"""What every ledger keeps. Run by test_ledger.py on memory and SQLite, and by tests/lab on a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from ledger.samples import BEGAN, entry, intended, one_of_every_kind
from magellan.errors import MagellanError
from magellan.ledger.book import FOLDED_KINDS, Book
from magellan.ledger.bookmark import bookmark
from magellan.ledger.chain import EMPTY, Sound
from magellan.ledger.entries import PAYLOADS, AlertRaised, NewEntry
from magellan.ports.ledger import AccountHeld, Ledger

NOW = datetime(2026, 1, 20, 14, 29, 59, tzinfo=UTC)


def clock() -> datetime:
    return NOW


class LedgerContract:
    """A subclass gives `ledger` and `reopened`: the same ledger, as another process would open it."""

    def test_what_was_written_is_read_back_to_the_last_digit(
        self, ledger: Ledger, reopened: Callable[[], Ledger]
    ) -> None:
        entries = one_of_every_kind()
        with ledger.writer("PA1") as writer:
            written = writer.append(entries[:5]) + writer.append(entries[5:])
        read = tuple(reopened().entries("PA1"))
        assert read == written
        assert {each.kind for each in read} == set(PAYLOADS)
        assert [each.payload for each in read] == [each.payload for each in entries]
        assert [(each.at, each.session) for each in read] == [(each.at, each.session) for each in entries]

    def test_entries_are_numbered_without_a_gap_and_chained(self, ledger: Ledger) -> None:
        with ledger.writer("PA1") as writer:
            assert writer.head == EMPTY
            writer.append(one_of_every_kind())
            last = writer.append([entry(BEGAN)])[-1]
            assert (writer.head.number, writer.head.hash) == (last.number, last.hash)
        read = list(ledger.entries("PA1"))
        assert [each.number for each in read] == list(range(1, len(read) + 1))
        assert [each.previous_hash for each in read] == [EMPTY.hash, *(each.hash for each in read[:-1])]
        assert ledger.head("PA1") == Sound(head=ledger.head("PA1")).head
        assert ledger.verify("PA1") == Sound(head=ledger.head("PA1"))

    def test_accounts_are_kept_apart(self, ledger: Ledger) -> None:
        with ledger.writer("PA1") as one, ledger.writer('PA 2/"é"') as two:
            one.append([entry(BEGAN)])
            two.append([entry(BEGAN), entry(intended(), minutes=1)])
            one.append([entry(intended(), minutes=2)])
        assert ledger.accounts() == ('PA 2/"é"', "PA1")
        assert [each.number for each in ledger.entries("PA1")] == [1, 2]
        assert [each.number for each in ledger.entries('PA 2/"é"')] == [1, 2]
        assert isinstance(ledger.verify('PA 2/"é"'), Sound)

    def test_reading_begins_after_a_number_and_keeps_to_kinds(self, ledger: Ledger) -> None:
        with ledger.writer("PA1") as writer:
            written = writer.append(one_of_every_kind())
        assert tuple(ledger.entries("PA1", after=7)) == written[7:]
        assert tuple(ledger.entries("PA1", after=len(written))) == ()
        executions = tuple(ledger.entries("PA1", kinds=("execution",)))
        assert executions == tuple(each for each in written if each.kind == "execution")
        with pytest.raises(MagellanError):
            list(ledger.entries("PA1", after=len(written) + 1))

    def test_a_book_of_the_folded_kinds_is_the_book_of_all(self, ledger: Ledger) -> None:
        with ledger.writer("PA1") as writer:
            writer.append(one_of_every_kind())
        some, every = (Book.of("PA1", ledger.entries("PA1", kinds=kinds)) for kinds in (FOLDED_KINDS, None))
        assert some == every

    def test_the_newest_bookmark_of_each_account_is_kept(
        self, ledger: Ledger, reopened: Callable[[], Ledger]
    ) -> None:
        assert ledger.bookmark("PA1") is None
        with ledger.writer("PA1") as one, ledger.writer("PA2") as two:
            one.append([entry(BEGAN)])
            assert ledger.bookmark("PA1") is None
            first = bookmark("PA1", one.head, "a form", [b"what follows", b"\x00\xff"])
            one.keep(first)
            one.append([entry(BEGAN)])
            second = bookmark("PA1", one.head, "a form", [b"more"])
            one.keep(second)
            two.append([entry(BEGAN)])
        assert reopened().bookmark("PA1") == second
        assert reopened().bookmark("PA2") is None
        assert ledger.verify("PA1") == Sound(head=second.head)

    def test_an_unknown_account_is_empty(self, ledger: Ledger) -> None:
        assert ledger.accounts() == ()
        assert ledger.head("nobody") == EMPTY
        assert list(ledger.entries("nobody")) == []
        assert ledger.verify("nobody") == Sound(head=EMPTY)
        assert ledger.holder("nobody") is None

    def test_an_account_has_one_writer_and_a_second_is_told_who_it_is(
        self, ledger: Ledger, reopened: Callable[[], Ledger]
    ) -> None:
        other = reopened()
        with ledger.writer("PA1"):
            holder = other.holder("PA1")
            assert holder is not None and holder.since == NOW
            with (
                pytest.raises(
                    AccountHeld, match=f"PA1 is held by process {holder.pid} on {holder.host}, since"
                ),
                other.writer("PA1"),
            ):
                pytest.fail("two writers for one account")
            with other.writer("PA2") as writer:
                writer.append([entry(BEGAN)])
        assert other.holder("PA1") is None
        with other.writer("PA1") as writer:
            writer.append([entry(BEGAN)])

    def test_a_writer_that_ends_by_an_error_gives_the_account_back(self, ledger: Ledger) -> None:
        with pytest.raises(ZeroDivisionError), ledger.writer("PA1"):
            raise ZeroDivisionError
        with ledger.writer("PA1") as writer:
            writer.append([entry(BEGAN)])

    def test_an_append_that_cannot_be_written_down_adds_nothing(self, ledger: Ledger) -> None:
        impossible = NewEntry(
            at=NOW,
            session="s-1",
            payload=BEGAN.__class__(**{**_fields(BEGAN), "symbols": (Decimal("NaN"),)}),  # type: ignore[arg-type]
        )
        with ledger.writer("PA1") as writer:
            with pytest.raises(ValueError, match="no number that a ledger can hold"):
                writer.append([entry(BEGAN), impossible])
            assert writer.append([]) == ()
            assert writer.head == EMPTY
            (only,) = writer.append([entry(BEGAN)])
        assert tuple(ledger.entries("PA1")) == (only,)

    def test_reading_sees_one_state_while_others_write(
        self, ledger: Ledger, reopened: Callable[[], Ledger]
    ) -> None:
        with ledger.writer("PA1") as writer:
            writer.append([entry(BEGAN)] * 10)
            reading = reopened().entries("PA1")
            first = next(reading)
            writer.append([entry(BEGAN)] * 10)
            assert first.number == 1 and len(list(reading)) == 9

    def test_words_of_every_kind_survive(self, ledger: Ledger) -> None:
        text = 'line\nbreak \u2028 \x00 tab\t "quotes" \' é 中 😀 \\ </script>'
        with ledger.writer("PA1") as writer:
            writer.append([entry(AlertRaised(severity="info", text=text))])
            # Half of a character, as a broker's JSON can smuggle it in: it is written out, and not lost.
            writer.append([entry(AlertRaised(severity="info", text="half \ud83d of one"))])
        first, second = (each.payload for each in ledger.entries("PA1"))
        assert isinstance(first, AlertRaised) and first.text == text
        assert isinstance(second, AlertRaised) and second.text == "half \\ud83d of one"
        assert isinstance(ledger.verify("PA1"), Sound)

    def test_instants_keep_their_microseconds(self, ledger: Ledger) -> None:
        at = NOW + timedelta(microseconds=1)
        with ledger.writer("PA1") as writer:
            writer.append([NewEntry(at=at, session="s", payload=BEGAN)])
        assert next(ledger.entries("PA1")).at == at


def _fields(payload: object) -> dict[str, object]:
    return {name: getattr(payload, name) for name in payload.__slots__}  # type: ignore[attr-defined]
