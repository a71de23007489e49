"""A fault at every step of a deployment, a promotion and a roll-back, on hosts with real processes and connections.

    .venv/bin/python -m benchmarks.faults --target local --minutes 4 --kept FILE
    .venv/bin/python -m benchmarks.faults --target ssh --minutes 4 --kept FILE --share 2/3
    .venv/bin/python -m benchmarks.faults --kept FILE

20 faults at 12, 15 and 9 steps. Cells that FILE has are not run again, so a campaign is run in slices, several at once
where each takes its share of the cells. Without a target: what the cells in FILE come to.

    local      this machine and its supervisord
    ssh        the same over a real SSH connection on loopback
    compose    containers of a Docker engine in a network of its own (root)
    aws        Systems Manager that runs what it is sent, S3, and one process for each call

A cell that ends in another way than whole is kept as well, with what was wrong; the exit code is then 1.
docs/guides/hosts.md has the newest figures.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from benchmarks.faults.campaign import campaign, options  # noqa: E402
from benchmarks.faults.ground import Ground, local, ssh  # noqa: E402
from benchmarks.faults.kept import SOUND, Kept  # noqa: E402
from benchmarks.faults.matrix import CELLS, STEPS, Cell  # noqa: E402
from benchmarks.faults.rollout import STAGE_OF, Rollout, first_release  # noqa: E402
from magellan.errors import Interrupted, MagellanError  # noqa: E402
from magellan.workspace.workspace import Stage  # noqa: E402


def _compose() -> AbstractContextManager[Ground]:
    from benchmarks.faults.containers import compose

    return compose()


def _aws() -> AbstractContextManager[Ground]:
    from benchmarks.faults.cloud import aws

    return aws()


TARGETS: dict[str, Callable[[], AbstractContextManager[Ground]]] = {
    "local": local,
    "ssh": ssh,
    "compose": _compose,
    "aws": _aws,
}


async def slice_of(target: str, cells: list[Cell], kept: Kept, ground: Ground, until_s: float) -> int:
    """Run cells until time is over or one is unsound: the next one would not begin from a sound state.

    Gives how many were run.
    """
    trading: dict[Stage, int] = {}  # which of the two releases, by stage
    for count, cell in enumerate(cells):
        if time.monotonic() > until_s:
            return count
        stage = STAGE_OF[cell.verb]
        if stage not in trading:
            await first_release(ground, ground.sources, stage)
            trading[stage] = 0
        began_s = time.monotonic()
        rollout = Rollout(ground, ground.releases[stage][1 - trading[stage]], cell)
        try:
            how = await rollout.run()
        except Interrupted:  # the campaign is ended, and this cell with it
            raise
        except (MagellanError, AssertionError, OSError, RuntimeError, ValueError) as error:
            how = f"{type(error).__name__}: {error}"  # a cell that ends so is a finding
        trading[stage] = 1 - trading[stage] if how == "new" else trading[stage]
        kept.add(
            target, cell.verb, cell.name, how=how, met=rollout.faulty.met, took_s=time.monotonic() - began_s
        )
        print(f"{time.monotonic() - began_s:5.1f} s  {cell.name}: {how}", flush=True)
        if how not in SOUND:
            return count + 1
    return len(cells)


def run(target: str, cells: list[Cell], kept: Kept, minutes: float) -> bool:
    """Whether every cell that was run is sound."""
    until_s, sound = time.monotonic() + 60 * minutes, True
    while cells and time.monotonic() < until_s:
        with TARGETS[target]() as ground:
            done = asyncio.run(slice_of(target, cells, kept, ground, until_s))
        sound = sound and (not done or kept.all()[-1]["how"] in SOUND)
        cells = cells[done:]
    return sound


def main() -> int:
    """Run a slice of the campaign, or say what it came to so far; 1 where a cell ended unsound."""
    parser = options(__doc__, chosen_by="--target", targets=TARGETS)
    parser.add_argument("--verb", choices=tuple(STEPS), action="append", help="default: each of them")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="TEXT",
        help="faults whose name begins so; default: all",
    )
    asked = parser.parse_args()
    begins = tuple(asked.fault or ("",))
    cells = [each for each in CELLS if each.verb in (asked.verb or STEPS) and each.fault.startswith(begins)]
    return campaign(asked, cells, lambda mine, kept: run(asked.target, mine, kept, asked.minutes))


if __name__ == "__main__":
    sys.exit(main())
