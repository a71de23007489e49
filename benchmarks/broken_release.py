"""How soon a release that ends at its start, or is never ready, is taken back; and whether the old one noticed.

    .venv/bin/python -m benchmarks.broken_release --target local --times 20
    .venv/bin/python -m benchmarks.broken_release --target ssh --times 20
    .venv/bin/python -m benchmarks.broken_release --target ssh --how mute --times 20

On the grounds of benchmarks/faults: real processes and keepers, the whole use case. `taken back` is from the plan's
first record to its last. `after its end` is from the instant at which the process wrote that it fails; `beyond its
time` is what the whole took longer than the time in which it had to be ready, five seconds here. The old release trades
all the time: its process is asked before and after. Target: back on the old one within a second of either.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from benchmarks.faults.ground import Ground, local, ssh  # noqa: E402
from benchmarks.faults.rollout import first_release, key_of  # noqa: E402
from benchmarks.roll_back_hosts import percentile  # noqa: E402
from magellan.plan.carry_out import TakenBack  # noqa: E402
from magellan.release.artifact import packed  # noqa: E402
from magellan.usecases.deploy import begin_deploy  # noqa: E402
from magellan.usecases.prepare_deploy import DeployAsked, prepare_deploy  # noqa: E402
from magellan.wiring.hosts import host_folder  # noqa: E402
from magellan.workspace.workspace import Stage  # noqa: E402

READY_WITHIN_S = 5.0


async def measured(ground: Ground, how: str, times: int) -> tuple[list[float], list[float]]:
    """Seconds of each roll-out, and of what of it came after the process had failed, or was to be ready."""
    sources, old = ground.sources, ground.releases[Stage.TEST][0]
    await first_release(ground, sources)
    artifact = ground.broken[how]
    sources.store.put("moods", artifact.release_id, packed(artifact), at=sources.clock())
    before = (await ground.truth.look(key_of(old))).report
    files, whole_s, after_s = host_folder(ground.workspace), [], []
    if how == "mute":
        terms = sources.settings.deploy.model_copy(update={"ready_within_s": READY_WITHIN_S})
        sources = replace(sources, settings=sources.settings.model_copy(update={"deploy": terms}))
    for _ in range(times):
        asked = DeployAsked(
            strategy="moods", stage=Stage.TEST, release=artifact.release_id[:12], at_once=True
        )
        prepared = await prepare_deploy(asked, sources)
        began_s = time.time()
        rollout = asyncio.ensure_future(begin_deploy(prepared, sources))
        report = files.instance_folder(key_of(artifact)) / "report.json"
        failed_s = began_s + READY_WITHIN_S if how == "mute" else 0.0
        while not rollout.done():
            if not failed_s and report.exists() and b'"failed"' in report.read_bytes():
                failed_s = report.stat().st_mtime
            await asyncio.sleep(0.002)
        outcome, ended_s = await rollout, time.time()
        assert isinstance(outcome, TakenBack), outcome
        whole_s.append(ended_s - began_s)
        after_s.append(ended_s - failed_s)
    after = (await ground.truth.look(key_of(old))).report
    assert before is not None and after is not None and before.pid == after.pid, "the old one was disturbed"
    return whole_s, after_s


def main() -> None:
    """Print how long it took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--target", choices=("local", "ssh"), default="local")
    parser.add_argument("--how", choices=("exits", "mute"), default="exits")
    parser.add_argument("--times", type=int, default=20)
    asked = parser.parse_args()
    with {"local": local, "ssh": ssh}[asked.target]() as ground:
        whole_s, after_s = asyncio.run(measured(ground, asked.how, asked.times))
    since = "beyond its time" if asked.how == "mute" else "after its end"
    for name, values in (("taken back", whole_s), (since, after_s)):
        print(
            f"{asked.target}: {name:<16} p50 {percentile(values, 0.5):.2f} s  p99 {percentile(values, 0.99):.2f} s  "
            f"max {max(values):.2f} s  n {len(values)}"
        )


if __name__ == "__main__":
    main()
