"""Whatever is changed in a stored ledger shows."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from ledger.samples import BEGAN, entry, one_of_every_kind
from magellan.adapters.sql_ledger import SqlLedger
from magellan.adapters.sqlite_ledger import SqliteDatabase
from magellan.errors import AskOperator
from magellan.ledger.book import FOLDED_KINDS
from magellan.ledger.chain import EMPTY, Broken, Head, Sound, StoredEntry, sealed, verify
from reference.plain_chain import head_of

STORED, _ = sealed(one_of_every_kind() * 2, "PA1", EMPTY)
HEAD = Head(number=STORED[-1].number, hash=STORED[-1].hash)


def test_the_plain_check_agrees_with_ours() -> None:
    assert head_of(each.line for each in STORED) == (HEAD.number, HEAD.hash)
    assert verify(STORED, "PA1", head=HEAD) == Sound(head=HEAD)


def changed_at_random(stored: list[StoredEntry], chance: random.Random) -> str:
    """Change a stored chain in place as a person or a defect might; says how."""
    at = chance.randrange(len(stored))
    entry = stored[at]
    match chance.choice(
        ("bit", "byte out", "byte in", "number", "kind", "hash", "delete", "insert", "swap", "cut")
    ):
        case "bit":
            line = bytearray(entry.line)
            line[chance.randrange(len(line))] ^= 1 << chance.randrange(8)
            stored[at] = entry._replace(line=bytes(line))
            return "a bit"
        case "byte out":
            where = chance.randrange(len(entry.line))
            stored[at] = entry._replace(line=entry.line[:where] + entry.line[where + 1 :])
            return "a byte out"
        case "byte in":
            where = chance.randrange(len(entry.line) + 1)
            stored[at] = entry._replace(line=entry.line[:where] + b" " + entry.line[where:])
            return "a byte in"
        case "number":
            stored[at] = entry._replace(number=entry.number + chance.choice((-1, 1, 1000)))
            return "a number"
        case "kind":
            stored[at] = entry._replace(kind=chance.choice([*({e.kind for e in stored} - {entry.kind}), ""]))
            return "a kind"
        case "hash":
            digits = list(entry.hash)
            where = chance.randrange(64)
            digits[where] = chance.choice([each for each in "0123456789abcdef" if each != digits[where]])
            stored[at] = entry._replace(hash="".join(digits))
            return "a hash"
        case "delete":
            del stored[at]
            return "an entry deleted"
        case "insert":
            stored.insert(at, chance.choice(stored))
            return "an entry inserted"
        case "swap":
            other = (at + 1 + chance.randrange(len(stored) - 1)) % len(stored)
            stored[at], stored[other] = stored[other], stored[at]
            return "two entries swapped"
        case _:
            del stored[at:]
            return "the end cut off"


def test_ten_thousand_random_changes_are_all_found() -> None:
    chance = random.Random(20260121)
    for _ in range(10_000):
        stored = list(STORED)
        how = changed_at_random(stored, chance)
        assert isinstance(verify(stored, "PA1", head=HEAD), Broken), how


@pytest.mark.parametrize(
    ("head", "number", "reason"),
    [
        (None, HEAD.number, "the store does not say where the chain ends"),
        (Head(number=HEAD.number + 1, hash="0" * 64), HEAD.number + 1, "it is missing; the chain had"),
        (Head(number=HEAD.number - 1, hash=STORED[-2].hash), HEAD.number, "it was added to a chain of"),
        (Head(number=HEAD.number, hash="0" * 64), HEAD.number, "another hash"),
    ],
)
def test_the_end_of_a_chain_is_checked_against_where_the_store_says_that_it_ends(
    head: Head | None, number: int, reason: str
) -> None:
    found = verify(STORED, "PA1", head=head)
    assert isinstance(found, Broken) and found.number == number and reason in found.reason


def test_entries_of_one_account_do_not_pass_for_anothers() -> None:
    assert isinstance(verify(STORED, "PA2", head=HEAD), Broken)


def test_a_line_put_under_another_kind_is_found_before_it_could_hide_an_execution() -> None:
    hidden = [each._replace(kind="decision") if each.kind == "execution" else each for each in STORED]
    assert isinstance(verify(hidden, "PA1", head=HEAD), Broken)


# --- In raw SQL ----------------------------------------------------------------------------------------------

TAMPERING = [
    "UPDATE ledger_entries SET line = replace(line, '5.0125', '5.0126') WHERE number = 12",
    "UPDATE ledger_entries SET line = CAST(x'ff00' AS TEXT) WHERE number = 7",
    "UPDATE ledger_entries SET line = x'00' WHERE number = 7",
    "UPDATE ledger_entries SET line = 5 WHERE number = 7",
    "UPDATE ledger_entries SET kind = 'decision' WHERE kind = 'execution'",
    "UPDATE ledger_entries SET kind = CAST(x'ff' AS TEXT) WHERE number = 3",
    "UPDATE ledger_entries SET hash = upper(hash) WHERE number = 9",
    "UPDATE ledger_entries SET hash = '' WHERE number = 1",
    "UPDATE ledger_entries SET number = 900 WHERE number = 4",
    "UPDATE ledger_entries SET number = 'four' WHERE number = 4",
    "UPDATE ledger_entries SET account = 'PA2' WHERE number = 4",
    "DELETE FROM ledger_entries WHERE number = 1",
    "DELETE FROM ledger_entries WHERE number = 14",
    "DELETE FROM ledger_entries WHERE number > 20",
    "DELETE FROM ledger_entries",
    "DELETE FROM ledger_heads",
    "UPDATE ledger_heads SET number = number - 1",
    "UPDATE ledger_heads SET hash = (SELECT hash FROM ledger_entries WHERE number = 1)",
    "INSERT INTO ledger_entries SELECT account, number + 100, kind, line, hash FROM ledger_entries WHERE number = 2",
    "INSERT INTO ledger_entries SELECT account, (SELECT max(number) + 1 FROM ledger_entries), kind, line, hash"
    " FROM ledger_entries WHERE number = 2",
    "UPDATE ledger_entries SET line = (SELECT line FROM ledger_entries AS other WHERE other.number = 11),"
    " hash = (SELECT hash FROM ledger_entries AS other WHERE other.number = 11) WHERE number = 10",
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.sqlite"
    ledger = SqlLedger(SqliteDatabase(path), lambda: entry(BEGAN).at)
    with ledger.writer("PA1") as writer:
        writer.append(one_of_every_kind())
    ledger.close()
    return path


@pytest.mark.parametrize("statement", TAMPERING)
def test_what_is_changed_in_sql_is_found(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()
    ledger = SqlLedger(SqliteDatabase(path), lambda: entry(BEGAN).at)
    assert isinstance(ledger.verify("PA1"), Broken)
    # And nobody trades on it: a recovery stops at the same place.
    with pytest.raises(AskOperator, match="is damaged"):
        list(ledger.entries("PA1", kinds=FOLDED_KINDS))
    ledger.close()


def test_random_changes_in_sql_are_all_found(path: Path) -> None:
    chance = random.Random(4711)
    connection = sqlite3.connect(path, isolation_level=None)
    ledger = SqlLedger(SqliteDatabase(path), lambda: entry(BEGAN).at)
    count = len(one_of_every_kind())
    connection.execute("PRAGMA synchronous = OFF")
    for _ in range(200):
        number, other = chance.sample(range(1, count + 1), 2)
        where = chance.randrange(1, 200)
        statement = chance.choice(
            (
                f"UPDATE ledger_entries SET line = substr(line, 1, {where}) || 'x' || substr(line, {where} + 1)"
                f" WHERE number = {number}",
                f"UPDATE ledger_entries SET line = substr(line, 1, length(line) - {where}) WHERE number = {number}",
                f"DELETE FROM ledger_entries WHERE number = {number}",
                f"DELETE FROM ledger_entries WHERE number >= {number}",
                f"UPDATE ledger_entries SET line = (SELECT line FROM ledger_entries AS o WHERE o.number = {other})"
                f" WHERE number = {number}",
                f"UPDATE ledger_entries SET number = -number WHERE number IN ({number}, {other})",
            )
        )
        connection.execute(statement)
        assert isinstance(ledger.verify("PA1"), Broken), statement
        connection.execute("BEGIN")
        connection.execute("DELETE FROM ledger_entries")
        stored, _ = sealed(one_of_every_kind(), "PA1", EMPTY)
        connection.executemany(
            "INSERT INTO ledger_entries VALUES ('PA1', ?, ?, ?, ?)",
            [(each.number, each.kind, each.line.decode(), each.hash) for each in stored],
        )
        connection.execute("COMMIT")
        assert isinstance(ledger.verify("PA1"), Sound)
    ledger.close()
    connection.close()
