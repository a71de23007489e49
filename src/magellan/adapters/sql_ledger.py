"""The ledger in a database. What SQLite and PostgreSQL do differently is in `sqlite_ledger.py`, `postgres_ledger.py`.

One append is one transaction: the entries, and where the chain ends now. The end is moved from where this writer left
it and from nowhere else, so that a writer which lost its lock without noticing cannot add anything.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Engine, bindparam, delete, insert, inspect, select, update
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import Insert, Update

from magellan.adapters.ledger_schema import BOOKMARKS, ENTRIES, HEADS
from magellan.errors import AskOperator, MagellanError
from magellan.ledger.bookmark import Bookmark
from magellan.ledger.chain import (
    EMPTY,
    Broken,
    ChainBroken,
    Head,
    Sound,
    StoredEntry,
    break_at_end,
    checked,
    sealed,
    verify,
    walk,
)
from magellan.ledger.entries import LedgerEntry, NewEntry
from magellan.ledger.json_form import UnreadableRecord
from magellan.ledger.known_secrets import NO_SECRETS, KnownSecrets
from magellan.ports.ledger import Holder, LedgerWriter

_PAGE: Final = 4096  # rows that are read at a time

_KEPT: Final = "everything that was acknowledged before; nothing of what was being written"

_ADD = insert(ENTRIES)
_BEGIN_CHAIN = insert(HEADS)
_MOVE_HEAD = (
    update(HEADS)
    .where(
        HEADS.c.account == bindparam("of"),
        HEADS.c.number == bindparam("from_number"),
        HEADS.c.hash == bindparam("from_hash"),
    )
    .values(number=bindparam("to_number"), hash=bindparam("to_hash"))
)
_HEAD = select(HEADS.c.number, HEADS.c.hash).where(HEADS.c.account == bindparam("of"))
_ACCOUNTS = select(HEADS.c.account)
_BOOKMARK = select(
    BOOKMARKS.c.number, BOOKMARKS.c.hash, BOOKMARKS.c.form, BOOKMARKS.c.body, BOOKMARKS.c.digest
).where(BOOKMARKS.c.account == bindparam("of"))


class Database(Protocol):
    """What a kind of database does in its own way."""

    @property
    def name(self) -> str:
        """How messages call it: a path, or an address without its password."""
        ...

    def engine(self, *, make: bool) -> Engine | None:
        """Connections to it, its tables made and of a version that we know.

        make: bring it into being where it is not there; otherwise None is answered.
        """
        ...

    def read_columns(self) -> tuple[Any, ...]:
        """number, kind, line, hash of an entry, to select. Bytes come as they lie there."""
        ...

    def writing(self, account: str, clock: Callable[[], datetime]) -> AbstractContextManager[Connection]:
        """A connection to write by, and the account's lock with it. Raises AccountHeld."""
        ...

    def holder(self, account: str) -> Holder | None: ...

    @property
    def begins(self) -> str | None:
        """The words with which a transaction begins; None: its driver says them by itself."""
        ...

    def refusal(self, error: Exception, *, kept: str) -> MagellanError:
        """What went wrong, in words. error: SQLAlchemy's, or the driver's own."""
        ...

    def close(self) -> None: ...


