"""A copy of a whole ledger in a SQLite file, as of one instant, whatever database it is kept in.

Entries are stored as the lines that were hashed, so the copy holds the very same chains, and whoever reads it checks
them without the server that it came from. PostgreSQL's own dump would be restored into PostgreSQL and nowhere else: a
bare host could not prove that what it got back is whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError

from magellan.adapters.ledger_schema import ENTRIES, HEADS
from magellan.adapters.sql_ledger import Database
from magellan.adapters.sqlite_ledger import SqliteDatabase

_ROWS: Final = 5_000  # at a time


def copy_ledger(source: Database, target: Path) -> None:
    """Write the copy to a file that is not there yet; of a ledger that was never written, none. Raises AskOperator."""
    engine = source.engine(make=False)
    if engine is None:
        return
    database = SqliteDatabase(target)
    try:
        writing_engine = database.engine(make=True)
        assert writing_engine is not None, "it was just made"
        # The source's readers see one state, whatever is written meanwhile.
        with engine.connect() as reading, reading.begin(), writing_engine.begin() as writing:
            for table in (ENTRIES, HEADS):
                rows = reading.execution_options(stream_results=True).execute(select(table)).mappings()
                for some in rows.partitions(_ROWS):
                    writing.execute(insert(table), [dict(row) for row in some])
    except DBAPIError as error:
        raise source.refusal(error, kept="the ledger, as it is") from error
    finally:
        database.close()
