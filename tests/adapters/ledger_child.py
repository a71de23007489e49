"""A process that appends to a ledger until it is killed, and prints each number once it was acknowledged."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from magellan.adapters.sql_ledger import SqlLedger
from magellan.adapters.sqlite_ledger import SqliteDatabase
from magellan.ledger.entries import AlertRaised, NewEntry

AT = datetime(2026, 1, 20, 14, 30, tzinfo=UTC)


def main() -> None:
    ledger = SqlLedger(SqliteDatabase(Path(sys.argv[1])), lambda: AT)
    with ledger.writer("PA1") as writer:
        print("ready", flush=True)
        while True:
            first = writer.head.number + 1
            texts = [f"entry {number}" for number in range(first, first + 1 + first % 4)]
            entries = [
                NewEntry(at=AT, session="s", payload=AlertRaised(severity="info", text=text))
                for text in texts
            ]
            print(writer.append(entries)[-1].number, flush=True)


if __name__ == "__main__":
    main()
