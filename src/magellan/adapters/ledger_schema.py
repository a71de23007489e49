"""The tables of a ledger, alike in every database.

A line is kept as text, so that a person with nothing but SQL can read it and hash it. Columns beside it are there to
find lines by; each repeats what the line says, and a check compares the two.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, DateTime, Integer, LargeBinary, MetaData, Table, Text

VERSION: Final = 1
"""Of these tables. What entries hold has versions of its own."""

METADATA: Final = MetaData()

ENTRIES: Final = Table(
    "ledger_entries",
    METADATA,
    Column("account", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("line", Text, nullable=False),
    Column("hash", Text, nullable=False),
    sqlite_with_rowid=False,
)

# Where each chain ends, written in the transaction that adds to it: entries cut off at the end show.
HEADS: Final = Table(
    "ledger_heads",
    METADATA,
    Column("account", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
)

# What follows from each chain up to an entry: made from it, and made anew where it is missing.
BOOKMARKS: Final = Table(
    "ledger_bookmarks",
    METADATA,
    Column("account", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
    Column("form", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("digest", Text, nullable=False),
)

# Who writes for an account, for people to read; what keeps a second one out is a lock of the server's.
WRITERS: Final = Table(
    "ledger_writers",
    METADATA,
    Column("account", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("since", DateTime(timezone=True), nullable=False),
)

SCHEMA: Final = Table("ledger_schema", METADATA, Column("version", Integer, primary_key=True))
