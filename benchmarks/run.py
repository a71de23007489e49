"""Measure Magellan side by side with its peers, in one run on one machine.

    python benchmarks/run.py --install-peers     once: puts the peers of peers.lock into benchmarks/.venv-peers
    python benchmarks/run.py                     every row; writes results/ and RESULTS.md (about ten minutes)
    python benchmarks/run.py --quick             small sizes, two repetitions, prints only (about a minute)

Every measurement is a process of its own, and repetitions go round the engines (A B C, A B C), so that a
slow minute of the machine falls on all of them. Each engine's trades are compared with the reference's; what
differs is printed beside its time. Exit code 1 when Magellan fails, or trades otherwise than the reference.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PEERS_LOCK = HERE / "peers.lock"
if __package__ in (None, ""):
    sys.path.insert(0, str(ROOT))

from benchmarks import report  # noqa: E402  (the path has to be there first)
from benchmarks.rows import ENGINES, PEERS_VENV, QUICK_ROWS, ROWS, STARTED_AT_NS, Engine, Measures, Row  # noqa: E402

PROCESS_TIME_MAX_S = 900.0
REPETITIONS, QUICK_REPETITIONS = 5, 2
SLOW_S = 15.0  # an engine that takes longer is measured once in a row


@dataclass(slots=True)
class Entry:
    """One engine in one row, as far as it has been measured."""

    engine: Engine
    seconds: list[float]  # what the row is about
    first_s: list[float]  # first run in a process, or nothing
    process_s: list[float]  # start of the process to its end
    first_result_s: list[float]
    peak_mib: list[float]
    version: str = ""
    trade_count: int | None = None
    equity_final_usd: float | None = None
    differences: tuple[str, ...] | None = None  # None: not compared
    failure: str = ""


def main() -> int:
    """Returns the exit code."""
    arguments = _arguments()
    if arguments.install_peers:
        install_peers()
        return 0
    rows = [
        row for row in (QUICK_ROWS if arguments.quick else ROWS) if row.key in (arguments.rows or row.key)
    ]
    repetitions = arguments.repetitions or (QUICK_REPETITIONS if arguments.quick else REPETITIONS)
    available = [engine for engine in ENGINES if _wanted(engine, arguments.engines)]
    machine = report.machine()
    print(f"{report.machine_line(machine)}; load before: {machine['load_1min']}", flush=True)

    measured: list[tuple[Row, list[Entry]]] = []
    for row in rows:
        engines = [engine for engine in available if engine.enters(row)]
        entries = measure_row(row, engines, repetitions)
        measured.append((row, entries))
        print(report.row_text(row, entries), flush=True)
    if not (arguments.quick or arguments.engines):
        record = report.record(machine, measured, repetitions)
        path = report.write(record)
        print(f"written: {path.relative_to(ROOT)} and benchmarks/RESULTS.md")
    return 1 if any(_is_wrong(entry) for _, entries in measured for entry in entries) else 0


def measure_row(row: Row, engines: Sequence[Engine], repetitions: int) -> list[Entry]:
    """Every engine's repetitions of one row, interleaved."""
    entries = [Entry(engine, [], [], [], [], []) for engine in engines]
    if row.job:
        _run(
            [sys.executable, "-m", "benchmarks.reference", row.job], {}
        )  # makes bars and reference beforehand
    for repetition in range(repetitions):
        for entry in entries:
            slow = bool(entry.seconds) and min(entry.seconds) > SLOW_S
            if not entry.failure and not slow:
                _measure_once(row, entry, first=repetition == 0)
    return entries