class SqlLedger:
    """A ledger in a database.

    clock:   now, aware, UTC; only says since when an account is held.
    secrets: values that no entry may repeat.
    """

    def __init__(
        self, database: Database, clock: Callable[[], datetime], secrets: KnownSecrets = NO_SECRETS
    ) -> None:
        self._database = database
        self._clock = clock
        self._secrets = secrets

    def accounts(self) -> tuple[str, ...]:
        with self._reading() as connection:
            if connection is None:
                return ()
            # Sorted here: databases differ about the order of letters.
            return tuple(sorted(account for (account,) in connection.execute(_ACCOUNTS)))

    def head(self, account: str) -> Head:
        with self._reading() as connection:
            return (connection is not None and _head(connection, account)) or EMPTY

    def entries(
        self, account: str, *, after: int = 0, kinds: Iterable[str] | None = None
    ) -> Iterator[LedgerEntry]:
        wanted = None if kinds is None else frozenset(kinds)
        with self._reading() as connection:
            if connection is None:
                return
            start = EMPTY
            if after:
                before = next(self._stored(connection, account, after=after - 1), None)
                if before is None or before.number != after:
                    raise self._damaged(account, f"it has no entry {after}")
                start = Head(number=after, hash=before.hash)
            try:
                yield from walk(
                    self._up_to_head(connection, account, start), account, after=start, kinds=wanted
                )
            except (ChainBroken, UnreadableRecord) as error:
                raise self._damaged(account, str(error)) from error

    def lines(self, account: str) -> Iterator[bytes]:
        with self._reading() as connection:
            if connection is None:
                return
            try:
                for each in checked(self._up_to_head(connection, account, EMPTY), account, EMPTY):
                    yield each.line
            except ChainBroken as error:
                raise self._damaged(account, str(error)) from error

    def verify(self, account: str) -> Sound | Broken:
        with self._reading() as connection:
            if connection is None:
                return Sound(head=EMPTY)
            head = _head(connection, account)
            return verify(self._stored(connection, account, after=0), account, head=head)

    def bookmark(self, account: str) -> Bookmark | None:
        with self._reading() as connection:
            # A ledger that an older version made has no such table until somebody writes to it.
            if connection is None or not inspect(connection).has_table(BOOKMARKS.name):
                return None
            row = connection.execute(_BOOKMARK, {"of": account}).first()
            if row is None:
                return None
            number, digest_of_entry, form, body, digest = row
            return Bookmark(
                head=Head(number=number, hash=digest_of_entry), form=form, body=bytes(body), digest=digest
            )

    def holder(self, account: str) -> Holder | None:
        return self._database.holder(account)

    @contextmanager
    def writer(self, account: str) -> Iterator[LedgerWriter]:
        with self._database.writing(account, self._clock) as connection:
            yield _Writer(self._database, connection, account, self._secrets)

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def _reading(self) -> Generator[Connection | None]:
        """One view of the ledger, whatever is written meanwhile."""
        try:
            engine = self._database.engine(make=False)
            if engine is None:
                yield None
                return
            with engine.connect() as connection, connection.begin():
                yield connection
        except DBAPIError as error:
            raise self._database.refusal(error, kept="the ledger, as it is") from error

    def _up_to_head(self, connection: Connection, account: str, start: Head) -> Iterator[StoredEntry]:
        """What is stored after `start`. Raises ChainBroken when it does not end where the store says that it does."""
        head = _head(connection, account)
        reached = start
        for stored in self._stored(connection, account, after=start.number):
            yield stored
            reached = Head(number=stored.number, hash=stored.hash)
        broken = break_at_end(reached, head)
        if broken is not None:
            raise ChainBroken(broken.number, broken.reason)

    def _stored(self, connection: Connection, account: str, *, after: int) -> Iterator[StoredEntry]:
        page = (
            select(*self._database.read_columns())
            .where(ENTRIES.c.account == bindparam("of"), ENTRIES.c.number > bindparam("after"))
            .order_by(ENTRIES.c.number)
            .limit(_PAGE)
        )
        while True:
            result = connection.execute(page, {"of": account, "after": after})
            assert result.cursor is not None, "a select has rows"
            # The driver's own rows: SQLAlchemy's are a third of the time that a recovery takes.
            rows = result.cursor.fetchall()
            result.close()
            for number, kind, line, digest in rows:
                if type(line) is bytes and type(kind) is bytes and type(digest) is bytes:
                    yield StoredEntry(
                        number, kind.decode(errors="replace"), line, digest.decode(errors="replace")
                    )
                else:
                    yield _stored(number, kind, line, digest)
            if len(rows) < _PAGE:
                return
            after = rows[-1][0]

    def _damaged(self, account: str, what: str) -> AskOperator:
        return AskOperator(
            f"the ledger of {account} in {self._database.name} is damaged: {what}",
            kept="the ledger, as it is; nothing was written to it",
            next_step="look at it with `magellan audit verify`, and restore it from a backup; nobody trades until then",
        )


