"""The ledger in one SQLite file. Survives a kill and a power cut at any instant; needs no server.

Write-ahead log with a full sync: a commit has reached the disk before it returns. The file must lie on a local disk;
the locks of network file systems are not to be relied on.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, LargeBinary, cast, create_engine, event, inspect, select
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from magellan.adapters.durable_file import cannot_write, make_folder_durably, sync_folder
from magellan.adapters.ledger_schema import ENTRIES, METADATA, SCHEMA, VERSION
from magellan.errors import AskOperator, FixInput, MagellanError
from magellan.ports.ledger import AccountHeld, Holder

_BUSY_MS: Final = 2000  # how long a commit of another account is waited for
_BEGIN: Final = "BEGIN"
_LOCK_TRIES: Final = 10
_LOCK_PAUSE_S: Final = 0.02  # long enough for somebody who only looked who holds it

_DAMAGED: Final = (
    "it is damaged",
    "keep it and its -wal file aside, and restore a backup; nobody trades until then",
)
_WHY: Final = MappingProxyType(
    {
        sqlite3.SQLITE_CORRUPT: _DAMAGED,
        sqlite3.SQLITE_NOTADB: _DAMAGED,
        sqlite3.SQLITE_ERROR: _DAMAGED,  # a table or column of ours is missing
        sqlite3.SQLITE_FULL: (
            "the disk is full, or the file as large as it may be",
            "free some space, then start again",
        ),
        sqlite3.SQLITE_READONLY: (
            "it may not be written",
            "give this user the right to write it and its folder",
        ),
        sqlite3.SQLITE_PERM: (
            "we may not open it",
            "give this user the right to read and write it and its folder",
        ),
        sqlite3.SQLITE_CANTOPEN: (
            "it cannot be opened",
            "give this user the right to read and write it and its folder",
        ),
        sqlite3.SQLITE_IOERR: ("the disk gave an error", "look at the disk, then start again"),
        sqlite3.SQLITE_BUSY: (
            "another program holds it open for writing",
            "close what has the file open (a database browser, a backup), then start again",
        ),
        sqlite3.SQLITE_LOCKED: (
            "another program holds it open for writing",
            "close what has the file open (a database browser, a backup), then start again",
        ),
    }
)
_OTHERWISE: Final = ("it cannot be used", "look at the file and its disk, then start again")


class SqliteDatabase:
    """One file, and one lock file per account beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine: Engine | None = None

    @property
    def name(self) -> str:
        return str(self._path)

    def engine(self, *, make: bool) -> Engine | None:
        if self._engine is None:
            if make:
                self._make_file()
            elif not self._path.exists() or self._path.stat().st_size == 0:
                return None
            engine = create_engine(
                f"sqlite:///{quote(str(self._path))}",
                # Transactions begin and end where we say so, and not where the driver guesses.
                connect_args={"isolation_level": None, "timeout": _BUSY_MS / 1000},
            )
            event.listen(engine, "connect", _prepare)
            event.listen(engine, "begin", _begin)
            try:
                if make:
                    _make_tables(engine)
                elif not inspect(engine).get_table_names():
                    engine.dispose()
                    return None  # another process is about to make them, or was killed before it did
                with engine.connect() as connection:
                    version = connection.execute(select(SCHEMA.c.version)).scalar_one()
            except DBAPIError as error:
                engine.dispose()
                raise self.refusal(error, kept="the file, as it is") from error
            if version > VERSION:
                engine.dispose()
                raise FixInput(
                    f"{self._path} was made by a newer Magellan: its tables are of version {version}, "
                    f"ours of {VERSION}",
                    next_step="use the version of Magellan that wrote it, or a newer one",
                )
            self._engine = engine
        return self._engine

    def read_columns(self) -> tuple[Any, ...]:
        # As bytes: text that a person changed need not be text.
        raw = [cast(column, LargeBinary) for column in (ENTRIES.c.kind, ENTRIES.c.line, ENTRIES.c.hash)]
        return (ENTRIES.c.number, *raw)

    @contextmanager
    def writing(self, account: str, clock: Callable[[], datetime]) -> Generator[Connection]:
        engine = self.engine(make=True)
        assert engine is not None, "it was just made"
        with self._locked(account, clock), engine.connect() as connection:
            yield connection

    def holder(self, account: str) -> Holder | None:
        try:
            descriptor = os.open(self._lock_file(account), os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read_holder(descriptor)
        finally:
            os.close(descriptor)
        return None

    @property
    def begins(self) -> str | None:
        return _BEGIN

    def refusal(self, error: Exception, *, kept: str) -> MagellanError:
        original = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(original, "sqlite_errorcode", 0) & 0xFF  # the primary code; the rest is detail
        why, next_step = _WHY.get(code, _OTHERWISE)
        detail = str(original or error).splitlines()[0]
        return AskOperator(f"the ledger {self._path}: {why} ({detail})", kept=kept, next_step=next_step)

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _make_file(self) -> None:
        if self._path.exists():
            return
        make_folder_durably(self._path.parent, kept="")
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666))
            sync_folder(self._path.parent)
        except OSError as error:
            raise cannot_write(self._path, error, kept="") from error

    def _lock_file(self, account: str) -> Path:
        return self._path.with_name(f"{self._path.name}.{quote(account, safe='')}.lock")

    @contextmanager
    def _locked(self, account: str, clock: Callable[[], datetime]) -> Generator[None]:
        """Hold the account for this process. The system takes the lock back when the process dies, however it dies."""
        path = self._lock_file(account)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise cannot_write(path, error, kept="") from error
        try:
            _acquire(descriptor, account, path)
            holder = {"host": socket.gethostname(), "pid": os.getpid(), "since": clock().isoformat()}
            try:
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps(holder).encode(), 0)
            except OSError as error:
                raise cannot_write(path, error, kept="") from error
            yield
        finally:
            os.close(descriptor)  # which gives the lock back


