"""The rows of a ledger, as they lie in its database, for copying."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import DBAPIError

from magellan.adapters.ledger_schema import ENTRIES, HEADS
from magellan.adapters.sql_ledger import Database
from magellan.errors import AskOperator
from magellan.ledger.chain import EMPTY, Head, StoredEntry


class SqlRows:
    """Keeps `ports.ledger_trail.LedgerRows`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def heads(self) -> Mapping[str, Head]:
        """See the port."""
        try:
            engine = self._database.engine(make=False)
            if engine is None:
                return {}
            with engine.connect() as connection:
                rows = connection.execute(select(HEADS.c.account, HEADS.c.number, HEADS.c.hash)).all()
        except DBAPIError as error:
            raise self._database.refusal(error, kept="the ledger, as it is") from error
        return {row.account: Head(number=row.number, hash=row.hash) for row in rows}

    def after(self, account: str, number: int, *, most: int) -> Sequence[StoredEntry]:
        """See the port."""
        wanted = (
            select(ENTRIES.c.number, ENTRIES.c.kind, ENTRIES.c.line, ENTRIES.c.hash)
            .where(ENTRIES.c.account == account, ENTRIES.c.number > number)
            .order_by(ENTRIES.c.number)
            .limit(most)
        )
        try:
            engine = self._database.engine(make=False)
            if engine is None:
                return ()
            with engine.connect() as connection:
                rows = connection.execute(wanted).all()
        except DBAPIError as error:
            raise self._database.refusal(error, kept="the ledger, as it is") from error
        return tuple(StoredEntry(row.number, row.kind, row.line.encode(), row.hash) for row in rows)

    def add(self, account: str, entries: Sequence[StoredEntry]) -> None:
        """See the port."""
        head = self.heads().get(account, EMPTY)
        new = [each for each in entries if each.number > head.number]
        if not new:
            return
        if [each.number for each in new] != list(range(head.number + 1, head.number + 1 + len(new))):
            raise AskOperator(
                f"the trail of {account} goes on with entry {new[0].number}, and the backup ends with {head.number}",
                kept="both",
            )
        rows = [
            {
                "account": account,
                "number": each.number,
                "kind": each.kind,
                "line": each.line.decode(),
                "hash": each.hash,
            }
            for each in new
        ]
        end = {"account": account, "number": new[-1].number, "hash": new[-1].hash}
        try:
            engine = self._database.engine(make=True)
            assert engine is not None, "it was just made"
            with engine.begin() as writing:
                writing.execute(insert(ENTRIES), rows)
                writing.execute(delete(HEADS).where(HEADS.c.account == account))
                writing.execute(insert(HEADS), [end])
        except DBAPIError as error:
            raise self._database.refusal(error, kept="the backup, and the trail") from error

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()
