"""The ledger in a file: kills, full disks, damage."""

from __future__ import annotations

import os
import random
import resource
import select
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest

from ledger.samples import BEGAN, entry, one_of_every_kind
from magellan.adapters.sql_ledger import SqlLedger
from magellan.adapters.sqlite_ledger import SqliteDatabase, _prepare
from magellan.errors import AskOperator, FixInput
from magellan.ledger.chain import Sound
from magellan.ledger.entries import AlertRaised
from rights import MAY_EVERYTHING

NOW = entry(BEGAN).at
CHILD = Path(__file__).parent / "ledger_child.py"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[SqlLedger]:
    ledger = SqlLedger(SqliteDatabase(path), lambda: NOW)
    yield ledger
    ledger.close()


def filled(path: Path, times: int = 1) -> None:
    ledger = SqlLedger(SqliteDatabase(path), lambda: NOW)
    with ledger.writer("PA1") as writer:
        for _ in range(times):
            writer.append(one_of_every_kind())
    ledger.close()


def test_no_kill_loses_an_entry_that_was_acknowledged(path: Path, ledger: SqlLedger) -> None:
    chance = random.Random(7)
    acknowledged = 0
    for _ in range(int(os.environ.get("MAGELLAN_LEDGER_KILLS", "8"))):
        child = subprocess.Popen([sys.executable, str(CHILD), str(path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        # Killed after so many bytes of acknowledgements and a moment more, at whatever it is doing then.
        enough = chance.randrange(0, 200)
        told = b""
        while len(told) < enough:
            told += os.read(child.stdout.fileno(), 65536)
        until = time.monotonic() + chance.random() * 0.004
        while time.monotonic() < until:
            select.select([], [], [], 0)
        child.kill()
        told += child.communicate()[0]
        numbers = [int(line) for line in told.split(b"\n")[:-1]]
        acknowledged = max([acknowledged, *numbers])
        assert ledger.holder("PA1") is None
        found = ledger.verify("PA1")
        assert isinstance(found, Sound) and found.head.number >= acknowledged
    texts = [each.payload.text for each in ledger.entries("PA1") if isinstance(each.payload, AlertRaised)]
    assert texts == [f"entry {number}" for number in range(1, len(texts) + 1)]


def test_a_torn_write_at_the_end_of_the_log_costs_only_what_was_not_acknowledged(tmp_path: Path) -> None:
    """A power cut leaves any beginning of the write-ahead log. What stands in it must be whole batches."""
    path = tmp_path / "ledger.sqlite"
    ledger = SqlLedger(SqliteDatabase(path), lambda: NOW)
    sizes = []
    with ledger.writer("PA1") as writer:
        for _ in range(6):
            writer.append(one_of_every_kind()[:5])
            sizes.append(path.with_name("ledger.sqlite-wal").stat().st_size)
        main, log = path.read_bytes(), path.with_name("ledger.sqlite-wal").read_bytes()
    ledger.close()
    chance = random.Random(11)
    for number in range(40):
        cut = chance.randrange(sizes[0], len(log))
        folder = tmp_path / f"cut-{number}"
        folder.mkdir()
        (folder / "ledger.sqlite").write_bytes(main)
        (folder / "ledger.sqlite-wal").write_bytes(log[:cut] + bytes(chance.randrange(3) * 1000))
        after = SqlLedger(SqliteDatabase(folder / "ledger.sqlite"), lambda: NOW)
        found = after.verify("PA1")
        after.close()
        whole = 5 * sum(size <= cut for size in sizes)
        assert isinstance(found, Sound) and found.head.number == whole, cut


def test_a_full_disk_is_told_with_what_was_kept_and_the_ledger_goes_on_once_there_is_room(
    path: Path, ledger: SqlLedger
) -> None:
    filled(path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with ledger.writer("PA1") as writer:
        writer.append([entry(BEGAN)])
        before = writer.head
        room = path.with_name("ledger.sqlite-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
        try:
            with pytest.raises(AskOperator) as told:
                writer.append(one_of_every_kind())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert str(path) in told.value.message
        assert told.value.kept == "everything that was acknowledged before; nothing of what was being written"
        assert writer.head == before
        writer.append([entry(BEGAN, minutes=1)])
    assert ledger.verify("PA1") == Sound(head=ledger.head("PA1"))
    assert ledger.head("PA1").number == before.number + 1


def test_a_disk_that_is_full_by_sqlites_own_word_is_told_as_full(path: Path, ledger: SqlLedger) -> None:
    filled(path)
    with ledger.writer("PA1") as writer:
        connection = writer._connection  # type: ignore[attr-defined]
        with connection.begin():
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(AskOperator, match="the disk is full"):
            writer.append(one_of_every_kind() * 5)
        with pytest.raises(AskOperator, match="the disk is full"):
            writer.append(one_of_every_kind() * 5)
    assert ledger.verify("PA1") == Sound(head=ledger.head("PA1"))


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(
            lambda content: b"not a database, but long enough to be looked at" * 200, id="another file"
        ),
        pytest.param(lambda content: content[: len(content) // 2], id="half of it"),
        pytest.param(lambda content: content[:4096] + bytes(len(content) - 4096), id="zeros"),
        pytest.param(lambda content: content[:100], id="a header"),
    ],
)
def test_a_damaged_file_is_told_and_never_replaced(path: Path, ledger: SqlLedger, damage: object) -> None:
    filled(path, times=20)
    content = damage(path.read_bytes())  # type: ignore[operator]
    path.write_bytes(content)
    with pytest.raises(AskOperator) as told:
        list(ledger.entries("PA1"))
    assert str(path) in told.value.message and told.value.next_step
    with pytest.raises(AskOperator), ledger.writer("PA1") as writer:
        writer.append([entry(BEGAN)])
    ledger.close()
    assert path.read_bytes()[:100] == content[:100]


def test_a_ledger_of_a_newer_magellan_is_left_alone(path: Path, ledger: SqlLedger) -> None:
    filled(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE ledger_schema SET version = 2")
    connection.close()
    with pytest.raises(FixInput, match="made by a newer Magellan"):
        ledger.accounts()


def test_reading_a_ledger_that_is_not_there_makes_none(path: Path, ledger: SqlLedger) -> None:
    assert ledger.accounts() == () and list(ledger.entries("PA1")) == []
    assert not path.exists()


def test_a_ledger_that_another_process_is_about_to_make_is_empty_and_not_damaged(
    path: Path, ledger: SqlLedger
) -> None:
    path.touch()
    assert ledger.accounts() == ()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA journal_mode = WAL")
    assert path.stat().st_size > 0
    assert ledger.accounts() == () and ledger.holder("PA1") is None
    filled(path)
    assert ledger.accounts() == ("PA1",)


class BusyFile:
    """A connection to a new file whose journal another process sets up for a while."""

    def __init__(self, refusals: int) -> None:
        self.left = refusals
        self.said: list[str] = []
        self.is_closed = False

    def cursor(self) -> BusyFile:
        return self

    def close(self) -> None:
        self.is_closed = True

    def execute(self, statement: str) -> None:
        self.said.append(statement)
        if statement == "PRAGMA journal_mode = WAL" and self.left:
            self.left -= 1
            busy = sqlite3.OperationalError("database is locked")
            busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
            raise busy


def test_a_new_file_that_another_process_sets_up_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite refuses one of two that change a file's journal at once, without waiting as it does elsewhere."""
    pauses: list[float] = []
    monkeypatch.setattr("magellan.adapters.sqlite_ledger.time.sleep", pauses.append)
    busy = BusyFile(refusals=2)
    _prepare(busy, None)  # type: ignore[arg-type]
    assert (busy.left, len(pauses)) == (0, 2)
    assert busy.said[:3] == ["PRAGMA journal_mode = WAL"] * 3 and "PRAGMA synchronous = FULL" in busy.said


def test_a_new_file_whose_set_up_has_no_end_is_not_waited_for_without_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [0.0]
    monkeypatch.setattr("magellan.adapters.sqlite_ledger.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(
        "magellan.adapters.sqlite_ledger.time.sleep", lambda s: clock.__setitem__(0, clock[0] + s)
    )
    busy = BusyFile(refusals=1_000_000)
    with pytest.raises(sqlite3.OperationalError, match="database is locked"):
        _prepare(busy, None)  # type: ignore[arg-type]
    assert busy.is_closed


def test_several_that_begin_with_one_new_ledger_find_it_whole(tmp_path: Path) -> None:
    accounts = [f"PA{number}" for number in range(8)]
    for round_ in range(5):
        path = tmp_path / str(round_) / "ledger.sqlite"
        together = Barrier(len(accounts))

        def begin(account: str, path: Path = path, together: Barrier = together) -> int:
            ledger = SqlLedger(SqliteDatabase(path), lambda: NOW)
            together.wait()
            with ledger.writer(account) as writer:
                writer.append([entry(BEGAN)])
            ledger.close()
            return 1

        with ThreadPoolExecutor(len(accounts)) as pool:
            assert sum(pool.map(begin, accounts)) == len(accounts)
        with closing(SqlLedger(SqliteDatabase(path), lambda: NOW)) as ledger:
            assert ledger.accounts() == tuple(accounts)


@pytest.mark.skipif(MAY_EVERYTHING, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    ledger = SqlLedger(SqliteDatabase(tmp_path / "below/ledger.sqlite"), lambda: NOW)
    with pytest.raises(AskOperator, match="may not write"), ledger.writer("PA1"):
        pytest.fail("it cannot be made")


def test_a_program_that_holds_the_file_open_for_writing_is_named_as_the_reason(
    path: Path, ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("magellan.adapters.sqlite_ledger._BUSY_MS", 20)
    filled(path)
    browser = sqlite3.connect(path, isolation_level=None)
    browser.execute("BEGIN IMMEDIATE")
    with ledger.writer("PA1") as writer:
        with pytest.raises(AskOperator, match="another program holds it open for writing"):
            writer.append([entry(BEGAN)])
        browser.execute("ROLLBACK")
        assert writer.append([entry(BEGAN)])
    browser.close()


def test_a_lock_file_left_by_a_killed_process_holds_nobody_up(path: Path, ledger: SqlLedger) -> None:
    filled(path)
    path.with_name("ledger.sqlite.PA1.lock").write_text("torn {")
    assert ledger.holder("PA1") is None
    with ledger.writer("PA1") as writer:
        writer.append([entry(BEGAN)])