def _acquire(descriptor: int, account: str, path: Path) -> None:
    for attempt in range(_LOCK_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if attempt + 1 < _LOCK_TRIES:
                time.sleep(_LOCK_PAUSE_S)
    holder = _read_holder(descriptor)
    raise AccountHeld(
        f"account {account} is held by {holder or 'another process, which has not said its name yet'}",
        kept="everything; nothing was sent and nothing was written",
        next_step=f"stop that process, or let it work; only one may trade an account (its lock is {path})",
    )


def _read_holder(descriptor: int) -> Holder | None:
    try:
        told = json.loads(os.pread(descriptor, 4096, 0))
        return Holder(host=told["host"], pid=told["pid"], since=datetime.fromisoformat(told["since"]))
    except (ValueError, KeyError, TypeError):
        return None  # it has the lock, and is about to write its name


def _make_tables(engine: Engine) -> None:
    """Make what is missing. Several processes may begin with one ledger at once: each finds it whole."""
    wanted = set(METADATA.tables)
    with engine.connect() as connection, connection.begin():
        if (
            wanted <= set(inspect(connection).get_table_names())
            and connection.execute(select(SCHEMA)).first()
        ):
            return
    # A transaction that reads first and writes then is refused where another has written meanwhile.
    with engine.connect().execution_options(begins="BEGIN IMMEDIATE") as connection, connection.begin():
        METADATA.create_all(connection)
        if connection.execute(select(SCHEMA)).first() is None:
            connection.execute(SCHEMA.insert().values(version=VERSION))


def _prepare(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    try:
        _log_ahead(cursor)
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA trusted_schema = OFF")
    except sqlite3.Error:
        connection.close()  # nobody has it yet, and nobody else would
        raise
    cursor.close()


def _log_ahead(cursor: DBAPICursor) -> None:
    """SQLite does not wait by itself for another process that sets the same on a new file."""
    until_s = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until_s:
                raise
        time.sleep(_LOCK_PAUSE_S)


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begins", _BEGIN))