def _measure_once(row: Row, entry: Entry, *, first: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="magellan-bench-") as scratch:
        caches = {}
        if row.measures is Measures.FIRST_RUN:
            caches = {"NUMBA_CACHE_DIR": f"{scratch}/numba", "XDG_CACHE_HOME": f"{scratch}/cache"}
        try:
            if row.measures is Measures.HELP:
                seconds, _ = _run([*entry.engine.command[:1], "-m", "magellan", "--help"], caches)
                entry.seconds.append(seconds)
                entry.process_s.append(seconds)
                return
            outcome = Path(scratch) / "outcome.npz"
            compared = first and row.measures is not Measures.FIRST_RUN
            command = [*entry.engine.command, row.job]
            if row.measures is Measures.ENGINE:
                seconds, answer = _run(
                    [
                        *command,
                        "--repeats",
                        str(row.repeats),
                        *(["--outcome", str(outcome)] if compared else []),
                    ],
                    caches,
                )
                entry.seconds += answer["repeated_s"] or [answer["first_s"]]
            else:
                if compared:  # not measured: writing the trades would be in the time
                    _run([*command, "--outcome", str(outcome)], caches)
                seconds, answer = _run(command, caches)
                entry.seconds.append(seconds)
            _note(entry, seconds, answer)
            if compared:
                entry.differences = _differences(outcome, row.job)
        except Failed as failed:
            entry.failure = str(failed)


def _note(entry: Entry, seconds: float, answer: Mapping[str, Any]) -> None:
    entry.process_s.append(seconds)
    entry.first_s.append(answer["first_s"])
    entry.first_result_s.append(answer["started_to_first_result_s"])
    entry.peak_mib.append(answer["peak_mib"])
    entry.version = answer["version"]
    entry.trade_count = answer["trade_count"]
    entry.equity_final_usd = answer["equity_final_usd"]


def _differences(outcome: Path, job: str) -> tuple[str, ...]:
    _, found = _run([sys.executable, "-m", "benchmarks.compare", str(outcome), job], {})
    return tuple(found["differences"])


class Failed(Exception):
    """A measured process did not end as it should; carries its last words."""


def _run(command: Sequence[str], environment: Mapping[str, str]) -> tuple[float, Any]:
    """Seconds from start to end of the process, and its last line as JSON (None where it is not JSON)."""
    before = time.perf_counter()
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **environment, STARTED_AT_NS: str(time.monotonic_ns())},
            capture_output=True,
            text=True,
            timeout=PROCESS_TIME_MAX_S,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise Failed(f"not done after {PROCESS_TIME_MAX_S:.0f} s") from late
    seconds = time.perf_counter() - before
    if done.returncode != 0:
        words = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise Failed(words[-1][:200])
    last = (done.stdout.strip().splitlines() or [""])[-1]
    return seconds, json.loads(last) if last.startswith("{") else None


def install_peers() -> None:
    """An environment with exactly what peers.lock names; nothing to do where it is there already."""
    stamp = PEERS_VENV / "installed"
    wanted = f"{hashlib.sha256(PEERS_LOCK.read_bytes()).hexdigest()} {sys.version}\n"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    print(
        f"bench: installing the peers into {PEERS_VENV.relative_to(ROOT)} (some minutes, this once)",
        flush=True,
    )
    # Our own pip installs into it: Debian's venv has none.
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(PEERS_VENV)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(PEERS_VENV / "bin" / "python"), "install"]
    done = subprocess.run([*pip, "--quiet", "--require-hashes", "--no-deps", "-r", str(PEERS_LOCK)])
    if done.returncode != 0:
        sys.exit(
            "bench: the peers could not be installed; see the lines above\n"
            "next: run it again; or measure without them: .venv/bin/python benchmarks/run.py"
        )
    stamp.write_text(wanted)


def _wanted(engine: Engine, chosen: Sequence[str] | None) -> bool:
    if chosen and engine.key not in chosen:
        return False
    if not Path(engine.command[0]).exists():
        print(f"{engine.key}: not measured, {engine.command[0]} is missing (run with --install-peers)")
        return False
    return True


def _is_wrong(entry: Entry) -> bool:
    return entry.engine.is_ours and bool(entry.failure or entry.differences)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes; prints, writes nothing")
    parser.add_argument(
        "--install-peers",
        action="store_true",
        help="install the locked peers where they are missing, then stop",
    )
    parser.add_argument("--repetitions", type=int, help="processes per engine and row")
    parser.add_argument(
        "--rows", type=lambda text: text.split(","), help="only these rows, for example w1,w2"
    )
    parser.add_argument(
        "--engines", type=lambda text: text.split(","), help="only these, for example magellan"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
