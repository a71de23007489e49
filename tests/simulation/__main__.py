"""Simulate trading days until they are through, on all cores; tell which seeds are broken.

    python -m tests.simulation --days 1000 --seed 0
    python -m tests.simulation --days 1000000 --seed 1000000 --journal days.jsonl     again: it goes on
    python -m tests.simulation --days 5 --seed 10023 --stop                           one seed, with its traceback

Exit code 0: every invariant held; 1: a seed is broken; 2: wrong usage; 130: interrupted.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from magellan.errors import FixInput
from simulation.long_run import Journal, Terms, long_run, usual_minutes

SAYS_EVERY_S = 5.0


def main() -> int:
    words = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=words[0], epilog=words[2], formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin nothing after so many")
    parser.add_argument("--seed", type=int, default=0, help="the first seed; each run takes the next one")
    parser.add_argument("--run-days", type=int, default=5, help="trading days of one run")
    parser.add_argument(
        "--minutes",
        type=_minutes,
        default="usual",
        help="of a bar; drawn: as the seed draws; usual: drawn for each fifth seed, an hour for the others",
    )
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="processes; all cores unless said"
    )
    parser.add_argument(
        "--journal", type=Path, help="file of what is done; a run that finds it goes on after it"
    )
    parser.add_argument("--stop", action="store_true", help="raise at the first broken run, in this process")
    given = parser.parse_args()

    terms = Terms(first_seed=given.seed, run_days=given.run_days, minutes=given.minutes)
    if given.stop:
        return _one_by_one(terms, given.days)
    try:
        journal = Journal(given.journal, terms, _code())
    except FixInput as error:
        parser.error(str(error))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the processes end with this one
    try:
        finished = _run(journal, terms, given)
    except KeyboardInterrupt:
        print(f"interrupted; {_resume(given, journal)}", flush=True)
        return 130
    broken = journal.broken
    print(
        f"{journal.total('days')} days, {journal.total('entries')} ledger entries, {journal.total('faults')} faults, "
        f"{journal.total('kills')} kills; broken seeds: {sorted(broken) or 'none'}"
    )
    if not finished:
        print(_resume(given, journal))
    return 1 if broken else 0


def _run(journal: Journal, terms: Terms, given: argparse.Namespace) -> bool:
    """Whether all days are through."""
    began = said_at = time.monotonic()
    before = journal.total("days")
    for seed, what in journal.broken.items():
        print(f"seed {seed}: {what}", flush=True)
    if before:
        print(f"{before} days were simulated before", flush=True)
    for done in long_run(
        journal, terms, given.days, jobs=given.jobs, goes_on=lambda: time.monotonic() - began < given.seconds
    ):
        for seed, what in done.broken.items():
            print(f"seed {seed}: {what}", flush=True)
        now = time.monotonic()
        if now - said_at >= SAYS_EVERY_S:
            said_at = now
            print(_progress(journal.total("days"), before, given.days, now - began), flush=True)
    print(_progress(journal.total("days"), before, given.days, time.monotonic() - began), flush=True)
    return journal.total("days") >= given.days


def _progress(days: int, before: int, wanted: int, took_s: float) -> str:
    rate = (days - before) / took_s
    left = f", {max(wanted - days, 0) / rate / 60:.0f} min left" if rate else ""
    return f"{days} of {wanted} days ({days / wanted:.1%}), {rate:.1f} a second{left}"


def _resume(given: argparse.Namespace, journal: Journal) -> str:
    done = f"{journal.total('days')} of {given.days} days are done"
    return done + ("; the same command goes on" if given.journal else "; with --journal FILE it could go on")


def _one_by_one(terms: Terms, days: int) -> int:
    """Without journal or processes, so that what a seed raises can be looked at."""
    from simulation.campaign import simulate

    for seeds in terms.portions(days):
        for seed in seeds:
            minutes = usual_minutes(seed) if terms.minutes == "usual" else terms.minutes
            print(f"seed {seed}", flush=True)
            simulate(seed, days=terms.run_days, minutes=minutes if isinstance(minutes, int) else None)
    return 0


def _minutes(text: str) -> int | str:
    return text if text in ("usual", "drawn") else int(text)


def _code() -> str:
    """Which version simulates, as git calls it; empty outside a repository."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return told.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
