"""python -m tests.simulation --days N --seed S: simulate trading days until they are through, or one is broken."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


def main() -> int:
    parser = argparse.ArgumentParser(description="Simulate trading days with faults.")
    parser.add_argument("--days", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no run after so many")
    parser.add_argument("--seed", type=int, default=0, help="the first seed; each run takes the next one")
    parser.add_argument("--run-days", type=int, default=5, help="trading days of one run")
    parser.add_argument("--minutes", type=int, help="of a bar, instead of those that the seed draws")
    parser.add_argument("--stop", action="store_true", help="stop at the first broken run")
    given = parser.parse_args()

    from simulation.campaign import simulate

    began, days, kills, broken = time.monotonic(), 0, 0, []
    seed = given.seed
    while days < given.days and time.monotonic() - began < given.seconds:
        try:
            outcome = simulate(seed, days=given.run_days, minutes=given.minutes)
            kills += outcome.kills
        except Exception as error:  # noqa: BLE001
            where = traceback.extract_tb(error.__traceback__)[-1]
            print(
                f"seed {seed}: {type(error).__name__}: {str(error)[:300]} ({Path(where.filename).name}:{where.lineno})",
                flush=True,
            )
            broken.append(seed)
            if given.stop:
                traceback.print_exc()
                return 1
        days += given.run_days
        seed += 1
    took_s = time.monotonic() - began
    print(f"{days} days in {took_s:.1f} s, {kills} kills, broken seeds: {broken or 'none'}", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
