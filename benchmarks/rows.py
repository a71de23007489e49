"""What is measured: the rows of the table, and the engines that can enter each."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

PEERS_VENV = Path(__file__).resolve().parent / ".venv-peers"
STARTED_AT_NS = (
    "MAGELLAN_BENCH_STARTED_NS"  # environment: time.monotonic_ns() just before a process was started
)


class Measures(Enum):
    """What a row's seconds are."""

    ENGINE = "a run in a process that has made one run before, data already loaded"
    PROCESS = "start of the process to its end, compiled code already on disk"
    FIRST_RUN = "start of the process to its end, nothing compiled before"
    HELP = "start to end of `magellan --help`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table."""

    key: str
    title: str
    measures: Measures
    job: str = ""  # as `benchmarks.workloads.Job` reads it; none for HELP
    target_s: float | None = None  # for Magellan, on the machine that the targets were set on
    target_mib: float | None = None
    repeats: int = 5  # ENGINE: runs after the first, in each process


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One competitor."""

    key: str
    command: tuple[str, ...]
    rows: frozenset[str]
    is_ours: bool = False

    def enters(self, row: Row) -> bool:
        return row.key in self.rows


ROWS = (
    Row(
        key="w1",
        title="W1, 1,000,000 bars: engine",
        measures=Measures.ENGINE,
        job="w1:1000000",
        target_s=0.030,
    ),
    Row(
        key="w1_large",
        title="W1, 10,000,000 bars: engine and memory",
        measures=Measures.ENGINE,
        job="w1:10000000",
        target_s=0.15,
        target_mib=1024.0,
        repeats=3,
    ),
    Row(
        key="w2",
        title="W2, 20 symbols x 98,280 bars: engine",
        measures=Measures.ENGINE,
        job="w2:252",
        target_s=0.15,
    ),
    Row(
        key="w3",
        title="W3, 1,000 parameter sets x 100,000 bars: engine",
        measures=Measures.ENGINE,
        job="w3:1000:100000",
        target_s=0.4,
        repeats=2,
    ),
    Row(
        key="w3_large",
        title="W3, 10,000 parameter sets x 100,000 bars: engine",
        measures=Measures.ENGINE,
        job="w3:10000:100000",
        target_s=2.0,
        repeats=1,
    ),
    Row(
        key="w4",
        title="W4, 100,000 bars: whole process",
        measures=Measures.PROCESS,
        job="w1:100000",
        target_s=0.7,
    ),
    Row(key="help", title="magellan --help: whole process", measures=Measures.HELP, target_s=0.3),
    Row(
        key="first_run",
        title="First run ever, W4 with nothing compiled: whole process",
        measures=Measures.FIRST_RUN,
        job="w1:100000",
        target_s=5.7,  # W4's target and 5 s more
    ),
)

QUICK_ROWS = (
    Row(key="w1", title="W1, 100,000 bars: engine", measures=Measures.ENGINE, job="w1:100000"),
    Row(key="w2", title="W2, 20 symbols x 15,600 bars: engine", measures=Measures.ENGINE, job="w2:40"),
    Row(
        key="w3",
        title="W3, 1,000 parameter sets x 10,000 bars: engine",
        measures=Measures.ENGINE,
        job="w3:1000:10000",
        repeats=2,
    ),
    *(row for row in ROWS if row.key in ("w4", "help", "first_run")),
)


def _peer(key: str, *options: str, module: str = "", rows: str) -> Engine:
    command = (str(PEERS_VENV / "bin" / "python"), "-m", f"benchmarks.peers.{module or key}", *options)
    return Engine(key=key, command=command, rows=frozenset(rows.split()))


def _ours(key: str, *options: str, rows: str) -> Engine:
    command = (sys.executable, "-m", "benchmarks.magellan_workloads", *options)
    return Engine(key=key, command=command, rows=frozenset(rows.split()), is_ours=True)


ENGINES = (
    _ours("magellan", rows="w1 w1_large w2 w3 w3_large w4 help first_run"),
    _peer("raptorbt", rows="w1 w1_large w2 w3 w3_large w4 first_run"),
    _peer("vectorbt", rows="w1 w1_large w3 w3_large w4 first_run"),
    _peer("vectorbt-numba", "--engine=numba", module="vectorbt", rows="w1 w1_large w4 first_run"),
    _peer("backtesting", rows="w1 w4"),
    _peer("pybroker", rows="w1 w4"),
    _peer("backtrader", rows="w1 w4"),
    Engine(
        key="plain-python",
        command=(sys.executable, "-m", "benchmarks.peers.plain_python"),
        rows=frozenset(["w1", "w1_large", "w2", "w3", "w3_large", "w4"]),
    ),
)
