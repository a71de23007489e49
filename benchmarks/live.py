"""Measure a live session: a paper exchange and a runner as processes of their own, and print a table.

    python benchmarks/live.py            every row; writes its part of RESULTS.md (some minutes)
    python benchmarks/live.py --quick    fewer symbols in the order row; prints only

The exchange's clock is stepped: its time passes when the runner is done, so that nothing waits for a minute to end.
It stands for another machine, and has a core of its own where there are several: on the runner's it would answer an
order before the runner can look at its watch.
Exit code 1 when a row misses its target. How long a ledger is read after a kill is in
`ledger_times.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice, product
from pathlib import Path
from string import ascii_uppercase
from typing import Any, Final

ROOT = Path(__file__).resolve().parent.parent
if __package__ in (None, ""):
    sys.path.insert(0, str(ROOT))

from benchmarks import report  # noqa: E402  (the path has to be there first)
from benchmarks.exchange import Measured, exchange  # noqa: E402

DAY = "2026-01-20"
KEY: Final = "PKBENCH"
RUN_S: Final = 600.0
ALL_MINUTES: Final = 24 * 60
MINUTES_OF_ORDERS: Final = 60
MEMORY: Final = Path("/dev/shm")  # a file system without a disk
SYNCS: Final = 200
SYNCED: Final = bytes(3 * 4096)  # about what the record of an order takes of the ledger's log
TIMED_RUNNER: Final = ROOT / "benchmarks" / "timed_runner.py"

# One symbol in `every` is entered at each minute, another one each time, with a stop that rests at the broker.
STRATEGY = '''"""Buy one symbol in so many at each minute, and hold it for five."""

from pydantic import Field

from magellan.indicators import sma
from magellan.strategy.contract import Parameters, Strategy
from magellan.strategy.trade_plan import TradePlan, Price, Units


class OneInSo(Strategy):
    class Parameters(Parameters):
        every: int = Field(50, ge=1)

    def features(self, bars, p):
        return {"below": sma(bars.close, 20) * 0.9}

    def enter_long(self, f, p):
        number = 26 * ord(f.bars.symbol[-2]) + ord(f.bars.symbol[-1])
        return (f.bars.minute + number) % p.every == 0

    def plan(self, f, p):
        return TradePlan(size=Units(units=1), stop=Price(column=f.below), hold_bars=5)
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A runner that has lived through its day."""

    wall_s: float  # from the start of its process to its end
    cpu_s: float
    peak_mib: float
    minutes: int
    orders: tuple[Mapping[str, Any], ...]


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer symbols in the order row; prints only")
    quick = parser.parse_args().quick
    machine = report.machine()
    print(f"{report.machine_line(machine)}; load before: {machine['load_1min']}", flush=True)
    rows: list[Measured] = []
    count = 50 if quick else 500
    for row in chain(
        disk_alone(), without_disk(count), bar_to_order(count, 1), bar_to_order(count, 10), whole_day()
    ):
        rows.append(row)
        print(row.line, flush=True)
    if not quick:
        loads = f"Load before {machine['load_1min']}, after {report.machine()['load_1min']}."
        report.write_section(
            report.LIVE, (loads, "", "```text", *(row.line.removeprefix("  ") for row in rows), "```")
        )
    return 0 if all(row.is_met for row in rows) else 1


def disk_alone() -> Iterator[Measured]:
    """What a sync of this disk takes by itself, of a file that is written over as the ledger's log is."""
    clock_s, cpu_s = [], []
    with tempfile.TemporaryFile(dir=os.environ.get("BENCH_DIR")) as file:
        os.pwrite(file.fileno(), SYNCED * SYNCS, 0)
        os.fsync(file.fileno())
        for number in range(SYNCS):
            os.pwrite(file.fileno(), SYNCED, number * len(SYNCED))
            began_s, cpu_before_s = time.perf_counter(), time.thread_time()
            os.fdatasync(file.fileno())
            clock_s.append(time.perf_counter() - began_s)
            cpu_s.append(time.thread_time() - cpu_before_s)
            time.sleep(0.01)
    for what, values_s in (("p50", clock_s), ("p50 of CPU", cpu_s)):
        yield Measured(
            what=f"the disk alone: a sync of {len(SYNCED) // 1024} KiB, {what} of {SYNCS}",
            value=statistics.median(values_s) * 1e3,
            unit="ms",
            target=float("inf"),
            lower_is_better=True,
        )


def without_disk(count: int) -> Iterator[Measured]:
    """From the last bar to the one order of each minute, with everything in memory."""
    if not MEMORY.is_dir():
        return
    symbols = _symbols(count)
    ran = _day(symbols, STRATEGY, _one_in_so(symbols, 1), minutes=MINUTES_OF_ORDERS, folder=MEMORY)
    entries = [order["after_last_ms"] for order in ran.orders if order["side"] == "buy"]
    yield Measured(
        what=f"{count} symbols, 1 in a minute, no disk: last bar to order, p50 of {len(entries)}",
        value=statistics.median(entries),
        unit="ms",
        target=float("inf"),
        lower_is_better=True,
    )


