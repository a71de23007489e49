"""The ledger keeps its contract on a real PostgreSQL server, and says what is wrong when the server goes away."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from contracts.ledger_contract import LedgerContract, clock
from lab.postgres_server import Server, programs, running_server
from ledger.samples import BEGAN, entry, one_of_every_kind
from magellan.adapters.ledger_copy import copy_ledger
from magellan.adapters.postgres_ledger import PostgresDatabase
from magellan.adapters.sql_ledger import SqlLedger
from magellan.adapters.sqlite_ledger import SqliteDatabase
from magellan.errors import AskOperator, FixInput
from magellan.ledger.chain import Broken, Sound
from magellan.ports.ledger import AccountHeld, Ledger
from magellan.surfaces.cli.app import run

pytestmark = pytest.mark.skipif(
    programs() is None, reason="no PostgreSQL server: apt-get install postgresql (.ci/run does)"
)

NUMBERS = itertools.count(1)
ENTRIES = len(one_of_every_kind())


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.fixture
def url(server: Server) -> str:
    return server.make_database(f"ledger_{next(NUMBERS)}")


@pytest.fixture
def reopened(url: str) -> Iterator[Callable[[], Ledger]]:
    opened: list[Ledger] = []

    def open_again() -> Ledger:
        opened.append(SqlLedger(PostgresDatabase(url), clock))
        return opened[-1]

    yield open_again
    for each in opened:
        each.close()


@pytest.fixture
def ledger(reopened: Callable[[], Ledger]) -> Ledger:
    return reopened()


class TestPostgresLedger(LedgerContract):
    pass


def test_a_row_changed_in_sql_is_found(ledger: Ledger, url: str) -> None:
    with ledger.writer("PA1") as writer:
        writer.append(one_of_every_kind())
    with psycopg.connect(url) as connection:
        connection.execute(
            "UPDATE ledger_entries SET line = replace(line, '5.0125', '5.0124') WHERE number = 12"
        )
    assert ledger.verify("PA1") == Broken(number=12, reason="its line does not have its hash")
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM ledger_entries WHERE number >= 12")
    assert ledger.verify("PA1") == Broken(number=12, reason=f"it is missing; the chain had {ENTRIES} entries")


def test_a_writer_whose_process_is_killed_gives_the_account_back(ledger: Ledger, url: str) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, url], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    with pytest.raises(AccountHeld, match=f"process {child.pid} on "), ledger.writer("PA1"):
        pytest.fail("two writers")
    child.kill()
    child.communicate()
    while ledger.holder("PA1") is not None:  # the server notices the lost connection in its own time
        pass
    with ledger.writer("PA1") as writer:
        assert writer.append([entry(BEGAN)])[0].number == 2


HOLD = """
import sys
from datetime import UTC, datetime
sys.path.insert(0, "tests")
from ledger.samples import BEGAN, entry
from magellan.adapters.ledger_copy import copy_ledger
from magellan.adapters.postgres_ledger import PostgresDatabase
from magellan.adapters.sql_ledger import SqlLedger
from magellan.adapters.sqlite_ledger import SqliteDatabase
with SqlLedger(PostgresDatabase(sys.argv[1]), lambda: datetime.now(UTC)).writer("PA1") as writer:
    writer.append([entry(BEGAN)])
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_writer_that_lost_its_lock_cannot_add_anything(
    ledger: Ledger, reopened: Callable[[], Ledger], url: str
) -> None:
    with ledger.writer("PA1") as stale:
        stale.append([entry(BEGAN)])
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            )
        with reopened().writer("PA1") as writer:
            writer.append([entry(BEGAN, minutes=1)])
        with pytest.raises(AskOperator, match="does not answer as it should"):
            stale.append([entry(BEGAN, minutes=2)])
    assert ledger.verify("PA1") == Sound(head=ledger.head("PA1"))
    assert ledger.head("PA1").number == 2


def test_a_server_that_went_away_is_told_with_what_was_kept_and_takes_nothing_with_it(
    ledger: Ledger, server: Server
) -> None:
    with ledger.writer("PA1") as writer:
        writer.append(one_of_every_kind())
        before = writer.head
        server.stop("immediate")  # as if it crashed
        try:
            with pytest.raises(AskOperator) as told:
                writer.append([entry(BEGAN)])
            assert "everything that was acknowledged" in told.value.kept and told.value.next_step
            with pytest.raises(AskOperator, match="does not answer as it should"):
                ledger.verify("PA2")
        finally:
            server.start()
    assert ledger.head("PA1") == before
    assert ledger.verify("PA1") == Sound(head=before)


@pytest.mark.parametrize("address", ["no url at all", "postgresql://me:canary-5417@host:port/ledger"])
def test_an_address_that_is_none_is_refused_without_being_repeated(address: str) -> None:
    with pytest.raises(FixInput) as told:
        PostgresDatabase(address)
    assert "canary-5417" not in str(told.value)


def test_a_password_is_in_no_message() -> None:
    ledger = SqlLedger(PostgresDatabase("postgresql://me:canary-5417@127.0.0.1:1/ledger"), clock)
    with pytest.raises(AskOperator) as told:
        ledger.accounts()
    assert "127.0.0.1" in str(told.value) and "canary-5417" not in str(told.value)


def test_one_setting_puts_the_ledger_into_postgresql(
    ledger: Ledger,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with ledger.writer("PA1") as writer:
        writer.append(one_of_every_kind())
    (tmp_path / "magellan.toml").write_text("")
    monkeypatch.setenv("MAGELLAN_LEDGER_URL", url)
    assert run(["audit", "verify", "--workspace", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"PA1: sound, {ENTRIES} entries, head {ledger.head('PA1')}\n"
    assert not (tmp_path / ".magellan").exists()


def test_a_copy_in_a_file_holds_the_same_chains_and_is_checked_without_the_server(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    for account in ("PA1", "PA2"):
        with ledger.writer(account) as writer:
            writer.append(one_of_every_kind())
    database = PostgresDatabase(url)
    copy_ledger(database, tmp_path / "ledger.sqlite")
    database.close()
    copy = SqlLedger(SqliteDatabase(tmp_path / "ledger.sqlite"), clock)
    for account in ("PA1", "PA2"):
        assert copy.verify(account) == Sound(head=ledger.head(account))
        assert list(copy.entries(account)) == list(ledger.entries(account))
    copy.close()


@pytest.mark.skipif(shutil.which("restic") is None, reason="no restic: apt-get install restic")
def test_a_backup_holds_the_ledger_of_the_server_and_a_drill_proves_it(
    ledger: Ledger,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with ledger.writer("PA1") as writer:
        writer.append(one_of_every_kind())
    root = tmp_path / "ws"
    root.mkdir()
    (root / "magellan.toml").write_text(
        f'[backup]\nto = "{tmp_path / "backups"}"\npassphrase = "BACKUP_WORDS"\n'
    )
    monkeypatch.setenv("MAGELLAN_LEDGER_URL", url)
    monkeypatch.setenv("BACKUP_WORDS", "words for a test")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert run(["backup", "create", "--workspace", str(root)]) == 0
    with ledger.writer("PA1") as writer:
        writer.append([entry(BEGAN)])
    capsys.readouterr()
    assert run(["drill", "restore", "--no-session", "--json", "--workspace", str(root)]) == 0
    drilled = json.loads(capsys.readouterr().out)
    assert drilled["entries_behind"] == 1, drilled
