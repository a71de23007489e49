"""How long a roll-back of three hosts takes, over SSH, with real systemd on each (tests/lab/hosts).

    sudo .venv/bin/python benchmarks/roll_back_hosts.py --times 1000
    sudo .venv/bin/python benchmarks/roll_back_hosts.py --times 1000 --round-trip-ms 100
    sudo .venv/bin/python benchmarks/roll_back_hosts.py --times 100 --kept FILE   a slice; what all in FILE come to

Two releases take turns. Measured in one process that stays connected, from the question to the last host's health:
`look` is everything that is looked at before, `roll back` is the plan itself, from its first record to its last.
The instances are those of the lab: they take the account's ledger and beat, without a market.

Targets: p99 of the roll-back at most 1.5 s, and 3 s with a round trip of 100 ms. Known numbers: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
DRIVER = """
import asyncio, json, sys, time
from pathlib import Path
from magellan.surfaces.cli.deploy_options import deploy_sources
from magellan.plan.carry_out import Finished
from magellan.usecases.deploy import begin_deploy
from magellan.usecases.prepare_deploy import DeployAsked, prepare_deploy
from magellan.wiring.hosts import host
from magellan.workspace.workspace import Stage, Workspace
import os
from dataclasses import replace
from functools import cache
workspace = Workspace.at(Path.cwd())
sources = replace(deploy_sources(workspace, "ada"), host=cache(lambda name: host(workspace, name, os.environ)))
async def once(release):
    asked = DeployAsked(
        strategy="moods", stage=Stage.TEST, release=release, action="rollback", at_once=True, watch_s=0
    )
    began = time.perf_counter()
    prepared = await prepare_deploy(asked, sources)
    looked = time.perf_counter()
    outcome = await begin_deploy(prepared, sources)
    assert isinstance(outcome, Finished), outcome
    steps = [(step.title, step.took_s) for phase in outcome.status.phases for step in phase.steps]
    print(json.dumps([looked - began, time.perf_counter() - looked, steps]), flush=True)
releases = sys.argv[2:4]
for number in range(int(sys.argv[1])):
    asyncio.run(once(releases[number % 2]))
"""


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]


def main() -> None:
    """Make the hosts, roll back so many times, and print how long it took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--round-trip-ms", type=float, default=0)
    parser.add_argument(
        "--kept", type=Path, metavar="FILE", help="where slices are kept, a line for each roll-back"
    )
    parser.add_argument("--steps", action="store_true", help="show the steps of the slowest one")
    asked = parser.parse_args()
    # The hosts that it has made are taken down all the same.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    sys.path.insert(0, str(ROOT / "tests"))
    from lab.hosts.base_tree import why_not
    from lab.hosts.fleet import Fleet
    from lab.hosts.machines import lab_of
    from magellan.release.signature import SigningKey

    if why_not():
        sys.exit(why_not())
    with (
        tempfile.TemporaryDirectory() as folder,
        lab_of(Path(folder) / "lab", 3, delayed=asked.round_trip_ms > 0) as lab,
    ):
        fleet = Fleet.made(lab, Path(folder) / "ws", lab.hosts, key=SigningKey.new())
        for host in lab.hosts:
            done = fleet.run("host", "prepare", host.name, "--yes")
            assert done.code == 0, done
        for behaviour in ("old", "well"):
            done = fleet.deploy(behaviour, timeout_s=600)
            assert done.code == 0, done
        for host in lab.hosts:
            if asked.round_trip_ms:
                host.delay(asked.round_trip_ms / 2)
        command = [*lab.in_ctl, sys.executable, "-c", DRIVER, str(asked.times + 2)]
        measured = []
        with subprocess.Popen(
            [*command, fleet.releases["old"], fleet.releases["well"]],
            cwd=fleet.root, env={**os.environ}, stdout=subprocess.PIPE, text=True,
        ) as ran:  # fmt: skip
            assert ran.stdout is not None
            try:
                for number, line in enumerate(ran.stdout):
                    # The first one of each release finds connections to make and caches to fill; people meet that once.
                    if number >= 2:
                        measured.append(json.loads(line))
                        if asked.kept is not None:
                            with open(asked.kept, "a") as kept:
                                kept.write(line)
            except BaseException:  # SIGTERM and Ctrl-C too: nobody else ends it
                ran.terminate()
                raise
        assert ran.returncode == 0, "a roll-back did not come to its end"
    if asked.kept is not None:
        measured = [json.loads(line) for line in asked.kept.read_text().splitlines()]
    for name, values in (
        ("look", [each[0] for each in measured]),
        ("roll back", [each[1] for each in measured]),
        ("together", [each[0] + each[1] for each in measured]),
    ):
        print(
            f"{name:<10} p50 {percentile(values, 0.5):.2f} s  p99 {percentile(values, 0.99):.2f} s  "
            f"max {max(values):.2f} s  n {len(values)}"
        )
    if asked.steps:
        for title, took_s in max(measured, key=lambda each: each[1])[2]:
            print(f"  {took_s or 0:7.3f} s  {title}")


if __name__ == "__main__":
    main()