def bar_to_order(count: int, orders: int) -> Iterator[Measured]:
    """From bars of a minute to each order's request written to its socket; its intent is on the disk by then.

    orders: entries in each minute. As many exits follow five minutes later, and none of them is counted.
    The least of a hundred shows what the way costs; the median on a busy machine, what waiting for a core adds.
    """
    symbols = _symbols(count)
    ran = _day(symbols, STRATEGY, _one_in_so(symbols, orders), minutes=MINUTES_OF_ORDERS)
    entries = [order for order in ran.orders if order["side"] == "buy"]
    of = f"{count} symbols, {orders} in a minute"
    for what, key, shown in (
        ("last bar", "after_last_ms", (("p10", 9), ("p50", 49), ("p99", 98))),
        ("last bar", "after_last_cpu_ms", (("p50 of CPU", 49),)),
        ("own bar", "after_own_ms", (("p50", 49),)),
        ("first bar", "after_first_ms", (("p50", 49),)),
    ):
        cuts = statistics.quantiles([order[key] for order in entries], n=100, method="inclusive")
        for name, at in shown:
            yield Measured(
                what=f"{of}: {what} to order, {name} of {len(entries)}",
                value=cuts[at],
                unit="ms",
                target=2.0 if (what, name) == ("last bar", "p50") else float("inf"),
                lower_is_better=True,
            )
    yield from _costs(of, ran, memory_max_mib=float("inf"))


def whole_day() -> Iterator[Measured]:
    """A day of 20 symbols of minute bars: by the rules of workspace/prod/bear_trap, which seldom trades; and with an
    entry in every minute, whose exit follows."""
    symbols = _symbols(20)
    folder = ROOT / "workspace" / "prod" / "bear_trap"
    config = json.loads((folder / "config.json").read_text())
    config["symbols"] = symbols
    ran = _day(symbols, (folder / "strategy.py").read_text(), config)
    assert ran.minutes >= 390, f"the runner saw {ran.minutes} minutes of 390"
    yield Measured(
        what="a day of 20 symbols, bear_trap, whole process",
        value=ran.wall_s,
        unit="s",
        target=10.0,
        lower_is_better=True,
    )
    yield from _costs("20 symbols", ran, memory_max_mib=250.0)
    busy = _day(symbols, STRATEGY, _one_in_so(symbols, 1))
    assert len(busy.orders) >= 2 * 380, f"it sent {len(busy.orders)} orders"
    yield Measured(
        what="a day of 20 symbols, an entry every minute, whole process",
        value=busy.wall_s,
        unit="s",
        target=10.0,
        lower_is_better=True,
    )
    yield from _costs("20 symbols and their orders", busy, memory_max_mib=250.0)


def _one_in_so(symbols: tuple[str, ...], orders: int) -> Mapping[str, Any]:
    """The config by which so many symbols are entered in each minute."""
    return {
        "strategy": {"name": "one_in_so", "version": "1.0.0", "kind": "intraday"},
        "symbols": symbols,
        "parameters": {"every": len(symbols) // orders},
        "data": {"timeframe": "1Min", "history_days": 5},
        "risk": {
            "orders_per_second_max": 10_000,
            "orders_per_minute_max": 100_000,
            "breakers": {"losing_trades_max": 100_000},  # it loses, and is to go on
        },
    }


def _symbols(count: int) -> tuple[str, ...]:
    return tuple("S" + "".join(pair) for pair in islice(product(ascii_uppercase, repeat=2), count))


def _costs(of: str, ran: Ran, *, memory_max_mib: float) -> Iterator[Measured]:
    yield Measured(
        what=f"{of}: CPU of the runner", value=ran.cpu_s, unit="s", target=float("inf"), lower_is_better=True
    )
    yield Measured(
        what=f"{of}: peak memory of the runner",
        value=ran.peak_mib,
        unit="MiB",
        target=memory_max_mib,
        lower_is_better=True,
    )


def _day(
    symbols: tuple[str, ...],
    strategy: str,
    config: Mapping[str, Any],
    minutes: int = ALL_MINUTES,
    folder: Path | None = None,
) -> Ran:
    """Let a runner live through one day, or its first minutes, at an exchange of its own.

    folder: what holds its workspace; None: the one for what is temporary.
    """
    with tempfile.TemporaryDirectory(dir=folder or os.environ.get("BENCH_DIR")) as name:
        root = Path(name)
        own = root / "prod" / config["strategy"]["name"]
        own.mkdir(parents=True)
        (own / "strategy.py").write_text(strategy)
        (own / "config.json").write_text(json.dumps(config))
        served = ("--generated", "--symbols", ",".join(symbols), "--session", DAY, "--clock", "stepped")
        with _parted_cores() as cores, exchange(*served) as at:
            _write_settings(root, at["trading"])
            return _run(root, config["strategy"]["name"], minutes, cores)


@contextmanager
def _parted_cores() -> Iterator[set[int]]:
    """Keep to one core, with the exchange that is started meanwhile; gives the others, or the only one there is."""
    if not hasattr(os, "sched_setaffinity"):
        yield set()
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield cores - {max(cores)} or cores
    finally:
        os.sched_setaffinity(0, cores)


def _write_settings(root: Path, address: str) -> None:
    request = urllib.request.Request(
        f"{address}/v2/account", headers={"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": "secret"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        number = json.loads(answer.read())["account_number"]
    (root / "magellan.toml").write_text(
        f'format = 1\n\n[accounts.bench]\nkind = "local"\nnumber = "{number}"\naddress = "{address}"\n'
        'data = { feed = "sip" }\n\n[stages.prod]\naccount = "bench"\n'
    )


def _run(root: Path, name: str, minutes: int, cores: set[int]) -> Ran:
    notes = root / "notes.json"
    command = [sys.executable, str(TIMED_RUNNER), str(notes), str(minutes), "run", f"prod/{name}", "--json"]
    environment = {**os.environ, "ALPACA_API_KEY": KEY, "ALPACA_API_SECRET": "secret"}
    began = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
        preexec_fn=partial(os.sched_setaffinity, 0, cores) if cores else None,
    )
    wall_s = time.perf_counter() - began
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(notes.read_text())
    return Ran(
        wall_s=wall_s,
        cpu_s=told["cpu_s"],
        peak_mib=told["peak_mib"],
        minutes=told["minutes"],
        orders=tuple(told["orders"]),
    )


if __name__ == "__main__":
    sys.exit(main())