class _Writer:
    """Adds to one account's chain."""

    def __init__(
        self, database: Database, connection: Connection, account: str, secrets: KnownSecrets
    ) -> None:
        self._database = database
        self._connection = connection
        self._account = account
        self._secrets = secrets
        self._head: Head | None = None  # None: to be read again
        dialect = connection.dialect
        self._add = _Said(_ADD, dialect)
        self._begin_chain = _Said(_BEGIN_CHAIN, dialect)
        self._move = _Said(_MOVE_HEAD, dialect)
        assert dialect.loaded_dbapi is not None, "a connection has its driver"
        self._refused: tuple[type[Exception], ...] = (DBAPIError, dialect.loaded_dbapi.Error)

    @property
    def account(self) -> str:
        return self._account

    @property
    def head(self) -> Head:
        if self._head is None:
            try:
                with self._connection.begin():
                    self._head = _head(self._connection, self._account) or EMPTY
            except DBAPIError as error:
                raise self._database.refusal(error, kept=_KEPT) from error
        return self._head

    def append(self, entries: Sequence[NewEntry]) -> tuple[LedgerEntry, ...]:
        if not entries:
            return ()
        before = self.head
        stored, read = sealed(entries, self._account, before, self._secrets)
        # Until the transaction has ended well nobody knows where the chain ends.
        self._head = None
        after = Head(number=stored[-1].number, hash=stored[-1].hash)
        try:
            with self._transaction() as cursor:
                self._add(cursor, [_row(each, self._account) for each in stored])
                self._move_head(cursor, before, after)
        except self._refused as error:
            raise self._database.refusal(error, kept=_KEPT) from error
        self._head = after
        return read

    def keep(self, bookmark: Bookmark) -> None:
        row = {
            "account": self._account,
            "number": bookmark.head.number,
            "hash": bookmark.head.hash,
            "form": bookmark.form,
            "body": bookmark.body,
            "digest": bookmark.digest,
        }
        try:
            with self._connection.begin():
                BOOKMARKS.create(self._connection, checkfirst=True)
                self._connection.execute(delete(BOOKMARKS).where(BOOKMARKS.c.account == self._account))
                self._connection.execute(insert(BOOKMARKS), row)
        except DBAPIError as error:
            raise self._database.refusal(error, kept="the ledger, as it is") from error

    @contextmanager
    def _transaction(self) -> Generator[DBAPICursor]:
        """One transaction, in the driver's own hands: an order waits for it, and SQLAlchemy's way of beginning, ending
        and executing takes longer than the database."""
        driver = self._connection.connection
        cursor = driver.cursor()
        try:
            if self._database.begins is not None:
                cursor.execute(self._database.begins)
            yield cursor
            driver.commit()
        except BaseException:
            with suppress(*self._refused):  # what went wrong first is told
                driver.rollback()
            raise
        finally:
            cursor.close()

    def _move_head(self, cursor: DBAPICursor, before: Head, after: Head) -> None:
        if before == EMPTY:
            self._begin_chain(
                cursor, [{"account": self._account, "number": after.number, "hash": after.hash}]
            )
            return
        self._move(
            cursor,
            [
                {
                    "of": self._account,
                    "from_number": before.number,
                    "from_hash": before.hash,
                    "to_number": after.number,
                    "to_hash": after.hash,
                }
            ],
        )
        if cursor.rowcount != 1:
            raise AskOperator(
                f"someone else wrote to the ledger of {self._account} in {self._database.name}",
                kept=_KEPT,
                next_step="find out who, then start again; `magellan audit verify` says whether the ledger is sound",
            )


class _Said:
    """A statement in the words of a driver, said as they are."""

    def __init__(self, statement: Insert | Update, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self._words = str(compiled)
        self._places = compiled.positiontup  # None: it names its parameters

    def __call__(self, cursor: DBAPICursor, rows: list[dict[str, Any]]) -> None:
        given: Sequence[Any] = rows
        if self._places is not None:
            given = [tuple([row[name] for name in self._places]) for row in rows]
        if len(given) > 1:
            cursor.executemany(self._words, given)
        else:
            cursor.execute(self._words, given[0])


def _head(connection: Connection, account: str) -> Head | None:
    row = connection.execute(_HEAD, {"of": account}).first()
    return None if row is None else Head(number=row[0], hash=row[1])


def _row(stored: StoredEntry, account: str) -> dict[str, Any]:
    return {
        "account": account,
        "number": stored.number,
        "kind": stored.kind,
        "line": stored.line.decode(),
        "hash": stored.hash,
    }


def _stored(number: int, kind: Any, line: Any, digest: Any) -> StoredEntry:
    """A row as it lies there. One that a person changed may hold anything; the chain's check says what is wrong."""
    return StoredEntry(
        number, _text(kind), line if isinstance(line, bytes) else str(line).encode(), _text(digest)
    )


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
