"""No engine at all: the reference of `reference.py`, as a yardstick for what the others add or take away."""

from __future__ import annotations

import platform
from typing import Any

from benchmarks import reference
from benchmarks.measure import Answer, Prepare, Run, main
from benchmarks.outcome import SweepOutcome
from benchmarks.workloads import Job


def prepare(job: Job, bars: Any) -> Run:
    """Any workload."""

    def run() -> Answer:
        outcome = reference.outcome_of(job)  # reads the stored bars again; that takes under 1 % of its time
        if isinstance(outcome, SweepOutcome):
            equity = float(outcome.equity_final_usd.sum())
        else:
            equity = outcome.equity_final_usd
        return Answer(trade_count=outcome.trade_count, equity_final_usd=equity, outcome=lambda: outcome)

    return run


WORKLOADS: dict[str, Prepare] = {"w1": prepare, "w2": prepare, "w3": prepare}

if __name__ == "__main__":
    main("plain Python", platform.python_version, WORKLOADS)
