"""One engine, one job, one process: what every file in `peers/`, and our own plug, does the same way.

An engine's file maps a workload ("w1", "w2", "w3") to a function that takes the job and its bars, brings the
bars into the form that the engine wants (not timed: it stands for loading data) and returns the run to be
timed. A run computes everything from the bars: indicators, decisions, fills, the trade records and the final
equity.

    python -m benchmarks.peers.raptorbt w1:1000000 --repeats 5 --outcome trades.npz

prints one line of JSON, described at `Measurement`.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.outcome import Outcome, SweepOutcome
from benchmarks.rows import STARTED_AT_NS
from benchmarks.workloads import Job, bars_of

FIRST_MAX_S, REPEATS_MAX_S = 20.0, 10.0  # no further run after a first that takes longer; and no more in all


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a run has worked out when the clock stops."""

    trade_count: int
    equity_final_usd: float  # a sweep: the sum over its sets
    outcome: Callable[[], Outcome | SweepOutcome]  # the engine's own records as ours; called after timing


Run = Callable[[], Answer]
Prepare = Callable[[Job, Any], Run]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The line of JSON. Times in seconds of wall clock."""

    engine: str
    version: str
    job: str
    first_s: float  # first run in this process: what loading compiled code costs is in here
    repeated_s: tuple[float, ...]  # further runs in the same process
    started_to_first_result_s: float | None  # since this process was started; None when that is not known
    peak_mib: float  # most memory resident up to the end of the first run, bars included
    trade_count: int
    equity_final_usd: float


def main(engine: str, version: Callable[[], str], workloads: Mapping[str, Prepare]) -> None:
    """The command line of an engine's file. `version` is asked after timing: it may have to read metadata."""
    parser = argparse.ArgumentParser(description=f"Measure {engine} on one job.")
    parser.add_argument("job", help="w1:BARS, w2:SESSIONS or w3:SETS:BARS")
    parser.add_argument("--repeats", type=int, default=0, help="further runs in this process (default 0)")
    parser.add_argument("--outcome", type=Path, help="write the trades of the first run to this .npz file")
    arguments = parser.parse_args()
    job = Job.parse(arguments.job)
    if job.workload not in workloads:
        raise SystemExit(f"{engine} has no {job.workload}; it has {', '.join(sorted(workloads))}")

    run = workloads[job.workload](job, bars_of(job))
    before = time.perf_counter()
    answer = run()
    first_s = time.perf_counter() - before
    started = os.environ.get(STARTED_AT_NS)
    since_start_s = (time.monotonic_ns() - int(started)) / 1e9 if started else None
    peak_mib = _peak_mib()
    trade_count, equity = answer.trade_count, answer.equity_final_usd
    if arguments.outcome:
        answer.outcome().save(arguments.outcome)

    repeated: list[float] = []
    while len(repeated) < arguments.repeats and first_s < FIRST_MAX_S and sum(repeated) < REPEATS_MAX_S:
        del answer  # or two results would be held at once
        gc.collect()
        before = time.perf_counter()
        answer = run()
        repeated.append(time.perf_counter() - before)
        if answer.trade_count != trade_count or answer.equity_final_usd != equity:
            raise SystemExit(f"{engine} answered differently when asked again")

    measurement = Measurement(
        engine=engine,
        version=version(),
        job=str(job),
        first_s=first_s,
        repeated_s=tuple(repeated),
        started_to_first_result_s=since_start_s,
        peak_mib=peak_mib,
        trade_count=trade_count,
        equity_final_usd=equity,
    )
    print(json.dumps(asdict(measurement)))
    sys.stdout.flush()


def installed(distribution: str) -> Callable[[], str]:
    """The version of a package, asked for when needed."""

    def ask() -> str:
        from importlib.metadata import version

        return version(distribution)

    return ask


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if platform.system() == "Darwin" else peak / 2**10
