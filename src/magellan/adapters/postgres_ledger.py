"""The ledger in PostgreSQL: one for several hosts.

An account's lock is an advisory lock of the writer's own connection, which the server takes back when that connection
ends, however it ends; beside it stands a row that names the holder. So the connection must be a direct one: a pooler
that shares connections between transactions would lose the lock.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, delete, inspect, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from magellan.adapters.ledger_schema import ENTRIES, METADATA, SCHEMA, VERSION, WRITERS
from magellan.adapters.missing_extra import extra_missing
from magellan.errors import AskOperator, FixInput, MagellanError
from magellan.ports.ledger import AccountHeld, Holder

_FAMILY: Final = 0x4D474C4E  # "MGLN": our locks meet no other program's
_TABLES: Final = 0  # the lock under which tables are made
_CONNECT_S: Final = 5

_LOCK = text("SELECT pg_try_advisory_lock(:family, :account)")
_UNLOCK = text("SELECT pg_advisory_unlock(:family, :account)")
_IS_LOCKED = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND classid = :family AND objid = :account AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class PostgresDatabase:
    """One database on a server.

    url: postgresql://user:password@host/database; the password is better left to PGPASSWORD or ~/.pgpass.
    """

    def __init__(self, url: str) -> None:
        try:
            self._url = make_url(url).set(drivername="postgresql+psycopg")
        except (ArgumentError, ValueError):
            # Without what was given: it may hold a password.
            raise FixInput(
                "the ledger's address is no URL",
                next_step="write it as postgresql://user@host/database; the password goes to PGPASSWORD or ~/.pgpass",
            ) from None
        self._engine: Engine | None = None

    @property
    def name(self) -> str:
        return self._url.set(drivername="postgresql").render_as_string(hide_password=True)

    def engine(self, *, make: bool) -> Engine | None:
        if self._engine is None:
            try:
                engine = create_engine(
                    self._url,
                    isolation_level="REPEATABLE READ",  # a reader sees one state, whatever is written meanwhile
                    pool_pre_ping=True,
                    connect_args={
                        "connect_timeout": _CONNECT_S,
                        # An acknowledged append is on the server's disk, whatever the server's default is.
                        "options": "-c synchronous_commit=on -c timezone=UTC",
                    },
                )
            except ImportError as error:
                raise extra_missing("postgres", error) from error
            try:
                if not inspect(engine).has_table(SCHEMA.name):
                    if not make:
                        engine.dispose()
                        return None
                    _make_tables(engine)
                with engine.connect() as connection:
                    version = connection.execute(select(SCHEMA.c.version)).scalar_one()
            except DBAPIError as error:
                engine.dispose()
                raise self.refusal(error, kept="") from error
            if version > VERSION:
                raise FixInput(
                    f"{self.name} was made by a newer Magellan: its tables are of version {version}, ours of {VERSION}",
                    next_step="use the version of Magellan that wrote it, or a newer one",
                )
            self._engine = engine
        return self._engine

    def read_columns(self) -> tuple[Any, ...]:
        return (ENTRIES.c.number, ENTRIES.c.kind, ENTRIES.c.line, ENTRIES.c.hash)

    @contextmanager
    def writing(self, account: str, clock: Callable[[], datetime]) -> Generator[Connection]:
        engine = self.engine(make=True)
        assert engine is not None, "its tables were just made"
        lock = {"family": _FAMILY, "account": _key(account)}
        # Not from the pool: the lock lives and dies with this very connection.
        with self._connected(engine) as connection:
            self._lock(connection, account, lock, clock)
            try:
                yield connection
            finally:
                # Where the connection is lost, the server has taken the lock back by itself.
                with suppress(DBAPIError), connection.begin():
                    connection.execute(delete(WRITERS).where(WRITERS.c.account == account))
                    connection.execute(_UNLOCK, lock)

    def holder(self, account: str) -> Holder | None:
        try:
            engine = self.engine(make=False)
            if engine is None:
                return None
            with engine.connect() as connection:
                locked = connection.execute(_IS_LOCKED, {"family": _FAMILY, "account": _key(account)})
                return _holder(connection, account) if locked.scalar_one() else None
        except DBAPIError as error:
            raise self.refusal(error, kept="") from error

    @property
    def begins(self) -> str | None:
        return None

    def refusal(self, error: Exception, *, kept: str) -> MagellanError:
        original = error.orig if isinstance(error, DBAPIError) else error
        detail = (str(original or error).strip() or type(error).__name__).splitlines()[0]
        return AskOperator(
            f"the ledger {self.name} does not answer as it should: {detail}",
            kept=kept,
            next_step="look at the server (is it up, is its disk full, may this user write?), then start again",
        )

    def close(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    @contextmanager
    def _connected(self, engine: Engine) -> Generator[Connection]:
        try:
            connection = engine.connect()
        except DBAPIError as error:
            raise self.refusal(error, kept="") from error
        try:
            connection.detach()
            yield connection
        finally:
            with suppress(DBAPIError):
                connection.close()

    def _lock(
        self, connection: Connection, account: str, lock: dict[str, int], clock: Callable[[], datetime]
    ) -> None:
        try:
            with connection.begin():
                if not connection.execute(_LOCK, lock).scalar_one():
                    holder = _holder(connection, account)
                    raise AccountHeld(
                        f"account {account} is held by "
                        f"{holder or 'another process, which has not said its name yet'}",
                        kept="everything; nothing was sent and nothing was written",
                        next_step=f"stop that process, or let it work; only one may trade an account ({self.name})",
                    )
                connection.execute(delete(WRITERS).where(WRITERS.c.account == account))
                row = {"account": account, "host": socket.gethostname(), "pid": os.getpid(), "since": clock()}
                connection.execute(WRITERS.insert(), row)
        except DBAPIError as error:
            raise self.refusal(error, kept="") from error


def _make_tables(engine: Engine) -> None:
    with engine.begin() as connection:
        # Two hosts may begin at the same time; the one that comes second finds the tables made.
        connection.execute(
            text("SELECT pg_advisory_xact_lock(:family, :account)"), {"family": _FAMILY, "account": _TABLES}
        )
        METADATA.create_all(connection)
        if connection.execute(select(SCHEMA)).first() is None:
            connection.execute(SCHEMA.insert(), {"version": VERSION})


def _key(account: str) -> int:
    """The account as PostgreSQL's locks can name it: 31 bits, and never the key of the tables' own lock."""
    return int.from_bytes(sha256(account.encode()).digest()[:4], "big") >> 1 or 1


def _holder(connection: Connection, account: str) -> Holder | None:
    row = connection.execute(
        select(WRITERS.c.host, WRITERS.c.pid, WRITERS.c.since).where(WRITERS.c.account == account)
    ).first()
    return None if row is None else Holder(host=row[0], pid=row[1], since=row[2].astimezone(UTC))
