"""How long the ledger takes: an append until it is on the disk, a recovery, a check.

    .venv/bin/python benchmarks/ledger_times.py

The last known numbers are in docs/guides/ledger.md.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from ledger.samples import DECISION, entry, execution, intended, told
from magellan.adapters.sql_ledger import SqlLedger
from magellan.adapters.sqlite_ledger import SqliteDatabase
from magellan.ledger.book import FOLDED_KINDS, Book
from magellan.ledger.entries import AnswerIs, AnswerTo, ExecutionSeen, NewEntry, OrderAnswered, OrderEventSeen
from magellan.ports.ledger import Ledger
from magellan.trading.order import OrderEventKind, OrderStatus

ENTRIES = 100_000
CLOCKS = (perf_counter, process_time)  # on a machine that does other things too, they differ


def main() -> None:
    """Print one line per measure."""
    with TemporaryDirectory(dir=".") as folder:
        ledger = SqlLedger(SqliteDatabase(Path(folder) / "ledger.sqlite"), lambda: datetime.now(UTC))
        appends(ledger)
        for account, decisions in (
            ("20 symbols a minute", 390),
            ("a busy day trader", 15),
            ("orders alone", 0),
        ):
            fill(ledger, account, decisions)
            recovery(ledger, account)
        ledger.close()


def appends(ledger: Ledger) -> None:
    """Time appends one by one, each until it is acknowledged."""
    with ledger.writer("appends") as writer:
        for count in (1, 5):
            entries = (order(0) + [entry(DECISION)] * 5)[:count]
            took = sorted(seconds(lambda: writer.append(entries)) for _ in range(2000))  # noqa: B023
            p50, p99 = (took[int(len(took) * share)] * 1000 for share in (0.5, 0.99))
            print(f"append of {count}, on the disk: p50 {p50:.2f} ms, p99 {p99:.2f} ms")


def fill(ledger: Ledger, account: str, decisions: int) -> None:
    """Write a long ledger: so many decisions to each order."""
    with ledger.writer(account) as writer:
        number = 0
        while writer.head.number < ENTRIES:
            batch: list[NewEntry] = []
            while len(batch) < 1000:
                batch += [entry(DECISION)] * decisions + order(number)
                number += 1
            writer.append(batch)


def recovery(ledger: Ledger, account: str) -> None:
    """Time what a restart does first, and a whole check. The best of five: the machine does other things as well."""

    def recover() -> object:
        return Book.of(account, ledger.entries(account, kinds=FOLDED_KINDS))

    recovered, recovered_cpu = (min(seconds(recover, clock) for _ in range(3)) for clock in CLOCKS)
    checked, checked_cpu = (
        min(seconds(lambda: ledger.verify(account), clock) for _ in range(3)) for clock in CLOCKS
    )
    print(
        f"{ENTRIES:,} entries, {account}: recovery {recovered:.2f} s ({recovered_cpu:.2f} s of CPU),"
        f" verify {checked:.2f} s ({checked_cpu:.2f} s of CPU)"
    )


def order(number: int) -> list[NewEntry]:
    """An order from its intent to its execution; every second one closes a trade."""
    name = f"mg1-{number}"
    return list(
        map(
            entry,
            (
                intended(name),
                OrderAnswered(
                    client_order_id=name, to=AnswerTo.SUBMIT, answer=AnswerIs.ACCEPTED, order=told(name)
                ),
                OrderEventSeen(event=OrderEventKind.NEW, order=told(name), source="stream"),
                OrderEventSeen(
                    event=OrderEventKind.FILL, order=told(name, status=OrderStatus.FILLED), source="stream"
                ),
                ExecutionSeen(
                    execution=execution(
                        f"x-{number}", "100" if number % 2 == 0 else "-100", "5.01", order=name
                    ),
                    source="stream",
                ),
            ),
        )
    )


def seconds(work: Callable[[], object], clock: Callable[[], float] = perf_counter) -> float:
    """How long the work takes by a clock."""
    began = clock()
    work()
    return clock() - began


if __name__ == "__main__":
    main()
