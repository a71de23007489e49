"""How long the ledger takes: an append until it is on the disk, a recovery without and with a bookmark, a check.

    .venv/bin/python benchmarks/ledger_times.py                   every row
    .venv/bin/python benchmarks/ledger_times.py "orders alone"    of one account

A recovery is what a session does with the ledger before its first word to the broker. The last known numbers are in
docs/guides/ledger.md.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from ledger.samples import DECISION, closed_trade, entry, execution, intended, told
from magellan.adapters.sql_ledger import SqlLedger
from magellan.adapters.sqlite_ledger import SqliteDatabase
from magellan.engine.session import Session
from magellan.ledger.book import FOLDED_KINDS, Book
from magellan.ledger.entries import (
    AnswerIs,
    AnswerTo,
    ExecutionSeen,
    NewEntry,
    OrderAnswered,
    OrderEventSeen,
    TradeClosed,
    TradeOpened,
)
from magellan.ports.ledger import Ledger
from magellan.trading.order import OrderEventKind, OrderStatus
from magellan.usecases.recall import NOTHING, book_now, put_away_if_long, recalled
from magellan.usecases.trade import remembered
from simulation.campaign import simulate

ENTRIES = 100_000
ACCOUNTS = {"20 symbols a minute": 390, "a busy day trader": 15, "orders alone": 0}  # decisions to each order
CLOCKS = (perf_counter, process_time)  # on a machine that does other things too, they differ


def main() -> None:
    """Print one line per measure."""
    with TemporaryDirectory(dir=".") as folder:
        ledger = SqlLedger(SqliteDatabase(Path(folder) / "ledger.sqlite"), lambda: datetime.now(UTC))
        appends(ledger)
        for account, decisions in ACCOUNTS.items():
            if account in (sys.argv[1:] or ACCOUNTS):
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
    """Time what a restart does first, and a whole check. The best of two: the machine does other things as well."""
    setup = replace(simulate(1, days=1).world.make_setup(0), account=account)

    def recover() -> Session:
        found = recalled(ledger, account)
        recorded = remembered(ledger, account, after=found.after)
        return Session(setup, recorded, None if found.lines is None else iter(found.lines))

    def look() -> Book:
        return book_now(ledger, account, FOLDED_KINDS)

    print(f"{ENTRIES:,} entries, {account}:")
    show("recovery from the first entry", recover)
    show("a look from the first entry", look)
    with ledger.writer(account) as writer:
        session = recover()
        show("making a bookmark", lambda: put_away_if_long(writer, session, NOTHING), times=1)
    show("recovery from a bookmark", recover)
    show("a look from a bookmark", look)
    show("verify", lambda: ledger.verify(account))


def show(what: str, work: Callable[[], object], *, times: int = 2) -> None:
    """Print the least time by each clock. Nothing is collected meanwhile, as at a start."""
    gc.disable()
    took = []
    for _ in range(times):
        began = [clock() for clock in CLOCKS]
        work()
        took.append([clock() - at for clock, at in zip(CLOCKS, began, strict=True)])
    gc.enable()
    wall_s, cpu_s = (min(each) for each in zip(*took, strict=True))
    print(f"  {what}: {wall_s:.2f} s, {cpu_s:.2f} s of CPU", flush=True)


def order(number: int) -> list[NewEntry]:
    """An order from its intent to its execution, and the record of the trade that it opens or closes."""
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
                TradeOpened(record=closed_trade(f"x-{number}", None))
                if number % 2 == 0
                else TradeClosed(record=closed_trade(f"x-{number - 1}", "-1.00")),
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
