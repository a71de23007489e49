"""Real processes are killed at every change of the disk, and new ones go on with the journal that they left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def campaign(folder: Path, what: str, then: str) -> int:
    """How many processes were killed. Fails where a tree is neither what it was nor what it should become."""
    done = subprocess.run(
        [sys.executable, TESTS / "plan/kill_lab.py", folder, what, then],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["wrong"] == []
    return int(told["kills"])


@pytest.mark.parametrize("then", ["resume", "undo"])
def test_a_process_killed_at_any_change_of_the_disk_leaves_what_the_next_one_goes_on_with(
    tmp_path: Path, then: str
) -> None:
    assert campaign(tmp_path, "begin", then) > 100


def test_a_way_back_killed_at_any_change_of_the_disk_is_gone_to_its_end(tmp_path: Path) -> None:
    assert campaign(tmp_path, "undo", "either") > 80


WAITS_FOR_A_LINE = """
import asyncio, sys
from datetime import UTC, datetime
from magellan.errors import Interrupted
from magellan.plan.carry_out import carry_out
from plan.memory import Turn, World, journal_of, plan_of, told
from magellan.plan.plan import Phase

class Waits(Turn):
    async def do(self, world, before):
        print("doing", self.name, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        await super().do(world, before)

plan, world = plan_of(Phase(name="house", steps=tuple(Waits(name=name) for name in "abc"))), World()
journal = journal_of(plan)
try:
    asyncio.run(carry_out(plan, world, journal, now=lambda: datetime.now(UTC)))
except Interrupted as stopped:
    print(stopped.kept, told(journal.kept), world.switches)
"""


def test_ctrl_c_ends_a_process_after_the_step_at_hand() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", WAITS_FOR_A_LINE],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdin is not None and child.stdout is not None and child.stderr is not None
        assert child.stdout.readline() == "doing a\n"
        child.send_signal(signal.SIGINT)
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.read() == (
            "1 of 3 steps are done; the journal knows which ['intent 1', 'done 1', 'stopped'] {'a': 'on'}\n"
        ), child.stderr.read()
